"""`tutorial plan`: what a profile takes on rented GPUs, before anything starts."""

from __future__ import annotations

import argparse

from tutorial_lib.cli import _common
from tutorial_lib.cli._common import Result, Subparsers, positive
from tutorial_lib.costs.gpus import GPUS


def add(subparsers: Subparsers) -> None:
    parser = _common.command(
        subparsers,
        "plan",
        run,
        help="pairs, steps, memory, hours and cost of figures on named GPUs",
        example="tutorial plan fig4 --profile paper --gpu A100 --together 8",
    )
    parser.add_argument("figures", nargs="*", metavar="FIGURE", help="as for tutorial run (default: all)")
    _common.add_profile(parser, default="paper")
    parser.add_argument("--gpu", action="append", metavar="NAME", help=f"{_common.listed(GPUS)} (default: all)")
    parser.add_argument("--together", type=positive, default=1, help="GPUs that train a model together (default: 1)")
    parser.add_argument("--usd-per-hour", type=float, default=0.0, help="price of a GPU (default: the table's)")


def run(args: argparse.Namespace) -> Result:
    from tutorial_lib import profiles
    from tutorial_lib.costs.hours import rented_hours
    from tutorial_lib.evidence import registry

    profile = profiles.get(args.profile)
    trials = registry.own_trials(registry.expand(args.figures or ["all"]), profile)
    found = rented_hours(trials, profile, gpus=args.gpu or (), together=args.together, usd_per_hour=args.usd_per_hour)
    return _common.said(found)
