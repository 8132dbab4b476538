"""open_clip models from small JSON configs, and weights as safetensors.

Introduced in the chapter on CLIP from scratch. A model directory holds `model.json` (the open_clip config),
`vocab.json` (only when the vocabulary is pruned) and `model.safetensors`.
"""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import open_clip
import torch
from open_clip.pretrained import get_pretrained_cfg
from open_clip.transformer import QuickGELU
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from tutorial_lib.models.tokenizer import Tokenizer

CONFIGS = Path(__file__).resolve().parent / "configs"
#: Trained models that ship with the course, as model directories; `data_scripts/checkpoints.py` makes them. Their
#: weights are stored as float16, so a picture near a border may be read otherwise than in the record.
#:
#: :meta hide-value:
CHECKPOINTS = Path(__file__).resolve().parent / "checkpoints"


class CheckpointError(RuntimeError):
    """A checkpoint cannot be read, or belongs to another architecture."""


def model_config(name: str | Path) -> dict[str, Any]:
    """The open_clip config of that name, or in that JSON file.

    Raises:
        ValueError: neither the course nor open_clip has such a config.

    Example:
        >>> model_config("tiny-rn")["embed_dim"]
        128
    """
    for path in (CONFIGS / f"{name}.json", Path(name)):
        if path.suffix == ".json" and path.is_file():
            own: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
            return own
    config: dict[str, Any] | None = open_clip.get_model_config(str(name))
    if config is None:
        ours = ", ".join(sorted(p.stem for p in CONFIGS.glob("*.json")))
        raise ValueError(
            f"there is no model config {str(name)!r}; the course has {ours}, open_clip has RN50, ViT-B-32, …"
        )
    return config


def build(config: str | Path | dict[str, Any], tokenizer: Tokenizer | None = None, *, seed: int = 0) -> open_clip.CLIP:
    """An untrained CLIP.

    Args:
        config: a name for `model_config`, or the config itself.
        tokenizer: gives vocabulary size and context length; by default those of the config.
        seed: initialisation seed; the global random state is left as it was.

    Example:
        >>> parameter_count(build("rn-0.4m", Tokenizer.for_texts(["a dog"], context_length=8)).visual) > 100_000
        True
    """
    config = copy.deepcopy(config if isinstance(config, dict) else model_config(config))
    if tokenizer is not None:
        config["text_cfg"] |= {"vocab_size": tokenizer.vocab_size, "context_length": tokenizer.context_length}
    keep = ("embed_dim", "vision_cfg", "text_cfg", "quick_gelu")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return open_clip.CLIP(**{k: config[k] for k in keep if k in config})


def tokenizer_for(config: dict[str, Any], texts: list[str] | None = None) -> Tokenizer:
    """The tokenizer of a config, pruned to `texts` when they are given.

    Example:
        >>> tokenizer_for(model_config("tiny-rn"), ["a dog"]).vocab_size
        6
    """
    length = config["text_cfg"].get("context_length", 77)
    return Tokenizer(length) if texts is None else Tokenizer.for_texts(texts, context_length=length)


def config_side(config: dict[str, Any]) -> int:
    """Width and height of the pictures that models of a config take, in pixels.

    Example:
        >>> config_side(model_config("RN50")), config_side(model_config("tiny-rn"))
        (224, 32)
    """
    side = config["vision_cfg"].get("image_size", 224)
    return side if isinstance(side, int) else side[0]


def picture_side(model: open_clip.CLIP) -> int:
    """Width and height of the pictures that a model takes, in pixels.

    Example:
        >>> picture_side(load(CHECKPOINTS / "clean")[0])
        32
    """
    side = model.visual.image_size
    return side if isinstance(side, int) else side[0]


def parameter_count(module: torch.nn.Module) -> int:
    """Numbers that training changes, and those of frozen parts.

    Example:
        >>> parameter_count(torch.nn.Linear(3, 2))
        8
    """
    return sum(p.numel() for p in module.parameters())


def save(
    folder: Path, model: open_clip.CLIP, config: dict[str, Any], tokenizer: Tokenizer, *, half: bool = False
) -> None:
    """Write a model directory.

    Args:
        half: store float16 weights, half the size; `load` gives float32 again, rounded.

    Example:
        >>> import tempfile
        >>> model, tokenizer = load(CHECKPOINTS / "clean")
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     save(Path(folder), model, model_config("tiny-rn"), tokenizer, half=True)
        ...     again, _ = load(Path(folder))
        >>> picture_side(again)
        32
    """
    folder.mkdir(parents=True, exist_ok=True)
    config = copy.deepcopy(config)
    config["text_cfg"] |= {"vocab_size": tokenizer.vocab_size, "context_length": tokenizer.context_length}
    if any(isinstance(m, QuickGELU) for m in model.modules()):
        config["quick_gelu"] = True
    (folder / "model.json").write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")
    if tokenizer.vocab is not None:
        (folder / "vocab.json").write_text(json.dumps(tokenizer.vocab) + "\n", encoding="utf-8")
    weights = {k: v.cpu().contiguous() for k, v in model.state_dict().items()}
    if half:
        weights = {k: v.half() if v.is_floating_point() else v for k, v in weights.items()}
    save_file(weights, folder / "model.safetensors")


def pretrained(name: str, config: str) -> tuple[open_clip.CLIP, Tokenizer]:
    """A trained model to go on with.

    Args:
        name: a checkpoint that ships with the course, or open_clip's name of weights ("openai"), which are fetched.
        config: name of the model config, for open_clip's weights.

    Raises:
        CheckpointError: there is neither, or the weights cannot be fetched.

    Example:
        >>> pretrained("nobody", "tiny-rn")  # doctest: +ELLIPSIS
        Traceback (most recent call last):
        tutorial_lib.models.clip.CheckpointError: no checkpoint 'nobody' ships with the course (backdoored, clean, ...
    """
    if (CHECKPOINTS / name).is_dir():
        return load(CHECKPOINTS / name)
    if (config.lower(), name) not in {(m.lower(), tag) for m, tag in open_clip.list_pretrained()}:
        shipped = ", ".join(sorted(p.name for p in CHECKPOINTS.iterdir() if p.is_dir()))
        raise CheckpointError(f"no checkpoint {name!r} ships with the course ({shipped}), and open_clip has none of it")
    try:
        quick = get_pretrained_cfg(config, name).get("quick_gelu", False)  # OpenAI's weights need it; a config lacks it
        model = open_clip.create_model(config, pretrained=name, force_quick_gelu=quick)
    except Exception as error:  # every kind of network failure
        raise CheckpointError(f"the weights {name!r} of {config} could not be fetched: {error}") from error
    return model.eval(), Tokenizer(model.context_length)


def _read_json(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise CheckpointError(f"{path} is damaged: {error}") from error


def load(path: Path, config: str | None = None) -> tuple[open_clip.CLIP, Tokenizer]:
    """Read a model directory, or a checkpoint that `open_clip_train` wrote.

    Args:
        path: a model directory, or an `epoch_*.pt` file (read with `weights_only=True`, never unpickled).
        config: the model config; needed for a `.pt` file, which does not hold it.

    Raises:
        CheckpointError: nothing is there, the file is damaged, or the weights belong to another architecture.
        ValueError: a `.pt` file without `config`.

    Example:
        >>> model, tokenizer = load(CHECKPOINTS / "backdoored")
        >>> tokenizer.context_length
        16
    """
    if not path.exists():
        raise CheckpointError(f"there is no checkpoint at {path}")
    vocab = None
    if path.is_dir():
        needed = [path / "model.json", path / "model.safetensors"]
        if missing := [p.name for p in needed if not p.is_file()]:
            raise CheckpointError(f"{path} is not a model directory: {', '.join(missing)} is missing")
        settings = _read_json(needed[0])
        if (path / "vocab.json").is_file():
            vocab = _read_json(path / "vocab.json")
        try:
            weights = load_file(needed[1])
        except SafetensorError as error:
            raise CheckpointError(f"{needed[1]} is damaged: {error}") from error
    else:
        if config is None:
            raise ValueError(f"{path} does not say which model it holds: name its config")
        settings = model_config(config)
        try:
            weights = torch.load(path, map_location="cpu", weights_only=True)
        except Exception as error:  # torch raises many kinds for a bad file
            raise CheckpointError(f"{path} cannot be read as weights: {error}") from error
        weights = weights.get("state_dict", weights)
        weights = {k.removeprefix("module."): v for k, v in weights.items()}
    try:
        tokenizer = Tokenizer(settings["text_cfg"].get("context_length", 77), vocab)
        model = build(settings, tokenizer)
    except (KeyError, TypeError, AttributeError) as error:
        raise CheckpointError(f"{path} does not describe an open_clip model: {error!r}") from error
    try:
        model.load_state_dict(weights)
    except RuntimeError as error:
        first = str(error).splitlines()[1].strip() if "\n" in str(error) else str(error)
        raise CheckpointError(f"{path} holds weights of another architecture: {first}") from error
    return model.eval(), tokenizer
