"""A small CLIP with the whole vocabulary, in every form in which people publish checkpoints."""

from __future__ import annotations

import argparse
import io
import json
import pickle
import warnings
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import open_clip
import torch
from safetensors.torch import save_file

from tutorial_lib import models

CONFIG: dict[str, Any] = {
    "embed_dim": 16,
    "vision_cfg": {"image_size": 32, "layers": [1, 1, 1, 1], "width": 8, "head_width": 16},
    "text_cfg": {"context_length": 12, "vocab_size": 49408, "width": 32, "heads": 2, "layers": 1},
}
VIT = CONFIG | {"vision_cfg": {"image_size": 32, "layers": 1, "width": 32, "head_width": 16, "patch_size": 8}}
State = dict[str, torch.Tensor]


def small(config: dict[str, Any] = CONFIG, *, quick: bool = False, seed: int = 3) -> open_clip.CLIP:
    """The model; statistics and scale are not those that every new model has."""
    model = models.build(config | {"quick_gelu": quick}, seed=seed).eval()
    with torch.no_grad():
        model.logit_scale.fill_(3.0)
        for name, buffer in model.named_buffers():
            if name.endswith("running_mean"):
                buffer.add_(0.1)
    return model


def embedded(model: open_clip.CLIP, tokenizer: models.Tokenizer | None = None) -> torch.Tensor:
    """Embeddings of four pictures and two texts."""
    images = torch.rand(4, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    tokens = (tokenizer or models.Tokenizer(12))(["a small dog", "the moon!"])
    with torch.no_grad():
        return torch.cat([model.encode_image(images), model.encode_text(tokens)])


def halved(state: State) -> State:
    return {k: v.half() if v.is_floating_point() else v for k, v in state.items()}


def prefixed(prefix: str, state: State) -> State:
    return {prefix + name: tensor for name, tensor in state.items()}


def hub(
    folder: Path, model: open_clip.CLIP, config: dict[str, Any] = CONFIG, *, pickled: bool = False, **preprocess: Any
) -> Path:
    """A folder of open_clip from a hub."""
    folder.mkdir(parents=True, exist_ok=True)
    body = {"model_cfg": config, "preprocess_cfg": preprocess}
    (folder / "open_clip_config.json").write_text(json.dumps(body), "utf-8")
    if pickled:
        torch.save(model.state_dict(), folder / "open_clip_pytorch_model.bin")
    else:
        save_file(model.state_dict(), folder / "open_clip_model.safetensors")
    return folder


def script(path: Path, model: open_clip.CLIP, *, length: int = 12, sizes: bool = False) -> Path:
    """A TorchScript archive; with sizes, as OpenAI's tell them."""
    for name, value in {"context_length": length, "vocab_size": 49408, "input_resolution": 32}.items() if sizes else ():
        if hasattr(model, name):
            delattr(model, name)
        model.register_buffer(name, torch.tensor(value))
    image, text = torch.zeros(1, 3, 32, 32), torch.zeros(1, length, dtype=torch.int64)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # tracing is deprecated, and what was published stays
        traced = torch.jit.trace_module(model, {"encode_image": (image,), "encode_text": (text,)}, check_trace=False)
        torch.jit.save(traced, path)
    return path


def _saved(name: str, of: Callable[[State], Any], **options: Any) -> Callable[[Path, open_clip.CLIP], Path]:
    def write(folder: Path, model: open_clip.CLIP) -> Path:
        torch.save(of(model.state_dict()), folder / name, **options)
        return folder / name

    return write


def _safetensors(folder: Path, model: open_clip.CLIP) -> Path:
    save_file(model.state_dict(), folder / "clip.safetensors")
    return folder / "clip.safetensors"


def _optimizer(state: State) -> dict[str, Any]:
    adam = torch.optim.AdamW([torch.nn.Parameter(torch.ones(3))])
    adam.param_groups[0]["params"][0].grad = torch.ones(3)
    adam.step()
    return {"epoch": 3, "name": "run", "state_dict": prefixed("module.", state), "optimizer": adam.state_dict()}


#: Files that need `model`, by what is special about them.
FILES: dict[str, Callable[[Path, open_clip.CLIP], Path]] = {
    "safetensors": _safetensors,
    "bare": _saved("bare.pt", lambda s: s),
    "ordered": _saved("ordered.pth", lambda s: __import__("collections").OrderedDict(s)),
    "parameters": _saved("parameters.pt", lambda s: {k: torch.nn.Parameter(v, False) for k, v in s.items()}),
    "epoch of open_clip_train": _saved("epoch_3.pt", _optimizer),
    "compiled": _saved("compiled.pt", lambda s: {"state_dict": prefixed("_orig_mod.", s)}),
    "compiled tower": _saved(
        "tower.pt", lambda s: {k.replace("visual.", "visual._orig_mod.", 1): v for k, v in s.items()}
    ),
    "compiled and distributed": _saved("both.ckpt", lambda s: {"state_dict": prefixed("module._orig_mod.", s)}),
    "distributed and compiled": _saved("turned.pt", lambda s: {"model": prefixed("_orig_mod.module.", s)}),
    "lightning": _saved("last.ckpt", lambda s: {"state_dict": prefixed("model.", s), "hyper_parameters": {"lr": 1}}),
    "model": _saved("model.bin", lambda s: {"model": s}),
    "model_state_dict": _saved("msd.pt", lambda s: {"model_state_dict": s, "loss": 0.5}),
    "nested": _saved("nested.pt", lambda s: {"model": {"state_dict": s}}),
    "arguments": _saved("args.pt", lambda s: {"args": argparse.Namespace(lr=1e-3, hook=print), "state_dict": s}),
    "averaged": _saved("swa.pt", lambda s: {"n_averaged": torch.tensor(3), **prefixed("module.", s)}),
    "scale as a list": _saved("scale.pt", lambda s: s | {"logit_scale": s["logit_scale"].reshape(1)}),
    "custom text": _saved(
        "custom.pt", lambda s: {k if k.startswith(("visual.", "logit")) else f"text.{k}": v for k, v in s.items()}
    ),
    "without counts": _saved("old.pt", lambda s: {k: v for k, v in s.items() if not k.endswith("num_batches_tracked")}),
    "before 1.6": _saved("legacy.pt", lambda s: {"state_dict": s}, _use_new_zipfile_serialization=False),
    "protocol 4": _saved("four.pt", lambda s: {"state_dict": s}, pickle_protocol=4),
    "double precision": _saved(
        "double.pt", lambda s: {k: v.double() if v.is_floating_point() else v for k, v in s.items()}
    ),
    "torchscript": lambda folder, model: script(folder / "script.pt", model),
}


class Trap:
    """Runs a program when it is unpickled: it opens a file for writing, in the place of something worse."""

    def __init__(self, path: Path) -> None:
        self.path = str(path)

    def __reduce__(self) -> Any:
        return open, (self.path, "w")


def with_pickle(source: Path, path: Path, content: bytes) -> Path:
    """An archive of torch.save whose pickle is another."""
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(path, "w") as new:
        for info in old.infolist():
            new.writestr(info, content if info.filename.endswith("data.pkl") else old.read(info))
    return path


def traps(folder: Path, canary: Path) -> dict[str, Path]:
    """Files that would run a program when they are unpickled."""
    trap = Trap(canary)
    torch.save({"state_dict": {"x": trap, "visual.proj": torch.zeros(1)}}, folder / "inside.pt")
    torch.save(trap, folder / "alone.pt")
    torch.save({"state_dict": {"x": trap}}, folder / "legacy.pt", _use_new_zipfile_serialization=False)
    (folder / "plain.pkl").write_bytes(pickle.dumps(trap))
    (folder / "text.pt").write_bytes(f"cposix\nsystem\n(S'touch {canary}'\ntR.".encode())
    (folder / "old.pt").write_bytes(b"\x80\x02cposix\nsystem\n" + f"(S'touch {canary}'\ntR.".encode())
    torch.save({"a": torch.zeros(1)}, folder / "source.pt")
    for name, body in {
        "object.pt": f"(S'touch {canary}'\niposix\nsystem\n.".encode(),
        "extension.pt": b"\x80\x02\x82\x01)R.",
        "build.pt": b"\x80\x02cposix\nsystem\n}(X\x01\x00\x00\x00aK\x01ub.",
    }.items():
        with_pickle(folder / "source.pt", folder / name, body)
    return {path.name: path for path in sorted(folder.iterdir()) if path.name != "source.pt"}


def saved_bytes(content: Any) -> bytes:
    """What torch.save writes of something."""
    buffer = io.BytesIO()
    torch.save(content, buffer)
    return buffer.getvalue()
