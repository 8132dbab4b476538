"""The run store: a folder with one small JSON file per trial. Introduced in the chapter on what makes it work.

Ask for a trial and it is read if it is there, else run and written. A file appears whole or not at all, so a sweep can
be killed at any moment. Processes that share a folder divide the work by file locks, which the system releases when
a process dies.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable, Iterator
from pathlib import Path

from filelock import FileLock, Timeout

from tutorial_lib import places
from tutorial_lib.trials.record import Record, RecordError
from tutorial_lib.trials.trial import RECIPE_VERSION, Trial


class StoreError(RuntimeError):
    """The folder cannot be used as a run store."""


class RunStore:
    """Records of trials in a folder.

    Attributes:
        folder: holds `<key>.json`, one record each, by default `tutorial_lib.places.store()`; `set-aside/` in it holds
            files that could not be read.
        keep_models: the local engine also saves each model, as `models/<key>/` (a few MB each).

    `weights/` holds models that several trials clean, each trained once; it can be removed at any time.

    Example:
        >>> store = RunStore(Path("build/runs"))
        >>> store.read(Trial()) is None  # doctest: +SKIP
        True
    """

    def __init__(self, folder: Path | str | None = None, *, keep_models: bool = False) -> None:
        self.folder = Path(folder) if folder is not None else places.store()
        self.keep_models = keep_models

    def open_for_writing(self) -> RunStore:
        """Make the folder and try to write in it, before any long work.

        Raises:
            StoreError: it cannot be written.
        """
        probe = self.folder / f".probe-{os.getpid()}"
        try:
            (self.folder / "locks").mkdir(parents=True, exist_ok=True)
            probe.write_text("x" * 4096)
            probe.unlink()
        except OSError as error:
            raise StoreError(f"the run store {self.folder} cannot be written: {error.strerror or error}") from error
        return self

    def path(self, trial: Trial | str) -> Path:
        return self.folder / f"{trial if isinstance(trial, str) else trial.key}.json"

    def weights_of(self, trial: Trial) -> Path | None:
        """Where the model that a trial's defense starts from is kept; `None` for a trial without defense."""
        return None if trial.defense is None else self.folder / "weights" / f"{trial.trained.key}.safetensors"

    def checkpoint_of(self, trial: Trial) -> Path:
        """Where the state of a trial's model in training is kept, so that it goes on after an interruption."""
        return self.folder / "checkpoints" / f"{trial.trained.key}.pt"

    def model_of(self, trial: Trial) -> Path | None:
        """Where the trained model is kept; `None` unless models are."""
        return self.folder / "models" / trial.key if self.keep_models else None

    def keys(self) -> set[str]:
        """Keys of all records that are there; nothing is read."""
        if not self.folder.is_dir():
            return set()
        with os.scandir(self.folder) as entries:
            return {e.name[:-5] for e in entries if e.name.endswith(".json")}

    def read(self, trial: Trial | str) -> Record | None:
        """The record of a trial, or `None`; a damaged one is set aside, so that it is made again."""
        path = self.path(trial)
        try:
            text = path.read_text()
        except FileNotFoundError:
            return None
        try:
            record = Record.from_json(text)
            if record.key != path.stem:
                raise RecordError(f"it belongs to trial {record.key}")
        except RecordError as error:
            self._set_aside(path, error)
            return None
        return record

    def _set_aside(self, path: Path, error: RecordError) -> None:
        aside = self.folder / "set-aside"
        with contextlib.suppress(FileNotFoundError):  # another process was faster
            aside.mkdir(exist_ok=True)
            os.replace(path, aside / path.name)
            (aside / f"{path.stem}.why").write_text(f"{error}\n")

    def set_aside(self) -> dict[str, str]:
        """Damaged records by key, with the reason."""
        return {p.stem: p.read_text().strip() for p in sorted((self.folder / "set-aside").glob("*.why"))}

    def write(self, record: Record) -> Path:
        """Write a record atomically.

        Raises:
            StoreError: the disk is full or the folder cannot be written; nothing half-written is left.
        """
        path = self.path(record.key)
        part = path.with_suffix(f".{os.getpid()}.part")
        try:
            with part.open("w") as file:
                file.write(record.to_json() + "\n")
                file.flush()
                os.fsync(file.fileno())
            os.replace(part, path)
        except OSError as error:
            part.unlink(missing_ok=True)
            raise StoreError(f"the record {record.key} cannot be written: {error.strerror or error}") from error
        return path

    @contextlib.contextmanager
    def claim(self, trial: Trial) -> Iterator[bool]:
        """Whether this process may run the trial now; `False` while another one does.

        The lock is the operating system's: it ends with the process, however that dies.
        """
        lock = FileLock(self.folder / "locks" / trial.key)
        try:
            lock.acquire(timeout=0)
        except Timeout:
            yield False
            return
        try:
            yield True
        finally:
            lock.release()

    def take(self, records: Iterable[Record]) -> int:
        """Add records that are missing, e.g. the committed ones; returns how many were added."""
        there, count = self.keys(), 0
        for record in records:
            if record.key not in there:
                self.write(record)
                count += 1
        return count


def write_lines(records: Iterable[Record], path: Path) -> None:
    """One JSON line per record, sorted: the form in which records are committed.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     write_lines([], Path(folder) / "fig6.jsonl")
        ...     read_lines(Path(folder) / "fig6.jsonl")
        []
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_suffix(".part")
    part.write_text("".join(line + "\n" for line in sorted(record.to_json() for record in records)))
    os.replace(part, path)


def read_lines(path: Path) -> list[Record]:
    """The records of a JSON-lines file that this version of the code may read; none where there is no file.

    Records of another `recipe_version` are ignored: the code that made them gives other results now.

    Raises:
        RecordError: a line is damaged or was edited; names file and line.

    Example:
        >>> read_lines(Path("nothing.jsonl"))
        []
    """
    records = []
    for number, line in enumerate(path.read_text().splitlines() if path.is_file() else (), 1):
        try:
            record = Record.from_json(line)
        except RecordError as error:
            raise RecordError(f"{path}, line {number}: {error}") from error
        if record.trial.get("recipe_version") == RECIPE_VERSION:
            records.append(record)
    return records
