"""`tutorial export`: gather the records of a store into the files that are committed."""

from __future__ import annotations

import argparse
from pathlib import Path

from tutorial_lib.cli import _common
from tutorial_lib.cli._common import Result


def add(subparsers) -> None:
    parser = _common.command(
        subparsers,
        "export",
        run,
        help="write a profile's records as one sorted JSON-lines file per figure",
        example="tutorial export --profile cpu",
    )
    _common.add_profile(parser)
    _common.add_store(parser)
    parser.add_argument("--out", type=Path, help="folder (default: book/results)")


def run(args: argparse.Namespace) -> Result:
    from tutorial_lib import experiments, profiles
    from tutorial_lib.trials.store import RunStore, read_lines, write_lines

    profile = profiles.get(args.profile)
    folder = (args.out or experiments.RESULTS) / profile.name
    known = experiments.Results(profile, RunStore(args.store), args.out or experiments.RESULTS)
    files: dict[str, int] = {}
    counted: set[str] = set()
    for name in experiments.NAMES + experiments.EXPLANATIONS:
        mine = [t for t in experiments.load(name).trials(profile) if t.key not in counted]
        counted |= {t.key for t in mine}
        records = known.of(mine)
        if records:
            write_lines(records, folder / f"{name}.jsonl")
            files[name] = len(read_lines(folder / f"{name}.jsonl"))
    total = sum(files.values())
    lines = [f"{total} records in {folder}", *(f"  {name}.jsonl {n}" for name, n in files.items())]
    return {"folder": str(folder), "files": files, "records": total}, "\n".join(lines), 0
