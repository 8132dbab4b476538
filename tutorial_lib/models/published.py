"""Checkpoints as people publish them: one file in any common form, or a folder from a hub.

What a file is shows in its content, not in its suffix. Nothing is unpickled into code: see
`tutorial_lib.models.unpickle`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from tutorial_lib.models.architecture import CONVERT, read_json
from tutorial_lib.models.errors import CheckpointError
from tutorial_lib.models.pickles import Made, Stored, UnreadableError
from tutorial_lib.models.recognise import other_file
from tutorial_lib.models.unpickle import Unpickled, tensors_of_module, unpickle

#: Where trainers keep the weights in what they save, and what wrappers put before a weight's name.
PLACES = ("state_dict", "model_state_dict", "model", "module", "net", "weights")
WRAPPERS = ("module.", "_orig_mod.")
ATTRIBUTES = ("model.", "clip.", "clip_model.", "net.")
#: Tensors beside the weights: OpenAI's archives tell sizes by them, and older models kept masks and positions.
SIZES = ("input_resolution", "context_length", "vocab_size")
BESIDE = (*SIZES, "n_averaged", "attn_mask", "text.attn_mask", "text.transformer.embeddings.position_ids")
#: What shows an activation in the text of a TorchScript archive's code.
QUICK, PLAIN = ("QuickGELU", "1.702"), "torch.gelu("
#: Files of a hub's folder, by preference.
HUB_CONFIG = "open_clip_config.json"
HUB_WEIGHTS = ("open_clip_model.safetensors", "open_clip_pytorch_model.safetensors", "open_clip_pytorch_model.bin")
LONGEST_HEADER = 1 << 26


@dataclass
class Weights:
    """Weights in a file, by the names that open_clip's CLIP has for them.

    Attributes:
        path: the file.
        form: what the file is.
        shapes: of the weights.
        quick_gelu: whether they need QuickGELU; `None` where the file does not say.
        model: the name of a config that the file says.
        read: gives the tensors.

    Example:
        See `open_weights`, which makes one.

        >>> "quick_gelu" in Weights.__dataclass_fields__
        True
    """

    path: Path
    form: str
    shapes: dict[str, tuple[int, ...]]
    read: Callable[[], dict[str, Tensor]] = field(repr=False)
    quick_gelu: bool | None = None
    model: str = ""


def open_weights(path: Path) -> Weights:
    """What weights a file holds: safetensors, a file of `torch.save` in any common form, or a TorchScript archive.

    Raises:
        CheckpointError: the file holds none, or is damaged.

    Example:
        >>> from tutorial_lib import models
        >>> open_weights(models.CHECKPOINTS / "clean" / "model.safetensors").form
        'a safetensors file'
    """
    if other := other_file(path):
        raise CheckpointError(f"{path} {other}")
    try:
        if _is_safetensors(path):
            return _safetensors(path)
        return _torch_file(path, unpickle(path))
    except UnreadableError as error:
        raise CheckpointError(f"{path} {error}") from error


def _is_safetensors(path: Path) -> bool:
    with path.open("rb") as file:
        begin = file.read(9)
    return len(begin) == 9 and begin[8:] == b"{" and int.from_bytes(begin[:8], "little") < LONGEST_HEADER


def _safetensors(path: Path) -> Weights:
    try:
        with safe_open(path, "pt") as file:
            shapes = {name: tuple(file.get_slice(name).get_shape()) for name in file.keys()}  # noqa: SIM118
    except (SafetensorError, OSError, ValueError, OverflowError) as error:
        raise CheckpointError(f"{path} is damaged: {error}") from error
    names = _plain_names(path, list(shapes))

    def read() -> dict[str, Tensor]:
        with safe_open(path, "pt") as file:
            return {plain: file.get_tensor(name) for name, plain in names.items()}

    return Weights(path, "a safetensors file", {plain: shapes[name] for name, plain in names.items()}, read)


def _torch_file(path: Path, opened: Unpickled) -> Weights:
    if opened.torchscript:
        found, where = tensors_of_module(opened.content), ""
    else:
        found, where = _state_dict(path, opened.content)
    names = _plain_names(path, list(found))
    sizes = any(name in found for name in SIZES)
    form = f"a file of torch.save{f' (`{where}`)' if where else ''}"
    hints = _arguments(opened.content)
    quick: bool | None = None
    if opened.torchscript:
        form = "a TorchScript archive"
        quick = True if sizes or any(q in opened.code for q in QUICK) else False if PLAIN in opened.code else None
    elif sizes or hints.get("force_quick_gelu") is True or hints.get("pretrained") == "openai":
        quick = True

    def read() -> dict[str, Tensor]:
        try:
            return opened.tensors({plain: found[name] for name, plain in names.items()})
        except UnreadableError as error:
            raise CheckpointError(f"{path} {error}") from error

    shapes = {plain: found[name].shape for name, plain in names.items()}
    model = hints.get("model")
    return Weights(path, form, shapes, read, quick, model if isinstance(model, str) else "")


def _state_dict(path: Path, content: Any, depth: int = 0) -> tuple[dict[str, Stored], str]:
    """The weights in what a trainer saved, and the name of their place.

    Raises:
        CheckpointError: there are none.
    """
    if isinstance(content, Made):
        raise CheckpointError(
            f"{path} holds a whole pickled object ({content.name:.80}), whose code would have to run: save its "
            "state_dict() instead"
        )
    if isinstance(content, Stored):
        raise CheckpointError(f"{path} holds one tensor of shape {content.shape}, no dictionary of weights")
    if not isinstance(content, dict):
        raise CheckpointError(f"{path} holds a {type(content).__name__}, no dictionary of weights")
    tensors = {k: v for k, v in content.items() if isinstance(k, str) and isinstance(v, Stored)}
    if tensors and 2 * len(tensors) >= len(content):
        return tensors, ""
    for place in PLACES:
        inner = content.get(place)
        if isinstance(inner, dict | Made) and inner and depth < 2:
            found, where = _state_dict(path, inner, depth + 1)
            return found, f"{place}.{where}" if where else place
    keys = ", ".join(f"{k!r:.40}" for k in list(content)[:6]) or "nothing"
    raise CheckpointError(f"{path} holds no weights where trainers keep them ({', '.join(PLACES)}), but {keys}")


def _arguments(content: Any) -> Mapping[Any, Any]:
    """A trainer's arguments, where it saved them beside the weights."""
    for name in ("args", "hparams", "hyper_parameters", "config"):
        found = content.get(name) if isinstance(content, dict) else None
        found = found.state if isinstance(found, Made) else found
        if isinstance(found, dict):
            return found
    return {}


def _plain_names(path: Path, names: list[str]) -> dict[str, str]:
    """The weights' own names, by those in the file: without what wrappers of a model put before or between.

    Raises:
        CheckpointError: two weights would have one name.
    """
    plain = {name: _unwrapped(name) for name in names}
    plain = {name: own for name, own in plain.items() if own not in BESIDE}
    for prefix in ATTRIBUTES:
        if plain and all(own.startswith(prefix) for own in plain.values()):
            plain = {name: _unwrapped(own.removeprefix(prefix)) for name, own in plain.items()}
    if "text.token_embedding.weight" in plain.values() and "text.text_projection" in plain.values():
        plain = {name: own.removeprefix("text.") for name, own in plain.items()}  # open_clip's `custom_text`
    plain = {name: own for name, own in plain.items() if own not in BESIDE}
    if len(set(plain.values())) < len(plain):
        double = next(own for own in plain.values() if list(plain.values()).count(own) > 1)
        raise CheckpointError(f"{path} holds two weights called {double!r:.80}: save one state_dict alone")
    return plain


def _unwrapped(name: str) -> str:
    while name.startswith(WRAPPERS):
        name = name.split(".", 1)[1]
    return name.replace("._orig_mod.", ".")


@dataclass(frozen=True)
class Folder:
    """A folder with a model.

    Attributes:
        form: what it is.
        config: file of its config.
        weights: file of its weights.

    Example:
        >>> from tutorial_lib import models
        >>> folder_of(models.CHECKPOINTS / "clean").config.name
        'model.json'
    """

    form: str
    config: Path
    weights: Path


def folder_of(path: Path) -> Folder:
    """Which files of a folder are a model.

    Raises:
        CheckpointError: none are.

    Example:
        >>> Path("empty").mkdir()
        >>> folder_of(Path("empty"))
        Traceback (most recent call last):
        tutorial_lib.models.errors.CheckpointError: empty is not a model directory: it is empty
    """
    there = {p.name for p in path.iterdir()}
    ours = ("model.json", "model.safetensors")
    if HUB_CONFIG in there and "model.json" not in there:
        weights = next((name for name in HUB_WEIGHTS if name in there), None)
        if weights is None:
            raise CheckpointError(f"{path} has {HUB_CONFIG}, but no weights beside it ({', '.join(HUB_WEIGHTS)})")
        return Folder("a hub folder of open_clip", path / HUB_CONFIG, path / weights)
    if missing := [name for name in ours if name not in there]:
        raise CheckpointError(f"{path} is not a model directory: {_what_else(path, there, missing)}")
    return Folder("a model directory", path / ours[0], path / ours[1])


def _what_else(path: Path, there: set[str], missing: list[str]) -> str:
    if not there:
        return "it is empty"
    if "config.json" in there and not there & {"model.json", HUB_CONFIG}:
        try:
            body = read_json(path / "config.json")
        except (ValueError, OSError):
            body = {}
        kind = body.get("model_type", "unknown") if isinstance(body, dict) else "unknown"
        return f"it holds a model of Hugging Face transformers (model_type {kind!r:.40}); {CONVERT}"
    if "labels.txt" in there and "model.safetensors" in there:
        return "it holds a classifier without its model.json"
    files = sorted(name for name in there if name.endswith((".pt", ".pth", ".bin", ".ckpt", ".safetensors")))
    if len(missing) == 2 and files:
        return f"give one of its files, {', '.join(files[:3])}{', …' if len(files) > 3 else ''}"
    return f"{' and '.join(missing)} {'is' if len(missing) == 1 else 'are'} missing"


def not_finite(weights: Mapping[str, Tensor]) -> str:
    """Name of the first weight that is not finite, as a training that diverged leaves them; empty where all are.

    Example:
        >>> not_finite({"a": torch.zeros(1), "b": torch.tensor([torch.nan])})
        'b'
    """
    return next((n for n, t in weights.items() if t.is_floating_point() and not t.isfinite().all()), "")


def finite_types(weights: Mapping[str, Tensor]) -> str:
    """The first weight that is no real number, with its type; empty where all are.

    Example:
        >>> finite_types({"a": torch.zeros(1), "b": torch.zeros(1, dtype=torch.complex64)})
        "'b' holds complex64"
    """
    odd = (n for n, t in weights.items() if t.is_complex() or t.is_quantized or (t.dtype == torch.bool))
    return next((f"{name!r:.80} holds {str(weights[name].dtype).removeprefix('torch.')}" for name in odd), "")
