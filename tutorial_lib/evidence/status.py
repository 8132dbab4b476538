"""Which records there are, what is missing, what it will take, and what the claims say.

Imports no torch: thousands of records are counted at once.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tutorial_lib import profiles
from tutorial_lib.costs import CostModel, duration
from tutorial_lib.costs.gpus import GPUS
from tutorial_lib.costs.seconds import operations
from tutorial_lib.evidence import claims, registry
from tutorial_lib.evidence.results import Results
from tutorial_lib.notes import Note
from tutorial_lib.profiles import Profile
from tutorial_lib.trials.store import RunStore

#: What profiles that need a GPU are priced on; one's own CPU costs nothing.
PRICED = GPUS["H100"]
#: Damaged records that the text names.
SHOWN = 5


@dataclass(frozen=True)
class FigureStatus:
    """The records of a figure.

    Attributes:
        trials: that it shows.
        present: with a record.
        seconds, usd: that the missing ones will take.
        verdicts: number of its claims with each.

    Example:
        >>> FigureStatus(trials=24, present=20, seconds=60.0, usd=0.0, verdicts={"holds": 2}).missing
        4
    """

    trials: int
    present: int
    seconds: float
    usd: float
    verdicts: Mapping[str, int]

    @property
    def missing(self) -> int:
        """Trials without a record."""
        return self.trials - self.present

    def as_dict(self) -> dict[str, Any]:
        """Plain data."""
        return {
            "trials": self.trials,
            "present": self.present,
            "missing": self.missing,
            "estimated_seconds": round(self.seconds),
            "estimated_usd": round(self.usd, 2),
            "verdicts": dict(self.verdicts),
        }


@dataclass(frozen=True)
class ProfileStatus:
    """The records of a profile, by figure, and all its verdicts; `calibrated_on` of them say how long a trial takes.

    Example:
        >>> figure = FigureStatus(trials=24, present=20, seconds=60.0, usd=0.0, verdicts={"holds": 2})
        >>> print(ProfileStatus("cpu", "a laptop", {"fig6": figure}, {"holds": 2}, calibrated_on=20))
        cpu: a laptop
          fig6               20 of   24      60 s  2 holds
    """

    name: str
    about: str
    figures: Mapping[str, FigureStatus]
    verdicts: Mapping[str, int]
    calibrated_on: int

    def as_dict(self) -> dict[str, Any]:
        """Plain data."""
        return {
            "figures": {name: figure.as_dict() for name, figure in self.figures.items()},
            "verdicts": dict(self.verdicts),
            "calibrated_on_records": self.calibrated_on,
        }

    def __str__(self) -> str:
        lines = [f"{self.name}: {self.about}"]
        for name, f in self.figures.items():
            said = ", ".join(f"{n} {word}" for word, n in f.verdicts.items() if n and word != "not run") or "-"
            time = duration(f.seconds) if f.missing else "-"
            lines.append(f"  {name:16s} {f.present:4d} of {f.trials:4d}  {time:>8s}  {said}")
        return "\n".join(lines)


@dataclass(frozen=True)
class Status:
    """The records of a store and of the book.

    Attributes:
        store: the folder.
        stored: records in it.
        profiles: of each, what there is.
        set_aside: records that could not be read, and why.
        damaged: lines of committed files that could not be read, and why.

    Example:
        >>> found = Status("build/runs", 3, (), {"0123456789abcdef": "it is JSON, but not a record"})
        >>> found.as_dict()["set_aside"]
        {'0123456789abcdef': 'it is JSON, but not a record'}
    """

    store: str
    stored: int
    profiles: tuple[ProfileStatus, ...]
    set_aside: Mapping[str, str]
    damaged: tuple[str, ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """Plain data."""
        body = {
            "store": self.store,
            "stored_records": self.stored,
            "profiles": {profile.name: profile.as_dict() for profile in self.profiles},
        }
        body |= {"set_aside": dict(self.set_aside)} if self.set_aside else {}
        return body | ({"damaged_lines": list(self.damaged)} if self.damaged else {})

    def __str__(self) -> str:
        parts = [f"{self.stored} records in {self.store}", *map(str, self.profiles)]
        if self.set_aside:
            said = [f"  {key}: {why}" for key, why in sorted(self.set_aside.items())]
            parts.append("\n".join([f"{_count(said, 'damaged record')} set aside:", *_first(said)]))
        if self.damaged:
            said = [f"  {line}" for line in self.damaged]
            parts.append("\n".join([f"{_count(said, 'committed line')} damaged and skipped:", *_first(said)]))
        return "\n\n".join(parts)


def _count(lines: list[str], what: str) -> str:
    return f"1 {what} is" if len(lines) == 1 else f"{len(lines)} {what}s are"


def _first(lines: list[str]) -> list[str]:
    """The first lines of many."""
    return lines if len(lines) <= SHOWN else [*lines[:SHOWN], f"  and {len(lines) - SHOWN} more"]


def chosen_profiles(name: str | None = None) -> list[Profile]:
    """The profile of that name, or those whose records it shows; without a name, all that have records of their own.

    Raises:
        ValueError: there is no such profile.

    Example:
        >>> [profile.name for profile in chosen_profiles()]
        ['test', 'pilot', 'laptop', 'cpu', 'overnight', 'photos', 'gpu', 'paper']
        >>> [profile.name for profile in chosen_profiles("demo")]
        ['cpu', 'pilot']
    """
    if name and (shown := profiles.get(name).references):
        warnings.warn(f"profile {name} shows the records of {' and '.join(shown)}", Note, stacklevel=2)
        return [profiles.get(n) for n in shown]
    return [profiles.get(n) for n in ([name] if name else profiles.NAMES) if not profiles.get(n).references]


def cost_model(known: Results, *, on_gpu: bool | None = None) -> CostModel:
    """Seconds of a trial, from the records that the profile has, or else those of its pilot.

    Args:
        known: the records.
        on_gpu: the trials will run on a GPU, of which CPUs say nothing; by default where the profile needs one.

    Example:
        >>> cost_model(Results(profiles.get("pilot"))).calibrated_on > 200
        True
    """
    p = known.profile
    records = registry.all_records(known)
    if not records:
        pilots = [q for q in profiles.PROFILES.values() if p.name in q.like and not q.references]
        records = [record for pilot in pilots for record in Results(pilot).committed()]
    if on_gpu:
        return CostModel([r for r in records if " cores" not in r.hardware], device="gpu")
    measured = p.speed * operations(p.base.model, p.base.side) if p.speed else 0.0
    return CostModel(records, device="gpu" if p.gpu else "cpu", measured=measured)


def status(profile: str | None = None, *, store: Path | None = None) -> Status:
    """Count the records behind each figure.

    Args:
        profile: only that one.
        store: folder of records; by default `tutorial_lib.places.store()`.

    Raises:
        ValueError: there is no such profile.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     found = status("test", store=Path(folder))
        >>> found.stored, found.profiles[0].figures["fig6"].missing
        (0, 4)
    """
    records = RunStore(store)
    known = [Results(p, records) for p in chosen_profiles(profile)]
    found = tuple(_profile(results) for results in known)
    damaged = tuple(said for results in known for said in results.damaged)
    return Status(str(records.folder), len(records.keys()), found, records.set_aside(), damaged)


def _profile(known: Results) -> ProfileStatus:
    profile = known.profile
    model = cost_model(known)
    verdicts = claims.judge_all(known)
    figures = {}
    for name in registry.expand(["all"], profile):
        trials = registry.planned(name, profile)
        missing = [t for t in trials if known.get(t) is None]
        seconds = model.total(missing)
        usd = seconds / 3600 * PRICED.usd_per_hour if profile.gpu else 0.0
        mine = claims.summary([v for v in verdicts if v.claim.experiment == name])
        figures[name] = FigureStatus(len(trials), len(trials) - len(missing), seconds, usd, mine)
    return ProfileStatus(profile.name, profile.about, figures, claims.summary(verdicts), model.calibrated_on)
