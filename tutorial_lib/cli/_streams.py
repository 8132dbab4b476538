"""Standard streams of a command that may be closed, full, or unable to say every letter; and its end by a signal."""

from __future__ import annotations

import contextlib
import io
import os
import signal
import sys
import threading
from collections.abc import Iterator
from types import FrameType
from typing import IO


class Terminated(KeyboardInterrupt):
    """The process was asked to end, by `kill` for example; files and processes are tidied up on the way out."""


def open_streams() -> None:
    """See to it that all three standard streams are there, and that whatever is printed can be printed.

    Where the shell closed one, the next file that is opened would take its number, and its messages.
    """
    for number, name, mode in ((0, "stdin", "r"), (1, "stdout", "w"), (2, "stderr", "w")):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # takes the lowest number that is free
        if getattr(sys, name) is None:
            setattr(sys, name, open(number, mode, encoding="utf-8", closefd=False))  # noqa: SIM115
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # LC_ALL=C, and file names that are no text


def tell(line: str) -> None:
    """Print a line on standard error; nobody may be listening any more."""
    try:
        print(line, file=sys.stderr, flush=True)
    except OSError:
        _drop(sys.stderr)


def put(text: str) -> str:
    """Print the result of a command; gives why that failed, nothing where the reader of a pipe has just gone."""
    try:
        print(text, flush=True)
    except BrokenPipeError:  # not our error
        _drop(sys.stdout)
    except OSError as error:
        _drop(sys.stdout)
        return f"standard output cannot be written: {error.strerror}"
    return ""


def flush() -> None:
    """Hand over what others printed, the help for example, before Python does so in its own words."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except OSError:
            _drop(stream)


def _drop(stream: IO[str] | None) -> None:
    """Let what a stream still holds, and what will be written to it, go nowhere."""
    with contextlib.suppress(OSError, AttributeError, ValueError):
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, stream.fileno())  # type: ignore[union-attr]
        os.close(null)


@contextlib.contextmanager
def ending_on_request() -> Iterator[None]:
    """Let SIGTERM end the block like Ctrl-C, so that nothing half-written and no process is left behind."""

    def stop(number: int, frame: FrameType | None) -> None:
        raise Terminated

    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
