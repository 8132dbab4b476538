"""The trials of figures are planned, run and kept; what cannot be run is refused."""

import os
import sys

import pytest
import torch

from tests.cli.commands import record, refused, tutorial
from tutorial_lib import models, profiles
from tutorial_lib.cli import main
from tutorial_lib.evaluate import embed_texts
from tutorial_lib.evidence import registry
from tutorial_lib.trials.store import RunStore

TEXT = registry.load("text_tower").trials(profiles.get("test"))


def test_dry_run_says_what_would_run_and_runs_nothing(capsys, tmp_path):
    body = tutorial(capsys, "run", "text_tower", "--profile", "test", "--store", tmp_path / "s", "--dry-run")
    assert (body["trials"], body["missing"], body["found"]) == (4, 4, 0)
    assert body["estimated_seconds"] > 0
    assert not (tmp_path / "s").exists()


def test_models_are_kept_on_request(capsys, tmp_path):
    arguments = ["run", "unpoisoned", "--profile", "test", "--store", tmp_path, "--jobs", "1", "--keep-models"]
    assert tutorial(capsys, *arguments)["made"] == 2
    folders = sorted((tmp_path / "models").iterdir())
    assert [f.name for f in folders] == sorted(t.key for t in registry.load("unpoisoned").trials(profiles.get("test")))
    model, tokenizer = models.load(folders[0])
    assert embed_texts(model, tokenizer, ["a banana"]).shape == (1, 128)


def test_damaged_record_is_reported_and_made_again(capsys, tmp_path, monkeypatch):
    monkeypatch.setattr(sys.modules["tutorial_lib.runs.run"], "run", lambda t, **_: record(t))
    assert main(["run", "text_tower", "--profile", "test", "--store", str(tmp_path), "--jobs", "1"]) == 0
    path = RunStore(tmp_path).path(TEXT[0])
    path.write_text(path.read_text().replace("0.5", "0.9"))
    body = tutorial(capsys, "run", "text_tower", "--profile", "test", "--store", tmp_path, "--jobs", "1")
    assert body["made"] == 1
    assert any("checksum does not match" in w for w in body["warnings"])


def test_limit_shorter_than_a_trial_runs_nothing(capsys, tmp_path):
    said = refused(capsys, "run", "fig4", "--profile", "test", "--store", tmp_path / "s", "--time-limit", "1s")
    assert "is shorter than the shortest trial" in said
    assert not (tmp_path / "s").exists()


def test_store_that_cannot_be_written(capsys, tmp_path):
    (tmp_path / "file").write_text("")
    said = refused(capsys, "run", "text_tower", "--profile", "test", "--store", tmp_path / "file" / "runs")
    assert "cannot be written" in said


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_gpu_profile_without_gpu(capsys, tmp_path):
    said = refused(capsys, "run", "fig4", "--profile", "gpu", "--store", tmp_path)
    assert "profile gpu needs a GPU that PyTorch can use, and there is none" in said
    assert os.listdir(tmp_path) == []
