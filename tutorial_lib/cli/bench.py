"""`tutorial bench`: the library beside its peers, on this machine."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from typing import Any

from tutorial_lib.cli import _common
from tutorial_lib.cli._common import Result, Subparsers, positive

PARTS = ("train", "zscore", "store", "clean", "scaling", "company")


def add(subparsers: Subparsers) -> None:
    parser = _common.command(
        subparsers,
        "bench",
        run,
        help="time training beside its peers and beside other work, the z-score, the run store, cleaning, and scaling",
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
    from tutorial_lib.bench import cleaning, company, scaling, store, training, zscore
    from tutorial_lib.practice.machine import machine

    def compared() -> Iterator[tuple[str, dict[str, Any], list[str]]]:
        """Each part that was asked for, in turn: its name, its numbers, and what they say."""
        several = {"repeats": args.repeats, "seed": args.seed}
        calls = {
            "train": (training, several | {"time_to_accuracy": args.time_to_accuracy}),
            "zscore": (zscore, several | {"n": args.embeddings, "d": args.dimensions}),
            "store": (store, {"repeats": args.repeats}),
            "clean": (cleaning, several),
            "scaling": (scaling, several),
            "company": (company, several),
        }
        for name in [args.only] if args.only else PARTS:
            part, options = calls[name]
            found = part.compare(**options)
            yield name, found, part.describe(found)

    cpu = machine()
    body: dict[str, Any] = {"machine": cpu, "repeats": args.repeats}
    lines = [f"{cpu['cpu']}, {cpu['threads']} threads, torch {cpu['versions']['torch']}, median of {args.repeats}"]
    for name, found, said in compared():
        body[name] = found
        lines += said
    return body, "\n".join(lines), 0
