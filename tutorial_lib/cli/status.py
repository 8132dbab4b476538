"""`tutorial status`: which records there are, what is missing, what it will take, and what the claims say."""

from __future__ import annotations

import argparse

from tutorial_lib.cli import _common
from tutorial_lib.cli._common import Result, Subparsers


def add(subparsers: Subparsers) -> None:
    parser = _common.command(
        subparsers,
        "status",
        run,
        help="records present and missing per figure, estimated time and cost, verdicts",
        example="tutorial status --profile cpu --json",
    )
    _common.add_profile(parser, several=True)
    _common.add_store(parser)


def run(args: argparse.Namespace) -> Result:
    from tutorial_lib.evidence.status import status

    return _common.said(status(args.profile, store=_common.store(args)))
