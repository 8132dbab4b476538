"""`tutorial claims`: the papers' claims and what our records say about them."""

from __future__ import annotations

import argparse

from tutorial_lib.cli import _common
from tutorial_lib.cli._common import Result, Subparsers


def add(subparsers: Subparsers) -> None:
    parser = _common.command(
        subparsers,
        "claims",
        run,
        help="every claim of the papers with its verdict",
        example="tutorial claims --profile cpu --json",
    )
    _common.add_profile(parser, several=True)
    _common.add_store(parser)
    parser.add_argument("--verdict", help="only those with this verdict")


def run(args: argparse.Namespace) -> Result:
    from tutorial_lib.evidence.judged import judge_profiles

    return _common.said(judge_profiles(args.profile, store=_common.store(args), verdict=args.verdict))
