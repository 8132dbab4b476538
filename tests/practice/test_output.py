"""Folders that commands fill: all at once, probed before, and taken over from a command that was killed."""

import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from tutorial_lib.files import NotWrittenError
from tutorial_lib.practice.output import MOVED, WORK, left_over, require_new, staged

ROOT = Path(__file__).resolve().parents[2]


def test_nothing_is_there_before_the_end_and_everything_after_it(tmp_path: Path) -> None:
    out = tmp_path / "new" / "folder"
    with staged(out) as work:
        (work / "deep").mkdir()
        (work / "a").write_text("1", "utf-8")
        (work / "deep" / "b").write_text("2", "utf-8")
        assert [p.name for p in out.iterdir() if not p.name.startswith(WORK)] == []
    assert sorted(p.relative_to(out).as_posix() for p in out.rglob("*") if p.is_file()) == ["a", "deep/b"]


def test_a_file_is_probed_and_nothing_is_left_of_it(tmp_path: Path) -> None:
    require_new(tmp_path / "page.html", "report")
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(NotWrittenError, match=r"page\.html cannot be written: No such file or directory"):
        require_new(tmp_path / "no folder" / "page.html", "report")


def test_an_error_leaves_nothing(tmp_path: Path) -> None:
    out = tmp_path / "out"
    with pytest.raises(FileNotFoundError), staged(out) as work:
        [(work / name).touch() for name in ("a", "no such folder/b")]
    assert not out.exists()
    out.mkdir()
    (out / "mine").touch()
    with pytest.raises(RuntimeError, match="no"), staged(out):
        raise RuntimeError("no")
    assert [p.name for p in out.iterdir()] == ["mine"]


def test_what_names_the_others_comes_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    moved = []
    replace = Path.replace
    monkeypatch.setattr(Path, "replace", lambda self, to: (moved.append(self.name), replace(self, to))[1])
    with staged(tmp_path, first=["z", "m"]) as work:
        for name in ("a", "m", "z"):
            (work / name).touch()
    assert moved == ["z", "m", "a"]


def test_a_file_of_the_same_name_is_kept(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("mine", "utf-8")
    with pytest.raises(ValueError, match="already holds a: choose another `out`"), staged(tmp_path) as work:
        (work / "a").touch()
    assert (tmp_path / "a").read_text("utf-8") == "mine"


def test_where_nothing_can_be_written_is_said_before_the_work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ValueError, match="file is a file: choose another `out`"), staged(tmp_path / "file"):
        raise AssertionError("work began")

    def denied(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "mkdir", denied)
    said = r"x cannot be written \(Permission denied\): choose another `out`"
    with pytest.raises(ValueError, match=said), staged(tmp_path / "x"):
        raise AssertionError("work began")


KILLED = """
import os, signal, sys
from pathlib import Path
from tutorial_lib.practice import output

if sys.argv[2] == "moving":
    replace = Path.replace
    def once(self, to):
        replace(self, to)
        os.kill(os.getpid(), signal.SIGKILL)
    Path.replace = once
with output.staged(Path(sys.argv[1])) as work:
    for name in "abc":
        (work / name).touch()
    if sys.argv[2] == "working":
        os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.parametrize("when", ["working", "moving"])
def test_what_a_killed_command_left_is_removed(tmp_path: Path, when: str) -> None:
    command = [sys.executable, "-c", textwrap.dedent(KILLED), str(tmp_path / "out"), when]
    done = subprocess.run(command, env=os.environ | {"PYTHONPATH": str(ROOT)}, timeout=120)
    assert done.returncode == -signal.SIGKILL
    out = tmp_path / "out"
    assert (out / WORK).is_dir()
    assert (out / "a").exists() is (when == "moving")
    assert left_over(out) is (when == "moving")
    assert (out / WORK / MOVED).exists() is (when == "moving")
    with staged(out) as work:
        (work / "other").touch()
    assert [p.name for p in out.iterdir()] == ["other"]


def test_two_commands_do_not_share_a_folder(tmp_path: Path) -> None:
    with staged(tmp_path / "out") as work:
        (work / "a").touch()
        with pytest.raises(ValueError, match=r"another command is writing to .*out"), staged(tmp_path / "out"):
            raise AssertionError("work began")
    assert [p.name for p in (tmp_path / "out").iterdir()] == ["a"]
