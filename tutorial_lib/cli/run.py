"""`tutorial run`: make the records behind figures; stop and go on at will."""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from pathlib import Path

from tutorial_lib.cli import _common
from tutorial_lib.cli._common import Result, positive
from tutorial_lib.notes import Note


def add(subparsers) -> None:
    parser = _common.command(
        subparsers,
        "run",
        run,
        help="train the models behind figures of the papers; an interrupted call goes on when repeated",
        example="tutorial run fig4 --profile cpu --time-limit 90m --dry-run",
    )
    parser.add_argument("figures", nargs="+", metavar="FIGURE", help="fig2_left … fig6, fig2 for both, or all")
    _common.add_profile(parser)
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
    parser.add_argument("--time-limit", metavar="TIME", help="begin no trial that would end later: 90m, 2h")
    parser.add_argument(
        "--keep-models", action="store_true", help="also save each model in STORE/models (local engine)"
    )
    parser.add_argument("--dry-run", action="store_true", help="print what would run and how long it takes")


def run(args: argparse.Namespace) -> Result:
    from tutorial_lib.training import distributed

    with distributed.group(args.device):
        return _run(args)


def _run(args: argparse.Namespace) -> Result:
    import warnings

    from tutorial_lib import costs, experiments, profiles
    from tutorial_lib.runs import engines
    from tutorial_lib.training import distributed
    from tutorial_lib.trials.store import RunStore

    profile = profiles.get(args.profile)
    if profile.reference:
        raise ValueError(f"profile {profile.name} shows the records of {profile.reference}: run that one")
    if args.keep_models and args.engine == "ray":
        raise ValueError("--keep-models does not work with ray: its workers have no folder of the store")
    engine = args.engine or ("group" if distributed.size() > 1 else "local")
    if (engine == "group") != (distributed.size() > 1):
        raise ValueError(
            f"engine {engine} does not fit: torchrun starts the processes of a group, as in "
            "torchrun --nproc-per-node 8 -m tutorial_lib.cli run …, and of nothing else"
        )
    first = distributed.rank() == 0
    names = experiments.expand(args.figures)
    limit = costs.parse_duration(args.time_limit) if args.time_limit else float("inf")
    store = RunStore(args.store, keep_models=args.keep_models)
    known = experiments.Results(profile, store)
    trials = experiments.trials(names, profile)
    missing = [t for t in trials if known.get(t) is None]
    if missing and not args.dry_run:
        _common.require_hardware(profile, args)
    jobs = 1 if engine == "group" else args.jobs or _common.default_jobs(args)
    model = _common.cost_model(known, profile)
    body = {
        "profile": profile.name,
        "figures": names,
        "trials": len(trials),
        "found": len(trials) - len(missing),
        "missing": len(missing),
        "jobs": jobs,
        "estimated_seconds": round(model.total(missing, jobs=jobs)),
    }
    plan = (
        f"{', '.join(names)} at {profile.name}: {len(trials)} trials, {body['found']} have records, "
        f"{len(missing)} to run, about {costs.duration(body['estimated_seconds'])} with {jobs} at a time"
    )
    if args.dry_run or not missing:
        return body | {"dry_run": args.dry_run}, "\n".join([plan, *_by_figure(names, profile, known, model, jobs)]), 0
    shortest = min(map(model.seconds, missing))
    if shortest > limit:
        raise ValueError(
            f"the time limit of {costs.duration(limit)} is shorter than the shortest trial "
            f"(about {costs.duration(shortest)}): nothing was run"
        )
    if first:
        store.take(known.of(trials))
        print(plan, file=sys.stderr)
    report = _Progress(len(missing), model.total(missing, jobs=jobs), quiet=args.json)
    try:
        result = engines.sweep(
            missing,
            store,
            engine=engine,
            jobs=jobs,
            device=args.device,
            time_limit=limit,
            estimate=model.seconds,
            report=report,
        )
    except KeyboardInterrupt:
        print(f"\n{_again(args)}", file=sys.stderr)
        raise
    for message, count in Counter(result.failed.values()).most_common():
        warnings.warn(f"{count} trials failed: {message}", Note, stacklevel=2)
    for key, why in store.set_aside().items():
        warnings.warn(f"the record {key} was set aside: {why}", Note, stacklevel=2)
    body |= {
        "made": result.made,
        "left": result.left,
        "failed": len(result.failed),
        "seconds": round(result.seconds, 1),
    }
    lines = [f"{result.made} trials in {costs.duration(result.seconds)}; {result.left} are left"]
    lines.append(_again(args) if result.left else f"export them with: tutorial export --profile {profile.name}")
    return body, "\n".join(lines), 1 if result.failed else 0


def _again(args: argparse.Namespace) -> str:
    store = "" if Path(args.store) == _common.default_store() else f" --store {args.store}"
    return f"go on with: tutorial run {' '.join(args.figures)} --profile {args.profile}{store}"


def _by_figure(names, profile, known, model, jobs) -> list[str]:
    from tutorial_lib import costs, experiments

    lines, counted = [], set()
    for name in names:
        mine = [t for t in experiments.load(name).trials(profile) if t.key not in counted]
        counted |= {t.key for t in mine}
        missing = [t for t in mine if known.get(t) is None]
        time = costs.duration(model.total(missing, jobs=jobs)) if missing else "-"
        lines.append(f"  {name:16s} {len(mine):4d} trials of its own, {len(missing):4d} to run, {time}")
    return lines


class _Progress:
    """A line per finished trial, with the remaining time."""

    def __init__(self, todo: int, estimate: float, *, quiet: bool) -> None:
        import time

        self.todo, self.estimate, self.quiet = todo, estimate, quiet
        self.started, self.clock = time.monotonic(), time.monotonic

    def __call__(self, record, left: int) -> None:
        from tutorial_lib.costs import duration

        if self.quiet:
            return
        done = self.todo - left
        passed = self.clock() - self.started
        remaining = passed / done * left if done else self.estimate
        print(
            f"[{done}/{self.todo}] {record.key} {record.seconds:.0f} s, about {duration(remaining)} left",
            file=sys.stderr,
            flush=True,
        )
