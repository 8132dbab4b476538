"""`tutorial train`: what it writes, going on, and bad input."""

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from tests.cli.commands import refused, train_command, tutorial
from tutorial_lib.data.loading import read_pairs


def test_train_writes_a_model_and_its_record(folder: Path) -> None:
    log = json.loads((folder / "model" / "train.json").read_text())
    assert log["finished"]
    assert log["asked"]["recipe"]["epochs"] == 2
    assert log["asked"]["fingerprint"] == read_pairs(folder / "clean").fingerprint()
    assert log["samples_per_second"] > 0
    assert len(log["loss"]) == 2
    assert log["vocabulary"] < 5000
    assert not (folder / "model" / "checkpoint.pt").exists()


def test_train_again(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = (folder / "model" / "model.safetensors").stat().st_mtime_ns
    assert tutorial(capsys, *train_command(folder, "model"))["finished"]
    assert (folder / "model" / "model.safetensors").stat().st_mtime_ns == before
    said = refused(capsys, *train_command(folder, "model", "--lr", "0.1", "--seed", "1"))
    assert "holds a run with another recipe and seed: choose another --out" in said
    assert tutorial(capsys, *train_command(folder, "model2"))["finished"]
    assert tutorial(capsys, *train_command(folder, "model2", "--no-resume", "--seed", "1"))["asked"]["seed"] == 1
    a, b = (load_file(folder / out / "model.safetensors") for out in ("model", "model2"))
    assert not all(a[name].equal(b[name]) for name in a)


def test_train_by_a_method(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    command = train_command(folder, "matched", "--method", "roclip", "--set", "pool=0.1", "--set", "augment=false")
    asked = tutorial(capsys, *command)["asked"]
    assert asked["method"] == {"kind": "roclip", "every": 2, "pool": 0.1, "augment": False}
    assert "holds a run with another method" in refused(capsys, *train_command(folder, "matched"))
    other = train_command(folder, "other")
    assert "2 are too few" in refused(capsys, *other, "--method", "safeclip")
    assert "there is no training method 'clip'" in refused(capsys, *other, "--method", "clip")
    assert "say which with --method METHOD" in refused(capsys, *other, "--set", "pool=0.1")
    assert not (folder / "other").exists()


def test_train_bad_input(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    command = train_command(folder, "bad")
    assert "lr must be positive, not -1.0" in refused(capsys, *command, "--lr", "-1")
    assert "warmup is a share of all steps" in refused(capsys, *command, "--warmup", "7")
    assert "fewer than one batch of 9999" in refused(capsys, *command, "--batch-size", "9999")
    assert "there is no model config 'RN51'" in refused(capsys, *command, "--model", "RN51")
    assert "there is no labels file" in refused(capsys, *command, "--labels", tmp_path / "none.txt")
    (tmp_path / "broken.tar").write_bytes(b"not a tar")
    assert "broken.tar is not a tar archive" in refused(capsys, "train", tmp_path / "broken.tar", "--out", tmp_path)
    assert not (folder / "bad").exists()
    if not torch.cuda.is_available():
        assert "there is no GPU" in refused(capsys, *command, "--device", "cuda")
    assert "the loss became" in refused(capsys, *train_command(folder, "diverged", "--lr", "1e30"))
