"""`tutorial data`: the course's pictures as WebDataset shards."""

from __future__ import annotations

import argparse
from pathlib import Path

from tutorial_lib.cli import _common
from tutorial_lib.cli._common import Result, Subparsers, positive


def add(subparsers: Subparsers) -> None:
    parser = subparsers.add_parser("data", help="write the course's pictures as WebDataset shards")
    names = parser.add_subparsers(dest="data", metavar="NAME", required=True)
    emoji = _common.command(
        names,
        "emojicaps",
        run,
        help="write EmojiCaps pairs as WebDataset shards, with labels.txt and the attribution",
        example="tutorial data emojicaps --out clean",
    )
    emoji.add_argument("--out", type=Path, required=True, metavar="DIR", help="folder of the shards")
    emoji.add_argument("--split", choices=("train", "validation", "test"), default="train", help="(default: train)")
    emoji.add_argument("--copies", type=positive, default=8, help="pictures per drawing (default: %(default)s)")
    emoji.add_argument("--side", type=positive, default=32, help="width and height in pixels (default: %(default)s)")
    emoji.add_argument("--classes", type=positive, default=320, help="number of concepts (default: %(default)s)")
    emoji.add_argument("--shard-size", type=positive, default=1000, help="pairs per shard (default: %(default)s)")
    emoji.add_argument(
        "--seed", type=int, default=0, help="draws backgrounds, places and captions of the training pairs (default: 0)"
    )


def run(args: argparse.Namespace) -> Result:
    from tutorial_lib.practice.shards import write_emojicaps

    written = write_emojicaps(
        args.out,
        split=args.split,
        copies=args.copies,
        side=args.side,
        classes=args.classes,
        shard_size=args.shard_size,
        seed=args.seed,
    )
    return _common.said(written)
