"""The records of a profile, looked up by trial."""

from __future__ import annotations

import copy
import functools
import warnings
from collections.abc import Callable, Iterable
from pathlib import Path

from tutorial_lib import places
from tutorial_lib.notes import Note
from tutorial_lib.profiles import Profile
from tutorial_lib.trials import Record, Trial
from tutorial_lib.trials.store import RunStore, read_lines


def note_skipped(said: str) -> None:
    """Say that a committed record cannot be read.

    Example:
        >>> import warnings
        >>> with warnings.catch_warnings(record=True) as caught:
        ...     note_skipped("fig6.jsonl, line 3: it is no JSON")
        >>> str(caught[0].message)
        'a committed record is skipped: fig6.jsonl, line 3: it is no JSON'
    """
    warnings.warn(f"a committed record is skipped: {said}", Note, stacklevel=5)


class Results:
    """The records of a profile: the committed ones and those in a run store.

    Attributes:
        profile: the profile whose trials are looked up.
        store: read beside the committed files, if given.
        seeds: of the models that are looked up; by default those of the profile.
        damaged: lines of the committed files that could not be read, with the reason; each is also a warning.

    Example:
        >>> from tutorial_lib import profiles
        >>> results = Results(profiles.get("pilot"))
        >>> len(results.of(results.profile.backdoor(128, seed) for seed in range(4)))
        4
    """

    def __init__(self, profile: Profile, store: RunStore | None = None, folder: Path | None = None) -> None:
        folder = folder or places.results()
        self.profile = profile
        self.store = store
        self.seeds: Iterable[int] = profile.models.all
        self.damaged: list[str] = []
        paths = sorted((folder / profile.name).glob("*.jsonl"))
        self._committed = {r.key: r for path in paths for r in read_lines(path, self._skip)}
        self._local = store.keys() if store is not None else set()

    def _skip(self, said: str) -> None:
        self.damaged.append(said)
        note_skipped(said)

    def get(self, trial: Trial) -> Record | None:
        """The record of a trial, if there is one."""
        record = self._committed.get(trial.key)
        if record is None and self.store is not None and trial.key in self._local:
            record = self.store.read(trial)
        return record

    def behind(self, name: str) -> Results:
        """The records behind an experiment: these, whichever it is."""
        return self

    def with_seeds(self, seeds: Iterable[int]) -> Results:
        """The same records, where quantities are of the models with these seeds."""
        other = copy.copy(self)
        other.seeds = seeds
        return other

    def committed(self) -> list[Record]:
        """The committed records."""
        return list(self._committed.values())

    def of(self, trials: Iterable[Trial]) -> list[Record]:
        """Records of the given trials, in their order; trials without one are left out."""
        return [r for t in trials if (r := self.get(t)) is not None]

    def per_seed(self, trial_of: Callable[[int], Trial], value: Callable[[Record], float]) -> dict[int, float]:
        """A number of each seed's model, by seed; seeds without a record are left out."""
        found = {seed: self.get(trial_of(seed)) for seed in self.seeds}
        return {seed: float(value(record)) for seed, record in found.items() if record is not None}


def differences(left: dict[int, float], right: dict[int, float]) -> list[float]:
    """left - right, paired by seed.

    Example:
        >>> differences({0: 0.5, 1: 0.75}, {1: 0.25, 2: 0.1})  # only seed 1 has both
        [0.5]
    """
    return [left[seed] - right[seed] for seed in sorted(left.keys() & right.keys())]


@functools.cache
def _short(hardware: str) -> str:
    return hardware.split(",")[0]


def stamp(profile: Profile, records: list[Record]) -> str:
    """What made a figure, for its small print: profile, models, hardware and date.

    Example:
        >>> from tutorial_lib import profiles
        >>> stamp(profiles.get("cpu"), [])
        'profile cpu: no records yet'
    """
    if not records:
        return f"profile {profile.name}: no records yet"
    machines = sorted({_short(r.hardware) for r in records})
    dates = sorted({r.date for r in records})
    when = dates[0] if len(dates) == 1 else f"{dates[0]} to {dates[-1]}"
    many = "1 model" if len(records) == 1 else f"{len(records)} models"
    return f"profile {profile.name}, {many}, {', '.join(machines)}, {when}"
