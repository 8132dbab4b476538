"""`tutorial doctor`: is everything in place, and what can this machine run?"""

from __future__ import annotations

import argparse

from tutorial_lib.cli import _common
from tutorial_lib.cli._common import Result, Subparsers


def add(subparsers: Subparsers) -> None:
    _common.command(
        subparsers,
        "doctor",
        run,
        help="check versions, device and data, and say which profiles this machine can run and where records lie",
        example="tutorial doctor --json",
    )


def run(args: argparse.Namespace) -> Result:
    from tutorial_lib.practice.doctor import examine

    found = examine()
    return _common.said(found, 0 if found.ok else 1)
