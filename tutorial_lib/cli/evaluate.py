"""`tutorial evaluate`: is a model accurate, and does a trigger command it?"""

from __future__ import annotations

import argparse

from tutorial_lib.cli import _common
from tutorial_lib.cli._common import Result, Subparsers


def add(subparsers: Subparsers) -> None:
    parser = _common.command(
        subparsers,
        "evaluate",
        run,
        help="measure a model's accuracy and how far a trigger commands it",
        example="tutorial evaluate model --trigger checkerboard --target banana",
    )
    _common.add_checkpoint(parser, also="or a classifier that clean saved")
    parser.add_argument("--target", required=True, metavar="LABEL", help="the attacker's class")
    _common.add_pictures(parser)
    _common.add_place_seed(parser)
    _common.add_trigger(parser)
    parser.add_argument("--yes", action="store_true", help="measure also where it will take more than an hour")
    _common.add_device(parser)


def run(args: argparse.Namespace) -> Result:
    from tutorial_lib.practice.evaluate import evaluate

    measured = evaluate(
        args.checkpoint,
        trigger=_common.trigger(args),
        target=args.target,
        model=args.model,
        pretrained=args.pretrained,
        seed=args.seed,
        yes=args.yes,
        device=args.device,
        **_common.pictures(args),
    )
    return _common.said(measured)
