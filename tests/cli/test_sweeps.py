"""Commands around records: run, status, claims, export, figures."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

from tests.cli.commands import record, refused, tutorial
from tutorial_lib import models, places, profiles
from tutorial_lib.cli import main
from tutorial_lib.costs.gpus import GPUS
from tutorial_lib.evaluate import embed_texts
from tutorial_lib.evidence import claims, registry
from tutorial_lib.evidence.export import default_folder
from tutorial_lib.evidence.results import Results
from tutorial_lib.trials import Seeds, Trial
from tutorial_lib.trials.store import RunStore, read_lines

ROOT = Path(__file__).parents[2]
TEXT = registry.load("text_tower").trials(profiles.get("test"))


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    """A store with the records of one experiment of the `test` profile."""
    folder = tmp_path_factory.mktemp("runs")
    assert main(["run", "text_tower", "--profile", "test", "--store", str(folder), "--jobs", "1"]) == 0
    return folder


def test_dry_run_says_what_would_run_and_runs_nothing(capsys, tmp_path):
    body = tutorial(capsys, "run", "text_tower", "--profile", "test", "--store", tmp_path / "s", "--dry-run")
    assert (body["trials"], body["missing"], body["found"]) == (4, 4, 0)
    assert body["estimated_seconds"] > 0
    assert not (tmp_path / "s").exists()


def test_a_second_call_finds_everything(capsys, store):
    body = tutorial(capsys, "run", "text_tower", "--profile", "test", "--store", store)
    assert (body["found"], body["missing"]) == (4, 0)


def test_status_counts_records_and_verdicts(capsys, store):
    body = tutorial(capsys, "status", "--profile", "test", "--store", store)
    figure = body["profiles"]["test"]["figures"]["text_tower"]
    assert (figure["present"], figure["missing"], figure["estimated_seconds"]) == (4, 0, 0)
    assert body["profiles"]["test"]["figures"]["fig4"]["missing"] > 0
    assert sum(body["profiles"]["test"]["verdicts"].values()) == len(claims.load())


def test_status_and_claims_import_no_torch(tmp_path):
    code = """
import sys
from tutorial_lib.cli import main
for command in ("status", "claims"):
    assert main([command, "--profile", "test", "--store", sys.argv[1]]) == 0
assert "torch" not in sys.modules
"""
    subprocess.run([sys.executable, "-c", code, str(tmp_path)], cwd=ROOT, check=True, capture_output=True)


def test_status_of_all_profiles(capsys, tmp_path):
    body = tutorial(capsys, "status", "--store", tmp_path)
    assert set(body["profiles"]) == {"test", "cpu", "gpu", "paper"}
    assert body["profiles"]["paper"]["figures"]["fig2_right"]["estimated_usd"] > 0


def test_claims_have_the_fields_that_others_rely_on(capsys, tmp_path):
    body = tutorial(capsys, "claims", "--profile", "cpu", "--store", tmp_path)
    assert len(body["claims"]) == len(claims.load())
    fields = {"id", "source", "section", "profile", "verdict", "estimate", "low", "high", "n"}
    for claim in body["claims"]:
        assert fields <= claim.keys()
        assert claim["verdict"] in claims.WORDS
    only = tutorial(capsys, "claims", "--profile", "cpu", "--store", tmp_path, "--verdict", "not run")
    assert all(c["verdict"] == "not run" for c in only["claims"])


def test_export_writes_what_is_read_back(capsys, store, tmp_path):
    body = tutorial(capsys, "export", "--profile", "test", "--store", store, "--out", tmp_path)
    assert body["files"] == {"text_tower": 4}
    assert {r.key for r in read_lines(tmp_path / "test" / "text_tower.jsonl")} == {t.key for t in TEXT}
    known = Results(profiles.get("test"), folder=tmp_path)
    assert len(known.of(TEXT)) == 4


def test_export_of_an_installed_package_stays_out_of_it(capsys, store, tmp_path, monkeypatch):
    assert default_folder() == places.results()
    monkeypatch.setattr(places, "checkout", lambda: None)
    monkeypatch.chdir(tmp_path)
    body = tutorial(capsys, "export", "--profile", "test", "--store", store)
    assert body["folder"] == "results/test"
    assert len(read_lines(tmp_path / "results" / "test" / "text_tower.jsonl")) == 4


def test_what_is_missing_of_a_gpu_profile_has_the_price_of_the_table(capsys, tmp_path):
    body = tutorial(capsys, "status", "--profile", "paper", "--store", tmp_path)
    figure = body["profiles"]["paper"]["figures"]["fig4"]
    assert figure["estimated_usd"] == pytest.approx(
        figure["estimated_seconds"] / 3600 * GPUS["H100"].usd_per_hour, rel=0.01
    )
    body = tutorial(capsys, "status", "--profile", "test", "--store", tmp_path)
    assert body["profiles"]["test"]["figures"]["fig4"]["estimated_usd"] == 0


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


def test_status_counts_ten_thousand_records(tmp_path):
    """How long that takes is a matter of `make bench`."""
    folder = RunStore(tmp_path).open_for_writing().folder
    for n in range(10_000):
        trial = Trial(seeds=Seeds.all(n))
        (folder / f"{trial.key}.json").write_text(record(trial).to_json())
    command = [
        sys.executable,
        "-m",
        "tutorial_lib.cli",
        "status",
        "--profile",
        "cpu",
        "--store",
        str(tmp_path),
        "--json",
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT)
    assert json.loads(done.stdout)["stored_records"] == 10_000


def test_interrupted_run_says_how_to_go_on(tmp_path):
    command = [sys.executable, "-m", "tutorial_lib.cli", "run", "fig2", "--profile", "test", "--store", str(tmp_path)]
    process = subprocess.Popen(
        [*command, "--jobs", "1"],
        stderr=subprocess.PIPE,
        text=True,
        cwd=ROOT,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # tests in the background inherit "ignore"
    )
    try:
        while not any(tmp_path.glob("*.json")):
            assert process.poll() is None, process.stderr.read()
            time.sleep(0.2)
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=60)
    finally:
        process.kill()
    assert process.returncode == 130
    assert f"go on with: tutorial run fig2 --profile test --store {tmp_path}" in said
    assert not list(tmp_path.glob("*.part"))


# -- bad input


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["run", "fig9"], "there is no figure 'fig9'; choose from fig2_left"),
        (["run", "fig4", "--profile", "laptop"], "there is no profile 'laptop'; choose from test, demo, cpu"),
        (["run", "fig4", "--profile", "demo"], "profile demo shows the records of cpu: run that one"),
        (["run", "fig4", "--profile", "test", "--time-limit", "soon"], "a time limit is a positive number"),
        (
            ["run", "fig4", "--profile", "test", "--engine", "ray", "--keep-models"],
            "--keep-models does not work with ray",
        ),
        (["status", "--profile", "laptop"], "there is no profile 'laptop'"),
        (["claims", "--verdict", "true"], "there is no verdict 'true'; choose from holds, fails"),
        (["figures", "99"], "there is no chapter '99'; choose from contrastive_learning"),
    ],
)
def test_bad_input_is_one_clear_line(capsys, arguments, message):
    assert message in refused(capsys, *arguments)


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
