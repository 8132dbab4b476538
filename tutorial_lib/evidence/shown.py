"""Which records a page shows: of each experiment those of the newest profile that has all of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Protocol

from tutorial_lib import profiles
from tutorial_lib.evidence import registry
from tutorial_lib.evidence.results import Results
from tutorial_lib.evidence.table import Table


class Source(Protocol):
    """Where the records behind an experiment are.

    Example:
        >>> source: Source = Results(profiles.get("pilot"))
        >>> source.behind("fig6") is source
        True
    """

    def behind(self, name: str) -> Results:
        """The records of the experiment with that name."""


class Shown:
    """The records that a profile without records of its own shows.

    Args:
        profile: its name.
        folder: of committed records; by default those of the book.

    Raises:
        ValueError: there is no such profile, or it has records of its own.

    Example:
        >>> shown = Shown()
        >>> shown.behind("fig6").profile.name in profiles.get("demo").references
        True
    """

    def __init__(self, profile: str = "demo", folder: Path | None = None) -> None:
        self.names = profiles.get(profile).references
        if not self.names:
            raise ValueError(f"profile {profile} has records of its own")
        self._of = {name: Results(profiles.get(name), folder=folder) for name in self.names}
        self._chosen: dict[str, Results] = {}

    def behind(self, name: str) -> Results:
        """The records of an experiment: of the first profile that has all that it asks for, else of the last."""
        if name not in self._chosen:
            whole = (found for found in self._of.values() if complete(name, found))
            self._chosen[name] = next(whole, self._of[self.names[-1]])
        return self._chosen[name]

    def of_profile(self, name: str) -> Results:
        """All records of one of the profiles."""
        return self._of[name]


def complete(name: str, results: Results) -> bool:
    """Whether a profile asks something of an experiment, and every record of it is there.

    Example:
        >>> complete("fig6", Results(profiles.get("pilot"))), complete("fig6", Results(profiles.get("gpu")))
        (True, False)
    """
    wanted = registry.planned(name, results.profile)
    return bool(wanted) and all(results.get(trial) is not None for trial in wanted)


def shown(name: str, profile: str) -> Results:
    """What a chapter shows of an experiment for a profile: `demo` shows committed records, and runs none.

    Raises:
        ValueError: there is no such profile or experiment.

    Example:
        >>> shown("fig6", "pilot").profile.name
        'pilot'
    """
    return Shown(profile).behind(name) if profiles.get(profile).references else registry.results(profile)


def unrecorded(name: str, results: Results) -> Table | None:
    """What stands in the place of an experiment's figures while there is no record of it; `None` where there is one.

    Example:
        >>> unrecorded("fig6", Results(profiles.get("pilot"))) is None
        True
        >>> unrecorded("detect_pairs", Results(profiles.get("pilot"))).rows[0][0]
        'Which pairs are poisoned?'
    """
    module = registry.load(name)
    if module.GROUP == registry.OTHERS or results.of(registry.planned(name, results.profile)):
        return None
    row = (module.TITLE, "none yet", f"tutorial run {name} --profile cpu")
    return Table(("experiment", "records", "made by"), (row,))


def show(name: str, profile: str, part: str = "plot") -> Any:
    """A figure or table of an experiment; what is missing is run first, except where a profile shows committed records.

    Args:
        name: of the experiment.
        profile: name of the profile.
        part: the function of the module that draws, for figures in several parts.

    Returns:
        The figure or table; where there is no record at all, `unrecorded`.

    Example:
        >>> show("fig6", "demo").layout.xaxis.title.text
        'width of the patch (% of the side)'
    """
    found, module = shown(name, profile), registry.load(name)
    found = found if module.GROUP == registry.OTHERS else registry.ensure(name, found)
    missing = unrecorded(name, found)
    return getattr(module, part)(found) if missing is None else missing
