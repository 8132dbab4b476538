"""The folder that an import writes: shards appear when all are complete, and what was killed goes on."""

from __future__ import annotations

import contextlib
import io
import json
import os
import re
import shutil
import tarfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from tutorial_lib.data.sources.found import Reasons

#: What a finished import leaves beside its shards, and the folder of one that is not finished.
RECORD, LABELS, SIZES, PART = "import.json", "labels.txt", "sizes.json", "import.part"
SHARD = re.compile(r"pairs-\d{5,}\.tar(\.index)?")
#: Files of operating systems, which are nobody's.
STRAY = (".DS_Store", "Thumbs.db", "desktop.ini")
#: Bytes of one digest of a pair.
DIGEST = 16


@dataclass
class Progress:
    """How far an import is: after each shard this is what a journal keeps.

    Attributes:
        position: pairs of the sources that are done, used or not.
        shards: those that are complete, with their numbers of pairs.
        left: pairs that could not be used.
        duplicates: pairs that had come before.
        formats: of the sources' pictures.
        sizes: smallest and largest width and height as stored.
        notes: what conventions differ on.
        converted: pictures that were to keep their bytes, and whose format no trainer reads.
        labelled: pairs that have a class.

    Example:
        >>> progress = Progress(shards={"pairs-00000.tar": 3})
        >>> progress.measure(20, 30)
        >>> progress.pairs, progress.sizes
        (3, (20, 30, 20, 30))
    """

    position: int = 0
    shards: dict[str, int] = field(default_factory=dict)
    left: Reasons = field(default_factory=Reasons)
    duplicates: int = 0
    formats: dict[str, int] = field(default_factory=dict)
    sizes: tuple[int, int, int, int] = (0, 0, 0, 0)
    notes: dict[str, int] = field(default_factory=dict)
    converted: int = 0
    labelled: int = 0

    @property
    def pairs(self) -> int:
        """In all shards that are complete."""
        return sum(self.shards.values())

    def measure(self, width: int, height: int) -> None:
        """Take note of the size of a stored picture."""
        a, b, c, d = self.sizes if any(self.sizes) else (width, height, width, height)
        self.sizes = min(a, width), min(b, height), max(c, width), max(d, height)


class ImportFolder:
    """The folder of one import, as a context manager.

    Until all is done, everything lies in `import.part` within it, where no reader of shards looks for any: complete
    shards, and a journal that says after each how far the import is.

    Args:
        out: the folder.
        resume: go on with an import that was interrupted; else begin anew and replace what an earlier one wrote.

    Raises:
        ValueError: it cannot be written, holds what no import wrote, or another import writes to it.

    Example:
        >>> with ImportFolder(Path("mine")) as folder:
        ...     progress = folder.begin({"side": 32})
        ...     folder.add("1", {"txt": b"a dog"})
        ...     folder.complete(progress, [])
        ...     folder.finish({"pairs": 1}, progress, ())
        >>> sorted(path.name for path in Path("mine").iterdir())
        ['import.json', 'pairs-00000.tar', 'sizes.json']
    """

    def __init__(self, out: Path, *, resume: bool = True) -> None:
        self.out, self.resume = Path(out), resume
        self.part = self.out / PART
        self.digests: set[bytes] = set()
        self._asked: dict[str, Any] = {}
        self._made = False
        self._tar: tarfile.TarFile | None = None
        self._name, self._count, self._added = "", 0, 0

    def __enter__(self) -> ImportFolder:
        if self.out.exists() and not self.out.is_dir():
            raise ValueError(f"`out` {self.out} is a file, and a folder is needed")
        self._refuse_foreign()
        self._made = not self.out.exists()
        try:
            self.part.mkdir(parents=True, exist_ok=True)
            self._lock = FileLock(self.part / "lock", timeout=0)
            self._lock.acquire()
            (self.part / "probe").write_bytes(b"0")
            (self.part / "probe").unlink()
        except Timeout:
            raise ValueError(f"another import writes to {self.out}: wait for it, or choose another `out`") from None
        except OSError as error:
            raise ValueError(f"{self.out} cannot be written: {error.strerror}") from error
        return self

    def __exit__(self, *_: object) -> None:
        if self._tar is not None:
            with contextlib.suppress(OSError):  # of a full disk, again
                self._tar.close()
            self._path(".part").unlink(missing_ok=True)
        kept = len(_lines(self.part / "journal")) > 1  # some shard is complete
        self._lock.release()
        if not kept:
            shutil.rmtree(self.part, ignore_errors=True)
            if self._made:
                with contextlib.suppress(OSError):  # it holds something
                    self.out.rmdir()

    def _refuse_foreign(self) -> None:
        if not self.out.is_dir():
            return
        ours = {PART, *STRAY}
        mine = (self.out / RECORD).is_file() or (self.part / "journal").is_file()
        for path in sorted(self.out.iterdir()):
            known = path.name in ours or (
                mine and (path.name in (RECORD, LABELS, SIZES) or SHARD.fullmatch(path.name) is not None)
            )
            if not known:
                raise ValueError(f"{self.out} holds {path.name}, which no import wrote: choose another `out`")

    def finished(self, asked: Mapping[str, Any]) -> dict[str, Any] | None:
        """What a finished import with the same request left, `None` where there is none.

        Args:
            asked: what decides the result.

        Raises:
            ValueError: another import has finished here.
        """
        if not self.resume or not (self.out / RECORD).is_file() or (self.part / "journal").is_file():
            return None
        try:
            found = json.loads((self.out / RECORD).read_text("utf-8"))
            same, result = found["asked"] == dict(asked), dict(found["result"])
        except (ValueError, KeyError, TypeError) as error:
            raise ValueError(f"{self.out / RECORD} is damaged: `resume=False` imports anew") from error
        if not same:
            raise ValueError(self._other(found["asked"], asked))
        return result

    def _other(self, before: Mapping[str, Any], now: Mapping[str, Any]) -> str:
        differ = [name for name in now if before.get(name) != now[name]]
        what = "the sources have changed since" if differ == ["fingerprint"] else f"it had another {', '.join(differ)}"
        return f"{self.out} holds another import ({what}): choose another `out`, or `resume=False` replaces it"

    def begin(self, asked: Mapping[str, Any]) -> Progress:
        """How far an interrupted import with the same request is, or the beginning.

        Args:
            asked: what decides the result.

        Raises:
            ValueError: another import was interrupted here.
        """
        journal = self.part / "journal"
        lines = _lines(journal) if self.resume else []
        if lines:
            if lines[0] != dict(asked):
                raise ValueError(self._other(lines[0], asked))
            return self._continued(lines[1:])
        for path in self.out.iterdir():
            if SHARD.fullmatch(path.name) or path.name in (RECORD, LABELS, SIZES):
                path.unlink()
        for path in self.part.iterdir():
            if path.name != "lock":
                path.unlink()
        journal.write_text(json.dumps(asked) + "\n", "utf-8")
        self._asked = dict(asked)
        return Progress()

    def _continued(self, lines: list[dict[str, Any]]) -> Progress:
        progress = Progress()
        shards: dict[str, int] = {}
        for line in lines:
            shards |= line["shards"]
            left = Reasons({why: (count, first) for why, (count, first) in line["left"].items()})
            progress = Progress(**{**line, "shards": shards, "left": left, "sizes": tuple(line["sizes"])})
        for name in shards:
            with contextlib.suppress(FileNotFoundError):  # none without a search for duplicates
                kept = (self.part / f"{name}.digests").read_bytes()
                self.digests |= {kept[i : i + DIGEST] for i in range(0, len(kept), DIGEST)}
        self._count = len(shards)
        return progress

    def add(self, key: str, parts: Mapping[str, bytes]) -> None:
        """Append a pair to the shard that is being written.

        Args:
            key: its name.
            parts: content by suffix.
        """
        if self._tar is None:
            self._name = f"pairs-{self._count:05d}.tar"
            self._tar = tarfile.open(self._path(".part"), "w", format=tarfile.GNU_FORMAT, encoding="utf-8")  # noqa: SIM115
        try:
            for suffix, content in parts.items():
                member = tarfile.TarInfo(f"{key}.{suffix}")  # time 0, owner 0: the same bytes at any time
                member.size, member.mode = len(content), 0o644
                self._tar.addfile(member, io.BytesIO(content))
            self._added += 1
        except OSError as error:
            raise _named(error, self._path(".part")) from error

    def complete(self, progress: Progress, digests: Sequence[bytes]) -> None:
        """Close the shard, and write down how far the import is.

        Args:
            progress: the shard is counted in it.
            digests: of its pairs, by which duplicates are found.
        """
        added: dict[str, int] = {}
        if self._tar is not None:
            tar, self._tar = self._tar, None
            try:
                tar.close()
                _flush(self._path(".part"))
                if digests:
                    (self.part / f"{self._name}.digests").write_bytes(b"".join(digests))
            except OSError as error:
                self._path(".part").unlink(missing_ok=True)
                raise _named(error, self._path(".part")) from error
            os.replace(self._path(".part"), self._path(".ready"))
            added = {self._name: self._added}
            self._count, self._added = self._count + 1, 0
        progress.shards |= added
        with (self.part / "journal").open("a", encoding="utf-8") as file:
            file.write(json.dumps(asdict(progress) | {"shards": added}) + "\n")
            file.flush()
            os.fsync(file.fileno())

    def _path(self, state: str) -> Path:
        """Of the present shard, which no reader of shards takes for one."""
        return self.part / f"{self._name}{state}"

    def finish(self, result: Mapping[str, Any], progress: Progress, labels: Sequence[str]) -> None:
        """Give the shards their names, and write what belongs to them.

        Args:
            result: kept in `import.json`.
            progress: of the whole import.
            labels: names of the classes, none where they are not known.
        """
        asked = _lines(self.part / "journal")[0]
        for name in progress.shards:
            with contextlib.suppress(FileNotFoundError):  # moved before an interruption
                os.replace(self.part / f"{name}.ready", self.out / name)
        if labels:
            _write(self.out / LABELS, "\n".join(labels) + "\n")
        _write(self.out / SIZES, json.dumps(progress.shards, indent=1, sort_keys=True) + "\n")
        body = {"asked": asked, "result": dict(result)}
        _write(self.out / RECORD, json.dumps(body, indent=1, ensure_ascii=False) + "\n")
        (self.part / "journal").unlink()


def _lines(journal: Path) -> list[dict[str, Any]]:
    """What a journal says; a line that a kill cut in two ends it."""
    found: list[dict[str, Any]] = []
    if journal.is_file():
        for line in journal.read_bytes().splitlines():
            try:
                found.append(json.loads(line))
            except ValueError:
                break
    return found


def _write(path: Path, text: str) -> None:
    part = path.parent / PART / f"{path.name}.new"
    part.write_text(text, "utf-8")
    _flush(part)
    os.replace(part, path)


def _flush(path: Path) -> None:
    with path.open("rb+") as file:
        os.fsync(file.fileno())


def _named(error: OSError, path: Path) -> OSError:
    """An error that names the file: that of a full disk does not."""
    return OSError(error.errno, error.strerror or str(error), str(path))
