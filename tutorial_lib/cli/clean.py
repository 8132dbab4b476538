"""`tutorial clean`: finetune a model that may be backdoored, and say what that did."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from tutorial_lib.cli import _common
from tutorial_lib.cli._common import Result, Subparsers, positive
from tutorial_lib.practice.defense import methods, settings_of

#: Options for settings that some methods have, and what they do; `--set` reaches all.
SETTINGS = {
    "lambda_self": "weight of self-supervision",
    "shrink": "first multiply all weights",
    "perturb": "then add noise of that size",
}


def add(subparsers: Subparsers) -> None:
    parser = _common.command(
        subparsers,
        "clean",
        run,
        help="finetune a model on pairs that you trust, and measure it before and after",
        example="tutorial clean model --data trusted --method cleanclip --out cleaned --target banana",
    )
    _common.add_checkpoint(parser)
    parser.add_argument("--data", nargs="+", required=True, metavar="SHARDS", help="shards of pairs that you trust")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="where the cleaned model goes")
    known = methods()
    parser.add_argument(
        "--method",
        type=lambda text: text.replace("_", "-"),
        choices=known,
        default="cleanclip",
        metavar="METHOD",
        help=f"{_common.listed(known)} (default: %(default)s)",
    )
    parser.add_argument("--limit", type=positive, metavar="N", help="only the first N pairs")
    parser.add_argument(
        "--training", nargs="+", metavar="SHARDS", help="the training pairs, for a method that looks for poisons"
    )
    parser.add_argument(
        "--inverted",
        type=Path,
        metavar="FILE",
        help="for a method that unlearns a trigger: a .safetensors with its mask and its pattern",
    )
    parser.add_argument(
        "--manifest", nargs="+", type=Path, default=[], metavar="FILE", help="of poisons to look out for"
    )
    _add_recipe(parser)
    parser.add_argument("--target", metavar="LABEL", help="also measure the success of a trigger for that class")
    _common.add_pictures(parser, "--eval-data")
    _common.add_place_seed(parser)
    _common.add_trigger(parser, also=" or of the method")
    parser.add_argument("--yes", action="store_true", help="train also where it will take more than an hour")
    _common.add_device(parser)


def _add_recipe(parser: argparse.ArgumentParser) -> None:
    recipe = parser.add_argument_group("recipe")
    recipe.add_argument("--epochs", type=positive, default=10, help="(default: %(default)s)")
    recipe.add_argument("--batch-size", type=positive, default=64, help="(default: %(default)s)")
    recipe.add_argument("--lr", type=float, default=1e-3, help="peak learning rate (default: %(default)s)")
    recipe.add_argument("--weight-decay", type=float, default=0.1, help="(default: %(default)s)")
    for name, what in SETTINGS.items():
        having = [method for method in methods() if name in settings_of(method)]
        recipe.add_argument(f"--{name.replace('_', '-')}", type=float, help=f"{_common.listed(having)}: {what}")


def run(args: argparse.Namespace) -> Result:
    from tutorial_lib.practice.clean import clean
    from tutorial_lib.practice.defense import chosen_defense
    from tutorial_lib.trials import Recipe

    pictures = _common.pictures(args, "--eval-data")
    recipe = Recipe(epochs=args.epochs, batch_size=args.batch_size, lr=args.lr, weight_decay=args.weight_decay)
    of_method, of_trigger = _settings(args)
    cleaned = clean(
        args.checkpoint,
        args.out,
        defense=chosen_defense(args.method, recipe, of_method),
        pairs=args.data,
        limit=args.limit or 0,
        training=args.training,
        inverted=args.inverted,
        manifests=args.manifest,
        model=args.model,
        pretrained=args.pretrained,
        target=args.target,
        trigger=_common.trigger(args, of_trigger) if args.target else None,
        seed=args.seed,
        yes=args.yes,
        device=args.device,
        **pictures,
    )
    return _common.said(cleaned)


def _settings(args: argparse.Namespace) -> tuple[dict[str, Any], dict[str, Any]]:
    """Settings of the method and of the trigger; `--set` names one of either.

    Raises:
        ValueError: a trigger is described, and no target says what for.
    """
    of_method = {name: value for name in SETTINGS if (value := getattr(args, name)) is not None}
    given, known = _common.read_settings(args.set), settings_of(args.method)
    of_method = _common.merged(of_method, {name: value for name, value in given.items() if name in known})
    of_trigger = {name: value for name, value in given.items() if name not in known}
    if not args.target and (args.trigger or _common.trigger_options(args)):
        raise ValueError("a trigger is measured towards a class: name it with --target LABEL")
    return (of_method, of_trigger) if args.target else (of_method | of_trigger, {})
