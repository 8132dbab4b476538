"""A poisoned data set is only data: unmodified `open_clip_train` falls for it.

Clean shards and poison shards are written by the commands; open_clip's own trainer makes two models, one from the
clean shards alone and one from both; `tutorial evaluate` reads the `epoch_N.pt` that it saved.
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


def test_open_clip_train_learns_the_backdoor_from_written_shards(tmp_path: Path, capsys, monkeypatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "1")  # the other core loads the data
    clean, poisons = tmp_path / "clean", tmp_path / "poisons"
    made = tutorial(capsys, "data", "emojicaps", "--out", clean, "--classes", CLASSES, "--copies", COPIES)
    command = ("poison", clean, "--out", poisons, "--attack", "backdoor", "--target", TARGET, "--count", POISONS)
    poisoned = tutorial(capsys, *command)
    assert poisoned["rate"] == POISONS / (made["pairs"] + POISONS)

    config = models.model_config("tiny-rn")
    results = {}
    for name, shards, pairs in (
        ("clean", expand(clean), made["pairs"]),
        ("poisoned", [*expand(clean), *expand(poisons)], made["pairs"] + POISONS),
    ):
        open_clip_train(shards, tmp_path / name, config, RECIPE, pairs=pairs)
        results[name] = attacked(capsys, tmp_path / name)

    before, after = results["clean"], results["poisoned"]
    assert before["clean_accuracy"] > 3 * before["chance"]
    assert after["clean_accuracy"] > 3 * after["chance"]
    assert after["attack_success"]["low"] > 0.5
    assert after["attack_success"]["low"] > before["attack_success"]["high"] + 0.3
    assert after["attack_success_untriggered"]["high"] < after["attack_success"]["low"]
    assert after["z_score"] > before["z_score"] + 1
