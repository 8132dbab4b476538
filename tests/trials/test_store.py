"""The run store under kills, crowds, full disks and edited files."""

import importlib
import multiprocessing
import os
import random
import signal
import time

import pytest

from tests.trials.records import record
from tutorial_lib.notes import Note
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


def nested(path):
    path.write_text("[" * 100_000)


def another(path):
    path.write_text(record(trial(7)).to_json())


def directory(path):
    path.unlink()
    path.mkdir()
    (path / "inside").write_text("x")


def fifo(path):
    path.unlink()
    os.mkfifo(path)


def circle(path):
    path.unlink()
    path.symlink_to(path)


DAMAGES = {
    "not UTF-8": lambda path: path.write_bytes(b"\xff\xfe" + path.read_bytes()),
    "complete JSON": lambda path: path.write_text(path.read_text()[:40]),
    "no JSON that a record": nested,
    "belongs to trial": another,
    "it is a folder": directory,
    "it is no file": fifo,
    "it cannot be read": circle,
    "more than any record": lambda path: os.truncate(path, (64 << 20) + 1),
}


@pytest.mark.parametrize("why", DAMAGES)
def test_whatever_lies_in_a_records_place_is_named_and_set_aside_and_made_again(folder, why, monkeypatch):
    path = folder.write(record(trial(0)))
    folder.write(record(trial(1)))
    monkeypatch.setattr(RUN, "run", lambda t, **_: record(t, x=2.0))
    for _ in range(2):  # the second time, its place among those set aside is taken
        DAMAGES[why](path)
        with pytest.warns(Note, match=rf"the record .*{path.name} was set aside, in .*set-aside: .*{why}"):
            result = engines.sweep([trial(0), trial(1)], folder)
        assert (result.found, result.made, result.left) == (1, 1, 0)
        assert folder.read(trial(0)).metrics == {"x": 2.0}
    assert list(folder.set_aside()) == [trial(0).key]
    assert why in folder.set_aside()[trial(0).key]


def test_a_record_that_nobody_may_read_is_named(folder, monkeypatch):
    path = folder.write(record(trial(0)))
    real = type(path).read_bytes

    def refuse(self):
        if self == path:  # whatever its permissions, root reads it
            raise PermissionError(13, "Permission denied")
        return real(self)

    monkeypatch.setattr(type(path), "read_bytes", refuse)
    with pytest.warns(Note, match="it cannot be read: Permission denied"):
        assert folder.read(trial(0)) is None


def test_where_nothing_can_be_moved_a_damaged_record_is_skipped_and_named_once(folder, recwarn):
    path = folder.write(record(trial(0)))
    path.write_text("half of")
    (folder.folder / "set-aside").write_text("a file in the way")
    assert [folder.read(trial(0)) for _ in range(3)] == [None] * 3
    assert [str(w.message) for w in recwarn if "is skipped, and cannot be moved (" in str(w.message)]
    assert len(recwarn) == 1
    assert "not complete JSON" in folder.set_aside()[trial(0).key]
    assert folder.keys() == set()
    assert path.read_text() == "half of"
    folder.write(record(trial(0)))
    assert folder.read(trial(0)) == record(trial(0))
    assert folder.set_aside() == {}


def test_a_reason_that_cannot_be_read_is_no_end(folder):
    (folder.folder / "set-aside" / "a.why").mkdir(parents=True)
    (folder.folder / "set-aside" / "b.why").write_bytes(b"\xff")
    assert list(folder.set_aside()) == ["a", "b"]


def test_what_killed_processes_left_goes_with_time(folder):
    for name in ("a.json.5.part", "checkpoints/a.pt.part"):
        path = folder.folder / name
        path.parent.mkdir(exist_ok=True)
        path.touch()
        os.utime(path, (1e9, 1e9))
    folder.open_for_writing()
    assert not list(folder.folder.rglob("*.part"))


def test_folder_that_cannot_be_written_is_refused_before_work(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match="cannot be written"):
        RunStore(tmp_path / "file" / "runs").open_for_writing()


def test_full_disk_leaves_nothing_half_written(folder, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(store.os, "fsync", full)
    with pytest.raises(StoreError, match=rf"{trial(0).key}\.json cannot be written: No space left on device"):
        folder.write(record(trial(0)))
    assert folder.keys() == set()
    assert not list(folder.folder.glob("*.part"))


def test_lines_are_sorted_and_later_versions_are_ignored(tmp_path):
    """Records of an earlier one answer trials of that version."""
    old, later = (Trial(data="d", recipe_version=RECIPE_VERSION + k) for k in (-1, 1))
    write_lines([record(trial(2)), record(trial(1)), record(old), record(later)], tmp_path / "a.jsonl")
    lines = (tmp_path / "a.jsonl").read_text().splitlines()
    assert lines == sorted(lines)
    assert {r.key for r in read_lines(tmp_path / "a.jsonl")} == {trial(1).key, trial(2).key, old.key}
    assert read_lines(tmp_path / "none.jsonl") == []
    (tmp_path / "a.jsonl").write_text(lines[0] + "\n" + lines[1].replace("0.5", "0.6") + "\n")
    with pytest.raises(RecordError, match=r"a\.jsonl, line 2: its checksum"):
        read_lines(tmp_path / "a.jsonl")


def test_damaged_lines_are_told_and_the_others_read(tmp_path):
    path = tmp_path / "a.jsonl"
    good = [record(trial(n)).to_json().encode() for n in (1, 2)]
    path.write_bytes(b"\n".join([good[0], b"\xff" + good[1], b"[" * 100_000, good[1], b""]))
    told = []
    assert [r.key for r in read_lines(path, told.append)] == [trial(1).key, trial(2).key]
    assert told[0] == f"{path}, line 2: it is not UTF-8 (byte 0)"
    assert told[1].startswith(f"{path}, line 3: it is no JSON that a record would be")
    (tmp_path / "b.jsonl").mkdir()
    assert read_lines(tmp_path / "b.jsonl", told.append) == []
    assert told[2] == f"{tmp_path / 'b.jsonl'} cannot be read: Is a directory"


def test_a_line_separator_within_a_text_ends_no_line(tmp_path):
    write_lines([record(trial(1), note="a\u2028b\x85c")], tmp_path / "a.jsonl")
    assert read_lines(tmp_path / "a.jsonl")[0].metrics == {"note": "a\u2028b\x85c"}


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
