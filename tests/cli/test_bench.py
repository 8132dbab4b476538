"""`tutorial bench`, at a small size."""

import subprocess

import pytest

from tests.cli.commands import CLASSES, CONFIG, tutorial
from tutorial_lib.bench import apart, cleaning, detection, store
from tutorial_lib.practice.defense import methods


def test_bench_of_the_z_score(capsys: pytest.CaptureFixture[str]) -> None:
    command = ("bench", "--only", "zscore", "--embeddings", 3000, "--dimensions", 24, "--repeats", 2)
    body = tutorial(capsys, *command)
    assert body["zscore"]["largest_difference"] < 1e-6
    assert body["zscore"]["speedup"] > 0
    assert body["machine"]["cpu"]


def test_bench_of_detection(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """The methods find the same neighbours, and the index nearly the same."""
    monkeypatch.setattr(apart, "run", lambda _, method, **options: detection.measure(method, **options))
    monkeypatch.setattr(detection, "REFERENCE", 300)
    monkeypatch.setattr(detection, "SAMPLE", 100)
    body = detection.compare(n=4000, d=32, repeats=1)
    assert body["largest_difference"] < 1e-3
    assert -1e-3 < body["too_far"] < 0.05
    assert body["ratio_to_faiss"] == pytest.approx(body["seconds"]["faiss"] / body["seconds"]["ours"])
    assert "4,000 embeddings of 32 numbers" in detection.describe(body)[0]
    with pytest.raises(ValueError, match="4 embeddings are too few: more than 400 are needed"):
        detection.compare(n=4, repeats=1)


def test_a_method_runs_in_a_process_of_its_own() -> None:
    body = apart.run("detection", "faiss", n=4000, d=16, seed=0)
    assert len(body["sample"]) == detection.SAMPLE
    assert 0 < body["peak_gib"] < 8
    with pytest.raises(subprocess.CalledProcessError):
        apart.run("detection", "nothing")


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
