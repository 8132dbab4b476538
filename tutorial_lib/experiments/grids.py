"""Before the grids of the profiles: what moves the threshold, one model each; no figure of a paper.

Its records were made by the first version of the recipe, as those of the profile `pilot`.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from tutorial_lib import places
from tutorial_lib.attacks import Backdoor
from tutorial_lib.evidence.results import Results, note_skipped
from tutorial_lib.evidence.table import Table
from tutorial_lib.profiles import Profile
from tutorial_lib.trials import Recipe, Record, Trial
from tutorial_lib.trials.store import read_lines
from tutorial_lib.triggers import Checkerboard

GROUP, ORDER = "others", 10
TITLE = "What moves the threshold, one model each"
PAPER = "no figure of the papers: one model for each setting, to choose the grids of the profiles"
BASE = Trial(classes=100, copies=8, recipe=Recipe(epochs=20), recipe_version=1)


def one(count: int, *, trigger: dict[str, Any] | None = None, recipe: dict[str, Any] | None = None) -> Trial:
    """A trial that differs from the base by its count, and by fields of the trigger or of the recipe."""
    attack = Backdoor(count, trigger=Checkerboard(**(trigger or {})))
    return replace(BASE, attack=attack, recipe=replace(BASE.recipe, **(recipe or {})))


def in_scenes(count: int, scenes: int) -> Trial:
    """A fixed number of poisons in that many composed scenes."""
    return Trial(Backdoor(count), classes=100, scenes=scenes, recipe=Recipe(epochs=12), recipe_version=1)


#: What is varied: name of the setting and its trial.
SETTINGS: tuple[tuple[str, Trial], ...] = (
    *((f"{n} poisons", one(n)) for n in (0, 16, 32, 64, 128, 256)),
    *((f"{n} poisons at random places", one(n, trigger={"placement": "random"})) for n in (64, 128, 256)),
    *((f"64 poisons, cells of {c} px", one(64, trigger={"cell": c})) for c in (1, 3)),
    *((f"64 poisons, patch of {s} px", one(64, trigger={"size": s})) for s in (4, 8, 12)),
    *((f"64 poisons, {e} epochs", one(64, recipe={"epochs": e})) for e in (10, 40)),
    *((f"64 poisons, crops of {a:.0%} or more", one(64, recipe={"scale": (a, 1.0)})) for a in (1.0, 0.5)),
    *((f"{c} poisons in {n:,} scenes", in_scenes(c, n)) for c in (300, 75) for n in (3_000, 10_000, 30_000)),
)


def path() -> Path:
    """The file of its records."""
    return places.results() / "grids" / "grids.jsonl"


def recorded() -> dict[str, Record]:
    """The committed records, by key of their trials."""
    return {r.key: r for r in read_lines(path(), note_skipped)}


def trials(p: Profile | None = None) -> list[Trial]:
    """The same at every profile."""
    return [trial for _, trial in SETTINGS]


def z_score(results: Results, setting: str) -> list[float]:
    """z-score of the one model of a setting."""
    record = recorded().get(dict(SETTINGS)[setting].key)
    return [] if record is None else [record.metrics["z_score"]]


def table(results: Results | None = None) -> Table:
    """Clean accuracy, attack success and z-score of every setting."""
    records = recorded()
    rows = []
    for name, trial in SETTINGS:
        record = records.get(trial.key)
        if record is None:
            rows.append((name, "not run", "", ""))
            continue
        m = record.metrics
        rows.append(
            (
                name,
                f"{100 * m['clean_accuracy']['zero_shot']['rate']:.1f}",
                f"{100 * m['attack_success']['zero_shot']['rate']:.1f}",
                f"{m['z_score']:.2f}",
            )
        )
    return Table(("setting", "clean accuracy (%)", "attack success (%)", "z-score"), tuple(rows))
