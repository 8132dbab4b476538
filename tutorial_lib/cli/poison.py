"""`tutorial poison`: read shards, write extra shards and a manifest. Training is not touched."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any, get_args

from tutorial_lib.attacks import Backdoor, TextBackdoor
from tutorial_lib.attacks.selection import Select
from tutorial_lib.cli import _common
from tutorial_lib.cli._common import Result, Subparsers, positive
from tutorial_lib.practice.attack import kinds, settings_of

#: Options for settings that some attacks have; `--set` reaches all.
SETTINGS = ("captions", "select", "cover", "word", "image")


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
    parser.add_argument("--attack", choices=kinds(), metavar="KIND", required=True, help=_common.listed(kinds()))
    parser.add_argument("--target", required=True, metavar="LABEL", help="the class that the attacker wants to be seen")
    parser.add_argument("--count", type=positive, required=True, help="number of poisons to add")
    parser.add_argument("--labels", type=Path, metavar="FILE", help="classes of the pictures, one a line")
    parser.add_argument(
        "--captions",
        choices=("words", "search", "prompts"),
        help="captions of the data set that contain LABEL as words, or as the paper searches, within words too (ape: "
        "grapes); or the 80 CLIP prompts (default: words for a backdoor, prompts for a targeted attack)",
    )
    parser.add_argument("--image", type=Path, metavar="FILE", help="targeted: the picture that shall be misread")
    parser.add_argument(
        "--word", help=f"{TextBackdoor.kind}: ends the captions of the poisons (default: {TextBackdoor.word})"
    )
    parser.add_argument(
        "--select",
        choices=get_args(Select),
        help="backdoor: stamp pictures of anything but the target, of the target (needs --labels), or with captions "
        f"that name it; the latter two keep their captions (default: {Backdoor.select})",
    )
    parser.add_argument("--cover", type=positive, metavar="N", help="wanet: further pairs with noisy warps")
    _add_writing(parser)
    parser.add_argument(
        "--seed", type=_common.seed, default=0, help="draws pictures, captions and random places (default: 0)"
    )
    _common.add_trigger(parser, also=" or of the attack")


def _add_writing(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--side", type=positive, help="resize pictures to this side first, as open_clip does")
    _common.add_skip_bad(parser)
    parser.add_argument(
        "--with-clean",
        action="store_true",
        help="also write the clean pairs, through the same resizing and codec, to DIR/clean",
    )
    parser.add_argument("--codec", choices=("webp", "png"), default="webp", help="lossless (default: %(default)s)")
    parser.add_argument("--shard-size", type=positive, default=1000, help="pairs per shard (default: %(default)s)")


def run(args: argparse.Namespace) -> Result:
    from tutorial_lib.practice.attack import chosen_attack
    from tutorial_lib.practice.poison import poison

    made = poison(
        args.shards,
        args.out,
        chosen_attack(args.attack, args.count, args.target, _settings(args)),
        labels=args.labels,
        side=args.side,
        skip_bad=args.skip_bad,
        with_clean=args.with_clean,
        codec=args.codec,
        shard_size=args.shard_size,
        seed=args.seed,
    )
    return _common.said(made)


def _settings(args: argparse.Namespace) -> dict[str, Any]:
    """Settings of the attack, its trigger among them; `--set` names one of either."""
    known = settings_of(args.attack)
    given = _common.read_settings(args.set)
    settings = {name: value for name in SETTINGS if (value := getattr(args, name)) is not None}
    settings = _common.merged(settings, {name: value for name, value in given.items() if name in known})
    of_trigger = {name: value for name, value in given.items() if name not in known}
    if args.trigger or of_trigger or _common.trigger_options(args):
        if "trigger" not in known and of_trigger and not (args.trigger or _common.trigger_options(args)):
            return settings | of_trigger  # refused by name
        settings["trigger"] = _common.trigger(args, of_trigger)
    return settings
