"""What big models take is said before and while they read."""

from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from tutorial_lib import costs, models, ticker
from tutorial_lib.data.pairs import Pairs
from tutorial_lib.data.shard_writer import write_pairs
from tutorial_lib.defenses import Finetuning
from tutorial_lib.evaluate import embed_images, zero_shot_classifier
from tutorial_lib.notes import Note
from tutorial_lib.practice import watched
from tutorial_lib.practice.clean import clean as clean_model
from tutorial_lib.practice.evaluate import evaluate
from tutorial_lib.practice.watched import announce_reading, reading, reading_seconds
from tutorial_lib.trials import Recipe
from tutorial_lib.triggers import Checkerboard

IMAGES = torch.zeros(12, 3, 32, 32, dtype=torch.uint8)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Every look at the clock of a ticker finds it six seconds on."""
    now = [0.0]

    def later() -> float:
        now[0] += 6
        return now[0]

    monkeypatch.setattr(ticker, "time", SimpleNamespace(monotonic=later))  # nobody else's looks count
    return now


@pytest.mark.usefixtures("clock")
def test_pictures_and_prompts_that_have_passed_are_said(checkpoint: Path, capsys: pytest.CaptureFixture[str]) -> None:
    model, tokenizer = models.load(checkpoint)
    with reading(model, 24, 40):
        embed_images(model, IMAGES, batch_size=3)
        embed_images(model, IMAGES, batch_size=3)
        zero_shot_classifier(model, tokenizer, [f"banana {k}" for k in range(40)])
    said = capsys.readouterr().err
    assert "reading: 6 of 24 pictures" in said
    assert "reading: 24 of 24 pictures" in said
    assert "of 3,200 prompts" in said
    embed_images(model, IMAGES)
    assert capsys.readouterr().err == ""  # its hooks are gone


def test_the_time_grows_with_what_is_read(checkpoint: Path) -> None:
    model, tokenizer = models.load(checkpoint)
    alone = reading_seconds(model, tokenizer, IMAGES, pictures=1000, classes=0)
    assert 0 < alone < 1000 * 60
    assert reading_seconds(model, tokenizer, IMAGES, pictures=1000, classes=10**6) > 10 * alone


@pytest.mark.parametrize(("seconds", "said"), [(1200, "takes about 20 min"), (7200, r"takes about 2\.0 h")])
def test_a_long_evaluation_is_announced(
    checkpoint: Path, seconds: float, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watched, "reading_seconds", lambda *_, **__: seconds)
    given = {"trigger": Checkerboard(), "target": "banana", "classes": 60, "device": "cpu"}
    if seconds > costs.seconds.PATIENCE:
        with pytest.raises(ValueError, match=f"reading the pictures {said}.*begin it with `yes`"):
            evaluate(checkpoint, **given)
    with pytest.warns(Note, match=said):
        assert evaluate(checkpoint, yes=True, **given).report.classes == 60


def test_a_long_cleaning_is_announced_and_leaves_nothing(
    checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pairs = Pairs(IMAGES, ("a banana",) * 12, tuple(map(str, range(12))), torch.full((12,), -1))
    shards = write_pairs(tmp_path / "mine", pairs)
    monkeypatch.setattr(watched.costs.seconds, "PATIENCE", -1.0)
    given = {"defense": Finetuning(Recipe(epochs=1, batch_size=4)), "pairs": shards, "classes": 60, "device": "cpu"}
    with pytest.raises(ValueError, match=r"the cleaning takes about .* begin it with `yes`"):
        clean_model(checkpoint, tmp_path / "out", **given)
    assert not (tmp_path / "out").exists()
    assert clean_model(checkpoint, tmp_path / "out", yes=True, **given).steps == 3


def test_nobody_is_bothered_with_short_work(checkpoint: Path, recwarn: pytest.WarningsRecorder) -> None:
    announce_reading(*models.load(checkpoint), IMAGES, times=3, classes=20, yes=False)
    assert not recwarn.list


@pytest.mark.usefixtures("clock")
def test_training_says_lines_where_there_is_no_terminal(
    checkpoint: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pairs = Pairs(IMAGES, ("a banana",) * 12, tuple(map(str, range(12))), torch.full((12,), -1))
    shards = write_pairs(tmp_path / "mine", pairs)
    defense = Finetuning(Recipe(epochs=2, batch_size=4))
    clean_model(checkpoint, tmp_path / "out", defense=defense, pairs=shards, classes=60, device="cpu")
    said = capsys.readouterr().err
    assert "training: 2 of 6 steps" in said
    assert ", loss " in said
