"""The `tutorial` command. One module a subcommand; each has `add(subparsers)` and `run(args)`."""

from __future__ import annotations

import argparse
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
from tutorial_lib.cli._common import Result

COMMANDS = (
    "doctor",
    "demo",
    "data",
    "import",
    "poison",
    "train",
    "evaluate",
    "clean",
    "plan",
    "run",
    "status",
    "claims",
    "export",
    "figures",
    "web",
    "bench",
)

#: Warnings that are shown; those of other libraries are not.
NOTES = ("Note", "SkippedPairsWarning", "NotCompiledWarning")

BAD_INPUT, INTERRUPTED = 2, 130


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
    """Run a command; the exit code is 0, 1 (the command found a problem), 2 (bad input) or 130 (interrupted)."""
    args = parser().parse_args(argv)
    notes: list[str] = []
    silent = int(os.environ.get("WORLD_SIZE", "1")) > 1 and os.environ.get("RANK", "0") != "0"  # under torchrun

    def note(message: Warning | str, category: type[Warning], *_: Any, **__: Any) -> None:
        if category.__name__ in NOTES:  # by name: importing the library takes seconds
            notes.append(_with_options(str(message), args))
            if not silent:
                print(f"tutorial {args.command}: {notes[-1]}", file=sys.stderr)

    with warnings.catch_warnings():
        warnings.simplefilter("always")
        warnings.showwarning = note
        try:
            result, text, code = _run(args)
        except KeyboardInterrupt:
            print(f"tutorial {args.command}: interrupted", file=sys.stderr)
            return INTERRUPTED
        except Exception as error:
            message = None if args.traceback else _explain(error)
            if message is None:
                raise
            print(f"tutorial {args.command}: error: {_with_options(message, args)}", file=sys.stderr)
            return BAD_INPUT
    if silent:
        return code
    if args.json:
        text = json.dumps(result | {"warnings": notes}, indent=1, ensure_ascii=False)
    else:
        text = _with_options(text, args)
    try:
        print(text, flush=True)
    except BrokenPipeError:  # the reader of the pipe has gone: not our error
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return code


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
