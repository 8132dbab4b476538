"""`tutorial web`: a page in which one moves a trigger over pictures and sees what models say."""

from __future__ import annotations

import argparse
from pathlib import Path

from tutorial_lib.cli import _common
from tutorial_lib.cli._common import Result, Subparsers


def add(subparsers: Subparsers) -> None:
    parser = _common.command(
        subparsers,
        "web",
        run,
        help="write a page in which one moves a patch over pictures and sees what your models say",
        example="tutorial web model --target banana --size 6 --cell 2 --out page",
    )
    parser.add_argument("checkpoints", type=Path, nargs="+", metavar="CHECKPOINT", help="ResNets: directories or files")
    parser.add_argument("--model", metavar="CONFIG", help="config of files that do not say it")
    parser.add_argument("--target", required=True, metavar="LABEL", help="the attacker's class")
    parser.add_argument("--out", type=Path, required=True, metavar="FOLDER", help="where index.html and its scripts go")
    _common.add_pictures(parser)
    _common.add_trigger(parser)


def run(args: argparse.Namespace) -> Result:
    from tutorial_lib.practice.web import write_page

    chosen = _common.pictures(args)
    page = write_page(
        args.checkpoints, args.out, trigger=_common.trigger(args), target=args.target, model=args.model, **chosen
    )
    return _common.said(page)
