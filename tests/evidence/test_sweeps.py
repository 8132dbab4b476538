"""The trials of figures are planned, run and kept; what cannot be run is refused."""

import json
import math
import os
import shlex
import sys
import time
from pathlib import Path

import pytest
import torch

from tests.cli.commands import record, refused, tutorial
from tutorial_lib import cli, models, places, profiles
from tutorial_lib.cli import main
from tutorial_lib.evaluate import embed_texts
from tutorial_lib.evidence import _progress, registry, sweeps
from tutorial_lib.evidence.sweeps import go_on
from tutorial_lib.trials.store import RunStore, write_lines

TEXT = registry.load("text_tower").trials(profiles.get("test"))


def test_dry_run_says_what_would_run_and_runs_nothing(capsys, tmp_path):
    body = tutorial(capsys, "run", "text_tower", "--profile", "test", "--store", tmp_path / "s", "--dry-run")
    assert (body["trials"], body["missing"], body["found"]) == (4, 4, 0)
    assert body["estimated_seconds"] > 0
    assert not (tmp_path / "s").exists()
    capsys.readouterr()
    assert main(["run", "text_tower", "--profile", "test", "--store", str(tmp_path / "s"), "--dry-run"]) == 0
    assert f"records are looked for in {tmp_path / 's'}, which is not there yet\n" in capsys.readouterr().out


def test_data_that_are_not_there_are_said_before_anything_is_run(capsys, tmp_path, monkeypatch):
    monkeypatch.setenv("TUTORIAL_DATA", str(tmp_path))
    command = ["run", "fig2_right", "--profile", "photos", "--store", str(tmp_path / "s"), "--device", "cpu"]
    why = f"there are no shards at {tmp_path / 'cifar100'}/*.tar"
    assert main([*command, "--dry-run"]) == 1
    assert f"cannot run here: {why}" in capsys.readouterr().out
    assert main([*command, "--dry-run", "--json"]) == 1
    assert json.loads(capsys.readouterr().out)["lacks"][0].startswith(why)
    assert why in refused(capsys, *command)
    assert not (tmp_path / "s").exists()


def test_more_jobs_than_cores_take_as_long(capsys, tmp_path, monkeypatch):
    monkeypatch.setattr(sweeps, "usable_cores", lambda: 2)
    command = ["run", "text_tower", "--profile", "test", "--store", tmp_path, "--dry-run", "--device", "cpu", "--jobs"]
    two, many = (tutorial(capsys, *command, jobs) for jobs in (2, 3))
    assert two["estimated_seconds"] == many["estimated_seconds"] > 0
    assert many["jobs"] == 2
    assert many["warnings"] == ["3 at a time on 2 cores take as long as 2 at a time"]


@pytest.mark.parametrize(
    ("command", "name", "says"),
    [
        (("run", "fig4", "--profile", "test", "--dry-run"), "file", "file is a file: --store is a folder of records"),
        (("table", "detectors"), "file", "file is a file"),
        (("status",), "file", "file is a file"),
        (("calibrate", "--profile", "test"), "nowhere", "there is no store"),
        (("table", "detectors"), "nowhere", "there is no store"),
    ],
)
def test_a_store_that_is_none_is_named(capsys, tmp_path, command, name, says):
    (tmp_path / "file").write_text("")
    assert says in refused(capsys, *command, "--store", tmp_path / name)


def test_a_table_without_records_says_what_makes_them(capsys, tmp_path):
    body = tutorial(capsys, "table", "detectors", "--profile", "test", "--store", tmp_path)
    assert body["warnings"] == [
        "no records of detectors at profile test: tutorial run detect_pairs --profile test makes some"
    ]
    assert "--minutes has a meaning with --add only" in refused(capsys, "table", "--minutes", 5)


def test_models_are_kept_on_request(capsys, tmp_path):
    arguments = ["run", "unpoisoned", "--profile", "test", "--store", tmp_path, "--jobs", "1", "--keep-models"]
    assert tutorial(capsys, *arguments)["made"] == 2
    folders = sorted((tmp_path / "models").iterdir())
    assert [f.name for f in folders] == sorted(t.key for t in registry.load("unpoisoned").trials(profiles.get("test")))
    model, tokenizer = models.load(folders[0])
    assert embed_texts(model, tokenizer, ["a banana"]).shape == (1, 128)


def test_committed_records_enter_a_store_that_is_not_there_yet(capsys, tmp_path, monkeypatch):
    monkeypatch.setattr(sys.modules["tutorial_lib.runs.run"], "run", lambda t, **_: record(t))
    monkeypatch.setattr(places, "results", lambda: tmp_path / "results")
    write_lines([record(TEXT[0])], tmp_path / "results" / "test" / "text_tower.jsonl")
    body = tutorial(capsys, "run", "text_tower", "--profile", "test", "--store", tmp_path / "a" / "b", "--jobs", "1")
    assert (body["found"], body["made"]) == (1, len(TEXT) - 1)
    assert RunStore(tmp_path / "a" / "b").keys() == {trial.key for trial in TEXT}


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


def test_the_hint_repeats_every_option_and_can_be_pasted():
    given = {
        "store": Path("my runs"),
        "engine": "local",
        "jobs": 3,
        "device": "cuda:1",
        "time_limit": 90.0,
        "keep_models": True,
    }
    said = go_on(["fig2", "fig6"], "test", **given)
    start, _, command = said.partition(": ")
    assert start == "go on with"
    args = cli.parser().parse_args(shlex.split(command)[1:])
    assert (args.figures, args.profile, args.time_limit) == (["fig2", "fig6"], "test", "90s")
    assert {name: getattr(args, name) for name in given if name != "time_limit"} == {
        name: value for name, value in given.items() if name != "time_limit"
    }
    assert go_on(["fig6"], "cpu", store=places.store()) == "go on with: tutorial run fig6 --profile cpu"


@pytest.mark.parametrize(
    ("seconds", "text"), [(3600, "1h"), (5400, "90m"), (45, "45s"), (0.5, "0.5s"), (math.inf, None)]
)
def test_a_time_limit_is_repeated_as_it_can_be_read(seconds, text):
    assert ("--time-limit" in go_on(["x"], "cpu", time_limit=seconds)) == (text is not None)
    assert text is None or go_on(["x"], "cpu", time_limit=seconds).endswith(f" {text}")


def test_failures_of_one_reason_are_one_line_and_the_exit_code_says_so(capsys, tmp_path, monkeypatch):
    def run(trial, **_):
        if trial == TEXT[0]:
            return record(trial)
        raise FileNotFoundError("there are no shards at data/cc3m")

    monkeypatch.setattr(sys.modules["tutorial_lib.runs.run"], "run", run)
    command = ["run", "text_tower", "--profile", "test", "--store", str(tmp_path), "--jobs", "1", "--device", "cpu"]
    assert main(command) == 1
    printed = capsys.readouterr()
    assert "tutorial run: 3 trials failed: there are no shards at data/cc3m\n" in printed.err
    assert printed.err.count("no shards") == 1
    assert "Traceback" not in printed.err
    assert f"go on with: tutorial run text_tower --profile test --store {tmp_path} --jobs 1 --device cpu" in printed.out


def test_many_reasons_are_cut_short(capsys, tmp_path, monkeypatch):
    def run(trial, **_):
        raise ValueError(f"no place for {trial.key}")

    monkeypatch.setattr(sys.modules["tutorial_lib.runs.run"], "run", run)
    monkeypatch.setattr(sweeps, "REASONS", 2)
    assert main(["run", "text_tower", "--profile", "test", "--store", str(tmp_path), "--jobs", "1"]) == 1
    said = capsys.readouterr().err
    assert said.count("1 trial failed: no place for") == 2
    assert "2 trials failed for 2 other reasons" in said


def test_a_full_disk_ends_the_command_with_the_file_and_how_to_go_on(capsys, tmp_path, monkeypatch):
    real = os.fsync

    def full(number):
        raise OSError(28, "No space left on device")

    def run(trial, **_):
        monkeypatch.setattr(os, "fsync", full if trial == TEXT[1] else real)
        return record(trial)

    monkeypatch.setattr(sys.modules["tutorial_lib.runs.run"], "run", run)
    command = ["run", "text_tower", "--profile", "test", "--store", str(tmp_path), "--jobs", "1"]
    assert main(command) == 2
    said = capsys.readouterr().err.strip().splitlines()
    assert said[-2] == f"go on with: {shlex.join(['tutorial', *command])}"
    lost = RunStore(tmp_path).path(TEXT[1])
    assert said[-1] == f"tutorial run: error: {lost} cannot be written: No space left on device"
    assert not list(tmp_path.rglob("*.part"))
    monkeypatch.setattr(sys.modules["tutorial_lib.runs.run"], "run", lambda t, **_: record(t))
    monkeypatch.setattr(os, "fsync", real)
    assert tutorial(capsys, *command)["made"] == 3


def test_the_time_is_said_before_anything_is_done(capsys, tmp_path, monkeypatch):
    said_first = []

    def run(trial, **_):
        said_first.append(capsys.readouterr().err)
        return record(trial)

    monkeypatch.setattr(sys.modules["tutorial_lib.runs.run"], "run", run)
    assert main(["run", "text_tower", "--profile", "test", "--store", str(tmp_path), "--jobs", "1"]) == 0
    assert "text_tower at test: 4 trials, 0 have records, 4 to run, about " in said_first[0]
    assert [line.split()[0] for line in said_first[1:]] == ["[1/4]", "[2/4]", "[3/4]"]


def test_a_long_silence_is_broken(capsys, tmp_path, monkeypatch):
    def run(trial, **_):
        time.sleep(0.3)
        return record(trial)

    monkeypatch.setattr(sys.modules["tutorial_lib.runs.run"], "run", run)
    monkeypatch.setattr(_progress, "SILENCE", 0.1)
    assert main(["run", "text_tower", "--profile", "test", "--store", str(tmp_path), "--jobs", "1"]) == 0
    lines = capsys.readouterr().err.splitlines()
    assert any(line.startswith("[0/4] at work for ") for line in lines)
    assert any(line.startswith("[3/4] at work for ") for line in lines)
    assert "left" in lines[1]


def test_without_a_gpu_there_is_one_trial_a_usable_core(capsys, tmp_path, monkeypatch):
    monkeypatch.setattr(sweeps, "usable_cores", lambda: 7)
    command = ["run", "text_tower", "--profile", "test", "--store", tmp_path, "--dry-run", "--device"]
    assert tutorial(capsys, *command, "cpu")["jobs"] == 7
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 4)
    assert tutorial(capsys, *command, "cuda")["jobs"] == 4
    assert tutorial(capsys, *command, "cuda:2")["jobs"] == 1
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: True)
    assert tutorial(capsys, *command, "mps")["jobs"] == 1
