"""`tutorial figures`: execute chapters headlessly at a profile and save their figures."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from tutorial_lib.cli import _common
from tutorial_lib.cli._common import Result


def add(subparsers) -> None:
    parser = _common.command(
        subparsers,
        "figures",
        run,
        help="run chapters headlessly at a profile; save notebooks and figures",
        example="tutorial figures --profile demo 5 6",
    )
    parser.add_argument("chapters", nargs="*", metavar="CHAPTER", help="number or name (default: all)")
    _common.add_profile(parser)
    _common.add_device(parser)
    parser.add_argument("--out", type=Path, help="folder (default: build/figures/PROFILE)")


def run(args: argparse.Namespace) -> Result:
    from tutorial_lib import costs, experiments, profiles
    from tutorial_lib.course import chapters as figures
    from tutorial_lib.evidence import claims

    profile = profiles.get(args.profile)
    paths = figures.chosen(args.chapters)
    _common.require_hardware(profile, args)
    out = (args.out or figures.ROOT / "build" / "figures" / profile.name).resolve()
    done = []
    for chapter in figures.run_chapters(paths, profile.name, out):
        done.append(chapter)
        word = "failed" if chapter.error else "done"
        print(f"[{len(done)}/{len(paths)}] {chapter.name} {word} in {costs.duration(chapter.seconds)}", file=sys.stderr)
    verdicts = claims.summary(claims.judge_all(experiments.results(profile.name)))
    body = {
        "profile": profile.name,
        "folder": str(out),
        "chapters": [
            {"name": c.name, "seconds": round(c.seconds, 1), "figures": len(c.figures), "error": c.error} for c in done
        ],
        "verdicts": verdicts,
    }
    lines = [f"{'chapter':28s} {'':8s} {'time':>8s} {'files':>6s}"]
    for c in done:
        lines.append(
            f"{c.name:28s} {'failed' if c.error else 'ok':8s} {costs.duration(c.seconds):>8s} {len(c.figures):6d}"
        )
        if c.error:
            lines.append(f"  {c.error}")
    lines.append("claims: " + ", ".join(f"{n} {word}" for word, n in verdicts.items() if n))
    lines.append(f"notebooks and figures: {out}")
    if any(c.error for c in done):
        lines.append(f"run what failed again with: tutorial figures --profile {profile.name} CHAPTER")
    return body, "\n".join(lines), 1 if any(c.error for c in done) else 0
