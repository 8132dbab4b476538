"""The run store under kills, crowds, full disks and edited files."""

import importlib
import multiprocessing
import os
import random
import signal
import time

import pytest

from tests.trials.records import record
from tutorial_lib.runs import engines
from tutorial_lib.trials import RECIPE_VERSION, RecordError, Seeds, Trial, store
from tutorial_lib.trials.store import RunStore, StoreError, read_lines, write_lines

#: The module, whose name in its package is that of its function.
RUN = importlib.import_module("tutorial_lib.runs.run")


def trial(n: int) -> Trial:
    return Trial(data="d", seeds=Seeds.all(n))


@pytest.fixture
def folder(tmp_path):
    return RunStore(tmp_path / "runs").open_for_writing()


def test_what_was_written_is_read(folder):
    assert folder.read(trial(0)) is None
    folder.write(record(trial(0)))
    assert folder.read(trial(0)) == record(trial(0))
    assert folder.keys() == {trial(0).key}
    assert not list(folder.folder.glob("*.part"))


@pytest.mark.parametrize("damage", [lambda s: s[:40], lambda s: "", lambda s: s.replace("0.5", "0.7")])
def test_damaged_record_is_set_aside_and_made_again(folder, damage, monkeypatch):
    path = folder.write(record(trial(0)))
    path.write_text(damage(path.read_text()))
    monkeypatch.setattr(RUN, "run", lambda t, **_: record(t, x=2.0))
    result = engines.sweep([trial(0)], folder)
    assert (result.found, result.made, result.left) == (0, 1, 0)
    assert folder.read(trial(0)).metrics == {"x": 2.0}
    assert list(folder.set_aside()) == [trial(0).key]
    assert (folder.folder / "set-aside" / f"{trial(0).key}.json").is_file()


def test_folder_that_cannot_be_written_is_refused_before_work(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match="cannot be written"):
        RunStore(tmp_path / "file" / "runs").open_for_writing()


def test_full_disk_leaves_nothing_half_written(folder, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(store.os, "fsync", full)
    with pytest.raises(StoreError, match="No space left"):
        folder.write(record(trial(0)))
    assert folder.keys() == set()
    assert not list(folder.folder.glob("*.part"))


def test_lines_are_sorted_and_other_versions_are_ignored(tmp_path):
    old = Trial(data="d", recipe_version=RECIPE_VERSION - 1)
    write_lines([record(trial(2)), record(trial(1)), record(old)], tmp_path / "a.jsonl")
    lines = (tmp_path / "a.jsonl").read_text().splitlines()
    assert lines == sorted(lines)
    assert {r.key for r in read_lines(tmp_path / "a.jsonl")} == {trial(1).key, trial(2).key}
    assert read_lines(tmp_path / "none.jsonl") == []
    (tmp_path / "a.jsonl").write_text(lines[0] + "\n" + lines[1].replace("0.5", "0.6") + "\n")
    with pytest.raises(RecordError, match=r"a\.jsonl, line 2: its checksum"):
        read_lines(tmp_path / "a.jsonl")


def test_two_versions_of_the_code_share_a_store_without_reading_each_other(folder):
    mine, other = trial(0), Trial(data="d", seeds=Seeds.all(0), recipe_version=RECIPE_VERSION + 1)
    folder.write(record(other, x=9.0))
    assert folder.read(mine) is None
    folder.write(record(mine))
    assert folder.read(other).metrics == {"x": 9.0}


def _slow(trial, **_):
    """Stands for a training: leaves a line in the log when it begins, and takes a moment."""
    with open(os.environ["LOG"], "a") as log:
        log.write(trial.key + "\n")
    time.sleep(0.06)  # all of them take longer than the kills: forking a large process is slow
    return record(trial)


def _work(folder, numbers):
    RUN.run = _slow
    engines.sweep([trial(n) for n in numbers], RunStore(folder))


def crowd(tmp_path, monkeypatch, *, trials: int, kills: int, workers: int = 4):
    """Processes on one store, some of them killed; returns the log of begun trials and the store."""
    log = tmp_path / "log"
    log.touch()
    monkeypatch.setenv("LOG", str(log))
    context = multiprocessing.get_context("fork")
    shuffle = random.Random(0)

    def start():
        numbers = list(range(trials))
        shuffle.shuffle(numbers)
        process = context.Process(target=_work, args=(tmp_path / "runs", numbers))
        process.start()
        return process

    crew = [start() for _ in range(workers)]
    for _ in range(kills):
        time.sleep(shuffle.uniform(0.01, 0.06))
        victim = shuffle.randrange(workers)
        assert crew[victim].is_alive(), "too few trials: the work ended before the kills"
        os.kill(crew[victim].pid, signal.SIGKILL)
        crew[victim].join()
        crew[victim] = start()
    for process in crew:
        process.join(60)
        assert process.exitcode == 0
    return log.read_text().split(), RunStore(tmp_path / "runs")


def test_processes_share_a_store_without_double_work(tmp_path, monkeypatch):
    begun, runs_ = crowd(tmp_path, monkeypatch, trials=60, kills=0)
    assert sorted(begun) == sorted(trial(n).key for n in range(60))
    assert all(runs_.read(trial(n)) == record(trial(n)) for n in range(60))


def test_kills_lose_no_record_and_lock_nobody_out(tmp_path, monkeypatch):
    kills = 20
    begun, runs_ = crowd(tmp_path, monkeypatch, trials=400, kills=kills)
    assert runs_.keys() == {trial(n).key for n in range(400)}
    assert all(runs_.read(trial(n)) == record(trial(n)) for n in range(400))
    assert not runs_.set_aside()
    assert len(begun) - 400 <= kills  # only what a victim was doing was done again


def test_ten_thousand_records_are_listed_without_reading_them(tmp_path):
    runs_ = RunStore(tmp_path).open_for_writing()
    for n in range(10_000):
        (tmp_path / f"{n:016x}.json").touch()  # empty: reading one would set it aside
    assert len(runs_.keys()) == 10_000
    assert not runs_.set_aside()
