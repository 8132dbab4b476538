"""Pairs of a source, and the pictures that a table names."""

from __future__ import annotations

import os
import re
import stat
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from tutorial_lib.data.decoding import MOST_BYTES
from tutorial_lib.data.sources.trees import Member, Tree, printable, read_file

ADDRESS = re.compile(r"[a-z][a-z0-9+]*://", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Found:
    """One pair of a source.

    Attributes:
        name: of the picture in its source; a key is made from it.
        where: it is, for messages.
        caption, label: empty where there is none.
        read: gives the bytes of the picture.
        problem: why the pair cannot be used, as far as that is known before the picture is read.
        stamp: changes when the picture does, as far as that is known.

    Example:
        >>> Found("dogs/1.jpg", "pets.zip/dogs/1.jpg", problem="without a caption").read is None
        True
    """

    name: str
    where: str
    caption: str = ""
    label: str = ""
    read: Callable[[], bytes] | None = None
    problem: str = ""
    stamp: int = 0


class Reasons(dict[str, tuple[int, str]]):
    """How many were left out for each reason, and the first of each.

    Example:
        >>> reasons = Reasons()
        >>> for name in ("1.jpg", "2.jpg"):
        ...     reasons.note("without a caption", name)
        >>> reasons.total, str(reasons)
        (2, '2 without a caption (first: 1.jpg)')
    """

    def note(self, reason: str, first: str) -> None:
        """Count one more."""
        count, known = self.get(reason, (0, first))
        self[reason] = (count + 1, known)

    @property
    def total(self) -> int:
        """Of all reasons."""
        return sum(count for count, _ in self.values())

    def __str__(self) -> str:
        return "; ".join(f"{count} {reason} (first: {first})" for reason, (count, first) in self.items())


def of_member(tree: Tree, member: Member) -> Found:
    """A picture of a folder or an archive.

    Args:
        tree: that holds it.
        member: the picture.

    Example:
        >>> from tutorial_lib.data.sources.trees import Folder
        >>> Path("one").mkdir()
        >>> _ = Path("one/1.jpg").write_bytes(b"1")
        >>> tree = Folder(Path("one"))
        >>> of_member(tree, tree.members[0]).where
        'one/1.jpg'
    """
    problem = "" if member.size <= MOST_BYTES else f"with a file of more than {MOST_BYTES:,} bytes"
    stamp = member.at if tree.streamed else hash((member.size, member.stamp))
    where = printable(f"{tree.title}/{member.name}")
    return Found(member.name, where, read=lambda: tree.read(member), problem=problem, stamp=stamp)


def in_tree(tree: Tree, folder: str) -> Callable[[str], Found]:
    """Finds the pictures that a table names: beside it, or from the beginning of its archive or folder.

    Args:
        tree: the archive or folder.
        folder: of the table in it.

    Example:
        >>> from tutorial_lib.data.sources.trees import Folder
        >>> Path("data/img").mkdir(parents=True)
        >>> _ = Path("data/img/1.jpg").write_bytes(b"1")
        >>> in_tree(Folder(Path("data")), "lists")("../img/1.jpg").name
        'img/1.jpg'
    """

    def picture(path: str) -> Found:
        if ADDRESS.match(path):
            return _address(path)
        for start in (folder, ""):
            parts: list[str] = []
            for part in f"{start}/{path}".replace("\\", "/").split("/"):
                if part == "..":
                    parts[-1:] = []
                elif part not in ("", "."):
                    parts.append(part)
            member = tree.by_name.get(unicodedata.normalize("NFC", "/".join(parts)))
            if member is not None:
                return of_member(tree, member)
        return Found(path, printable(path), problem=f"whose picture is not in {printable(tree.title)}")

    return picture


def on_disk(root: Path, beside: Path, *, absolute: bool = False) -> Callable[[str], Found]:
    """Finds the pictures that a table names: in the root, or beside the table as long as that is below the root.

    Args:
        root: folder that paths must not lead out of.
        beside: folder of the table.
        absolute: absolute paths may lead anywhere, as in tables that people wrote on their machine.

    Example:
        >>> _ = Path("secret.jpg").write_bytes(b"1")
        >>> on_disk(Path("lists"), Path("lists"))("../secret.jpg").problem
        'whose path leads out of lists (`root` names another folder)'
    """
    real = os.path.realpath(root)

    def picture(path: str) -> Found:
        if ADDRESS.match(path):
            return _address(path)
        if "\0" in path:
            return Found("nul", repr(path), problem="whose path has a null")
        name = printable(os.path.relpath(path, real) if os.path.isabs(path) else path)
        outside = False
        for form in dict.fromkeys((path, path.replace("\\", "/"), unicodedata.normalize("NFD", path))):
            for start in dict.fromkeys((root, beside)):
                place = os.path.realpath(os.path.join(start, form))
                try:
                    found = os.lstat(place)
                except (OSError, ValueError):
                    continue
                if os.path.commonpath((real, place)) != real and not (absolute and os.path.isabs(path)):
                    outside = True
                elif not stat.S_ISREG(found.st_mode):
                    return Found(name, printable(path), problem="whose path is no regular file")
                else:
                    return _file(name, place, path, found)
        problem = f"whose path leads out of {root} (`root` names another folder)" if outside else ""
        return Found(
            name, printable(path), problem=problem or f"whose picture is not in {root} (`root` names another folder)"
        )

    return picture


def _file(name: str, place: str, path: str, found: os.stat_result) -> Found:
    problem = f"with a file of more than {MOST_BYTES:,} bytes" if found.st_size > MOST_BYTES else ""

    def read() -> bytes:
        try:
            return read_file(place, MOST_BYTES + 1)
        except OSError as error:
            raise ValueError(f"that cannot be read ({error.strerror})") from error

    return Found(name, printable(path), read=read, problem=problem, stamp=hash((found.st_size, found.st_mtime_ns)))


def _address(path: str) -> Found:
    return Found(path, path, problem="whose picture is an address, which is not fetched (img2dataset does that)")
