"""`tutorial bench`, at a small size."""

import pytest

from tests.cli.commands import CLASSES, CONFIG, tutorial
from tutorial_lib.bench import cleaning, store
from tutorial_lib.practice.defense import methods


def test_bench_of_the_z_score(capsys: pytest.CaptureFixture[str]) -> None:
    command = ("bench", "--only", "zscore", "--embeddings", 3000, "--dimensions", 24, "--repeats", 2)
    body = tutorial(capsys, *command)
    assert body["zscore"]["largest_difference"] < 1e-6
    assert body["zscore"]["speedup"] > 0
    assert body["machine"]["cpu"]


def test_bench_of_the_store(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store, "RECORDS", 20)
    body = tutorial(capsys, "bench", "--only", "store", "--repeats", 1)["store"]
    assert body["records"] == 20
    assert 0 < body["bookkeeping_seconds"] < body["status_seconds"]


def test_bench_of_cleaning(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cleaning, "PAIRS", 128)
    body = tutorial(capsys, "bench", "--only", "clean", "--repeats", 1)["clean"]
    assert body["step_ms"].keys() == body["ratio_to_finetuning"].keys() == set(methods())
    assert body["ratio_to_finetuning"]["finetune"] == 1
    assert all(ms > 0 for ms in body["step_ms"].values())


def test_bench_shortcuts_do_not_change_the_step(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each shortcut can be switched off, and the steps still learn."""
    from tutorial_lib import models
    from tutorial_lib.bench import training
    from tutorial_lib.data.emojicaps import load
    from tutorial_lib.data.tasks import class_concepts, training_pairs, zero_shot_task

    data = load()
    concepts = class_concepts(data, CLASSES)
    pairs = training_pairs(data, concepts, copies=3)
    found = training.shortcuts(CONFIG, pairs, zero_shot_task(data, concepts), repeats=1, seed=0, steps=1)
    assert set(found) <= set(training.SHORTCUTS)
    assert all(factor > 0 for factor in found.values())
    assert models.model_config(training.MODEL)["vision_cfg"]["image_size"] == 32
