"""A method in a process of its own, so that its peak memory is its own.

`python -m tutorial_lib.bench.zscore fast --n 50000` is one.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from collections.abc import Callable, Collection
from typing import Any

Measure = Callable[..., dict[str, Any]]


def run(module: str, method: str, **options: str | int) -> dict[str, Any]:
    """What a method of a benchmark measures in a new process.

    Args:
        module: of `tutorial_lib.bench`; run as a program, it calls `answer`.
        method: one of its methods.
        options: what `measure` takes besides.

    Raises:
        CalledProcessError: it failed; it has said why on standard error.
    """
    command = [sys.executable, "-m", f"tutorial_lib.bench.{module}", method]
    for name, value in options.items():
        command += [f"--{name}", str(value)]
    done = subprocess.run(command, stdout=subprocess.PIPE, encoding="utf-8", check=True)
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def answer(measure: Measure, methods: Collection[str], **options: str | int) -> None:
    """The other end: measure what the command line asks for, and print it as JSON.

    Args:
        measure: takes the method and the options.
        methods: that there are.
        options: with their defaults.
    """
    parser = argparse.ArgumentParser(description="Time one method in this process.")
    parser.add_argument("method", choices=methods)
    for name, default in options.items():
        parser.add_argument(f"--{name}", type=type(default), default=default)
    args = vars(parser.parse_args())
    print(json.dumps(measure(args.pop("method"), **args)))
