"""Folders that commands write: probed before long work, and filled all at once when it is done.

What a command makes is put together in a folder inside the asked one and moved at the end, so that a command that is
killed leaves nothing that looks finished; the next one with the same folder removes what it left.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path

from filelock import FileLock, Timeout

from tutorial_lib.files import PART, NotWrittenError

WORK, MOVED = ".making", "moved.json"


@contextlib.contextmanager
def staged(out: Path, *, first: Sequence[str] = ()) -> Iterator[Path]:
    """A folder to write into; at the end its files are moved to `out`, on an error they are removed.

    Args:
        out: made if it is missing.
        first: files that appear before the others, in this order: what names the others, for example.

    Raises:
        ValueError: `out` is a file or cannot be written, another command is writing there, or a file of the same name
            is there already.

    Example:
        >>> with staged(Path("model"), first=["log.json"]) as work:
        ...     _ = (work / "weights").write_text("1 2 3", "utf-8")
        ...     print(Path("model/weights").exists())
        False
        >>> Path("model/weights").exists(), Path("model/.making").exists()
        (True, False)
    """
    work, made = out / WORK, not out.exists()
    lock = FileLock(out / f"{WORK}.lock")
    try:
        out.mkdir(parents=True, exist_ok=True)
        lock.acquire(timeout=0)
    except Timeout as error:
        raise ValueError(f"another command is writing to {out}: wait for it, or choose another `out`") from error
    except OSError as error:
        what = "is a file" if out.is_file() else f"cannot be written ({error.strerror})"
        raise ValueError(f"{out} {what}: choose another `out`") from error
    try:
        _clear(out)
        work.mkdir()
        yield work
        _move(work, out, first)
    finally:
        shutil.rmtree(work, ignore_errors=True)
        lock.release()
        Path(lock.lock_file).unlink(missing_ok=True)
        if made and not any(out.iterdir()):
            out.rmdir()


def require_new(path: Path, name: str) -> None:
    """Check before long work that a file is not there yet and can be written.

    Args:
        path: of the file; its folder exists.
        name: of the argument that asks for it, for messages.

    Raises:
        ValueError: it is there already.
        NotWrittenError: the folder cannot be written.

    Example:
        >>> require_new(Path("report.html"), "report")
        >>> Path("report.html").touch()
        >>> require_new(Path("report.html"), "report")
        Traceback (most recent call last):
        ValueError: report.html is there already: choose another `report` or remove it
    """
    if path.exists():
        raise ValueError(f"{path} is there already: choose another `{name}` or remove it")
    part = path.with_name(f"{path.name}.{os.getpid()}{PART}")
    try:
        part.touch()
        part.unlink()
    except OSError as error:
        raise NotWrittenError(error.errno, error.strerror, str(path)) from error


def left_over(out: Path) -> bool:
    """Whether a command that was killed left its work in a folder; nothing else is there then.

    Example:
        >>> left_over(Path("nowhere"))
        False
    """
    return (out / WORK / MOVED).is_file()


def _clear(out: Path) -> None:
    """Remove what a command that was killed left, also what it had moved already."""
    work = out / WORK
    with contextlib.suppress(OSError, ValueError):
        for name in json.loads((work / MOVED).read_text("utf-8")):
            (out / name).unlink(missing_ok=True)
    shutil.rmtree(work, ignore_errors=True)


def _move(work: Path, out: Path, first: Sequence[str]) -> None:
    names = sorted(p.relative_to(work).as_posix() for p in work.rglob("*") if p.is_file())
    names.sort(key=lambda name: first.index(name) if name in first else len(first))
    if there := [name for name in names if (out / name).exists()]:
        raise ValueError(f"{out} already holds {there[0]}: choose another `out` or remove it")
    (work / MOVED).write_text(json.dumps(names), "utf-8")
    for name in names:
        (out / name).parent.mkdir(parents=True, exist_ok=True)
        (work / name).replace(out / name)
