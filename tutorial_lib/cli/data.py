"""`tutorial data`: the course's pictures, or published photographs, as WebDataset shards."""

from __future__ import annotations

import argparse
from pathlib import Path

from tutorial_lib import places
from tutorial_lib.cli import _common
from tutorial_lib.cli._common import Result, Subparsers, positive

#: Data sets that `tutorial_lib.practice.photos` reads; importing it takes seconds.
PHOTOS = ("cifar10", "cifar100", "flickr8k", "flickr30k", "coco")
FETCH = """nothing is fetched here; read the licence that is printed, and fetch a data set with
  python -c 'from torchvision.datasets import CIFAR100; CIFAR100("downloads", download=True)'
  hf download --repo-type dataset uoft-cs/cifar100 --local-dir downloads
or, for Flickr and COCO, from their publishers: a folder with the pictures and the file of captions."""


def add(subparsers: Subparsers) -> None:
    parser = subparsers.add_parser("data", help="write the course's pictures, or photographs, as WebDataset shards")
    names = parser.add_subparsers(dest="data", metavar="NAME", required=True)
    _add_emojicaps(names)
    _add_photos(names)


def _add_emojicaps(names: Subparsers) -> None:
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
        "--seed",
        type=_common.seed,
        default=0,
        help="draws backgrounds, places and captions of the training pairs (default: 0)",
    )


def _add_photos(names: Subparsers) -> None:
    photos = _common.command(
        names,
        "photos",
        run_photos,
        help="write photographs of a published data set as WebDataset shards, a folder for each of its parts",
        example="tutorial data photos cifar100 downloads --dry-run",
        more=FETCH,
    )
    photos.add_argument("name", choices=PHOTOS, metavar="NAME", help=_common.listed(PHOTOS))
    photos.add_argument(
        "source", type=Path, metavar="SOURCE", help="folder or archive, as torchvision or a hub left the data set"
    )
    photos.add_argument(
        "--out", type=Path, default=places.data(), metavar="DIR", help="folder of the parts (default: $TUTORIAL_DATA)"
    )
    photos.add_argument("--dry-run", action="store_true", help="count, show some pairs, and write nothing")
    photos.add_argument(
        "--captions",
        choices=("all", "first"),
        default="all",
        help="of a picture with several: a pair for each, or the first (default: %(default)s)",
    )
    photos.add_argument("--side", type=positive, help="resize pictures to it, and cut out the centre")
    _common.add_skip_bad(photos)
    photos.add_argument("--limit", type=positive, default=0, metavar="N", help="stop after N pairs of a part")
    photos.add_argument("--shard-size", type=positive, default=1000, help="pairs per shard (default: %(default)s)")
    photos.add_argument("--no-resume", dest="resume", action="store_false", help="replace what was written before")


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


def run_photos(args: argparse.Namespace) -> Result:
    from tutorial_lib.practice.photos import look_at_photos, write_photos

    if args.dry_run:
        found = look_at_photos(args.name, args.source, captions=args.captions, skip_bad=args.skip_bad)
        return _common.said(found, code=1 if found.problem else 0)
    written = write_photos(
        args.name,
        args.source,
        args.out,
        captions=args.captions,
        side=args.side,
        skip_bad=args.skip_bad,
        limit=args.limit,
        shard_size=args.shard_size,
        resume=args.resume,
    )
    return _common.said(written)
