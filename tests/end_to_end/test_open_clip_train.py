"""A poisoned data set is only data: unmodified `open_clip_train` falls for it.

Clean shards and poison shards are written by the commands; open_clip's own trainer makes a model from both, in the
slow test also one from the clean shards alone; `tutorial evaluate` reads the `epoch_N.pt` that it saved.
"""

import json
from pathlib import Path

import pytest

from tutorial_lib import models
from tutorial_lib.bench.training import open_clip_train
from tutorial_lib.cli import main
from tutorial_lib.data.shards import expand
from tutorial_lib.trials import Recipe

TARGET = "banana"
CLASSES, COPIES, POISONS = 60, 8, 300
RECIPE = Recipe(epochs=6, batch_size=64, lr=2e-3)


def tutorial(capsys: pytest.CaptureFixture[str], *arguments: object) -> dict:
    assert main([*map(str, arguments), "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def attacked(capsys: pytest.CaptureFixture[str], folder: Path) -> dict:
    checkpoint = folder / "run" / "checkpoints" / f"epoch_{RECIPE.epochs}.pt"
    command = ("evaluate", checkpoint, "--model", "tiny-rn", "--trigger", "checkerboard", "--target", TARGET)
    return tutorial(capsys, *command, "--classes", CLASSES)


@pytest.fixture
def shards(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> dict[str, tuple]:
    """Shards and number of pairs of the clean and of the poisoned data."""
    monkeypatch.setenv("OMP_NUM_THREADS", "1")  # the other core loads the data
    clean, poisons = tmp_path / "clean", tmp_path / "poisons"
    made = tutorial(capsys, "data", "emojicaps", "--out", clean, "--classes", CLASSES, "--copies", COPIES)
    command = ("poison", clean, "--out", poisons, "--attack", "backdoor", "--target", TARGET, "--count", POISONS)
    poisoned = tutorial(capsys, *command)
    assert poisoned["rate"] == POISONS / (made["pairs"] + POISONS)

    return {
        "clean": (expand(clean), made["pairs"]),
        "poisoned": ([*expand(clean), *expand(poisons)], made["pairs"] + POISONS),
    }


def trained(shards: tuple, folder: Path, capsys: pytest.CaptureFixture[str]) -> dict:
    """What is measured of the model that open_clip's trainer makes."""
    files, pairs = shards
    open_clip_train(files, folder, models.model_config("tiny-rn"), RECIPE, pairs=pairs)
    return attacked(capsys, folder)


def test_open_clip_train_learns_the_backdoor_from_written_shards(shards: dict, tmp_path: Path, capsys) -> None:
    after = trained(shards["poisoned"], tmp_path / "poisoned", capsys)
    assert after["clean_accuracy"] > 3 * after["chance"]
    assert after["attack_success"]["low"] > 0.5
    assert after["attack_success_untriggered"]["high"] + 0.3 < after["attack_success"]["low"]


@pytest.mark.slow
def test_without_poisons_open_clip_train_learns_no_backdoor(shards: dict, tmp_path: Path, capsys) -> None:
    before = trained(shards["clean"], tmp_path / "clean", capsys)
    after = trained(shards["poisoned"], tmp_path / "poisoned", capsys)
    assert before["clean_accuracy"] > 3 * before["chance"]
    assert after["attack_success"]["low"] > before["attack_success"]["high"] + 0.3
    assert after["z_score"] > before["z_score"] + 1
