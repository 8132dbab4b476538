"""`tutorial bench`: the library beside its peers, on this machine."""

from __future__ import annotations

import argparse

from tutorial_lib.cli import _common
from tutorial_lib.cli._common import Result, positive

PARTS = ("train", "zscore", "store", "clean", "scaling")


def add(subparsers) -> None:
    parser = _common.command(
        subparsers,
        "bench",
        run,
        help="time training beside its peers, the z-score, the run store, cleaning, and how all that scales",
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
    parser.add_argument("--seed", type=int, default=0, help="data, weights and order (default: 0)")


def run(args: argparse.Namespace) -> Result:
    from tutorial_lib.bench import cleaning, scaling, store, training, zscore

    body = {"machine": _common.machine(), "repeats": args.repeats}
    cpu = body["machine"]
    lines = [f"{cpu['cpu']}, {cpu['threads']} threads, torch {cpu['versions']['torch']}, median of {args.repeats}"]
    parts = [args.only] if args.only else PARTS
    if "train" in parts:
        body["train"] = training.compare(repeats=args.repeats, seed=args.seed, time_to_accuracy=args.time_to_accuracy)
        lines += training.describe(body["train"])
    if "zscore" in parts:
        body["zscore"] = zscore.compare(n=args.embeddings, d=args.dimensions, repeats=args.repeats, seed=args.seed)
        lines += zscore.describe(body["zscore"])
    if "store" in parts:
        body["store"] = store.compare(repeats=args.repeats)
        lines += store.describe(body["store"])
    if "clean" in parts:
        body["clean"] = cleaning.compare(repeats=args.repeats, seed=args.seed)
        lines += cleaning.describe(body["clean"])
    if "scaling" in parts:
        body["scaling"] = scaling.compare(repeats=args.repeats, seed=args.seed)
        lines += scaling.describe(body["scaling"])
    return body, "\n".join(lines), 0
