"""`tutorial evaluate`: is a model accurate, and does a trigger command it?"""

from __future__ import annotations

import argparse
from pathlib import Path

from tutorial_lib.cli import _common
from tutorial_lib.cli._common import Result, Subparsers


def add(subparsers: Subparsers) -> None:
    parser = _common.command(
        subparsers,
        "evaluate",
        run,
        help="measure a model's zero-shot accuracy and how far a trigger commands it",
        example="tutorial evaluate model --trigger checkerboard --target banana",
    )
    parser.add_argument(
        "checkpoint", type=Path, metavar="CHECKPOINT", help="a model directory, or an epoch_*.pt of open_clip_train"
    )
    parser.add_argument("--target", required=True, metavar="LABEL", help="the attacker's class")
    parser.add_argument(
        "--model", metavar="CONFIG", help="config of an epoch_*.pt: the course's, open_clip's or a .json"
    )
    _common.add_pictures(parser)
    _common.add_place_seed(parser)
    _common.add_trigger(parser)
    _common.add_device(parser)


def run(args: argparse.Namespace) -> Result:
    from tutorial_lib.practice.evaluate import evaluate

    measured = evaluate(
        args.checkpoint,
        trigger=_common.trigger(args),
        target=args.target,
        config=args.model,
        seed=args.seed,
        device=args.device,
        **_common.pictures(args),
    )
    return _common.said(measured)
