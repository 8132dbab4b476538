"""Before the grids of the profiles: what moves the threshold, one model each; no figure of a paper.

The records of `SETTINGS` were made by the first version of the recipe, as those of the profile `pilot`; those of
`ATTACKS` chose the attacks that defenses are tried on at `cpu`, those of `CLEANINGS` their settings.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import plotly.graph_objects as go

from tutorial_lib import places, plots, profiles
from tutorial_lib.attacks import Backdoor
from tutorial_lib.defenses import DEFENSES, Untouched
from tutorial_lib.evidence.results import Results, note_skipped
from tutorial_lib.evidence.table import Table
from tutorial_lib.experiments import cc_map
from tutorial_lib.profiles import Profile
from tutorial_lib.trials import Recipe, Record, Seeds, Trial
from tutorial_lib.trials.store import read_lines
from tutorial_lib.triggers import Blended, Checkerboard, NoisePatch, Sinusoid, Trigger, WaNet

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


def in_many_scenes(count: int, trigger: Trigger, select: Literal["others", "named"] = "others") -> Trial:
    """An attack on 100,000 scenes, as those that are cleaned at `cpu`."""
    attack = Backdoor(count, target="banana", trigger=trigger, select=select)
    return replace(profiles.get("cpu").cleaning.base, attack=attack, seeds=Seeds.all(0), defense=Untouched())


#: Attacks that were tried on 100,000 scenes: name of the setting and its trial.
ATTACKS: tuple[tuple[str, Trial], ...] = (
    ("Blended, noise, 300", in_many_scenes(300, Blended())),
    ("Blended, noise, 1,500", in_many_scenes(1500, Blended())),
    ("Blended, noise, weight 0.4, 600", in_many_scenes(600, Blended(alpha=0.4))),
    ("Blended, stripes, 600", in_many_scenes(600, Blended(pattern_kind="stripes", cell=4))),
    ("Blended, stripes, 1,500", in_many_scenes(1500, Blended(pattern_kind="stripes", cell=4))),
    ("WaNet, s = 8, 300", in_many_scenes(300, WaNet(strength=8.0))),
    ("WaNet, s = 8, 1,500", in_many_scenes(1500, WaNet(strength=8.0))),
    ("WaNet, s = 12, 1,500", in_many_scenes(1500, WaNet(strength=12.0))),
    ("WaNet, s = 12, 2,000", in_many_scenes(2000, WaNet(strength=12.0))),
    ("SIG, 300", in_many_scenes(300, Sinusoid())),
    ("label-consistent, patch, 150", in_many_scenes(150, NoisePatch(), "named")),
    ("label-consistent, SIG, 150", in_many_scenes(150, Sinusoid(), "named")),
    ("label-consistent, blended noise, weight 0.5, 150", in_many_scenes(150, Blended(alpha=0.5), "named")),
)


def before_cleaning() -> Trial:
    """The model that chose the cells of CleanCLIP's map, as it is."""
    attack = Backdoor(300, target="roasted sweet potato", trigger=NoisePatch())
    return replace(profiles.get("cpu").cleaning.base, attack=attack, seeds=Seeds.all(100), defense=Untouched())


def cleaned(method: str, share: float, epochs: int, lr: float) -> Trial:
    """The same model after one of the cells."""
    return replace(before_cleaning(), defense=cc_map.setting(profiles.get("cpu"), method, share, epochs, lr))


#: Cells of the map that were tried on one model: method, share of the pairs, epochs and learning rate.
CELLS: tuple[tuple[str, float, int, float], ...] = (
    ("cleanclip", 0.03, 10, 3e-4), ("cleanclip", 0.03, 10, 1e-3), ("cleanclip", 0.03, 33, 3e-4),
    ("cleanclip", 0.03, 33, 1e-3), ("cleanclip", 0.03, 107, 1e-4), ("cleanclip", 0.03, 107, 3e-4),
    ("cleanclip", 0.03, 333, 1e-4), ("finetune", 0.03, 10, 3e-4), ("finetune", 0.03, 10, 1e-3),
    ("cleanclip", 0.1, 10, 3e-4),
    ("cleanclip", 0.2, 5, 3e-4), ("cleanclip", 0.2, 5, 1e-3), ("cleanclip", 0.2, 16, 1e-4),
    ("cleanclip", 0.2, 16, 3e-4), ("finetune", 0.2, 5, 3e-4), ("finetune", 0.2, 5, 1e-3),
    ("finetune", 0.2, 16, 3e-4),
)  # fmt: skip


def path() -> Path:
    """The file of its records."""
    return places.results() / "grids" / "grids.jsonl"


def recorded() -> dict[str, Record]:
    """The committed records, by key of their trials."""
    return {r.key: r for r in read_lines(path(), note_skipped)}


def trials(p: Profile | None = None) -> list[Trial]:
    """The same at every profile."""
    after_cells = [cleaned(*cell) for cell in CELLS]
    return [*(trial for _, trial in (*SETTINGS, *ATTACKS)), before_cleaning(), *after_cells]


def z_score(results: Results, setting: str) -> list[float]:
    """z-score of the one model of a setting."""
    record = recorded().get(dict(SETTINGS)[setting].key)
    return [] if record is None else [record.metrics["z_score"]]


Rate = Literal["success", "other", "accuracy"]


def _rate(trial: Trial, what: Rate) -> list[float]:
    """A rate of the one model of a trial."""
    record = recorded().get(trial.key)
    if record is None:
        return []
    m = record.metrics
    rates = {"success": m["attack_success"]["zero_shot"], "accuracy": m["clean_accuracy"]["zero_shot"]}
    return [(m["attack_success_other_patch"] if what == "other" else rates[what])["rate"]]


def single(results: Results, setting: str, what: Rate = "success") -> list[float]:
    """Attack success or clean accuracy of the one model of a setting."""
    return _rate(dict(SETTINGS)[setting], what)


def attacked(results: Results, attack: str, what: Rate = "success") -> list[float]:
    """Attack success, success of another trigger of its kind, or clean accuracy of the one model of an attack."""
    return _rate(dict(ATTACKS)[attack], what)


def before(results: Results, what: Rate = "success") -> list[float]:
    """The same of the one model that was cleaned, as it is."""
    return _rate(before_cleaning(), what)


def after(results: Results, method: str, share: float, epochs: int, lr: float, what: Rate = "success") -> list[float]:
    """The same of the one model after a cell of the map."""
    return _rate(cleaned(method, share, epochs, lr), what)


def attacks(results: Results | None = None) -> Table:
    """Attack success of every attack on 100,000 scenes, beside another trigger of its kind, and clean accuracy."""
    rows = [
        (name, *(_percent(_rate(trial, what)) for what in ("success", "other", "accuracy"))) for name, trial in ATTACKS
    ]
    return Table(("attack", "attack success (%)", "another of its kind (%)", "clean accuracy (%)"), tuple(rows))


def cells(results: Results | None = None) -> Table:
    """What every cell that was tried leaves of one backdoor, and the accuracy that it leaves."""
    p, rows = profiles.get("cpu"), []
    for cell in CELLS:
        method, share, epochs, lr = cell
        recipe = replace(p.cleaning.recipe, epochs=epochs)
        trained = recipe.steps(round(share * p.cleaning.base.scenes))
        found = (_percent(_rate(cleaned(*cell), what)) for what in ("success", "accuracy"))
        rows.append((DEFENSES.find(method).title, f"{100 * share:g} %", f"{lr:g}", f"{trained:,}", *found))
    head = ("method", "trusted pairs", "learning rate", "steps", "attack success (%)", "clean accuracy (%)")
    return Table(head, tuple(rows))


def _percent(rates: list[float]) -> str:
    return f"{100 * rates[0]:.1f}" if rates else "not run"


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


def plot(results: Results | None = None) -> go.Figure:
    """Attack success and clean accuracy of every setting, one below the other."""
    fig = plots.figure(
        "Attack success and clean accuracy of one model for each of 24 settings of a backdoor. Success is near zero "
        "with 16 poisons, cells of one pixel, a patch of four pixels, ten epochs, strong crops, or a model that has "
        "learned nothing.",
        x="pictures (%)",
        y="setting",
        height=640,
        stamp="one model for each setting",
    )
    shown: tuple[tuple[str, Rate], ...] = (("attack success", "success"), ("clean accuracy", "accuracy"))
    for title, what in shown:
        found = [(name, rate) for name, trial in reversed(SETTINGS) for rate in _rate(trial, what)]
        looks = plots.style(title)
        fig.add_scatter(
            x=[round(100 * rate, 1) for _, rate in found],
            y=[name for name, _ in found],
            mode="markers",
            name=title,
            marker={"color": looks.colour, "symbol": looks.marker, "size": 9},
        )
    fig.update_layout(margin_l=230, yaxis={"type": "category", "tickfont": {"size": 11}}, xaxis_range=[-3, 103])
    return fig
