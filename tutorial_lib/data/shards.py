"""WebDataset shards: the format of CC3M and LAION, one pair at a time. Introduced in the chapter on backdoors.

A shard is a tar archive in which neighbouring files with one key are one pair: `key.webp` (or jpg, png, …),
`key.txt` with the caption and, if you like, `key.json` and `key.cls` with the number or name of a class. Clean and
poisoned pairs are written by the same function in the same codec; keys and JSON, which no trainer reads, may differ.
"""

from __future__ import annotations

import gzip
import json
import lzma
import tarfile
import warnings
import zlib
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from braceexpand import braceexpand

from tutorial_lib.data import remote
from tutorial_lib.data.members import TruncatedError, members, opened, split
from tutorial_lib.data.text import text_of
from tutorial_lib.notes import Note

#: Suffixes of pictures and captions, the preferred first; what a picture is, its content says.
PICTURES = ("webp", "png", "jpg", "jpeg", "jfif", "jpe", "gif", "bmp", "tif", "tiff")
CAPTIONS = ("txt", "caption", "text")
#: Suffixes of pictures in forms that are not read.
UNREAD = ("avif", "heic", "heif", "jxl", "jp2", "svg", "eps", "ps", "pdf", "psd", "ico", "dds", "tga", "ppm")
#: Suffixes of archives.
ARCHIVES = (".tar", ".tgz", ".tar.gz", ".tar.bz2", ".tar.xz")
CODECS = ("webp", "png")
#: Share of pairs that may be unusable before reading stops, where nothing else is asked for.
TOLERANCE = 0.01
#: A class number or a concept must be below this.
MOST_CLASSES = 1 << 31
#: A text or JSON beside a picture may have so many bytes.
MOST_TEXT = 1 << 24


class ShardError(RuntimeError):
    """A shard is missing, damaged or not an archive, or too many of its pairs cannot be used."""


class SkippedPairsWarning(UserWarning):
    """Some pairs could not be used and were left out."""


@dataclass(frozen=True)
class Sample:
    """One pair as it lies in a shard.

    Attributes:
        key: name of the pair in its shard.
        picture: the encoded picture, empty where there is none.
        suffix: its format, one of `PICTURES`; of `UNREAD` where there is only one in a form that is not read.
        caption: empty where there is none.
        meta: the content of `key.json`; the name of a class in `key.cls` is its `label`.
        label: the class number in `key.cls`, -1 where there is none.
        shard: the archive.
        offset: where in it the picture begins, in bytes; -1 in a compressed archive.
        flaw: why the caption cannot be read; empty where it can.

    Example:
        >>> Sample("1", b"", "", "a dog", {"concept": 7}, -1, Path("pairs-00000.tar")).number
        7
    """

    key: str
    picture: bytes
    suffix: str
    caption: str
    meta: dict[str, Any]
    label: int
    shard: Path
    offset: int = -1
    flaw: str = ""

    @property
    def identity(self) -> tuple[Path, str]:
        """Shard and key: a key alone may occur in several shards."""
        return self.shard, self.key

    @property
    def number(self) -> int:
        """The class of the pair, from `key.json` or `key.cls`; -1 where it is not said."""
        number = self.meta.get("concept", self.label)
        sound = isinstance(number, int) and not isinstance(number, bool) and 0 <= number < MOST_CLASSES
        return number if sound else self.label

    @property
    def lossless(self) -> bool:
        """Whether the picture's codec keeps every pixel."""
        return self.picture.startswith(b"\x89PNG") or (self.picture[:4] == b"RIFF" and b"VP8L" in self.picture[:64])


def expand(paths: str | Path | Iterable[str | Path]) -> list[Path]:
    """The shards that some paths stand for, each once.

    Args:
        paths: files, folders (where one holds no archive, those below it), globs (`clean/*.tar`), ranges
            (`{00000..00099}.tar`), addresses that webdataset opens (`https:`, `s3:`, `pipe:` …, which are fetched
            first), or several joined by `::`.

    Raises:
        ShardError: a path stands for no shard, or an address cannot be fetched.

    Example:
        >>> expand("nowhere/{000..002}.tar")  # doctest: +ELLIPSIS
        Traceback (most recent call last):
        tutorial_lib.data.shards.ShardError: no shards match nowhere/000.tar: ...
    """
    found: dict[Path, Path] = {}
    for entry in [paths] if isinstance(paths, str | Path) else paths:
        for pattern in str(entry).split("::"):
            for name in [pattern] if Path(pattern).exists() or "|" in pattern else braceexpand(pattern):
                for hit in _hits(name):
                    found.setdefault(hit.resolve(), hit)
    return list(found.values())


def _hits(name: str) -> list[Path]:
    if remote.is_address(name):
        try:
            return [remote.fetched(name)]
        except remote.FetchError as error:
            raise ShardError(str(error)) from error
    path = Path(name).expanduser()
    if path.is_file():
        hits = [path]
    elif path.is_dir():
        hits = sorted(filter(_is_archive, path.iterdir())) or sorted(filter(_is_archive, path.rglob("*")))
    else:
        root = Path(path.anchor) if path.is_absolute() else Path()
        parts = path.relative_to(root) if path.is_absolute() else path
        hits = sorted(root.glob(str(parts))) if any(c in name for c in "*?[") else []
    if not hits:
        raise ShardError(
            f"no shards match {name}: give .tar files, a folder that holds some, or a glob; `tutorial import` makes "
            "shards of pictures and captions in other forms"
        )
    return hits


def _is_archive(path: Path) -> bool:
    name = path.name.lower()
    return name.endswith(ARCHIVES) and not name.startswith(".") and path.is_file()


def samples(paths: str | Path | Iterable[str | Path]) -> Iterator[Sample]:
    """The pairs of some shards one after the other, pictures not decoded; memory for one pair.

    Raises:
        ShardError: a shard is missing, truncated or not a tar archive; names the file.

    Example:
        >>> import tempfile, torch
        >>> from tutorial_lib.data.pairs import Pairs
        >>> from tutorial_lib.data.shard_writer import write_pairs
        >>> one = Pairs(torch.zeros(1, 3, 8, 8, dtype=torch.uint8), ("a dog",), ("1",), torch.tensor([-1]))
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     [sample.caption for sample in samples(write_pairs(Path(folder), one))]
        ['a dog']
    """
    for shard in expand(paths):
        yield from _read(shard)


def _read(shard: Path) -> Iterator[Sample]:
    key, count = "", 0
    parts: dict[str, bytes] = {}
    offsets: dict[str, int] = {}
    try:
        with opened(shard) as file:
            for whole, body, offset in members(file, shard):
                name, suffix = split(whole)
                if name != key and parts:
                    yield _sample(key, parts, offsets, shard)
                    count, parts, offsets = count + 1, {}, {}
                key = name
                parts[suffix.lower()] = body
                offsets[suffix.lower()] = offset
    except TruncatedError as error:
        raise ShardError(f"{shard} is truncated after {count} pairs: fetch or write it again") from error
    except (tarfile.TarError, EOFError, zlib.error, gzip.BadGzipFile, lzma.LZMAError, OSError, ValueError) as error:
        if isinstance(error, FileNotFoundError | PermissionError | IsADirectoryError):
            raise ShardError(f"{shard} cannot be read: {error.strerror}") from error
        what = f"truncated or damaged after {count} pairs" if count or parts else "not a tar archive, or damaged"
        table = shard.suffix.lower() in (".csv", ".tsv", ".json", ".jsonl", ".parquet", ".txt")
        remedy = "`tutorial import` makes shards of a table" if table else "fetch or write it again"
        raise ShardError(f"{shard} is {what} ({error}): {remedy}") from error
    if parts:
        yield _sample(key, parts, offsets, shard)


def _sample(key: str, parts: dict[str, bytes], offsets: dict[str, int], shard: Path) -> Sample:
    # the last part of a suffix says what a file is: input.png, image.jpg
    kinds = {suffix.rpartition(".")[2]: suffix for suffix in reversed(parts)}
    suffix = kinds.get(next((s for s in (*PICTURES, *UNREAD) if s in kinds), ""), "")
    kind = suffix.rpartition(".")[2]
    meta = _json(parts.get(kinds.get("json", ""), b"{}"))
    caption, flaw = "", ""
    for written in (parts[kinds[s]] for s in CAPTIONS if s in kinds):
        try:
            caption = _text(written).strip()
        except ValueError as error:
            flaw = f"with a caption that cannot be read ({error})"
        break
    else:
        told = next((meta[name] for name in ("caption", "text", "TEXT") if isinstance(meta.get(name), str)), "")
        caption = told.strip()
    label = -1
    try:
        said = _text(parts.get(kinds.get("cls", ""), b"")).strip()
    except ValueError:
        said = ""
    if said.isascii() and said.isdecimal() and len(said) < 10:
        label = int(said)
    elif said and not said.lstrip("-").isdecimal():
        meta = {"label": said} | meta
    return Sample(
        key=key,
        picture=parts.get(suffix, b"") if kind in PICTURES else b"",
        suffix=kind,
        caption=caption,
        meta=meta,
        label=label,
        shard=shard,
        offset=offsets.get(suffix, -1),
        flaw=flaw,
    )


def _text(content: bytes) -> str:
    if len(content) > MOST_TEXT:
        raise ValueError(f"it has {len(content):,} bytes")
    try:
        return text_of(content)
    except UnicodeDecodeError as error:
        raise ValueError(f"no {error.encoding.upper()} at byte {error.start}") from error


def _json(content: bytes) -> dict[str, Any]:
    try:
        found = json.loads(_text(content))
    except (ValueError, RecursionError):  # no JSON, or one so deep that it is an attack
        return {}
    return found if isinstance(found, dict) else {}


class Tally:
    """Counts pairs that were used and pairs that were left out, with the first reason of each kind.

    Args:
        tolerance: share of the pairs that may be left out.

    Raises:
        ValueError: it is no share.

    Example:
        >>> tally = Tally()
        >>> tally.unusable(Sample("1", b"", "", "a dog", {}, -1, Path("pairs-00000.tar"))), dict(tally.skipped)
        (True, {'without a picture': ['1 in pairs-00000.tar']})
    """

    def __init__(self, tolerance: float = TOLERANCE) -> None:
        if not 0 <= tolerance < 1:
            raise ValueError(f"`skip_bad` is a share of the pairs, in [0, 1), not {tolerance}")
        self.tolerance, self.used = tolerance, 0
        self.skipped: dict[str, list[str]] = {}
        #: What conventions differ on, counted while pictures are decoded.
        self.notes: Counter[str] = Counter()

    def skip(self, sample: Sample, why: str) -> None:
        self.skipped.setdefault(why, []).append(f"{sample.key} in {sample.shard.name}")

    def unusable(self, sample: Sample) -> bool:
        """Count a pair that lacks its picture or its caption."""
        if not sample.picture:
            unread = f"whose picture is in a form that is not read, .{sample.suffix}"
            self.skip(sample, unread if sample.suffix in UNREAD else "without a picture")
        elif not sample.caption:
            self.skip(sample, sample.flaw or "with an empty caption")
        else:
            return False
        return True

    def report(self) -> None:
        """Warn about what was left out, and say what conventions differ on.

        Raises:
            ShardError: nothing can be used, or more was left out than is tolerated.
        """
        left = sum(map(len, self.skipped.values()))
        total = self.used + left
        parts = [f"{len(names)} {why} (first: {names[0]})" for why, names in self.skipped.items()]
        if not self.used:
            raise ShardError(
                f"none of {total} pairs can be used: {'; '.join(parts) or 'the shards are empty'}{self._apart()}"
            )
        if left > self.tolerance * total:
            raise ShardError(
                f"{left} of {total} pairs, more than {100 * self.tolerance:g}%, cannot be used: {'; '.join(parts)}"
                f"{self._apart() or f'; `skip_bad` of {min(0.99, left / total * 1.1):.2g} leaves them out'}"
            )
        if left:
            warnings.warn(f"{left} of {total} pairs skipped: {'; '.join(parts)}", SkippedPairsWarning, stacklevel=3)
        if told := [f"{count} pictures {what}" for what, count in self.notes.items() if count]:
            warnings.warn("; ".join(told), Note, stacklevel=3)

    def _apart(self) -> str:
        """A hint, where pictures and captions of the same keys were met, and not side by side."""
        names = ("without a picture", "with an empty caption")
        without, empty = (set(self.skipped.get(why, ())) for why in names)
        if len(without & empty) <= len(without) / 2:
            return ""
        return "; pictures and captions of one key lie apart in the archive: `tutorial import` sorts them"
