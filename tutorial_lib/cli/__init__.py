"""The `tutorial` command. One module a subcommand; each has `add(subparsers)` and `run(args)`."""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import keyword
import os
import re
import sys
import tarfile
import warnings
from collections.abc import Callable, Sequence
from importlib import import_module
from typing import Any

from tutorial_lib import __version__
from tutorial_lib.cli import _streams
from tutorial_lib.cli._common import Result
from tutorial_lib.machine import limit_threads

COMMANDS = (
    "doctor",
    "demo",
    "data",
    "import",
    "poison",
    "train",
    "evaluate",
    "audit",
    "clean",
    "plan",
    "run",
    "status",
    "claims",
    "export",
    "calibrate",
    "figures",
    "table",
    "web",
    "bench",
)

#: Warnings that are shown; those of other libraries are not.
NOTES = ("Note", "SkippedPairsWarning", "NotCompiledWarning")

PROBLEM, BAD_INPUT, INTERRUPTED, TERMINATED = 1, 2, 130, 143


def parser() -> argparse.ArgumentParser:
    """The parser of all commands; imports nothing heavy, so that `--help` answers at once."""
    top = argparse.ArgumentParser(
        prog="tutorial",
        description="Poison, train and examine CLIP models, on the course's pictures or on your own.",
        epilog="tutorial COMMAND --help shows an example of each.",
    )
    top.add_argument("--version", action="version", version=__version__)
    top.add_argument("--traceback", action="store_true", help="on an error, show where in the code it arose")
    commands = top.add_subparsers(dest="command", metavar="COMMAND", required=True)
    for name in COMMANDS:
        module = f"{name}_" if keyword.iskeyword(name) else name
        import_module(f"tutorial_lib.cli.{module}").add(commands)
    return top


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command; the exit code is 0, 1 (it found a problem), 2 (bad input), 130 (interrupted) or 143 (terminated).

    With `--json`, a command that fails prints an object with its `error` and `exit` code.
    """
    _streams.open_streams()
    limit_threads()
    args = _arguments(sys.argv[1:] if argv is None else argv)
    notes: list[str] = []
    silent = int(os.environ.get("WORLD_SIZE", "1")) > 1 and os.environ.get("RANK", "0") != "0"  # under torchrun

    def note(message: Warning | str, category: type[Warning], *_: Any, **__: Any) -> None:
        if category.__name__ in NOTES:  # by name: importing the library takes seconds
            notes.append(_with_options(str(message), args))
            if not silent:
                _streams.tell(f"tutorial {args.command}: {notes[-1]}")

    with warnings.catch_warnings(), _streams.ending_on_request():
        warnings.simplefilter("always")
        warnings.showwarning = note
        try:
            result, text, code = _run(args)
        except KeyboardInterrupt as end:
            asked = isinstance(end, _streams.Terminated)
            word, code = ("terminated", TERMINATED) if asked else ("interrupted", INTERRUPTED)
            return _failed(args, word, word, code, silent)
        except Exception as error:
            message = None if args.traceback else _explain(error)
            if message is None:
                raise
            message = _with_options(message, args)
            return _failed(args, f"error: {message}", message, BAD_INPUT, silent)
    if silent:
        return code
    text = _json(result | {"warnings": notes}) if args.json else _with_options(text, args)
    if trouble := _streams.put(text):
        _streams.tell(f"tutorial {args.command}: error: {trouble}")
        return code or PROBLEM
    return code


def _arguments(argv: Sequence[str]) -> argparse.Namespace:
    """What the user asked for; argparse ends the process where that is help or cannot be understood."""
    said = io.StringIO()
    try:
        with contextlib.redirect_stderr(said):
            return parser().parse_args(argv)
    except SystemExit as end:
        _streams.flush()
        if said.getvalue():
            _streams.tell(said.getvalue().rstrip())
        if end.code == BAD_INPUT and "--json" in argv:
            _streams.put(_json({"error": said.getvalue().rpartition("error: ")[2].strip(), "exit": BAD_INPUT}))
        raise


def _failed(args: argparse.Namespace, line: str, message: str, code: int, silent: bool) -> int:
    """Say why a command failed, on standard error and as JSON where that was asked for."""
    _streams.tell(f"tutorial {args.command}: {line}")
    if args.json and not silent:
        _streams.put(_json({"error": message, "exit": code}))
    return code


def _json(body: dict[str, Any]) -> str:
    """One object, with letters that the output has."""
    plain = "utf" not in (getattr(sys.stdout, "encoding", None) or "utf-8").lower()
    return json.dumps(body, indent=1, ensure_ascii=plain)


def _with_options(text: str, args: argparse.Namespace) -> str:
    """A text of the library, which names arguments of functions as `batch_size` or `resume=False`, for commands.

    Example:
        >>> _with_options("lower `batch_size`, or give `resume=False`", argparse.Namespace(batch_size=64, resume=True))
        'lower --batch-size, or give --no-resume'
    """

    def option(found: re.Match[str]) -> str:
        name, no = found.groups()
        return f"--{'no-' if no else ''}{name.replace('_', '-')}" if name in vars(args) else found[0]

    return re.sub(r"`([a-z_]+)(=False)?`", option, text)


def _run(args: argparse.Namespace) -> Result:
    run: Callable[[argparse.Namespace], Result] = args.run
    return run(args)


def _explain(error: Exception) -> str | None:
    """One line for an error that the user can do something about, `None` for a bug."""
    from torch import OutOfMemoryError

    from tutorial_lib.data.integrity import CorruptDataError
    from tutorial_lib.data.shards import ShardError
    from tutorial_lib.models import CheckpointError
    from tutorial_lib.runs.engines import EngineError
    from tutorial_lib.training.distributed import WorkerError
    from tutorial_lib.training.loop import TrainingDivergedError
    from tutorial_lib.trials.store import StoreError

    text = " ".join(str(error).split())
    if isinstance(error, MemoryError) and text:
        return text
    if isinstance(error, OutOfMemoryError | MemoryError) or "can't allocate memory" in text:
        return "out of memory: lower `batch_size`, or `side` and `copies` where the command has them"
    known = (
        ValueError,
        ShardError,
        CheckpointError,
        CorruptDataError,
        EngineError,
        StoreError,
        TrainingDivergedError,
        WorkerError,
        OSError,
        tarfile.TarError,
    )
    return text if isinstance(error, known) else None
