"""`tutorial calibrate`: choose the thresholds of the audit of checkpoints from the records of the zoo."""

from __future__ import annotations

import argparse
from pathlib import Path

from tutorial_lib.cli import _common
from tutorial_lib.cli._common import Result, Subparsers


def add(subparsers: Subparsers) -> None:
    parser = _common.command(
        subparsers,
        "calibrate",
        run,
        help="choose the thresholds of `tutorial audit` from the records of a zoo of small models",
        example="tutorial calibrate --profile cpu",
        more="The zoo is made by: tutorial run detect_checkpoints --profile cpu",
    )
    _common.add_profile(parser)
    _common.add_store(parser)
    parser.add_argument(
        "--out", type=Path, metavar="FILE", help="(default: that of the audit, in a checkout; else calibrations.json)"
    )


def run(args: argparse.Namespace) -> Result:
    from tutorial_lib.practice.calibrate import calibrate

    return _common.said(calibrate(args.profile, store=_common.store(args, there=True), out=args.out))
