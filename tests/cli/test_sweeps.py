"""Commands around records: run, status, claims, export, figures."""

import os
import re
import shutil
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
from tutorial_lib.trials.store import RunStore, read_lines

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
    assert f"go on with: tutorial run fig2 --profile test --store {tmp_path} --jobs 1\n" in said
    assert not list(tmp_path.glob("*.part"))


# -- kills


def workers(pid: int) -> list[int]:
    """Processes that multiprocessing started for a process, and that are alive."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            after = (folder / "stat").read_text("utf-8").rpartition(")")[2].split()
            line = (folder / "cmdline").read_bytes()
        except OSError:
            continue  # it has just ended
        if after[0] not in "ZX" and int(after[1]) == pid and b"spawn_main" in line:
            found.append(int(folder.name))
    return found


def gone(pids: list[int], seconds: float = 3.0) -> bool:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        states = [f.read_text("utf-8") for p in pids if (f := Path(f"/proc/{p}/stat")).is_file()]
        if all(state.rpartition(")")[2].split()[0] in "ZX" for state in states):
            return True
        time.sleep(0.05)
    return False


def started(folder: Path, *, records: int = 0) -> tuple[subprocess.Popen, list[int]]:
    """`tutorial run` with two processes, when these are there and so many records too."""
    command = [sys.executable, "-m", "tutorial_lib.cli", "run", "fig4", "--profile", "test", "--store", str(folder)]
    command += ["--jobs", "2", "--device", "cpu", "--time-limit", "2h"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=ROOT)
    while len(found := workers(process.pid)) < 2 or len(list(folder.glob("*.json"))) < records:
        assert process.poll() is None, process.communicate()
        time.sleep(0.05)
    return process, found


@pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")
@pytest.mark.parametrize(
    ("number", "code", "records"),
    [
        (signal.SIGTERM, 143, 0),
        (signal.SIGKILL, -9, 0),
        pytest.param(signal.SIGTERM, 143, 1, marks=pytest.mark.slow),
        pytest.param(signal.SIGKILL, -9, 1, marks=pytest.mark.slow),
    ],
)
def test_a_killed_run_leaves_nobody_behind(tmp_path, number, code, records):
    process, found = started(tmp_path, records=records)
    process.send_signal(number)
    out, said = process.communicate(timeout=20)
    assert gone(found)
    there = set(tmp_path.glob("*.json"))
    assert process.returncode == code
    assert out == ""
    assert "Traceback" not in said
    if number == signal.SIGTERM:
        assert said.endswith(f"--store {tmp_path} --jobs 2 --device cpu --time-limit 2h\ntutorial run: terminated\n")
    assert not list(tmp_path.rglob("*.part"))
    time.sleep(0.5)
    assert set(tmp_path.glob("*.json")) == there, "somebody went on"


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")
@pytest.mark.parametrize("victims", [1, 2])
def test_killed_workers_are_replaced_or_the_run_says_that_it_stops(tmp_path, victims):
    process, found = started(tmp_path, records=1)
    for pid in found[:victims]:
        os.kill(pid, signal.SIGKILL)
    out, said = process.communicate(timeout=300)
    assert re.search(r"the process of trial \w+ was killed by SIGKILL: it is tried again", said)
    assert "Traceback" not in said
    if victims == 1:
        assert process.returncode == 0
        assert "10 trials in" in out
        assert "; 0 are left" in out
    else:
        assert process.returncode == 1
        assert "2 processes died in a row: nothing more is begun" in said
        assert "go on with: tutorial run fig4" in out


# -- damaged records


@pytest.fixture
def damaged(store, tmp_path):
    """A copy of the store with one record of each kind of damage, and one that is sound."""
    folder = tmp_path / "damaged"
    shutil.copytree(store, folder)
    paths = [folder / f"{t.key}.json" for t in TEXT]
    paths[0].write_bytes(b"\xff" + paths[0].read_bytes())
    paths[1].write_text("[" * 100_000)
    paths[2].unlink()
    paths[2].mkdir()
    return folder


@pytest.mark.parametrize(
    "command",
    [
        ["status", "--profile", "test"],
        ["export", "--profile", "test", "--out", "results"],
        ["run", "text_tower", "--profile", "test", "--dry-run"],
    ],
)
def test_damaged_records_are_named_and_end_no_command(capsys, damaged, tmp_path, monkeypatch, command):
    monkeypatch.chdir(tmp_path)
    body = tutorial(capsys, *command, "--store", damaged)
    said = "\n".join(body["warnings"])
    reasons = ("it is not UTF-8 (byte 0)", "no JSON that a record would be", "it is a folder")
    for trial, why in zip(TEXT, reasons, strict=False):
        assert re.search(rf"the record \S+{trial.key}\.json was set aside, in \S+set-aside: .*{re.escape(why)}", said)
    assert len(body["warnings"]) == 3
    assert sorted(p.name for p in damaged.glob("*.json")) == [f"{TEXT[3].key}.json"]
    if command[0] == "export":
        assert body["files"] == {"text_tower": 1}
    if command[0] == "run":
        assert body["missing"] == 3


def test_claims_go_on_without_a_damaged_record(capsys, tmp_path, monkeypatch):
    monkeypatch.setattr(places, "results", lambda: tmp_path / "none committed")
    store = RunStore(tmp_path / "runs").open_for_writing()
    p = profiles.get("cpu")
    trial = p.backdoor(128, p.models.first)
    store.path(trial).write_bytes(b"\xff")
    body = tutorial(capsys, "claims", "--profile", "cpu", "--store", store.folder)
    assert f"{trial.key}.json was set aside" in body["warnings"][0]


def test_status_counts_and_names_what_was_set_aside(capsys, damaged):
    tutorial(capsys, "status", "--profile", "test", "--store", damaged)
    assert main(["status", "--profile", "test", "--store", str(damaged)]) == 0
    printed = capsys.readouterr()
    assert printed.out.startswith("1 records in")
    assert "3 damaged records are set aside:\n" in printed.out
    assert f"  {TEXT[2].key}: it is a folder\n" in printed.out
    assert printed.err == "", "what is out of the way is not said again and again"


def test_damaged_lines_of_committed_files_are_kept_by_an_export(capsys, store, tmp_path):
    tutorial(capsys, "export", "--profile", "test", "--store", store, "--out", tmp_path)
    path = tmp_path / "test" / "text_tower.jsonl"
    lines = path.read_text("utf-8").splitlines(keepends=True)
    spoiled = "".join([lines[0], lines[1][:50] + "\n", *lines[2:]])
    path.write_text(spoiled, "utf-8")
    empty = tmp_path / "empty"
    body = tutorial(capsys, "export", "--profile", "test", "--store", empty, "--out", tmp_path)
    assert body["files"] == {"text_tower": 3}
    assert [w for w in body["warnings"] if w.startswith(f"a committed record is skipped: {path}, line 2: it is not")]
    assert path.with_name("text_tower.jsonl.damaged").read_text("utf-8") == spoiled
    assert tutorial(capsys, "export", "--profile", "test", "--store", store, "--out", tmp_path)["files"] == {
        "text_tower": 4
    }


def test_status_names_damaged_lines_of_committed_files(capsys, store, tmp_path, monkeypatch):
    tutorial(capsys, "export", "--profile", "test", "--store", store, "--out", tmp_path)
    monkeypatch.setattr(places, "results", lambda: tmp_path)
    path = tmp_path / "test" / "text_tower.jsonl"
    path.write_bytes(path.read_bytes() + b"<<<<<<< HEAD\n")
    body = tutorial(capsys, "status", "--profile", "test", "--store", tmp_path / "none")
    assert body["profiles"]["test"]["figures"]["text_tower"]["present"] == 4
    assert body["damaged_lines"][0].startswith(f"{path}, line 5: it is not complete JSON")
    assert main(["status", "--profile", "test", "--store", str(tmp_path / "none")]) == 0
    assert "1 committed line is damaged and skipped:\n" in capsys.readouterr().out


# -- bad input


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["run", "fig9"], "there is no figure 'fig9'; choose from fig2_left"),
        (["run", "fig4", "--profile", "cluster"], "there is no profile 'cluster'; choose from test, demo, pilot"),
        (["run", "fig4", "--profile", "demo"], "profile demo shows records of others: run profile cpu"),
        (["run", "fig4", "--profile", "test", "--time-limit", "soon"], "a time limit is a positive number"),
        (
            ["run", "fig4", "--profile", "test", "--engine", "ray", "--keep-models"],
            "--keep-models does not work with ray",
        ),
        (["status", "--profile", "cluster"], "there is no profile 'cluster'"),
        (["claims", "--verdict", "true"], "there is no verdict 'true'; choose from holds, fails"),
        (["figures", "99"], "there is no chapter '99'; choose from contrastive_learning"),
    ],
)
def test_bad_input_is_one_clear_line(capsys, arguments, message):
    assert message in refused(capsys, *arguments)
