"""`tutorial run`: make the records behind figures; stop and go on at will."""

from __future__ import annotations

import argparse
import math

from tutorial_lib.cli import _common, _streams
from tutorial_lib.cli._common import Result, Subparsers, positive

#: What the exit code of the command means.
CODES = """exit codes:
  0    every trial has a record, or those that are left were not to begin before the time limit
  1    some trials failed, or processes died; one line for each reason; with --dry-run: it cannot run here
  2    bad input, or the store cannot be written (a full disk); nothing that was made is lost
  130  interrupted (Ctrl-C)
  143  terminated (kill)
Repeat the command to go on with what is left."""


def add(subparsers: Subparsers) -> None:
    parser = _common.command(
        subparsers,
        "run",
        run,
        help="train the models behind figures of the papers; an interrupted call goes on when repeated",
        example="tutorial run fig4 --profile cpu --time-limit 90m --dry-run",
        more=CODES,
    )
    parser.add_argument("figures", nargs="+", metavar="FIGURE", help="fig2_left … fig6, fig2 for both, or all")
    _common.add_profile(parser, making=True)
    _common.add_store(parser)
    _common.add_device(parser)
    parser.add_argument(
        "--engine",
        choices=("local", "ray", "group"),
        help="local processes, a Ray cluster, or the group that torchrun started (default: what fits)",
    )
    parser.add_argument(
        "--jobs", type=positive, help="trials at a time; by default one a GPU, and one a core without a GPU"
    )
    parser.add_argument("--time-limit", metavar="TIME", help="end then: 90m, 2h; a long trial goes on in the next call")
    parser.add_argument(
        "--keep-models", action="store_true", help="also save each model in STORE/models (local engine)"
    )
    parser.add_argument("--dry-run", action="store_true", help="print what would run and how long it takes")


def run(args: argparse.Namespace) -> Result:
    from tutorial_lib.costs import parse_duration
    from tutorial_lib.evidence.sweeps import go_on, run_figures
    from tutorial_lib.trials.store import StoreError

    options = {
        "store": _common.store(args),
        "engine": args.engine,
        "jobs": args.jobs,
        "device": args.device,
        "time_limit": parse_duration(args.time_limit) if args.time_limit else math.inf,
        "keep_models": args.keep_models,
    }
    try:
        found = run_figures(
            args.figures, args.profile, dry_run=args.dry_run, say=_streams.tell, progress=not args.json, **options
        )
    except (KeyboardInterrupt, StoreError):
        _streams.tell(f"\n{go_on(args.figures, args.profile, **options)}")
        raise
    return _common.said(found, 1 if found.failed or found.lacks else 0)
