"""Thousands of damaged checkpoints and configs: each is read, or refused with one kind of error, and none hangs."""

from __future__ import annotations

import argparse
import copy
import io
import json
import random
import shutil
import time
import warnings
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.models.published import saved_bytes
from tests.models.small import classifier
from tests.training.small import CONFIG, TOKENIZER
from tutorial_lib import models
from tutorial_lib.models import CheckpointError
from tutorial_lib.models.published import open_weights

#: Cases of each kind in the short run and in the long one.
SHORT, LONG = 60, 4000
#: Seconds that no case may take.
LONGEST = 10
ODD: tuple[Any, ...] = (
    *(None, True, False, 0, 1, -1, 2, 3, 7, 64, 10**6, 10**9, 2**63, 10**400, 0.5, -0.0, 1e308, float("nan")),
    *("", "32", "vit_tiny", "local-dir:/tmp", "hf-hub:timm/x", "\u00e9", "x" * 5000),
    *([], [1], [1, 1, 1, 1], [0, 0], [[]], [None] * 3, {}, {"a": {}}, [1, 1, 1, 10**9]),
)
STATE = {"visual.w": torch.arange(12.0).reshape(3, 4), "b": torch.ones(5, dtype=torch.float16), "n": torch.tensor(3)}


def damaged(content: bytes, draw: random.Random) -> bytes:
    """Bytes flipped, overwritten, cut, doubled or added; most at the beginning, where formats say what follows."""
    body = bytearray(content)
    for _ in range(draw.choice((1, 1, 2, 8))):
        at = draw.randrange(max(1, len(body) if draw.random() < 0.5 else min(len(body), 600)))
        kind = draw.randrange(6)
        if kind == 0 and body:
            body[at % len(body)] ^= 1 << draw.randrange(8)
        elif kind == 1:
            body[at : at + draw.choice((1, 4, 8))] = draw.choice(
                (b"\xff" * 8, bytes(8), b"\x7f" + b"\xff" * 7, b"{", b"[")
            )
        elif kind == 2:
            del body[at:]
        elif kind == 3:
            del body[at : at + draw.randrange(1, 50)]
        elif kind == 4:
            body[at:at] = body[at : at + draw.randrange(1, 50)]
        elif body:
            body[at:at] = bytes(draw.randrange(256) for _ in range(draw.randrange(1, 9)))
    return bytes(body)


def places(value: Any) -> Iterator[tuple[Any, Any]]:
    """Every place in nested JSON: a container and a key."""
    for key in list(value) if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ():
        yield value, key
        yield from places(value[key])


def odd_json(body: Any, draw: random.Random) -> bytes:
    """JSON with other values, fewer fields or more."""
    if draw.random() < 0.2:
        return damaged(json.dumps(body).encode(), draw)
    body = copy.deepcopy(body)
    for _ in range(draw.choice((1, 1, 2, 4))):
        container, key = draw.choice([*places({"": body})])
        kind = draw.randrange(6)
        if kind == 0:
            del container[key]
            break
        container[key if kind > 1 or isinstance(container, list) else f"{key}_"] = copy.deepcopy(draw.choice(ODD))
    return json.dumps(body).encode()


def with_other_pickle(content: bytes, draw: random.Random) -> bytes:
    """An archive whose description is damaged, and whose checksums are right."""
    made = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as old, zipfile.ZipFile(made, "w") as new:
        for name in old.namelist():
            body = old.read(name)
            new.writestr(name, damaged(body, draw) if name.endswith("data.pkl") else body)
    return made.getvalue()


def read_file(path: Path) -> dict[str, torch.Tensor]:
    return open_weights(path).read()


class Net(torch.nn.Module):
    """A module with a part, for TorchScript."""

    def __init__(self) -> None:
        super().__init__()
        self.part = torch.nn.Linear(3, 2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.part(x)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with everything that is damaged below, in order."""
    folder = tmp_path_factory.mktemp("whole")
    model = models.build(CONFIG, TOKENIZER)
    models.save(folder / "model", model, CONFIG, TOKENIZER)
    models.save_classifier(folder / "head", classifier(), CONFIG, ["a", "b", "c", "d"])
    shutil.copytree(folder / "model", folder / "hub")
    settings = json.loads((folder / "model" / "model.json").read_text("utf-8"))
    pictures = {"mean": [0.5, 0.5, 0.5], "std": [0.5, 0.5, 0.5], "interpolation": "bicubic", "size": [32, 32]}
    body = json.dumps({"model_cfg": settings, "preprocess_cfg": pictures})
    (folder / "hub" / "open_clip_config.json").write_text(body, "utf-8")
    (folder / "hub" / "model.json").unlink()
    (folder / "hub" / "model.safetensors").rename(folder / "hub" / "open_clip_model.safetensors")
    content = {"args": argparse.Namespace(lr=0.1), "epoch": 3, "state_dict": STATE}
    (folder / "zip.pt").write_bytes(saved_bytes(content))
    torch.save(content, folder / "legacy.pt", _use_new_zipfile_serialization=False)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # scripting is deprecated
        torch.jit.save(torch.jit.script(Net()), folder / "script.pt")
    return folder


Damage = Callable[[bytes, random.Random], bytes]
by_json: Damage = lambda content, draw: odd_json(json.loads(content), draw)  # noqa: E731
#: What is read, the file in it that is damaged, how, and by what it is read.
KINDS: dict[str, tuple[str, str, Damage, Callable[[Path], Any]]] = {
    "weights": ("model", "model.safetensors", damaged, models.load),
    "config": ("model", "model.json", by_json, models.load),
    "vocabulary": ("model", "vocab.json", by_json, models.load),
    "hub": ("hub", "open_clip_config.json", by_json, models.load),
    "classifier": ("head", "model.json", by_json, models.load_classifier),
    "labels": ("head", "labels.txt", damaged, models.load_classifier),
    "archive": ("zip.pt", "", damaged, read_file),
    "pickle": ("zip.pt", "", with_other_pickle, read_file),
    "legacy": ("legacy.pt", "", damaged, read_file),
    "torchscript": ("script.pt", "", damaged, read_file),
    "torchscript's pickle": ("script.pt", "", with_other_pickle, read_file),
}


def run(kind: str, whole: Path, tmp_path: Path, count: int, seed: int) -> dict[str, int]:
    """How often damaged checkpoints were read and refused."""
    name, inner, damage, read = KINDS[kind]
    target = tmp_path / name
    shutil.copytree(whole / name, target) if inner else shutil.copy(whole / name, target)
    file = target / inner if inner else target
    content = file.read_bytes()
    found = {"read": 0, "refused": 0}
    for case in range(count):
        draw = random.Random(f"{kind} {seed} {case}")
        file.write_bytes(damage(content, draw))
        which, started = f"{kind}, seed {seed}, case {case}", time.perf_counter()
        got, refusal = outcome(read, target, which)
        assert time.perf_counter() - started < LONGEST, f"{which} took too long"
        found["refused" if refusal else "read"] += 1
        assert len(refusal) < 1000, which
        assert not refusal or str(target) in refusal, f"{which}: {refusal}"
        if kind == "archive" and not refusal:  # its parts have checksums
            assert all(torch.equal(got[k], STATE[k]) for k in got), which
    return found


def outcome(read: Callable[[Path], Any], target: Path, which: str) -> tuple[Any, str]:
    """What was read, or the one line of a refusal."""
    try:
        return read(target), ""
    except (CheckpointError, ValueError) as error:
        return None, str(error)
    except BaseException as error:
        raise AssertionError(which) from error


@pytest.mark.parametrize("kind", KINDS)
def test_a_damaged_checkpoint_is_read_or_refused(kind: str, whole: Path, tmp_path: Path) -> None:
    found = run(kind, whole, tmp_path, SHORT, seed=0)
    assert found["refused"] > SHORT / 10


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_thousands_of_damaged_checkpoints_are_read_or_refused(kind: str, whole: Path, tmp_path: Path) -> None:
    found = run(kind, whole, tmp_path, LONG, seed=1)
    assert found["refused"] > LONG / 10
