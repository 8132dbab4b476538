"""`tutorial demo`: in about a minute, train a backdoored CLIP on the shipped pictures and look at it."""

from __future__ import annotations

import argparse
from pathlib import Path

from tutorial_lib.cli import _common
from tutorial_lib.cli._common import Result, Subparsers


def add(subparsers: Subparsers) -> None:
    parser = _common.command(
        subparsers,
        "demo",
        run,
        help="train a small backdoored CLIP, measure it and save a picture of what it sees",
        example="tutorial demo --out demo.png",
    )
    parser.add_argument("--out", type=Path, default=Path("demo.png"), metavar="FILE", help="(default: %(default)s)")
    parser.add_argument(
        "--seed", type=_common.seed, default=0, help="draws pictures, poisons, weights and order (default: 0)"
    )


def run(args: argparse.Namespace) -> Result:
    from tutorial_lib.practice.demo import demo

    return _common.said(demo(args.out, seed=args.seed))
