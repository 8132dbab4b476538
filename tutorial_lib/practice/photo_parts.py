"""Photographs of a published data set, and its parts: what is trained on, what settings are chosen on, what is tested.

A part is a source of pairs as `tutorial_lib.practice.importing` reads them.
"""

from __future__ import annotations

import hashlib
import re
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal, get_args

from tutorial_lib.data.sources.archives import open_tree
from tutorial_lib.data.sources.beside import split_name
from tutorial_lib.data.sources.found import Found, Reasons
from tutorial_lib.data.sources.tables import Parquet
from tutorial_lib.data.sources.trees import Folder, Member, SourceError, Tree

PartName = Literal["train", "validation", "test"]
PARTS: tuple[PartName, ...] = get_args(PartName)
#: Names that publishers give to the parts, in names of files and folders and in columns.
_CALLED: dict[str, PartName] = {
    "train": "train",
    "restval": "train",
    "validation": "validation",
    "valid": "validation",
    "val": "validation",
    "dev": "validation",
    "test": "test",
}
_TABLE = re.compile(r"(?:^|/)(train|validation|valid|val|dev|test)(?:[-_.][^/]*)?(?:/[^/]*)?\.parquet$", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Photograph:
    """One picture, what is said of it, and the part that it belongs to.

    Example:
        >>> Photograph(Found("1.jpg", "1.jpg"), ("a dog", "a brown dog"), "train").part
        'train'
    """

    found: Found
    captions: tuple[str, ...]
    part: PartName


class Collection(ABC):
    """A data set as it was delivered.

    Args:
        path: folder or archive.

    Attributes:
        layout: how it was found, in words.
        classes: names in the order of their numbers; empty where pictures have captions only.

    Raises:
        SourceError: there is no such file, or the data set is not in it.

    Example:
        >>> class Two(Collection):
        ...     layout = "two pictures"
        ...     def photographs(self):
        ...         for number in range(2):
        ...             yield Photograph(Found(f"{number}.jpg", ""), ("a dog", "a cat"), "train")
        >>> Path("two").mkdir()
        >>> _ = Path("two/file").write_text("")
        >>> [pair.caption for pair in Part(Two(Path("two")), "train", "first").pairs()]
        ['a dog', 'a dog']
    """

    layout: str
    classes: tuple[str, ...] = ()

    def __init__(self, path: Path) -> None:
        self.path = path.expanduser()
        self.tree = open_tree(self.path)

    @abstractmethod
    def photographs(self) -> Iterator[Photograph]:
        """All of them, the same at each call; those that cannot be used among them.

        Raises:
            SourceError: a file cannot be read as a whole.
        """


class Part:
    """One part of a data set.

    Args:
        whole: the data set.
        name: of the part.
        captions: of a picture with several, "all" (a pair for each) or the "first".

    Example:
        See `Collection`.

        >>> PARTS
        ('train', 'validation', 'test')
    """

    inside = ""

    def __init__(self, whole: Collection, name: PartName, captions: Literal["all", "first"] = "all") -> None:
        self.whole, self.name, self.captions = whole, name, captions
        self.path = whole.path
        self.layouts: dict[str, int] = {}
        self.aside = Reasons()
        self.classes: dict[str, None] = {}

    @property
    def title(self) -> str:
        """How messages call it."""
        return f"{self.path} ({self.name})"

    def pairs(self) -> Iterator[Found]:
        """All pairs of the part, the same at each call."""
        self.layouts, self.classes = {}, dict.fromkeys(self.whole.classes)
        for photo in self.whole.photographs():
            if photo.part != self.name:
                continue
            said = photo.captions[: 1 if self.captions == "first" else None] or ("",)
            stem, suffix = split_name(photo.found.name)
            for number, caption in enumerate(said):
                problem = photo.found.problem or ("" if caption.strip() else "without a caption")
                name = photo.found.name if number == 0 else f"{stem}-{number}{suffix}"
                self.layouts[self.whole.layout] = self.layouts.get(self.whole.layout, 0) + 1
                yield replace(photo.found, name=name, caption=caption, problem=problem)


def drawn_part(name: str | bytes, shares: Mapping[PartName, float]) -> PartName:
    """The part of a picture where its publisher names none: drawn by its name, so that it is the same everywhere.

    Args:
        name: of the picture, or its bytes; all pairs of one picture lie in one part.
        shares: of the parts besides "train", which has the rest.

    Example:
        >>> [drawn_part(f"{i}.jpg", {"validation": 0.5}) for i in range(4)]
        ['train', 'validation', 'validation', 'validation']
    """
    raw = name.encode() if isinstance(name, str) else name
    place = int.from_bytes(hashlib.blake2b(raw, digest_size=4).digest(), "big") / (1 << 32)
    for part, share in shares.items():
        if place < share:
            return part
        place -= share
    return "train"


def named_part(name: object) -> PartName | None:
    """The part that a publisher's word stands for; `None` for no such word.

    Example:
        >>> named_part("Dev"), named_part("restval"), named_part("extra")
        ('validation', 'train', None)
    """
    return _CALLED.get(str(name).lower())


def parquet_tables(tree: Tree) -> list[tuple[PartName, Member, Parquet]]:
    """The Parquet files of a folder whose names say a part, as hubs deliver them.

    Args:
        tree: the folder.

    Raises:
        SourceError: they lie in an archive.

    Example:
        >>> Path("hub/plain_text").mkdir(parents=True)
        >>> for name in ("test-00000-of-00001", "train-00000-of-00001"):
        ...     _ = Path(f"hub/plain_text/{name}.parquet").write_bytes(b"PAR1")
        >>> [part for part, _, _ in parquet_tables(Folder(Path("hub")))]
        ['test', 'train']
    """
    found = []
    for member in tree.members:
        if (match := _TABLE.search(member.name)) is None:
            continue
        if not isinstance(tree, Folder):
            raise SourceError(f"{tree.title} holds {member.name}: unpack it first")
        place = tree.place(member)
        table = Parquet(lambda place=place: place.open("rb"), f"{tree.title}/{member.name}")  # type: ignore[misc]
        found.append((_CALLED[match[1].lower()], member, table))
    return found


def embedded(value: object, name: str, where: str) -> Found:
    """A picture that a row of a table holds.

    Args:
        value: bytes, or a dictionary with `bytes` as Hugging Face's datasets keep them.
        name: of the picture.
        where: it is, for messages.

    Example:
        >>> embedded({"bytes": b"1", "path": None}, "train/0", "row 0").read()
        b'1'
    """
    body = value.get("bytes") if isinstance(value, dict) else value
    if not isinstance(body, bytes) or not body:
        return Found(name, where, problem="without a picture")
    stamp = int.from_bytes(hashlib.blake2b(body, digest_size=8).digest(), "big")
    return Found(name, where, read=lambda: body, stamp=stamp)
