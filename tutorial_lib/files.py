"""Files that appear whole or not at all, and errors that name them. Imports nothing heavy."""

from __future__ import annotations

import contextlib
import errno
import os
import re
import time
from collections.abc import Iterator
from pathlib import Path

#: What the system says where there is no more room: a full disk, a quota, a limit on the size of files.
FULL = frozenset(code for name in ("ENOSPC", "EDQUOT", "EFBIG") if (code := getattr(errno, name, None)) is not None)
#: What is written beside a file before it takes its place.
PART = ".part"
#: Seconds after which a part was left by a process that was killed: no file takes so long to write.
STALE = 3600.0


class NotWrittenError(OSError):
    """A file cannot be written; the text says which one and why.

    Example:
        >>> str(NotWrittenError(errno.ENOSPC, "No space left on device", "model.pt"))
        'model.pt cannot be written: No space left on device'
    """

    def __str__(self) -> str:
        return f"{self.filename} cannot be written: {self.strerror}"


@contextlib.contextmanager
def whole(path: Path, *, alone: bool = False) -> Iterator[Path]:
    """A file to write beside `path`, which takes its place at the end of the block; after an error nothing is left.

    Args:
        path: where the file shall appear.
        alone: no other process writes this file, so that what a killed process left is written over by the next.

    Yields:
        The path to write to.

    Raises:
        NotWrittenError: the disk is full or the folder cannot be written, whatever the library that wrote made of it.

    Example:
        >>> with whole(Path("a.txt")) as part:
        ...     _ = part.write_text("all of it", encoding="utf-8")
        >>> Path("a.txt").read_text(encoding="utf-8")
        'all of it'
    """
    part = path.with_name(f"{path.name}{PART}" if alone else f"{path.name}.{os.getpid()}{PART}")
    try:
        part.unlink(missing_ok=True)
        part.touch()
        mode = part.stat().st_mode
        yield part
        with part.open("rb+") as file:
            os.fsync(file.fileno())
        part.chmod(mode)  # safetensors writes what its owner alone may read
        os.replace(part, path)
    except Exception as error:  # of any library that writes: only what the system said counts
        if (said := system_error(error)) is None:
            raise
        raise NotWrittenError(said.errno, said.strerror, str(path)) from error
    finally:
        with contextlib.suppress(OSError):
            part.unlink(missing_ok=True)


def system_error(error: BaseException) -> OSError | None:
    """What the system said that led to an error, if it did.

    PyTorch raises a RuntimeError of its own where a write fails, safetensors one whose text ends with "(os error 28)".

    Example:
        >>> system_error(RuntimeError("I/O error: No space left on device (os error 28)")).strerror
        'No space left on device'
    """
    seen: BaseException | None = error
    while seen is not None:
        if isinstance(seen, OSError) and seen.errno is not None:
            return seen
        if found := re.search(r"\(os error (\d+)\)", str(seen)):
            return OSError(int(found[1]), os.strerror(int(found[1])))
        seen = seen.__cause__ or seen.__context__
    return None


def remove_stale(folder: Path) -> int:
    """Remove the parts that killed processes left in a folder long ago; returns how many.

    Example:
        >>> remove_stale(Path("nowhere"))
        0
    """
    count = 0
    with contextlib.suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            if entry.name.endswith(PART) and time.time() - entry.stat().st_mtime > STALE:
                os.unlink(entry.path)
                count += 1
    return count
