"""CIFAR-10 and CIFAR-100: small labelled photographs, as torchvision leaves them and as a hub delivers them.

Their batches are published as pickles, which a file could use to run anything; `tutorial_lib.models.arrays` reads the
numbers and runs nothing. The authors name two parts; a tenth of the training pictures, drawn by their pixels, is kept
apart for validation, so that a picture that occurs twice lies in one part.

Source: Krizhevsky (2009).
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import torch

from tutorial_lib.data.captions import captions_for
from tutorial_lib.data.emojicaps import Concept
from tutorial_lib.data.shard_writer import encode
from tutorial_lib.data.sources.archives import open_nested
from tutorial_lib.data.sources.found import Found
from tutorial_lib.data.sources.tables import Parquet
from tutorial_lib.data.sources.trees import Member, SourceError
from tutorial_lib.models.arrays import inert, unpickle_arrays
from tutorial_lib.models.pickles import UnreadableError
from tutorial_lib.practice.photo_parts import Collection, PartName, Photograph, drawn_part, embedded, parquet_tables

#: Width and height of the pictures.
SIDE = 32
#: Of the training pictures, those that are kept for validation.
KEPT: dict[PartName, float] = {"validation": 0.1}
#: Bytes of a file of pictures; CIFAR-100's largest has 155 million.
MOST_BYTES = 1 << 28
#: Pictures whose captions are made at a time.
CHUNK = 512
_HOW = (
    "torchvision.datasets.{0}(FOLDER, download=True) fetches it, or `hf download --repo-type dataset uoft-cs/{1} "
    "--local-dir FOLDER`"
)


def sentences(labels: Sequence[str], start: int = 0) -> list[str]:
    """A caption for each label, as varied as alt text; the course's sentences around the name of a class.

    Args:
        labels: names of classes.
        start: number of the first picture; a caption is a function of label and number.

    Example:
        >>> [("otter" in caption) for caption in sentences(["sea otter", "sea otter"])]
        [True, True]
    """
    concepts = [Concept("", label, "", (), "") for label in labels]
    return captions_for(concepts, 0, torch.arange(start, start + len(concepts)))


class Cifar(Collection):
    """CIFAR-10 or CIFAR-100.

    Args:
        path: `cifar-10-python.tar.gz` or what was unpacked of it, a folder that holds either, or a folder of a hub's
            Parquet files.
        name: "cifar10" or "cifar100".

    Raises:
        SourceError: it is not there, or a file of it is damaged.

    Example:
        >>> Cifar(Path("downloads"), "cifar10").classes[:2]  # doctest: +SKIP
        ('airplane', 'automobile')
    """

    def __init__(self, path: Path, name: str) -> None:
        super().__init__(path)
        self.fine = name == "cifar100"
        self.label = "fine_label" if self.fine else "label"
        self.base, self.meta = ("cifar-100-python", "meta") if self.fine else ("cifar-10-batches-py", "batches.meta")
        archive = f"cifar-{100 if self.fine else 10}-python.tar.gz"
        self.tables: list[tuple[PartName, Member, Parquet]] = []
        if not (self._batches() and self._member(self.meta)):
            nested = next((m for m in self.tree.members if m.name.rpartition("/")[2] == archive), None)
            if nested is not None:
                self.tree = open_nested(self.tree, nested)
            else:
                self.tables = parquet_tables(self.tree)
        if self.tables:
            self.layout = "a hub's Parquet"
            self.classes = self._names_of_tables()
        elif self._batches() and self._member(self.meta):
            self.layout = "pickled batches, of which nothing was run"
            self.classes = self._names_of_batches()
        else:
            how = _HOW.format("CIFAR100" if self.fine else "CIFAR10", name)
            raise SourceError(f"{path} holds neither {self.base} nor a hub's Parquet files of {name}: {how}")

    # Batches

    def _member(self, name: str) -> Member | None:
        for member in self.tree.members:
            folder, _, base = member.name.rpartition("/")
            if base == name and folder.rpartition("/")[2] in (self.base, ""):
                return member
        return None

    def _batches(self) -> list[Member]:
        wanted = ("train", "test") if self.fine else (*(f"data_batch_{i}" for i in range(1, 6)), "test_batch")
        found = [self._member(name) for name in wanted]
        return [member for member in found if member is not None] if None not in found else []

    def _unpickled(self, member: Member) -> dict[str, Any]:
        title = f"{self.tree.title}/{member.name}"
        try:
            found = unpickle_arrays(self.tree.read(member, MOST_BYTES))
        except UnreadableError as error:
            raise SourceError(f"{title} {error}") from error
        except SourceError:
            raise
        except ValueError as error:
            raise SourceError(f"{title} is a file {error}") from error
        if names := inert(found):
            raise SourceError(f"{title} would run {names[0]} if it were unpickled, which no batch of CIFAR does")
        if not isinstance(found, dict):
            raise SourceError(f"{title} is a pickle of something else than a batch of CIFAR")
        return found

    def _names_of_batches(self) -> tuple[str, ...]:
        member = self._member(self.meta)
        assert member is not None
        names = self._unpickled(member).get("fine_label_names" if self.fine else "label_names")
        if not isinstance(names, list) or not all(isinstance(name, str) and name for name in names):
            raise SourceError(f"{self.tree.title}/{member.name} names no classes")
        return tuple(name.replace("_", " ") for name in names)

    def _batch(self, member: Member) -> tuple[np.ndarray, list[int]]:
        """Pictures (N, 32, 32, 3) and the numbers of their classes."""
        found, title = self._unpickled(member), f"{self.tree.title}/{member.name}"
        rows, labels = found.get("data"), found.get("fine_labels" if self.fine else "labels")
        if not isinstance(rows, np.ndarray) or rows.dtype != np.uint8 or rows.shape[1:] != (3 * SIDE * SIDE,):
            raise SourceError(f"{title} has no pictures of {SIDE}x{SIDE} pixels")
        if not isinstance(labels, list) or len(labels) != len(rows):
            raise SourceError(f"{title} has {len(rows)} pictures, and not as many labels")
        if (bad := next((n for n in labels if type(n) is not int or not 0 <= n < len(self.classes)), None)) is not None:
            raise SourceError(f"{title} has a label {bad!r}, and {len(self.classes)} classes have names")
        return rows.reshape(-1, 3, SIDE, SIDE).transpose(0, 2, 3, 1), labels

    def _of_batches(self) -> Iterator[tuple[Found, int, PartName]]:
        for member in self._batches():
            batch = member.name.rpartition("/")[2]
            images, labels = self._batch(member)
            for i, label in enumerate(labels):
                name = f"{batch}/{i:05d}.png"
                found = Found(name, f"{self.tree.title}/{member.name}, picture {i}", label=self.classes[label])
                part = "test" if batch.startswith("test") else drawn_part(images[i].tobytes(), KEPT)
                yield _drawn(found, images[i]), label, part

    # Parquet

    def _names_of_tables(self) -> tuple[str, ...]:
        for _, _, table in self.tables:
            for column in ("img", self.label):
                if column not in table.columns:
                    raise SourceError(f"{table.title} has no column {column!r}: it is no CIFAR of that kind")
        names = self.tables[0][2].names(self.label)
        if not names:
            raise SourceError(f"{self.tables[0][2].title} does not name the classes of {self.label!r}")
        return tuple(name.replace("_", " ") for name in names)

    def _of_tables(self) -> Iterator[tuple[Found, int, PartName]]:
        for part, member, table in self.tables:
            stem = member.name.rpartition("/")[2].partition(".")[0]
            for number, (value, label) in table.rows(("img", self.label)):
                name = f"{stem}/{number:05d}.png"
                where = f"{table.title}, row {number}"
                if type(label) is not int or not 0 <= label < len(self.classes):
                    yield (
                        Found(name, where, problem=f"of a class beyond the {len(self.classes)} that have names"),
                        0,
                        part,
                    )
                    continue
                found = replace(embedded(value, name, where), label=self.classes[label])
                yield found, label, drawn_part(f"{found.stamp}", KEPT) if part == "train" else part

    def photographs(self) -> Iterator[Photograph]:
        rows = iter(self._of_tables() if self.tables else self._of_batches())
        start = 0
        while chunk := list(islice(rows, CHUNK)):
            captions = sentences([self.classes[label] for _, label, _ in chunk], start)
            for (found, _, part), caption in zip(chunk, captions, strict=True):
                yield Photograph(found, (caption,), part)
            start += len(chunk)


def _drawn(found: Found, image: np.ndarray) -> Found:
    """The picture as a file, made when it is read."""
    pixels = np.ascontiguousarray(image)
    return replace(found, read=lambda: encode(pixels, "png"), stamp=zlib.crc32(pixels.tobytes()))
