"""Commands around records: run, status, claims, export, figures."""

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.cli.commands import refused, tutorial
from tutorial_lib import places, profiles
from tutorial_lib.cli import main
from tutorial_lib.evidence import claims, registry
from tutorial_lib.evidence.export import default_folder
from tutorial_lib.evidence.results import Results
from tutorial_lib.trials.store import read_lines

ROOT = Path(__file__).parents[2]
TEXT = registry.load("text_tower").trials(profiles.get("test"))


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    """A store with the records of one experiment of the `test` profile."""
    folder = tmp_path_factory.mktemp("runs")
    assert main(["run", "text_tower", "--profile", "test", "--store", str(folder), "--jobs", "1"]) == 0
    return folder


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
