"""The experiments: modules of `tutorial_lib.experiments`, found there and not listed.

A module has `TITLE`, `PAPER` (what the paper says, with section), `GROUP` (a paper, or another reason to run it),
`ORDER` (its place in the group), `trials(profile)`, and functions of `results` that draw: `plot`, `plot_…`, or a
`table`. Quantities that `claims.yml` names are functions of `results`.
"""

from __future__ import annotations

import functools
import pkgutil
import warnings
from collections.abc import Iterable
from importlib import import_module
from types import ModuleType
from typing import Any

from tutorial_lib import profiles
from tutorial_lib.evidence.results import Results
from tutorial_lib.notes import Note
from tutorial_lib.profiles import Profile
from tutorial_lib.trials import Record, Trial
from tutorial_lib.trials.store import RunStore

PACKAGE = "tutorial_lib.experiments"
#: Figures of the papers and of detection, which `all` runs; experiments that explain verdicts which are not *holds*;
#: and what is shown in the book and run by nothing.
PAPERS, EXPLANATIONS, OTHERS = ("carlini_terzis", "cleanclip", "detection"), "explanations", "others"


@functools.cache
def groups() -> dict[str, tuple[str, ...]]:
    """Names of the experiments by group, each in its order. A record that several need is committed with the first.

    Example:
        >>> groups()["carlini_terzis"][:3]
        ('fig2_left', 'fig2_right', 'fig3')
    """
    modules = [m.name for m in pkgutil.iter_modules(import_module(PACKAGE).__path__) if not m.name.startswith("_")]
    found = {name: import_module(f"{PACKAGE}.{name}") for name in modules}
    ordered = sorted(found, key=lambda name: found[name].ORDER)
    return {group: tuple(n for n in ordered if group == found[n].GROUP) for group in (*PAPERS, EXPLANATIONS, OTHERS)}


def names(*, explanations: bool = False) -> tuple[str, ...]:
    """The experiments behind figures of the papers, in their order; with `explanations`, those too.

    Example:
        >>> "text_dose" in names(), "text_dose" in names(explanations=True)
        (False, True)
    """
    found = groups()
    papers = tuple(name for paper in PAPERS for name in found[paper])
    return papers + found[EXPLANATIONS] if explanations else papers


def load(name: str) -> ModuleType:
    """The module of an experiment.

    Raises:
        ValueError: there is no such experiment; lists those that exist.

    Example:
        >>> load("fig6").TITLE
        'Size of the patch'
    """
    if name not in names(explanations=True) + groups()[OTHERS]:
        known = ", ".join(names(explanations=True))
        raise ValueError(
            f"there is no figure {name!r}; choose from {known}, {', '.join(PAPERS)}, {EXPLANATIONS}, or all"
        )
    return import_module(f"{PACKAGE}.{name}")


def planned(name: str, profile: Profile) -> list[Trial]:
    """The trials of an experiment; none where the profile does not ask it.

    Example:
        >>> len(planned("fig6", profiles.get("pilot"))), planned("fig6", profiles.get("overnight"))
        (24, [])
    """
    found: list[Trial] = load(name).trials(profile) if profile.asks(name) else []
    return found


def plots(name: str) -> list[str]:
    """Names of an experiment's functions that draw, in their order; of a figure in halves, the halves.

    Example:
        >>> plots("fig3"), plots("cc_attacks")
        (['plot_left', 'plot_right'], ['plot', 'plot_distance'])
    """
    found = [n for n in vars(load(name)) if n == "plot" or n.startswith("plot_")]
    return [n for n in found if n != "plot" or "plot_left" not in found]


def expand(chosen: Iterable[str], profile: Profile | None = None) -> list[str]:
    """Names of experiments from what a user types: a group, a name, or the beginning of some ("fig2").

    Groups are "all", the figures of one paper ("carlini_terzis", "cleanclip"), "detection" and "explanations".

    Args:
        chosen: what was typed.
        profile: of one that asks only some experiments, "all" are those.

    Raises:
        ValueError: nothing begins so.

    Example:
        >>> expand(["fig2", "fig6"])
        ['fig2_left', 'fig2_right', 'fig6']
    """
    found: list[str] = []
    known = names(explanations=True)
    everything = profile.experiments if profile is not None and profile.experiments else names()
    for text in chosen:
        group = everything if text == "all" else groups().get(text, ()) if text != OTHERS else ()
        hits = group or [n for n in known if n == text or n.startswith(f"{text}_")]
        if not hits:
            load(text)
        found += [n for n in hits if n not in found]
    return found


def trials(chosen: Iterable[str], profile: Profile) -> list[Trial]:
    """The trials of some experiments, each once; all first models come before all second ones.

    Models are measured as they are before any is cleaned, so that two processes train two models and not the same.

    Example:
        >>> len(trials(["fig6"], profiles.get("pilot")))  # six sizes, four models each
        24
    """
    unique = {t.key: t for name in chosen for t in planned(name, profile)}
    return sorted(unique.values(), key=lambda t: (t.seeds.init, t.defense is not None and t.defense.cost > 0))


def own_trials(chosen: Iterable[str], profile: Profile) -> dict[str, list[Trial]]:
    """The trials of some experiments, each with the first that has it.

    Example:
        >>> {name: len(own) for name, own in own_trials(["fig2_right", "fig3"], profiles.get("pilot")).items()}
        {'fig2_right': 28, 'fig3': 0}
    """
    counted: set[str] = set()
    found: dict[str, list[Trial]] = {}
    for name in chosen:
        found[name] = [t for t in planned(name, profile) if t.key not in counted]
        counted |= {t.key for t in found[name]}
    return found


def all_records(results: Results) -> list[Record]:
    """The committed records, and those of the profile's trials that only the store has.

    Example:
        >>> len(all_records(Results(profiles.get("pilot")))) > 600
        True
    """
    committed = {r.key: r for r in results.committed()}
    wanted = [t for t in trials(names(explanations=True), results.profile) if t.key not in committed]
    return [*committed.values(), *results.of(wanted)]


def ensure(name: str, results: Results, **options: Any) -> Results:
    """Run what an experiment still lacks and read it; without a store, committed records are all there is.

    Args:
        name: of the experiment.
        results: what is there.
        options: of `tutorial_lib.runs.engines.sweep`.

    Example:
        >>> committed = Results(profiles.get("pilot"))
        >>> ensure("fig6", committed) is committed  # no store, so nothing is run
        True
    """
    if results.store is None:
        return results
    missing = [t for t in planned(name, results.profile) if results.get(t) is None]
    if missing:
        from tutorial_lib.runs.engines import sweep  # loads torch, and most commands only look records up

        word = "trial" if len(missing) == 1 else "trials"
        warnings.warn(
            f"{len(missing)} {word} of {name} have no record at profile {results.profile.name} and are run now; "
            f"`tutorial run {name} --profile {results.profile.name}` shows how long that takes",
            Note,
            stacklevel=3,
        )
        sweep(missing, results.store, **options)
    return Results(results.profile, results.store)


def results(profile: str, store: RunStore | None = None) -> Results:
    """The records of a profile; of `demo`, which has none, those of the first models, `pilot`.

    `tutorial_lib.evidence.shown` has those that a page shows.

    Raises:
        ValueError: there is no such profile.

    Example:
        >>> results("demo").profile.name
        'pilot'
    """
    chosen = profiles.get(profile)
    if chosen.references or chosen.past:
        return Results(profiles.get([profile, *chosen.references][-1]))
    return Results(chosen, store or RunStore())
