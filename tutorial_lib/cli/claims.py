"""`tutorial claims`: the papers' claims and what our records say about them."""

from __future__ import annotations

import argparse
from typing import Any

from tutorial_lib.cli import _common
from tutorial_lib.cli._common import Result


def add(subparsers) -> None:
    parser = _common.command(
        subparsers,
        "claims",
        run,
        help="every claim of the papers with its verdict",
        example="tutorial claims --profile cpu --json",
    )
    _common.add_profile(parser, several=True)
    _common.add_store(parser)
    parser.add_argument("--verdict", help="only those with this verdict")


def run(args: argparse.Namespace) -> Result:
    from tutorial_lib import experiments, profiles
    from tutorial_lib.evidence import claims
    from tutorial_lib.trials.store import RunStore

    if args.verdict and args.verdict not in claims.WORDS:
        raise ValueError(f"there is no verdict {args.verdict!r}; choose from {', '.join(claims.WORDS)}")
    names = [args.profile] if args.profile else [n for n in profiles.NAMES if not profiles.get(n).reference]
    rows: list[dict[str, Any]] = []
    lines: list[str] = []
    for name in names:
        profile = profiles.get(profiles.get(name).reference or name)
        verdicts = claims.judge_all(experiments.Results(profile, RunStore(args.store)))
        lines.append(f"{profile.name}: " + ", ".join(f"{n} {w}" for w, n in claims.summary(verdicts).items() if n))
        for v in verdicts:
            if args.verdict and v.verdict != args.verdict:
                continue
            rows.append(v.as_dict())
            if args.profile:
                number = "" if v.estimate is None else f"{v.estimate}; claimed: {v.claim.predicate}"
                more = f"; about {v.needed} models may decide" if v.needed else ""
                lines.append(f"  {v.verdict:10s} {v.claim.id:32s} {number}{more}")
    return {"claims": rows}, "\n".join(lines), 0
