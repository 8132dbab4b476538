"""CLIP models in files: read in every form that people publish, written as model directories.

Introduced in the chapter on CLIP from scratch. A model directory holds `model.json` (the open_clip config),
`vocab.json` (only when the vocabulary is pruned) and `model.safetensors`.
"""

from __future__ import annotations

import copy
import json
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import open_clip
import torch
from open_clip.pretrained import (
    get_pretrained_cfg,
    list_pretrained_models_by_tag,
    list_pretrained_tags_by_model,
)
from safetensors.torch import save_file

from tutorial_lib.files import whole
from tutorial_lib.models import recognise
from tutorial_lib.models.architecture import (
    build,
    config_of,
    full_vocabulary,
    model_config,
    read_json,
    same_architecture,
    shapes,
)
from tutorial_lib.models.errors import CheckpointError
from tutorial_lib.models.fetch import fetch
from tutorial_lib.models.inputs import Preprocessing, preprocessing_of
from tutorial_lib.models.properties import has_quick_gelu
from tutorial_lib.models.published import Weights, finite_types, folder_of, not_finite, open_weights
from tutorial_lib.models.tokenizer import EOT, FULL_VOCAB, SOT, Tokenizer
from tutorial_lib.notes import Note

#: Trained models that ship with the course, as model directories; `data_scripts/checkpoints.py` makes them. Their
#: weights are stored as float16, so a picture near a border may be read otherwise than in the record.
#:
#: :meta hide-value:
CHECKPOINTS = Path(__file__).resolve().parent / "checkpoints"


@dataclass(frozen=True)
class Checkpoint:
    """A model that was read.

    Attributes:
        model: on the CPU, in evaluation mode.
        tokenizer: that belongs to it.
        config: of open_clip, with what is known of its pictures.
        form: what it was read from.

    Example:
        >>> read(CHECKPOINTS / "clean").form
        'a model directory'
    """

    model: open_clip.CLIP
    tokenizer: Tokenizer
    config: dict[str, Any]
    form: str


def save(
    folder: Path, model: open_clip.CLIP, config: dict[str, Any], tokenizer: Tokenizer, *, half: bool = False
) -> None:
    """Write a model directory.

    Args:
        half: store float16 weights, half the size; `load` gives float32 again, rounded.

    Example:
        >>> from tutorial_lib.models import model_config
        >>> model, tokenizer = load(CHECKPOINTS / "clean")
        >>> save(Path("half"), model, model_config("rn-0.8m-long"), tokenizer, half=True)
        >>> load(Path("half"))[0].logit_scale.dtype
        torch.float32
    """
    folder.mkdir(parents=True, exist_ok=True)
    config = copy.deepcopy(config)
    config["text_cfg"] |= {"vocab_size": tokenizer.vocab_size, "context_length": tokenizer.context_length}
    if has_quick_gelu(model):
        config["quick_gelu"] = True
    if (own := preprocessing_of(model)) != Preprocessing():
        config["preprocess_cfg"] = own.as_dict()
    (folder / "model.json").write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")
    if tokenizer.vocab is not None:
        (folder / "vocab.json").write_text(json.dumps(tokenizer.vocab) + "\n", encoding="utf-8")
    else:
        (folder / "vocab.json").unlink(missing_ok=True)  # of an earlier model, whose tokens these are not
    write_weights(folder / "model.safetensors", model, half=half)


def write_weights(path: Path, model: torch.nn.Module, *, half: bool = False) -> None:
    """Write weights as safetensors, whole or not at all, with the permissions of any other file.

    Example:
        >>> write_weights(Path("layer.safetensors"), torch.nn.Linear(1, 1))
        >>> [path.name for path in Path().glob("layer*")]
        ['layer.safetensors']
    """
    weights = {k: v.detach().cpu().contiguous() for k, v in model.state_dict().items()}
    if half:
        weights = {k: v.half() if v.is_floating_point() else v for k, v in weights.items()}
    with whole(path) as part:
        save_file(weights, part)


def load(
    path: str | Path, model: str | Path | None = None, *, pretrained: str | None = None
) -> tuple[open_clip.CLIP, Tokenizer]:
    """Read a model in any form that `read` knows.

    Args:
        path, model, pretrained: as for `read`.

    Raises:
        CheckpointError, ValueError: as for `read`.

    Example:
        >>> model, tokenizer = load(CHECKPOINTS / "backdoored")
        >>> tokenizer.context_length
        32
    """
    found = read(path, model, pretrained=pretrained)
    return found.model, found.tokenizer


def read(path: str | Path, model: str | Path | None = None, *, pretrained: str | None = None) -> Checkpoint:
    """Read a model; nothing of a file is ever run.

    Args:
        path: a model directory, a folder of open_clip from a hub, a file of weights (safetensors, `torch.save` in any
            common form, a TorchScript archive as OpenAI's), or with `pretrained` the name of an architecture.
        model: the model config; for a file, which does not hold it.
        pretrained: open_clip's name of weights ("openai"), which are fetched.

    Raises:
        CheckpointError: nothing is there, the file is damaged or of another kind, a weight is not finite, or the
            weights belong to another architecture.
        ValueError: it is not said which model a file holds, or said twice and differently.

    Example:
        >>> read("RN50", pretrained="nobody")  # doctest: +ELLIPSIS
        Traceback (most recent call last):
        ValueError: open_clip has no weights 'nobody' of RN50; it has openai, yfcc15m, cc12m
    """
    if pretrained is not None:
        return _fetched(str(path), pretrained, model)
    path = Path(path)
    if not path.exists():
        raise CheckpointError(f"there is no checkpoint at {path}{_meant(str(path))}")
    if path.is_dir():
        return _of_folder(path, model)
    weights = open_weights(path)
    settings = _named(weights, model)
    if weights.quick_gelu is not None and weights.quick_gelu != settings.get("quick_gelu", False):
        needs = "QuickGELU" if weights.quick_gelu else "GELU"
        warnings.warn(f"{path} says that its weights need {needs}, and that is taken", Note, stacklevel=2)
        settings = settings | {"quick_gelu": weights.quick_gelu}
    return _assembled(weights, settings, None, weights.form)


def _meant(name: str) -> str:
    """What one may have meant with a path where nothing is."""
    if tags := list_pretrained_tags_by_model(name):
        return f"; for open_clip's {name} name weights with `pretrained`: {', '.join(tags[:6])}"
    if name in open_clip.list_models():
        return f"; open_clip has no weights of {name}"
    if known := list_pretrained_models_by_tag(name):
        return f"; for open_clip's weights {name!r} name the architecture too: {', '.join(known[:4])}, …"
    if name.startswith(("hf-hub:", "hf:", "http:", "https:")):
        return ": fetch it first, and give the folder or the file"
    return ""


def _named(weights: Weights, model: str | Path | None) -> dict[str, Any]:
    """The config of a file's weights: as told, or the only one that the file leaves open.

    Raises:
        ValueError: neither.
        CheckpointError: no config fits.
    """
    if model is not None:
        return model_config(model)
    path, found = weights.path, weights.shapes
    if kind := recognise.foreign(found):
        raise CheckpointError(f"{path} seems to hold {kind}")
    names = recognise.fitting(found)
    if names and (tokens := recognise.pruned(found)):
        raise CheckpointError(
            f"{path} holds {' or '.join(names)} with {tokens:,} tokens of the vocabulary, and does not say which: give "
            "its model directory, with vocab.json"
        )
    if weights.quick_gelu is not None:
        configs = [model_config(name) for name in names]
        known = [c for c in configs if c.get("quick_gelu", False) == weights.quick_gelu] or configs
        if len(known) == 1:
            return known[0]
    if not names:
        raise ValueError(
            f"{path} does not say which model it holds, and fits no config of the course or of open_clip "
            f"({recognise.some(found)}): give its own as `model`"
        )
    said = f" (its arguments say {weights.model:.60})" if weights.model else ""
    raise ValueError(f"{path} does not say which model it holds{said}: give `model` {recognise.choice(names)}")


def _of_folder(path: Path, model: str | Path | None) -> Checkpoint:
    folder = folder_of(path)
    try:
        body = read_json(folder.config)
        if isinstance(body, dict) and "classes" in body:
            raise ValueError(f"{path} holds a classifier that `clean --method supervised` saved, not a CLIP")
        settings = config_of(body, str(folder.config))
        vocab = _vocabulary(path / "vocab.json", settings)
    except ValueError as error:
        raise CheckpointError(str(error)) from error
    if model is not None and not same_architecture(model_config(model), settings):
        raise ValueError(f"{folder.config} says which model it is, and not {str(model)!r}: leave `model` out")
    return _assembled(open_weights(folder.weights), settings, vocab, folder.form)


def _vocabulary(path: Path, settings: Mapping[str, Any]) -> list[int] | None:
    """The tokens that a pruned vocabulary keeps, `None` for all.

    Raises:
        ValueError: the file is damaged, or missing where the config needs it.
    """
    size = settings["text_cfg"].get("vocab_size", FULL_VOCAB)
    if not path.is_file():
        if size != FULL_VOCAB:
            raise ValueError(f"{path} is missing: the vocabulary is pruned to {size} tokens, and it says which")
        return None
    tokens = read_json(path)
    if not (
        isinstance(tokens, list)
        and all(type(t) is int and 0 <= t < FULL_VOCAB for t in tokens)
        and tokens == sorted(set(tokens))
        and tokens[-2:] == [SOT, EOT]
    ):
        raise ValueError(f"{path} is damaged: it must list CLIP's tokens in their order, the last two {SOT} and {EOT}")
    if size != len(tokens) + 2:
        raise ValueError(f"{path} lists {len(tokens)} tokens, and the config has a vocabulary of {size}")
    return tokens


def _assembled(weights: Weights, settings: dict[str, Any], vocab: Sequence[int] | None, form: str) -> Checkpoint:
    """The model of a config with weights from a file.

    Raises:
        CheckpointError: they do not belong together, or a weight is not finite.
    """
    try:
        expected = shapes(settings)
    except ValueError as error:
        raise CheckpointError(f"{weights.path}: {error}") from error
    if vocab is None and not full_vocabulary(settings):
        size = settings["text_cfg"]["vocab_size"]
        raise CheckpointError(
            f"{weights.path} has a vocabulary pruned to {size} tokens: give its model directory, "
            "whose vocab.json says which"
        )
    found = weights.shapes
    if (scale := found.get("logit_scale")) == (1,):
        found = found | {"logit_scale": ()}  # older trainers kept it as a list of one
    if differs := recognise.difference(expected, found):
        seeming = recognise.seeming(found)
        raise CheckpointError(f"{weights.path} holds weights of another architecture: {differs}; {seeming}")
    tensors = weights.read()
    if odd := finite_types(tensors):
        raise CheckpointError(f"{weights.path} holds no weights of a model: {odd}")
    if damaged := not_finite(tensors):
        raise CheckpointError(
            f"{weights.path} has weights that are not all finite ({damaged}): it is damaged or did not converge"
        )
    if scale is not None:
        tensors["logit_scale"] = tensors["logit_scale"].reshape(())
    tokenizer = Tokenizer(settings["text_cfg"].get("context_length", 77), vocab)
    model = build(settings, tokenizer)
    model.load_state_dict(tensors)
    return Checkpoint(model.eval(), tokenizer, settings, form)


def _fetched(name: str, tag: str, model: str | Path | None) -> Checkpoint:
    """open_clip's weights of an architecture.

    Raises:
        ValueError: there are none of that name, or the architecture is not supported.
        CheckpointError: they cannot be fetched or read.
    """
    if model is not None:
        raise ValueError(f"{name} with `pretrained` {tag} says which model it is: leave `model` out")
    if Path(name).exists():
        raise ValueError(f"{name} is a checkpoint of its own, and `pretrained` fetches one: leave one of them out")
    settings = model_config(name)
    about = get_pretrained_cfg(name, tag)
    if not about:
        tags = ", ".join(list_pretrained_tags_by_model(name)) or "none"
        raise ValueError(f"open_clip has no weights {tag!r} of {name}; it has {tags}")
    file = fetch(about, f"the weights {tag!r} of {name}")
    pictures = {k: about[k] for k in Preprocessing.__dataclass_fields__ if k in about}
    settings |= {"quick_gelu": bool(about.get("quick_gelu", False)), "preprocess_cfg": pictures}
    return _assembled(open_weights(file), settings, None, f"open_clip's weights {tag!r} of {name}")


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
        tutorial_lib.models.errors.CheckpointError: no checkpoint 'nobody' ships with the course (backdoored, clean, ...
    """
    if (CHECKPOINTS / name).is_dir():
        return load(CHECKPOINTS / name)
    if not get_pretrained_cfg(config, name):
        shipped = ", ".join(sorted(p.name for p in CHECKPOINTS.iterdir() if p.is_dir()))
        raise CheckpointError(f"no checkpoint {name!r} ships with the course ({shipped}), and open_clip has none of it")
    return load(config, pretrained=name)
