"""Gather the records of a store into the files that are committed."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tutorial_lib import places, profiles
from tutorial_lib.evidence import registry
from tutorial_lib.evidence.results import Results
from tutorial_lib.trials.store import RunStore, read_lines, write_lines


@dataclass(frozen=True)
class Exported:
    """Files that were written, with their number of records.

    Example:
        >>> print(Exported("results/cpu", {"fig6": 20}))
        20 records in results/cpu
          fig6.jsonl 20
    """

    folder: str
    files: Mapping[str, int]

    def as_dict(self) -> dict[str, Any]:
        """Plain data."""
        return {"folder": self.folder, "files": dict(self.files), "records": sum(self.files.values())}

    def __str__(self) -> str:
        total = f"{sum(self.files.values())} records in {self.folder}"
        return "\n".join([total, *(f"  {name}.jsonl {n}" for name, n in self.files.items())])


def default_folder() -> Path:
    """Where records go: to the book's in a checkout, else to the current folder and not into the installed package.

    Example:
        >>> default_folder().name
        'results'
    """
    return places.results() if places.checkout() else Path("results")


def export(profile: str = "cpu", *, store: Path | None = None, out: Path | None = None) -> Exported:
    """Write a profile's records as one sorted JSON-lines file per experiment; those that the folder has are kept.

    A file with damaged lines is kept beside the new one, as `<name>.jsonl.damaged`.

    Args:
        profile: name of the profile.
        store: folder of records; by default `tutorial_lib.places.store()`.
        out: by default `default_folder()`.

    Raises:
        ValueError: there is no such profile.

    Example:
        >>> import tempfile
        >>> committed = read_lines(places.results() / "pilot" / "fig6.jsonl")
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     store = RunStore(Path(folder, "runs")).open_for_writing()
        ...     taken = store.take(committed)
        ...     export("pilot", store=store.folder, out=Path(folder)).files == {"fig6": taken}
        True
    """
    found = profiles.get(profile)
    root = out or default_folder()
    folder = root / found.name
    known = Results(found, RunStore(store), root)
    files: dict[str, int] = {}
    for name, mine in registry.own_trials(registry.names(explanations=True), found).items():
        if records := known.of(mine):
            path = folder / f"{name}.jsonl"
            if any(said.startswith(f"{path}, line") for said in known.damaged):
                shutil.copy(path, f"{path}.damaged")
            write_lines(records, path)
            files[name] = len(read_lines(path))
    return Exported(str(folder), files)
