"""Tables with a column of pictures and one of captions or classes: CSV, TSV, JSON lines and Parquet, row by row."""

from __future__ import annotations

import codecs
import csv
import functools
import gzip
import io
import json
import unicodedata
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import IO, Any

from tutorial_lib.data.sources.arrow import parquet
from tutorial_lib.data.sources.trees import SourceError
from tutorial_lib.data.text import MARKS

TABLES = (".csv", ".tsv", ".jsonl", ".ndjson", ".parquet", ".csv.gz", ".tsv.gz", ".jsonl.gz", ".ndjson.gz")
#: Usual names of columns, the preferred first; case does not matter.
PICTURES: tuple[str, ...] = (
    *("image", "image_path", "img_path", "img", "filepath", "file_path", "filename", "file_name", "path", "picture"),
    *("image_file", "image_name", "file", "jpg", "png", "webp", "url", "image_url"),
)
CAPTIONS: tuple[str, ...] = (
    *("caption", "captions", "title", "text", "description", "alt_text", "alt", "sentence", "sentences", "prompt"),
    *("txt", "comment"),
)
LABELS = ("label", "labels", "class", "class_name", "category", "target", "fine_label", "cls")
#: A line of JSON may have so many bytes; rows of Parquet are read so many at a time.
MOST_LINE, ROWS = 1 << 24, 64
SEPARATORS = "\t,;|"


@dataclass(frozen=True)
class Columns:
    """Which columns are read; an empty name stands for the usual ones, and for none where there are none.

    Example:
        >>> Columns().chosen(("file_name", "text", "split"), "a.csv")
        Columns(picture='file_name', caption='text', label='')
    """

    picture: str = ""
    caption: str = ""
    label: str = ""

    def chosen(self, present: Sequence[str], title: str) -> Columns:
        """The columns of a table.

        Args:
            present: names of all columns.
            title: of the table, for messages.

        Raises:
            SourceError: one that was named is not there, or pictures, captions and classes are in none that is known.
        """
        asked = {"image_column": self.picture, "caption_column": self.caption, "label_column": self.label}
        for option, name in asked.items():
            if name and name not in present:
                raise SourceError(f"{title} has no column {name!r} (`{option}`): it has {_listed(present)}")
        picture, caption, label = (
            name or _usual(usual, present)
            for name, usual in ((self.picture, PICTURES), (self.caption, CAPTIONS), (self.label, LABELS))
        )
        if not picture:
            raise SourceError(
                f"{title} has no column of pictures that is known; `image_column` names one of {_listed(present)}"
            )
        if not (caption or label):
            raise SourceError(
                f"{title} has no column of captions that is known; `caption_column` names one of {_listed(present)}"
            )
        return Columns(picture, caption, label)


def _usual(usual: Iterable[str], present: Sequence[str]) -> str:
    by_case = {name.lower(): name for name in reversed(present)}
    return next((by_case[name] for name in usual if name in by_case), "")


def _listed(names: Sequence[str], most: int = 12) -> str:
    return ", ".join(repr(name) for name in names[:most]) + (", …" if len(names) > most else "")


class Table(ABC):
    """Rows with their numbers, which are lines where a table is text.

    Args:
        opened: gives the table's bytes, anew at each call.
        title: how messages call it.

    Attributes:
        unit: what a number counts.

    Example:
        >>> table = open_table(lambda: io.BytesIO(b"path,caption\\n1.jpg,a dog\\n"), "a.csv")
        >>> table.columns, list(table.rows(("caption", "path")))
        (('path', 'caption'), [(2, ('a dog', '1.jpg'))])
    """

    unit = "line"

    def __init__(self, opened: Callable[[], IO[bytes]], title: str) -> None:
        self.opened, self.title = opened, title

    @functools.cached_property
    @abstractmethod
    def columns(self) -> tuple[str, ...]:
        """Names of all columns.

        Raises:
            SourceError: the table cannot be read.
        """

    @abstractmethod
    def rows(self, columns: Sequence[str]) -> Iterator[tuple[int, tuple[Any, ...]]]:
        """Number and values of each row; `None` where it has no value.

        Raises:
            SourceError: the table is damaged, or no text in a known encoding.
        """

    def names(self, column: str) -> tuple[str, ...]:
        """Names of the classes that a column numbers, where the table says them."""
        return ()

    def embeds(self, column: str) -> bool:
        """Whether a column holds pictures themselves, not their paths."""
        return False

    def _lines(self) -> Iterator[str]:
        with self._unzipped() as file:
            skip, encoding = _encoding(file.read(4))
        with self._unzipped() as file:
            file.read(skip)
            try:
                with io.TextIOWrapper(file, encoding, newline="") as text:
                    while line := text.readline(MOST_LINE):
                        if len(line) == MOST_LINE:
                            raise SourceError(f"{self.title} has a line of more than {MOST_LINE:,} characters")
                        yield unicodedata.normalize("NFC", line)
            except UnicodeDecodeError as error:
                raise SourceError(self._undecoded(skip, encoding)) from error
            except (OSError, EOFError) as error:
                raise SourceError(f"{self.title} cannot be read: {error}") from error

    def _unzipped(self) -> IO[bytes]:
        file = self.opened()
        return gzip.GzipFile(fileobj=file) if self.title.lower().endswith(".gz") else file  # type: ignore[return-value]

    def _undecoded(self, skip: int, encoding: str) -> str:
        """Which byte is none of the encoding; a reader of lines knows its block only."""
        decoder = codecs.getincrementaldecoder(encoding)()
        with self._unzipped() as file:
            place = len(file.read(skip))
            while True:
                block = file.read(1 << 16)
                kept = len(decoder.getstate()[0])
                try:
                    decoder.decode(block, final=not block)
                except UnicodeDecodeError as error:
                    at = place - kept + error.start
                    value = f"0x{error.object[error.start]:02x}" if error.start < len(error.object) else "the end"
                    return f"{self.title} is no {encoding.upper()} (byte {at} is {value}): save it as UTF-8"
                place += len(block)
                if not block:
                    return f"{self.title} is no {encoding.upper()}: save it as UTF-8"


def _encoding(start: bytes) -> tuple[int, str]:
    """Length of the mark at the beginning, and the encoding that it stands for."""
    for mark, name in MARKS:
        if start.startswith(mark):
            order = "" if name == "utf-8-sig" else "-be" if mark[0] in (0, 0xFE) else "-le"
            return len(mark), "utf-8" if name == "utf-8-sig" else f"{name}{order}"
    return 0, "utf-8"


class Separated(Table):
    """CSV and its relatives; the separator is the one of tab, comma, semicolon and bar that the first line has most.

    Example:
        >>> Separated(lambda: io.BytesIO(b"filepath\\ttitle\\n"), "a.tsv").columns
        ('filepath', 'title')
    """

    def _reader(self) -> Iterator[tuple[int, list[str]]]:
        lines = self._lines()
        first = next(lines, "")
        separator = max(SEPARATORS, key=first.count)
        reader = csv.reader(_again(first, lines), delimiter=separator, skipinitialspace=True)
        while True:
            try:
                row = next(reader)
            except StopIteration:
                return
            except csv.Error as error:
                raise SourceError(f"{self.title}, line {reader.line_num}: {error}") from error
            yield reader.line_num, row

    @functools.cached_property
    def columns(self) -> tuple[str, ...]:
        head = next(self._reader(), (0, []))[1]
        if not any(name.strip() for name in head):
            raise SourceError(f"{self.title} is empty, or its first line names no columns")
        return tuple(name.strip() for name in head)

    def rows(self, columns: Sequence[str]) -> Iterator[tuple[int, tuple[Any, ...]]]:
        places = [self.columns.index(name) if name else -1 for name in columns]
        reader = self._reader()
        next(reader, None)
        for number, row in reader:
            if row:
                yield number, tuple(row[p] if 0 <= p < len(row) else None for p in places)


def _again(first: str, rest: Iterator[str]) -> Iterator[str]:
    yield first
    yield from rest


class JSONLines(Table):
    """One JSON object a line.

    Example:
        >>> JSONLines(lambda: io.BytesIO(b'{"file_name": "1.jpg", "text": "a dog"}'), "a.jsonl").columns
        ('file_name', 'text')
    """

    def _objects(self) -> Iterator[tuple[int, dict[str, Any]]]:
        for number, line in enumerate(self._lines(), 1):
            if not line.strip():
                continue
            try:
                found = json.loads(line)
            except (ValueError, RecursionError) as error:
                raise SourceError(f"{self.title}, line {number} is no JSON: {error}") from error
            if not isinstance(found, dict):
                raise SourceError(f"{self.title}, line {number} is no JSON object")
            yield number, found

    @functools.cached_property
    def columns(self) -> tuple[str, ...]:
        first = next(self._objects(), None)
        if first is None:
            raise SourceError(f"{self.title} is empty")
        return tuple(first[1])

    def rows(self, columns: Sequence[str]) -> Iterator[tuple[int, tuple[Any, ...]]]:
        for number, found in self._objects():
            yield number, tuple(found.get(name) for name in columns)


class Parquet(Table):
    """A Parquet file, also with pictures in it as Hugging Face's datasets keep them.

    Example:
        >>> Parquet(lambda: io.BytesIO(b"PAR1"), "a.parquet").unit
        'row'
    """

    unit = "row"

    @functools.cached_property
    def _file(self) -> Any:
        return parquet(self.opened(), self.title)

    @functools.cached_property
    def columns(self) -> tuple[str, ...]:
        return tuple(self._file.schema_arrow.names)

    def rows(self, columns: Sequence[str]) -> Iterator[tuple[int, tuple[Any, ...]]]:
        wanted, number = [name for name in columns if name], 0
        try:
            for batch in self._file.iter_batches(batch_size=ROWS, columns=wanted):
                for row in batch.to_pylist():
                    yield number, tuple(row.get(name) for name in columns)
                    number += 1
        except (OSError, ValueError) as error:  # Arrow's own errors are among these
            raise SourceError(f"{self.title} is damaged after {number} rows: {error}") from error

    def embeds(self, column: str) -> bool:
        kind = self._file.schema_arrow.field(column).type
        return str(kind).startswith(("struct", "binary", "large_binary", "fixed_size_binary"))

    def names(self, column: str) -> tuple[str, ...]:
        """Names that Hugging Face's `ClassLabel` gives to numbers."""
        try:
            said = json.loads(self._file.schema_arrow.metadata[b"huggingface"])
            found = said["info"]["features"][column]["names"]
        except (TypeError, KeyError, ValueError):
            return ()
        return tuple(map(str, found)) if isinstance(found, list) else ()


def is_table(name: str, *, given: bool = False) -> bool:
    """Whether a file is called like a table.

    Args:
        name: of it.
        given: somebody gave it by name, so that a `.txt` is one too, as Flickr8k's `captions.txt` is.

    Example:
        >>> is_table("Train.CSV"), is_table("train.json"), is_table("captions.txt", given=True)
        (True, False, True)
    """
    return name.lower().endswith((*TABLES, ".txt") if given else TABLES)


def open_table(opened: Callable[[], IO[bytes]], title: str) -> Table:
    """A table by its name.

    Args:
        opened: gives the table's bytes, anew at each call.
        title: how messages call it; its suffix says what it is.

    Example:
        See `Table`.

        >>> type(open_table(lambda: io.BytesIO(), "a.parquet")).__name__
        'Parquet'
    """
    name = title.lower().removesuffix(".gz")
    if name.endswith(".parquet"):
        return Parquet(opened, title)
    return JSONLines(opened, title) if name.endswith(("jsonl", "ndjson")) else Separated(opened, title)
