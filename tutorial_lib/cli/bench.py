"""`tutorial bench`: the library beside its peers, on this machine."""

from __future__ import annotations

import argparse

from tutorial_lib.cli import _common
from tutorial_lib.cli._common import Result, Subparsers, positive
from tutorial_lib.practice.benchmark import PARTS


def add(subparsers: Subparsers) -> None:
    parser = _common.command(
        subparsers,
        "bench",
        run,
        help="time training, the z-score, the run store, cleaning, detection and scaling, beside their peers",
        example="tutorial bench --only zscore --json",
    )
    parser.add_argument("--only", choices=PARTS, help="one part (default: all)")
    parser.add_argument(
        "--repeats", type=positive, default=3, help="medians over this many runs (default: %(default)s)"
    )
    parser.add_argument("--embeddings", type=positive, default=50_000, help="z-score: number N (default: %(default)s)")
    parser.add_argument("--dimensions", type=positive, default=512, help="z-score: size d (default: %(default)s)")
    parser.add_argument(
        "--time-to-accuracy",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="also train both to 25 %% zero-shot, which takes some minutes (default: yes)",
    )
    parser.add_argument("--seed", type=_common.seed, default=0, help="data, weights and order (default: 0)")


def run(args: argparse.Namespace) -> Result:
    from tutorial_lib.practice.benchmark import benchmark

    found = benchmark(
        [args.only] if args.only else PARTS,
        repeats=args.repeats,
        embeddings=args.embeddings,
        dimensions=args.dimensions,
        time_to_accuracy=args.time_to_accuracy,
        seed=args.seed,
    )
    return _common.said(found)
