"""The run store: a folder with one small JSON file per trial. Introduced in the chapter on what makes it work.

Ask for a trial and it is read if it is there, else run and written. A file appears whole or not at all, so a sweep can
be killed at any moment. Processes that share a folder divide the work by file locks, which the system releases when
a process dies.
"""

from __future__ import annotations

import contextlib
import os
import stat
import warnings
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from filelock import FileLock, Timeout

from tutorial_lib import places
from tutorial_lib.files import NotWrittenError, remove_stale, whole
from tutorial_lib.notes import Note
from tutorial_lib.trials.record import Record, RecordError
from tutorial_lib.trials.trial import RECIPE_VERSION, Trial

#: Bytes of a file that is too large to be a record.
LARGEST = 64 << 20


class StoreError(RuntimeError):
    """The folder cannot be used as a run store."""


class RunStore:
    """Records of trials in a folder.

    Attributes:
        folder: holds `<key>.json`, one record each, by default `tutorial_lib.places.store()`; `set-aside/` in it holds
            files that could not be read.
        keep_models: the local engine also saves each model, as `models/<key>/` (a few MB each).

    `weights/` holds models that several trials clean or look into, each trained once; it can be removed at any time.

    Example:
        >>> store = RunStore(Path("build/runs"))
        >>> store.read(Trial()) is None  # doctest: +SKIP
        True
    """

    def __init__(self, folder: Path | str | None = None, *, keep_models: bool = False) -> None:
        self.folder = Path(folder) if folder is not None else places.store()
        self.keep_models = keep_models
        self._skipped: dict[str, str] = {}  # damaged records that could not be moved, and why they are not read

    def open_for_writing(self) -> RunStore:
        """Make the folder and try to write in it, before any long work; what killed processes left goes.

        Raises:
            StoreError: it cannot be written.
        """
        probe = self.folder / f".probe-{os.getpid()}"
        try:
            (self.folder / "locks").mkdir(parents=True, exist_ok=True)
            try:
                probe.write_text("x" * 4096, encoding="ascii")
            finally:
                probe.unlink(missing_ok=True)
        except OSError as error:
            raise StoreError(f"the run store {self.folder} cannot be written: {error.strerror or error}") from error
        for folder in (self.folder, self.folder / "weights", self.folder / "checkpoints"):
            remove_stale(folder)
        return self

    def path(self, trial: Trial | str) -> Path:
        return self.folder / f"{trial if isinstance(trial, str) else trial.key}.json"

    def weights_of(self, trial: Trial) -> Path | None:
        """Where the model that a defense starts from, or that detectors look at, is kept; `None` of other trials."""
        return None if not trial.shares else self.folder / "weights" / f"{trial.weights.key}.safetensors"

    def checkpoint_of(self, trial: Trial) -> Path:
        """Where the state of a trial's model in training is kept, so that it goes on after an interruption."""
        shared = trial.weights if trial.shares else trial  # who has the lock of the weights trains
        return self.folder / "checkpoints" / f"{shared.key}.pt"

    def model_of(self, trial: Trial) -> Path | None:
        """Where the trained model is kept; `None` unless models are."""
        return self.folder / "models" / trial.key if self.keep_models else None

    def keys(self) -> set[str]:
        """Keys of all records that are there, without those that were found damaged; nothing is read."""
        if not self.folder.is_dir():
            return set()
        with os.scandir(self.folder) as entries:
            return {e.name[:-5] for e in entries if e.name.endswith(".json")} - self._skipped.keys()

    def read(self, trial: Trial | str) -> Record | None:
        """The record of a trial, or `None`; a damaged one is named in a warning and set aside, to be made again."""
        path = self.path(trial)
        if path.stem in self._skipped:
            return None
        try:
            return _read(path)
        except (FileNotFoundError, NotADirectoryError):
            return None
        except (RecordError, OSError) as error:
            self._set_aside(
                path, str(error) if isinstance(error, RecordError) else f"it cannot be read: {error.strerror}"
            )
            return None

    def _set_aside(self, path: Path, why: str) -> None:
        """Move a damaged record out of the way, or keep in mind that it is there; it is named once."""
        aside = self.folder / "set-aside"
        try:
            aside.mkdir(exist_ok=True)
            there = aside / path.name
            for number in range(1, 1000):
                if not there.exists() or not (there.is_dir() or path.is_dir()):
                    break
                there = aside / f"{path.stem}-{number}.json"  # a folder takes the place of nothing
            os.replace(path, there)
        except FileNotFoundError:
            return  # another process was faster
        except OSError as error:
            self._skipped[path.stem] = why
            what = f"is skipped, and cannot be moved ({error.strerror})"
        else:
            with contextlib.suppress(OSError):
                (aside / f"{path.stem}.why").write_text(f"{why}\n", encoding="utf-8")
            what = f"was set aside, in {aside}"
        warnings.warn(f"the record {path} {what}: {why}", Note, stacklevel=3)

    def set_aside(self) -> dict[str, str]:
        """Damaged records by key, with the reason: those that were moved, and those that this object has skipped."""
        found = {}
        for path in sorted((self.folder / "set-aside").glob("*.why")):
            try:
                found[path.stem] = path.read_text(encoding="utf-8", errors="replace").strip()
            except OSError as error:
                found[path.stem] = f"the reason cannot be read: {error.strerror}"
        return found | self._skipped

    def write(self, record: Record) -> Path:
        """Write a record atomically.

        Raises:
            StoreError: the disk is full or the folder cannot be written; nothing half-written is left.
        """
        path = self.path(record.key)
        try:
            with whole(path) as part:
                part.write_text(record.to_json() + "\n", encoding="utf-8")
        except NotWrittenError as error:
            raise StoreError(str(error)) from error
        self._skipped.pop(path.stem, None)
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
    with whole(path) as part:
        text = "".join(line + "\n" for line in sorted(record.to_json() for record in records))
        part.write_text(text, encoding="utf-8")


def read_lines(path: Path, damaged: Callable[[str], None] | None = None) -> list[Record]:
    """The records of a JSON-lines file that this version of the code may read; none where there is no file.

    Records of a later `recipe_version` are ignored; those of an earlier one answer trials of that version.

    Args:
        path: the file.
        damaged: is told of each line that cannot be read, and of a file that cannot, instead of an error.

    Raises:
        RecordError: a line is damaged or was edited; names file and line.

    Example:
        >>> read_lines(Path("nothing.jsonl"))
        []
    """
    records = []
    try:
        lines = path.read_bytes().splitlines()
    except (FileNotFoundError, NotADirectoryError):
        return []
    except OSError as error:
        if damaged is None:
            raise
        damaged(f"{path} cannot be read: {error.strerror}")
        return []
    for number, line in enumerate(lines, 1):
        try:
            record = Record.from_json(_text(line))
        except RecordError as error:
            said = f"{path}, line {number}: {error}"
            if damaged is None:
                raise RecordError(said) from error
            damaged(said)
            continue
        version = record.trial.get("recipe_version")
        if isinstance(version, int) and version <= RECIPE_VERSION:
            records.append(record)
    return records


def _read(path: Path) -> Record:
    """A record from its file.

    Raises:
        RecordError: says what is wrong with it.
        OSError: the file is not there or cannot be read.
    """
    found = path.stat()
    if not stat.S_ISREG(found.st_mode):  # reading a pipe would wait for ever
        raise RecordError("it is a folder" if stat.S_ISDIR(found.st_mode) else "it is no file")
    if found.st_size > LARGEST:
        raise RecordError(f"it has {found.st_size:,} bytes, more than any record")
    record = Record.from_json(_text(path.read_bytes()))
    if record.key != path.stem:
        raise RecordError(f"it belongs to trial {record.key}")
    return record


def _text(content: bytes) -> str:
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError as error:
        raise RecordError(f"it is not UTF-8 (byte {error.start})") from error
