"""Which model it is: open_clip's configs by name or file, checked before anything is built from them.

A config comes from a stranger's folder as often as from a list, so every field is known, of its type and within
bounds, and what the library cannot honour (another loss, another tokenizer) is refused by name.
"""

from __future__ import annotations

import copy
import functools
import json
import types
import typing
from collections.abc import Iterable, Mapping
from dataclasses import MISSING, Field, fields
from pathlib import Path
from typing import Any

import open_clip
import timm
import torch
from open_clip.model import CLIPTextCfg, CLIPVisionCfg

from tutorial_lib.models.inputs import Preprocessing
from tutorial_lib.models.tokenizer import FULL_VOCAB, Tokenizer

CONFIGS = Path(__file__).resolve().parent / "configs"
#: What a config may say beside its towers; `build` needs the first four.
BUILT_FROM = ("embed_dim", "vision_cfg", "text_cfg", "quick_gelu")
TOP = {*BUILT_FROM, "custom_text", "preprocess_cfg", "init_logit_scale", "nonscalar_logit_scale"}
#: Largest values: of layers, and of every other whole number.
DEEPEST, LARGEST = 256, 1 << 20
#: What open_clip's own configs set to null: a ResNet has no patches, and timm's towers may need no projection.
MAY_BE_NULL = ("patch_size", "timm_proj")
#: Settings of a normalisation and of an activation.
KEYWORDS: dict[str, dict[str, type]] = {"norm_kwargs": {"eps": float}, "act_kwargs": {"approximate": str}}
#: Settings that another loss or another tokenizer belongs to, and values that the library has instead.
ONLY = {"embed_cls": False, "output_tokens": False, "pool_type": "argmax", "proj_type": "linear", "proj_bias": False}


def model_config(name: str | Path) -> dict[str, Any]:
    """The open_clip config of that name, or in that JSON file, which may be an `open_clip_config.json`.

    Raises:
        ValueError: neither the course nor open_clip has such a config, the file is none, or the library cannot honour
            what it says.

    Example:
        >>> model_config("tiny-rn")["embed_dim"]
        128
        >>> model_config("ViT-B-16-SigLIP")  # doctest: +ELLIPSIS
        Traceback (most recent call last):
        ValueError: 'ViT-B-16-SigLIP' is a SigLIP model: its sigmoid loss and its own tokenizer are not supported...
    """
    for path in (CONFIGS / f"{name}.json", Path(name)):
        if path.suffix == ".json" and path.is_file():
            return config_of(read_json(path), str(path))
    config: dict[str, Any] | None = open_clip.get_model_config(str(name)) if ":" not in str(name) else None
    if config is None:
        ours = ", ".join(sorted(p.stem for p in CONFIGS.glob("*.json")))
        raise ValueError(
            f"there is no model config {str(name)!r}; the course has {ours}, open_clip has RN50, ViT-B-32, …"
        )
    if other := unsupported(config):
        raise ValueError(f"{str(name)!r} is {other}")
    return config


def read_json(path: Path) -> Any:
    """What a JSON file holds.

    Raises:
        ValueError: the file is damaged.

    Example:
        >>> read_json(CONFIGS / "tiny-rn.json")["embed_dim"]
        128
    """
    try:
        return json.loads(path.read_text(encoding="utf-8-sig"))
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{path} is damaged: {error}") from error


def config_of(body: Any, source: str) -> dict[str, Any]:
    """A checked config, from what a JSON file holds: the config itself, or a hub's `model_cfg` with `preprocess_cfg`.

    Args:
        body: of the file.
        source: how errors call it.

    Raises:
        ValueError: it is no config of a CLIP, or the library cannot honour what it says.

    Example:
        >>> config_of({"embed_dim": 8}, "mine.json")
        Traceback (most recent call last):
        ValueError: mine.json does not describe an open_clip model: vision_cfg is missing
    """
    if isinstance(body, dict) and isinstance(body.get("model_cfg"), dict):
        more = {"preprocess_cfg": body["preprocess_cfg"]} if body.get("preprocess_cfg") else {}
        body = body["model_cfg"] | more
    if isinstance(body, dict) and "model_type" in body and "vision_cfg" not in body:
        raise ValueError(f"{source} is a config of Hugging Face transformers ({body['model_type']!r:.40}): {CONVERT}")
    if isinstance(body, dict) and (other := unsupported(body)):
        raise ValueError(f"{source} describes {other}")
    try:
        check_config(body)
    except ValueError as error:
        raise ValueError(f"{source} does not describe an open_clip model: {error}") from None
    config: dict[str, Any] = body
    return config


#: What to do with a model in the form of another library.
CONVERT = (
    "this library reads open_clip's models; fetch the same weights in open_clip's form (`open_clip_config.json` beside "
    "them, or an architecture with `pretrained`), or convert them"
)


def unsupported(config: Mapping[str, Any]) -> str:
    """Which other kind of model a config describes, in words that end a sentence; empty for a CLIP.

    Example:
        >>> unsupported({"multimodal_cfg": {}})
        'a CoCa model: its captioning loss and decoder are not supported'
    """
    text, vision = ({} if not isinstance(c := config.get(k), dict) else c for k in ("text_cfg", "vision_cfg"))
    if "multimodal_cfg" in config:
        return "a CoCa model: its captioning loss and decoder are not supported"
    if config.get("init_logit_bias") is not None:
        return "a SigLIP model: its sigmoid loss and its own tokenizer are not supported"
    if text.get("hf_model_name"):
        return f"a model with the text tower {text['hf_model_name']!r:.60} of Hugging Face, which is not supported"
    if text.get("hf_tokenizer_name"):
        return f"a model with the tokenizer {text['hf_tokenizer_name']!r:.60}, and only CLIP's own is supported"
    for name, only in ONLY.items():
        if text.get(name, only) != only:
            return f"a model whose text tower has {name} {text[name]!r:.40}, and only {only!r} is supported"
    if vision.get("output_tokens"):
        return "a model whose picture tower also gives tokens, which is not supported"
    return ""


def check_config(config: Any) -> None:
    """Look at every field of a config.

    Raises:
        ValueError: a field is missing, unknown, of another type or out of bounds, or two do not go together.

    Example:
        >>> check_config(model_config("RN50"))
    """
    if not isinstance(config, dict):
        raise ValueError(f"an object of names and values is needed, not {config!r:.40}")
    for name, kind in (("embed_dim", "int"), ("vision_cfg", "dict"), ("text_cfg", "dict")):
        if name not in config:
            raise ValueError(f"{name} is missing")
        if type(config[name]).__name__ != kind:
            raise ValueError(
                f"{name} is {'a whole number' if kind == 'int' else 'an object'}, not {config[name]!r:.40}"
            )
    if unknown := sorted(map(str, config.keys() - TOP)):
        raise ValueError(f"it has no field {unknown[0]!r:.60}")
    _bounded("embed_dim", config["embed_dim"])
    if not isinstance(config.get("quick_gelu", False), bool):
        raise ValueError(f"quick_gelu is true or false, not {config['quick_gelu']!r:.40}")
    vision, text = _fields("vision_cfg", config, CLIPVisionCfg), _fields("text_cfg", config, CLIPTextCfg)
    _check_vision(vision)
    if text["width"] % text["heads"]:
        raise ValueError(f"text_cfg has width {text['width']}, which {text['heads']} heads do not divide")
    if text["context_length"] < 3:
        raise ValueError("text_cfg has a context_length below 3, too short for a word")
    if config.get("preprocess_cfg") is not None:
        Preprocessing.of_config(config["preprocess_cfg"])


def _check_vision(vision: dict[str, Any]) -> None:
    sides = vision["image_size"]
    sides = [sides, sides] if isinstance(sides, int) else sides
    if sides[0] != sides[1]:
        raise ValueError(f"vision_cfg has an image_size of {sides[0]} x {sides[1]}, and pictures are square here")
    if name := vision["timm_model_name"]:
        if ":" in name or not timm.is_model(name):
            raise ValueError(f"vision_cfg names a picture tower {name!r:.60} that timm does not have")
        return
    width, head_width, layers = vision["width"], vision["head_width"], vision["layers"]
    whole = width * 32 if isinstance(layers, list) else width
    if whole % head_width:
        raise ValueError(f"vision_cfg has width {whole}, which heads of width {head_width} do not divide")
    if isinstance(layers, list):
        if len(layers) != 4:
            raise ValueError(f"vision_cfg has layers {layers!r:.40}: a ResNet has four numbers of them")
        if sides[0] % 32:
            raise ValueError(f"vision_cfg has image_size {sides[0]}: a ResNet's is a multiple of 32")
    elif vision["patch_size"] is None:
        raise ValueError("vision_cfg has no patch_size")
    elif sides[0] < vision["patch_size"]:
        raise ValueError(f"vision_cfg has image_size {sides[0]}, smaller than patches of {vision['patch_size']}")


def _fields(where: str, config: dict[str, Any], cls: type[Any]) -> dict[str, Any]:
    """What a tower's config says, with open_clip's defaults.

    Raises:
        ValueError: a field is unknown, of another type or out of bounds.
    """
    hints = typing.get_type_hints(cls)
    known: dict[str, Field[Any]] = {f.name: f for f in fields(cls)}
    for name, value in config[where].items():
        if name not in known:
            raise ValueError(f"{where} has no field {name!r:.60}")
        if value is None and (known[name].default is None or name in MAY_BE_NULL):
            continue
        if not _fits(value, hints[name]):
            raise ValueError(f"{where} has {name} {value!r:.40}, a value of the wrong type")
        for number in value if isinstance(value, list) else [value]:
            _bounded(f"{where}.{name}", number)
        if isinstance(value, dict):
            allowed = KEYWORDS.get(name, {})
            if not all(k in allowed and type(v) is allowed[k] for k, v in value.items()):
                raise ValueError(f"{where} has {name} {value!r:.60}, and {', '.join(allowed) or 'nothing'} can be set")
    return {f.name: config[where].get(f.name, None if f.default is MISSING else f.default) for f in known.values()}


def _bounded(name: str, value: Any) -> None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return
    most = DEEPEST if name.endswith("layers") else LARGEST
    least = 0 if isinstance(value, float) or name.endswith(("_id", "dropout", "drop", "path")) else 1
    if not least <= value <= most:
        raise ValueError(f"{name} is {value}, not within {least} and {most:,}")


def _fits(value: Any, hint: Any) -> bool:
    """Whether a value read from JSON has a type; lists stand for tuples."""
    origin, inner = typing.get_origin(hint), typing.get_args(hint)
    if origin in (typing.Union, types.UnionType):
        return any(_fits(value, h) for h in inner)
    if origin is tuple:
        return isinstance(value, list) and len(value) == len(inner) and all(map(_fits, value, inner))
    if hint is float:
        return isinstance(value, int | float) and not isinstance(value, bool)
    return type(value) is hint or (hint is type(None) and value is None)


def build(config: str | Path | dict[str, Any], tokenizer: Tokenizer | None = None, *, seed: int = 0) -> open_clip.CLIP:
    """An untrained CLIP; what its config says of pictures belongs to it.

    Args:
        config: a name for `model_config`, or the config itself.
        tokenizer: gives vocabulary size and context length; by default those of the config.
        seed: initialisation seed; the global random state is left as it was.

    Raises:
        ValueError: open_clip cannot build what the config describes.

    Example:
        >>> tokenizer = Tokenizer.for_texts(["a dog"], context_length=8)
        >>> build("rn-0.4m", tokenizer).token_embedding.num_embeddings == tokenizer.vocab_size
        True
    """
    config = copy.deepcopy(config if isinstance(config, dict) else model_config(config))
    if tokenizer is not None:
        config["text_cfg"] |= {"vocab_size": tokenizer.vocab_size, "context_length": tokenizer.context_length}
    if config["vision_cfg"].get("timm_model_name"):
        config["vision_cfg"]["timm_model_pretrained"] = False  # else timm fetches weights that ours replace
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        try:
            model = open_clip.CLIP(**{k: config[k] for k in BUILT_FROM if k in config})
        except (TypeError, AssertionError, AttributeError, RuntimeError, LookupError, ArithmeticError) as error:
            if isinstance(error, torch.OutOfMemoryError) or "can't allocate memory" in str(error):
                raise
            reason = " ".join(str(error).split())[:200] or type(error).__name__
            raise ValueError(f"open_clip cannot build what the config describes: {reason}") from error
    if config.get("preprocess_cfg") is not None:
        Preprocessing.of_config(config["preprocess_cfg"]).give_to(model.visual)
    return model


def shapes(config: dict[str, Any]) -> dict[str, tuple[int, ...]]:
    """The weights that a config's model has, by name, with their shapes; nothing is initialised.

    Raises:
        ValueError: as for `build`.

    Example:
        >>> shapes(model_config("tiny-rn"))["text_projection"]
        (64, 128)
    """
    return dict(_shapes(json.dumps(config, sort_keys=True)))


@functools.lru_cache(maxsize=64)
def _shapes(config: str) -> tuple[tuple[str, tuple[int, ...]], ...]:
    with torch.device("meta"):
        model = build(json.loads(config))
    return tuple((name, tuple(tensor.shape)) for name, tensor in model.state_dict().items())


def tokenizer_for(config: dict[str, Any], texts: Iterable[str] | None = None) -> Tokenizer:
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


def same_architecture(one: dict[str, Any], other: dict[str, Any]) -> bool:
    """Whether two configs describe one model, whatever its vocabulary and context length are.

    Example:
        >>> same_architecture(model_config("RN50"), model_config("RN50-quickgelu"))
        False
    """

    def compared(config: dict[str, Any]) -> tuple[Any, ...]:
        text = {k: v for k, v in config["text_cfg"].items() if k not in ("vocab_size", "context_length")}
        return config["embed_dim"], config["vision_cfg"], text, config.get("quick_gelu", False)

    return compared(one) == compared(other)


def known_configs() -> dict[str, dict[str, Any]]:
    """Every config of the course and of open_clip that the library supports, by name.

    Example:
        >>> known = known_configs()
        >>> "tiny-rn" in known, "ViT-B-32" in known, "ViT-B-16-SigLIP" in known
        (True, True, False)
    """
    ours = {path.stem: read_json(path) for path in sorted(CONFIGS.glob("*.json"))}
    theirs = {name: open_clip.get_model_config(name) for name in open_clip.list_models()}
    return {name: config for name, config in (ours | theirs).items() if not unsupported(config)}


def full_vocabulary(config: dict[str, Any]) -> bool:
    """Whether a config's text tower knows all of CLIP's tokens.

    Example:
        >>> full_vocabulary(model_config("tiny-rn"))
        True
    """
    return bool(config["text_cfg"].get("vocab_size", FULL_VOCAB) == FULL_VOCAB)
