"""`tutorial plan`: what a profile takes on rented GPUs, before anything starts."""

from __future__ import annotations

import argparse

from tutorial_lib.cli import _common
from tutorial_lib.cli._common import Result, positive


def add(subparsers) -> None:
    parser = _common.command(
        subparsers,
        "plan",
        run,
        help="pairs, steps, memory, hours and cost of figures on named GPUs",
        example="tutorial plan fig4 --profile paper --gpu A100 --together 8",
    )
    parser.add_argument("figures", nargs="*", metavar="FIGURE", help="as for tutorial run (default: all)")
    parser.add_argument("--profile", default="paper", help="test, cpu, gpu or paper (default: paper)")
    parser.add_argument(
        "--gpu", action="append", metavar="NAME", help="V100, L4, RTX4090, A100, H100, H200 (default: all)"
    )
    parser.add_argument("--together", type=positive, default=1, help="GPUs that train a model together (default: 1)")
    parser.add_argument("--usd-per-hour", type=float, default=0.0, help="price of a GPU (default: the table's)")


def run(args: argparse.Namespace) -> Result:
    from tutorial_lib import costs, experiments, profiles
    from tutorial_lib.costs import rented as plans

    profile = profiles.get(args.profile)
    if profile.reference:
        raise ValueError(f"profile {profile.name} shows the records of {profile.reference}: plan that one")
    if not args.usd_per_hour >= 0:
        raise ValueError(f"--usd-per-hour is a price of at least 0, not {args.usd_per_hour}")
    known = {name.lower(): gpu for name, gpu in plans.GPUS.items()}
    if unknown := [g for g in args.gpu or () if g.lower() not in known]:
        raise ValueError(f"no GPU {unknown[0]!r} in the table; it has {', '.join(plans.GPUS)}")
    gpus = [known[g.lower()] for g in args.gpu] if args.gpu else list(plans.GPUS.values())
    names = experiments.expand(args.figures or ["all"])
    figures, lines, counted = {}, [], set()
    for name in names:
        trials = [t for t in experiments.load(name).trials(profile) if t.key not in counted]
        counted |= {t.key for t in trials}
        if trials:
            figures[name] = plans.plan(trials, gpus, together=args.together, usd_per_hour=args.usd_per_hour)
    if not figures:
        raise ValueError(f"{', '.join(names)} train nothing at {profile.name}")
    total = {
        g.name: {k: sum(f["gpus"][g.name][k] for f in figures.values()) for k in ("gpu_hours", "usd")} for g in gpus
    }
    lines.append(f"{profile.name}: {profile.about}")
    lines.append(
        "  figure            models  cleaned     pairs        steps   memory" + "".join(f"{g.name:>12s}" for g in gpus)
    )
    for name, f in figures.items():
        hours = "".join(f"{costs.duration(f['gpus'][g.name]['gpu_hours'] * 3600):>12s}" for g in gpus)
        lines.append(
            f"  {name:16s} {f['models']:7,d} {f['trials'] - f['models']:8,d} {f['pairs']:9,d} {f['steps']:12,d} "
            f"{f['memory_bytes'] / 2**30:5.0f} GB{hours}"
        )
    days = "".join(f"{costs.duration(total[g.name]['gpu_hours'] * 3600):>12s}" for g in gpus)
    money = "".join(f"{total[g.name]['usd']:>11,.0f}$" for g in gpus)
    lines += [f"  {'all, GPU time':57s}{days}", f"  {'all, price':57s}{money}"]
    lines += _remarks(figures, gpus, args.together)
    return {"profile": profile.name, "figures": figures, "total": total}, "\n".join(lines), 0


def _remarks(figures: dict, gpus: list, together: int) -> list[str]:
    from tutorial_lib.costs import rented as plans

    worst = max(figures.values(), key=lambda f: f["memory_bytes"])
    lines = [
        f"memory: of one GPU, a step of {worst['largest_model']} with batch {worst['batch_size']:,} "
        f"on {together} of them; estimated from what backward keeps"
    ]
    for gpu in gpus:
        found = worst["gpus"][gpu.name]
        if not found["fits"]:
            lines.append(
                f"  {gpu.name} ({gpu.memory_gib} GB) is too small for that: batch {found['largest_batch']:,} would "
                "fit, or more GPUs with --together"
            )
    lines.append(
        f"hours: the paper's {plans.PAPER_HOURS:.0f} hours of a {plans.PAPER_GPU} per model are "
        f"{worst['utilisation']:.0%} of its peak by our count; the same share is assumed of every GPU, and at most "
        f"{plans.FASTEST:,} samples/s. Not measured."
    )
    return lines
