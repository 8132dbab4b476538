"""`tutorial export`: gather the records of a store into the files that are committed."""

from __future__ import annotations

import argparse
from pathlib import Path

from tutorial_lib.cli import _common
from tutorial_lib.cli._common import Result, Subparsers


def add(subparsers: Subparsers) -> None:
    parser = _common.command(
        subparsers,
        "export",
        run,
        help="write a profile's records as one sorted JSON-lines file per figure",
        example="tutorial export --profile cpu",
    )
    _common.add_profile(parser)
    _common.add_store(parser)
    parser.add_argument(
        "--out", type=Path, help="folder (default: book/results of the checkout, or results in the current folder)"
    )


def run(args: argparse.Namespace) -> Result:
    from tutorial_lib.evidence.export import export

    return _common.said(export(args.profile, store=_common.store(args), out=args.out))
