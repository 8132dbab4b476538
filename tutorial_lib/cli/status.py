"""`tutorial status`: which records there are, what is missing, what it will take, and what the claims say."""

from __future__ import annotations

import argparse

from tutorial_lib.cli import _common
from tutorial_lib.cli._common import Result


def add(subparsers) -> None:
    parser = _common.command(
        subparsers,
        "status",
        run,
        help="records present and missing per figure, estimated time and cost, verdicts",
        example="tutorial status --profile cpu --json",
    )
    _common.add_profile(parser, several=True)
    _common.add_store(parser)


def run(args: argparse.Namespace) -> Result:
    from tutorial_lib import costs, experiments, profiles
    from tutorial_lib.evidence import claims
    from tutorial_lib.trials.store import RunStore

    store = RunStore(args.store)
    body: dict = {"store": str(store.folder), "stored_records": len(store.keys()), "profiles": {}}
    lines = [f"{body['stored_records']} records in {store.folder}"]
    for name in [args.profile] if args.profile else [n for n in profiles.NAMES if not profiles.get(n).reference]:
        profile = profiles.get(profiles.get(name).reference or name)
        known = experiments.Results(profile, store)
        model = _common.cost_model(known, profile)
        verdicts = claims.judge_all(known)
        figures = {}
        lines.append(f"\n{profile.name}: {profile.about}")
        for figure in experiments.NAMES:
            trials = experiments.load(figure).trials(profile)
            missing = [t for t in trials if known.get(t) is None]
            seconds = model.total(missing)
            mine = claims.summary([v for v in verdicts if v.claim.experiment == figure])
            figures[figure] = {
                "trials": len(trials),
                "present": len(trials) - len(missing),
                "missing": len(missing),
                "estimated_seconds": round(seconds),
                "estimated_usd": round(_common.money(profile, seconds), 2),
                "verdicts": mine,
            }
            said = ", ".join(f"{n} {word}" for word, n in mine.items() if n and word != "not run") or "-"
            time = costs.duration(seconds) if missing else "-"
            lines.append(f"  {figure:16s} {len(trials) - len(missing):4d} of {len(trials):4d}  {time:>8s}  {said}")
        body["profiles"][profile.name] = {
            "figures": figures,
            "verdicts": claims.summary(verdicts),
            "calibrated_on_records": model.calibrated_on,
        }
    if aside := store.set_aside():
        body["set_aside"] = aside
        lines.append(f"\n{len(aside)} damaged records were set aside: {', '.join(sorted(aside)[:5])}")
    return body, "\n".join(lines), 0
