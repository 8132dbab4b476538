"""`tutorial table`: attacks by defenses and by detectors, and a row for a class of one's own."""

from __future__ import annotations

import argparse
import warnings

from tutorial_lib.cli import _common, _streams
from tutorial_lib.cli._common import Result, Subparsers, positive

#: Options that only a row of one's own has.
OF_ADDED = ("minutes", "jobs", "device")
#: Minutes that a class may take.
MINUTES = 10.0


def minutes(text: str) -> float:
    """A positive number of minutes, for argparse."""
    try:
        found = float(text)
    except ValueError:
        found = 0.0
    if not 0 < found < float("inf"):
        raise argparse.ArgumentTypeError(f"a positive number of minutes is needed, not {text!r}")
    return found


def add(subparsers: Subparsers) -> None:
    parser = _common.command(
        subparsers,
        "table",
        run,
        help="every attack against every defense and detector that has records; with --add, a class of yours",
        example="tutorial table --csv > table.csv\n  tutorial table --add my_package:MyDefense --minutes 10",
        more="A class is tried with its defaults, a defense that trains at each of few learning rates. An interrupted "
        "call goes on when repeated.",
    )
    parser.add_argument("tables", nargs="*", metavar="TABLE", help="defenses, detectors or checkpoints (default: all)")
    parser.add_argument("--csv", action="store_true", help="print comma-separated values instead of text")
    parser.add_argument(
        "--profile",
        metavar="NAME",
        help="whose records (default: the newest that has all); with --add, whose models are attacked (default: demo)",
    )
    _common.add_store(parser)
    group = parser.add_argument_group("a row for a class of yours")
    group.add_argument("--add", metavar="PACKAGE:CLASS", help="a defense or a detector, of this folder's modules too")
    group.add_argument("--minutes", type=minutes, help="that it may take (default: 10)")
    group.add_argument("--jobs", type=positive, help="trials at a time (default: one a core)")
    _common.add_device(parser)


def run(args: argparse.Namespace) -> Result:
    if args.json and args.csv:
        raise ValueError("--json and --csv are two forms of the same: leave one of them out")
    if args.add is None and (idle := [name for name in OF_ADDED if getattr(args, name) is not None]):
        raise ValueError(f"--{idle[0]} has a meaning with --add only: leave it out")
    return _shown(args) if args.add is None else _added(args)


def _shown(args: argparse.Namespace) -> Result:
    from tutorial_lib import profiles
    from tutorial_lib.experiments import comparison
    from tutorial_lib.notes import Note

    if wrong := [name for name in args.tables if name not in comparison.KINDS]:
        raise ValueError(f"there is no table of {wrong[0]}; choose from {', '.join(comparison.KINDS)}")
    store = _common.store(args, there=True)
    found = [comparison.compare(k, args.profile, store=store) for k in args.tables or comparison.KINDS]
    for table in found:
        if not any(value for row in table.rows for value in row.values.values()):
            name = "cpu" if profiles.get(table.profile).past else table.profile
            warnings.warn(
                f"no records of {table.name} at profile {table.profile}: tutorial run {comparison.MADE[table.name][1]} "
                f"--profile {name} makes some",
                Note,
                stacklevel=2,
            )
    text = "\n".join(table.csv.rstrip() for table in found) if args.csv else "\n\n".join(map(str, found))
    return {"tables": [table.as_dict() for table in found]}, text, 0


def _added(args: argparse.Namespace) -> Result:
    from tutorial_lib.practice.add_yours import PROFILE, add_yours

    if args.tables:
        raise ValueError("--add says which table a class belongs to: leave the name of the table out")
    found = add_yours(
        args.add,
        minutes=args.minutes or MINUTES,
        profile=args.profile or PROFILE,
        store=_common.store(args),
        jobs=args.jobs,
        device=args.device,
        say=_streams.tell,
    )
    return found.as_dict(), found.comparison.csv.rstrip() if args.csv else str(found), int(bool(found.sweep.failed))
