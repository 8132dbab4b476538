"""`tutorial poison`: read shards, write extra shards and a manifest. Training is not touched."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, get_args

from tutorial_lib.attacks import TextBackdoor
from tutorial_lib.attacks.selection import Select
from tutorial_lib.cli import _common
from tutorial_lib.cli._common import Result, Subparsers, positive

if TYPE_CHECKING:
    from tutorial_lib.triggers import Trigger


def add(subparsers: Subparsers) -> None:
    parser = _common.command(
        subparsers,
        "poison",
        run,
        help="write poisoned pairs as extra WebDataset shards, with a manifest of every one",
        example="tutorial poison clean --out poisons --attack backdoor --target banana --count 256",
    )
    parser.add_argument(
        "shards", nargs="+", metavar="SHARDS", help="clean .tar files, folders, globs or {000..099}.tar"
    )
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="folder of the poison-*.tar shards")
    parser.add_argument("--attack", choices=("backdoor", "targeted", "text"), required=True)
    parser.add_argument("--target", required=True, metavar="LABEL", help="the class that the attacker wants to be seen")
    parser.add_argument("--count", type=positive, required=True, help="number of poisons to add")
    parser.add_argument("--labels", type=Path, metavar="FILE", help="classes of the pictures, one a line")
    parser.add_argument(
        "--captions",
        choices=("search", "prompts"),
        help="captions of the data set that contain LABEL, or the 80 CLIP prompts "
        "(default: search for a backdoor, prompts for a targeted attack)",
    )
    parser.add_argument("--image", type=Path, metavar="FILE", help="targeted: the picture that shall be misread")
    parser.add_argument("--word", help=f"text: ends the captions of the poisons (default: {TextBackdoor.word})")
    parser.add_argument(
        "--select",
        choices=get_args(Select),
        help="backdoor: stamp pictures of anything but the target, of the target (needs --labels), or with captions "
        "that name it; the latter two keep their captions (default: others)",
    )
    parser.add_argument("--cover", type=positive, metavar="N", help="wanet: further pairs with noisy warps")
    _add_writing(parser)
    parser.add_argument("--seed", type=int, default=0, help="draws pictures, captions and random places (default: 0)")
    _common.add_trigger(parser)


def _add_writing(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--side", type=positive, help="resize pictures to this side first, as open_clip does")
    parser.add_argument(
        "--with-clean",
        action="store_true",
        help="also write the clean pairs, through the same resizing and codec, to DIR/clean",
    )
    parser.add_argument("--codec", choices=("webp", "png"), default="webp", help="lossless (default: %(default)s)")
    parser.add_argument("--shard-size", type=positive, default=1000, help="pairs per shard (default: %(default)s)")


def run(args: argparse.Namespace) -> Result:
    from tutorial_lib.practice.poison import poison

    made = poison(
        args.shards,
        args.out,
        attack=args.attack,
        target=args.target,
        count=args.count,
        trigger=_trigger(args),
        select=args.select,
        cover=args.cover,
        captions=args.captions,
        word=args.word,
        image=args.image,
        labels=args.labels,
        side=args.side,
        with_clean=args.with_clean,
        codec=args.codec,
        shard_size=args.shard_size,
        seed=args.seed,
    )
    return _common.said(made)


def _trigger(args: argparse.Namespace) -> Trigger | None:
    """The trigger, where one was asked for or is needed."""
    asked = args.trigger or args.set or _common.trigger_options(args)
    return _common.trigger(args) if asked or args.attack == "backdoor" else None
