"""The pilot behind the grids of the `cpu` and `gpu` profiles: what moves the threshold, one model each.

    python data_scripts/pilot.py               # what is missing, then book/results/pilot/pilot.jsonl
    python data_scripts/pilot.py --jobs 2

Does a fixed count of poisons survive growing data? How do cell and patch size, epochs and augmentation move the number
of poisons that it takes? Chapter 6 shows what came out. About fifteen minutes on two CPU cores; resumable.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

from tutorial_lib.engines import sweep
from tutorial_lib.experiments import RESULTS
from tutorial_lib.store import RunStore, read_lines, write_lines
from tutorial_lib.triggers import Checkerboard
from tutorial_lib.trials import Backdoor, Recipe, Trial

OUT = RESULTS / "pilot" / "pilot.jsonl"
BASE = Trial(classes=100, copies=8, recipe=Recipe(epochs=20))


def one(count: int, *, trigger: dict | None = None, recipe: dict | None = None) -> Trial:
    """A trial that differs from the base by its count, and by fields of the trigger or of the recipe."""
    attack = Backdoor(count, trigger=Checkerboard(**(trigger or {})))
    return replace(BASE, attack=attack, recipe=replace(BASE.recipe, **(recipe or {})))


def trials() -> list[Trial]:
    counts = [one(n) for n in (0, 16, 32, 64, 128, 256)]
    random = [one(n, trigger={"placement": "random"}) for n in (64, 128, 256)]
    cells = [one(64, trigger={"cell": c}) for c in (1, 3)]
    patches = [one(64, trigger={"size": s}) for s in (4, 8, 12)]
    epochs = [one(64, recipe={"epochs": e}) for e in (10, 40)]
    crops = [one(64, recipe={"scale": s}) for s in ((1.0, 1.0), (0.5, 1.0))]
    scenes = [
        Trial(Backdoor(count), classes=100, scenes=n, recipe=Recipe(epochs=12))
        for count in (300, 75)
        for n in (3_000, 10_000, 30_000)
    ]
    return counts + random + cells + patches + epochs + crops + scenes


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--store", type=Path, help="default: build/runs")
    args = parser.parse_args()
    store = RunStore(args.store) if args.store else RunStore()
    store.open_for_writing().take(read_lines(OUT))
    sweep(trials(), store, jobs=args.jobs, report=lambda r, left: print(f"{r.key}: {left} left", flush=True))
    write_lines((r for r in map(store.read, trials()) if r is not None), OUT)


if __name__ == "__main__":
    main()
