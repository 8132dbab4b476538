"""One module per figure of the papers: its trials, its reduction, its plot, the quantities of its claims.

Every module has `TITLE`, `PAPER` (what the paper says, with section), `trials(profile)`, and functions of `results`
that draw: `plot`, its halves, or a `table`. Quantities that `claims.yml` names are functions of `results`.
"""

from __future__ import annotations

import copy
import functools
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from html import escape
from importlib import import_module
from pathlib import Path
from types import ModuleType

from tutorial_lib import profiles
from tutorial_lib.profiles import Profile
from tutorial_lib.store import RunStore, read_lines
from tutorial_lib.trials import Record, Trial

#: Committed records: one sorted JSON-lines file per experiment, in a folder per profile.
RESULTS = Path(__file__).resolve().parents[2] / "book" / "results"

#: Experiments in the order of the papers. A record that several need is committed with the first.
CARLINI_TERZIS = (
    "fig2_left",
    "fig2_right",
    "fig3",
    "fig4",
    "fig5_left",
    "fig5_right",
    "fig6",
    "zscore_success",
    "caption_sets",
    "text_tower",
    "supervised",
    "clean",
    "placement_small",
)
CLEANCLIP = (
    "cc_attacks",
    "cc_frontier",
    "cc_budget",
    "cc_strength",
    "cc_factors",
    "cc_critique",
    "cc_stealth",
)
NAMES = CARLINI_TERZIS + CLEANCLIP
#: Experiments of ours that explain verdicts which are not *holds*: run by `explanations`, not by `all`.
EXPLANATIONS = ("more_models", "along_diagonal", "model_spread", "text_dose")
#: Shown in the book, and no figure of a paper: not run by `all`.
OTHERS = ("pilot",)


@dataclass(frozen=True)
class Table:
    """A table that a notebook shows as HTML and a terminal as text."""

    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]

    def _repr_html_(self) -> str:
        def row(cells: Iterable[str], tag: str) -> str:
            return "<tr>" + "".join(f"<{tag}>{escape(c)}</{tag}>" for c in cells) + "</tr>"

        body = "".join(row(r, "td") for r in self.rows)
        return f'<table class="table"><thead>{row(self.head, "th")}</thead><tbody>{body}</tbody></table>'

    def __repr__(self) -> str:
        widths = [max(map(len, column)) for column in zip(self.head, *self.rows, strict=True)]
        lines = (
            "  ".join(cell.rjust(w) for cell, w in zip(row, widths, strict=True)) for row in (self.head, *self.rows)
        )
        return "\n".join(lines)


def load(name: str) -> ModuleType:
    """The module of an experiment.

    Raises:
        ValueError: there is no such experiment; lists those that exist.
    """
    if name not in NAMES + EXPLANATIONS + OTHERS:
        known = ", ".join(NAMES + EXPLANATIONS)
        raise ValueError(
            f"there is no figure {name!r}; choose from {known}, carlini_terzis, cleanclip, explanations, or all"
        )
    return import_module(f"tutorial_lib.experiments.{name}")


def plots(name: str) -> list[str]:
    """Names of an experiment's functions that draw: the halves of a figure where there are some, then what it adds."""
    module = load(name)
    halves = [p for p in ("plot_left", "plot_right") if hasattr(module, p)]
    whole = ["plot"] if not halves and hasattr(module, "plot") else []
    return [*halves, *whole, *(p for p in ("plot_distance", "plot_dirty") if hasattr(module, p))]


def expand(names: Iterable[str]) -> list[str]:
    """Names of experiments from what a user types: a group, a name, or the beginning of some ("fig2").

    Groups are "all", the figures of one paper ("carlini_terzis", "cleanclip"), and "explanations".

    Raises:
        ValueError: nothing begins so.
    """
    chosen: list[str] = []
    for text in names:
        known = NAMES + EXPLANATIONS
        groups = {
            "all": NAMES,
            "carlini_terzis": CARLINI_TERZIS,
            "cleanclip": CLEANCLIP,
            "explanations": EXPLANATIONS,
        }
        found = groups.get(text) or [n for n in known if n == text or n.startswith(f"{text}_")]
        if not found:
            load(text)
        chosen += [n for n in found if n not in chosen]
    return chosen


def trials(names: Iterable[str], profile: Profile) -> list[Trial]:
    """The trials of some experiments, each once; all first models come before all second ones.

    Models are measured as they are before any is cleaned, so that two processes train two models and not the same.
    """
    unique = {t.key: t for name in names for t in load(name).trials(profile)}
    return sorted(unique.values(), key=lambda t: (t.seeds.data, t.defense is not None and t.defense.method != "none"))


class Results:
    """The records of a profile: the committed ones and those in a run store.

    Attributes:
        profile: the profile whose trials are looked up.
        store: read beside the committed files, if given.
        seeds: of the models that are looked up; by default those of the profile.
    """

    def __init__(self, profile: Profile, store: RunStore | None = None, folder: Path = RESULTS) -> None:
        self.profile = profile
        self.store = store
        self.seeds: Iterable[int] = range(profile.seeds)
        self._committed = {
            r.key: r for path in sorted((folder / profile.name).glob("*.jsonl")) for r in read_lines(path)
        }
        self._local = store.keys() if store is not None else set()

    def get(self, trial: Trial) -> Record | None:
        """The record of a trial, if there is one."""
        record = self._committed.get(trial.key)
        if record is None and self.store is not None and trial.key in self._local:
            record = self.store.read(trial)
        return record

    def with_seeds(self, seeds: Iterable[int]) -> Results:
        """The same records, where quantities are of the models with these seeds."""
        other = copy.copy(self)
        other.seeds = seeds
        return other

    def all(self) -> list[Record]:
        """The committed records, and those of the profile's trials that only the store has."""
        names = NAMES + EXPLANATIONS
        wanted = {t.key for t in trials(names, self.profile)} & self._local - self._committed.keys()
        found = [self.store.read(key) for key in sorted(wanted)] if self.store is not None else []
        return [*self._committed.values(), *(r for r in found if r is not None)]

    def of(self, trials: Iterable[Trial]) -> list[Record]:
        """Records of the given trials, in their order; trials without one are left out."""
        return [r for t in trials if (r := self.get(t)) is not None]

    def per_seed(self, trial_of: Callable[[int], Trial], value: Callable[[Record], float]) -> dict[int, float]:
        """A number of each seed's model, by seed; seeds without a record are left out."""
        found = {seed: self.get(trial_of(seed)) for seed in self.seeds}
        return {seed: float(value(record)) for seed, record in found.items() if record is not None}

    def ensure(self, name: str, **options) -> Results:
        """Run what an experiment still lacks and read it; without a store, committed records are all there is.

        Args:
            name: of the experiment.
            options: of `engines.sweep`.
        """
        from tutorial_lib.engines import sweep

        if self.store is None:
            return self
        missing = [t for t in load(name).trials(self.profile) if self.get(t) is None]
        if missing:
            sweep(missing, self.store, **options)
        return Results(self.profile, self.store)


def results(profile: str, store: RunStore | None = None) -> Results:
    """What a chapter shows for a profile: `demo` shows the committed records of `cpu`, and runs none.

    Raises:
        ValueError: there is no such profile.
    """
    chosen = profiles.get(profile)
    if chosen.reference:
        return Results(profiles.get(chosen.reference))
    return Results(chosen, store or RunStore())


def show(name: str, profile: str, part: str = "plot"):
    """A figure or table of an experiment; what is missing is run first, except where a profile shows committed records.

    Args:
        name: of the experiment.
        profile: name of the profile.
        part: the function of the module that draws, for figures in several parts.
    """
    found = results(profile)
    return getattr(load(name), part)(found if name in OTHERS else found.ensure(name))


def differences(left: dict[int, float], right: dict[int, float]) -> list[float]:
    """left - right, paired by seed."""
    return [left[seed] - right[seed] for seed in sorted(left.keys() & right.keys())]


@functools.cache
def _short(hardware: str) -> str:
    return hardware.split(",")[0]


def stamp(profile: Profile, records: list[Record]) -> str:
    """What made a figure, for its small print: profile, models, hardware and date."""
    if not records:
        return f"profile {profile.name}: no records yet"
    machines = sorted({_short(r.hardware) for r in records})
    dates = sorted({r.date for r in records})
    when = dates[0] if len(dates) == 1 else f"{dates[0]} to {dates[-1]}"
    return f"profile {profile.name}, {len(records)} models, {', '.join(machines)}, {when}"
