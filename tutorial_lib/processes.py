"""Processes that end with the one that started them, and need nothing of its script. Imports nothing heavy."""

from __future__ import annotations

import contextlib
import ctypes
import multiprocessing
import os
import pickle
import signal
import sys
import threading
import types
from collections.abc import Callable, Iterator
from multiprocessing import connection, process
from multiprocessing.connection import Connection
from typing import Any

#: Number of Linux's call that says which signal a process gets when its parent ends.
PR_SET_PDEATHSIG = 1
#: Exit code of a process that ran its parent's script again, down to the call that had started it.
UNGUARDED = 77


def die_with_parent() -> None:
    """Let this process end at once when the one that started it ends, however that dies; Ctrl-C is left to that one.

    The kernel sees to it on Linux; everywhere a thread watches a pipe that the parent holds open. A process that
    `multiprocessing` did not start is left as it is.

    Example:
        >>> die_with_parent()  # of this process, which nobody started so
    """
    parent = multiprocessing.parent_process()
    if parent is None:
        return
    if sys.platform == "linux":
        with contextlib.suppress(OSError, AttributeError):  # a libc without it
            ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    threading.Thread(target=_watch, args=(parent.sentinel,), daemon=True).start()


def _watch(sentinel: int) -> None:
    connection.wait([sentinel])
    os._exit(1)


@contextlib.contextmanager
def starting(*needed: object) -> Iterator[None]:
    """Start processes with "spawn" in the block, without a guard in the caller's script.

    A process that is spawned runs the script of its parent again, to find classes that were defined there. It does so
    only where one of the `needed` objects is of such a class. Ctrl-C reaches the parent alone.

    Example:
        >>> with starting("a trial"):
        ...     pass  # multiprocessing.get_context("spawn").Process(…).start()
    """
    main = sys.modules["__main__"]
    if b"__main__" not in pickle.dumps(needed):
        sys.modules["__main__"] = types.ModuleType("__main__")
    masked = hasattr(signal, "pthread_sigmask")  # not on Windows
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT}) if masked else set()
    try:
        yield
    finally:
        sys.modules["__main__"] = main
        if masked:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)


def end_if_unguarded() -> None:
    """End this process where it runs its parent's script again, and has come to the call that started it.

    The parent then has one line to say, instead of a traceback from each process.

    Example:
        >>> end_if_unguarded()  # nobody started this process so
    """
    if getattr(process.current_process(), "_inheriting", False):  # what multiprocessing itself looks at
        os._exit(UNGUARDED)


def child(pipe: Connection, packed: bytes) -> None:
    """What a started process does: watch its parent before anything heavy is loaded, then call a function.

    Args:
        pipe: the first argument of the function.
        packed: the function and its other arguments, pickled.

    Example:
        >>> import io
        >>> child(io.StringIO(), pickle.dumps((print, ())))
        <_io.StringIO object at 0x...>
    """
    die_with_parent()
    function: Callable[..., Any]
    function, arguments = pickle.loads(packed)
    function(pipe, *arguments)
