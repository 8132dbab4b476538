"""Commands in a test: run one and read its JSON, or the one line that it refuses with."""

import json
from pathlib import Path

import pytest

from tutorial_lib.cli import main
from tutorial_lib.trials import Record, Trial

CLASSES = 60
CONFIG = {
    "embed_dim": 32,
    "vision_cfg": {"image_size": 32, "layers": [1, 1, 1, 1], "width": 8, "head_width": 16},
    "text_cfg": {"context_length": 16, "vocab_size": 49408, "width": 32, "heads": 2, "layers": 1},
}


def record(trial: Trial | None = None, **metrics: object) -> Record:
    """A record that nothing was trained for."""
    trial = trial or Trial(data="d")
    return Record(trial.key, trial.as_dict(), metrics or {"x": 0.5}, 1.0, "here", {}, "2026-01-01")


def train_command(folder: Path, out: str, *more: str) -> list[str]:
    command = ["train", str(folder / "clean"), "--out", str(folder / out), "--model", str(folder / "small.json")]
    return [*command, "--epochs", "2", "--batch-size", "64", "--device", "cpu", *more]


def trained_on_poisons(here: Path, *, count: int, epochs: int) -> Path:
    """A folder with clean shards, poisons and a model trained on both."""
    (here / "small.json").write_text(json.dumps(CONFIG))
    run = lambda *a: main([*map(str, a)])  # noqa: E731
    assert run("data", "emojicaps", "--out", here / "clean", "--classes", CLASSES, "--copies", 2) == 0
    attack = ("--attack", "backdoor", "--target", "banana", "--count", count)
    assert run("poison", here / "clean", "--out", here / "poisons", *attack) == 0
    train = ("train", here / "clean", here / "poisons", "--out", here / "model", "--model", here / "small.json")
    assert run(*train, "--epochs", epochs, "--batch-size", 64, "--device", "cpu") == 0
    return here


def tutorial(capsys: pytest.CaptureFixture[str], *arguments: object) -> dict:
    capsys.readouterr()
    assert main([*map(str, arguments), "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def refused(capsys: pytest.CaptureFixture[str], *arguments: object) -> str:
    """The one line on standard error of a command that ends with code 2."""
    capsys.readouterr()
    try:
        code = main([*map(str, arguments)])
    except SystemExit as end:  # argparse says its usage, then one line
        code = end.code
    printed = capsys.readouterr()
    assert code == 2
    assert printed.out == ""
    assert "Traceback" not in printed.err
    return printed.err.strip().splitlines()[-1]


def backdoor(folder: Path, out: Path, *more: object) -> list[object]:
    command = ["poison", folder / "clean", "--out", out, "--attack", "backdoor"]
    return [*command, "--target", "banana", "--count", 12, *more]


def evaluate(folder: Path, *more: object) -> list[object]:
    command = ["evaluate", folder / "model", "--trigger", "checkerboard", "--target", "banana"]
    own = () if "--data" in more else ("--classes", CLASSES)
    return [*command, *own, "--device", "cpu", *more]
