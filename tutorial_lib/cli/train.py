"""`tutorial train`: shards in, a model directory out; killed and called again, it goes on."""

from __future__ import annotations

import argparse
from pathlib import Path

from tutorial_lib.cli import _common
from tutorial_lib.cli._common import Result, Subparsers, positive
from tutorial_lib.training.methods import METHODS


def add(subparsers: Subparsers) -> None:
    parser = _common.command(
        subparsers,
        "train",
        run,
        help="train a CLIP model on WebDataset shards, clean or poisoned",
        example="tutorial train clean poisons --out model",
    )
    parser.add_argument("shards", nargs="+", metavar="SHARDS", help=".tar files, folders, globs or {000..099}.tar")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="the model directory")
    parser.add_argument(
        "--model", help="config: the course's, open_clip's or a .json (default: tiny-rn, or that of --pretrained)"
    )
    parser.add_argument(
        "--pretrained",
        metavar="MODEL",
        help="start from a model directory, a hub folder, a .safetensors, a .pt, or open_clip's weights (openai, …)",
    )
    parser.add_argument(
        "--method", metavar="METHOD", help=f"instead of plain training, one for dirty pairs: {_common.listed(METHODS)}"
    )
    parser.add_argument("--set", action="append", metavar="NAME=VALUE", default=[], help="a setting of the method")
    parser.add_argument("--epochs", type=positive, help="passes over the pairs (default: those of the course's recipe)")
    parser.add_argument("--batch-size", type=positive, help="pairs per step")
    parser.add_argument("--lr", type=float, help="peak learning rate")
    parser.add_argument("--weight-decay", type=float)
    parser.add_argument("--warmup", type=float, help="share of all steps")
    parser.add_argument("--precision", choices=("auto", "float32", "bfloat16"), help="(default: auto)")
    parser.add_argument("--labels", type=Path, metavar="FILE", help="classes to be known later, one a line")
    parser.add_argument("--full-vocabulary", action="store_true", help="keep all 49,408 tokens of CLIP's vocabulary")
    _common.add_skip_bad(parser)
    parser.add_argument("--seed", type=_common.seed, default=0, help="initial weights, order and views (default: 0)")
    parser.add_argument("--checkpoint-every", type=positive, default=1, metavar="EPOCHS", help="(default: 1)")
    parser.add_argument(
        "--resume",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="go on from the checkpoint of an interrupted run with the same arguments (default: yes)",
    )
    parser.add_argument("--yes", action="store_true", help="train also where it will take more than an hour")
    _common.add_device(parser)


def run(args: argparse.Namespace) -> Result:
    from tutorial_lib.practice.method import chosen_method
    from tutorial_lib.practice.train import train_shards
    from tutorial_lib.trials import Recipe

    settings = _common.read_settings(args.set)
    if settings and not args.method:
        raise ValueError("--set names a setting of a method: say which with --method METHOD")
    names = ("epochs", "batch_size", "lr", "weight_decay", "warmup", "precision")
    given = {name: value for name in names if (value := getattr(args, name)) is not None}
    trained = train_shards(
        args.shards,
        args.out,
        model=args.model,
        pretrained=args.pretrained,
        recipe=Recipe(**given),
        method=chosen_method(args.method, settings) if args.method else None,
        labels=args.labels,
        full_vocabulary=args.full_vocabulary,
        skip_bad=args.skip_bad,
        seed=args.seed,
        checkpoint_every=args.checkpoint_every,
        resume=args.resume,
        yes=args.yes,
        device=args.device,
    )
    return _common.said(trained)
