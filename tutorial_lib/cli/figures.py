"""`tutorial figures`: execute chapters headlessly at a profile and save their figures."""

from __future__ import annotations

import argparse
from pathlib import Path

from tutorial_lib.cli import _common, _streams
from tutorial_lib.cli._common import Result, Subparsers


def add(subparsers: Subparsers) -> None:
    parser = _common.command(
        subparsers,
        "figures",
        run,
        help="run chapters headlessly at a profile; save notebooks and figures",
        example="tutorial figures --profile demo 5 6",
    )
    parser.add_argument("chapters", nargs="*", metavar="CHAPTER", help="number or name (default: all)")
    _common.add_profile(parser, default="demo")
    _common.add_device(parser)
    parser.add_argument("--out", type=Path, help="folder (default: build/figures/PROFILE)")


def run(args: argparse.Namespace) -> Result:
    from tutorial_lib.course.headless import save_figures

    saved = save_figures(args.chapters, args.profile, out=args.out, device=args.device, say=_streams.tell)
    return _common.said(saved, 1 if saved.failed else 0)
