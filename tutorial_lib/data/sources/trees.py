"""Folders and archives as the same thing: names in a stable order, and the bytes of each, within bounds.

Nothing is ever unpacked: a member of an archive is read into memory, and its name is a name and no path, so it leads
nowhere. Links are not followed, neither in archives nor in folders.
"""

from __future__ import annotations

import functools
import lzma
import os
import stat
import tarfile
import unicodedata
import zipfile
import zlib
from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tutorial_lib.data.decoding import MOST_BYTES

#: A text beside a picture may have so many bytes.
MOST_TEXT = 1 << 20
#: What macOS and Windows add; whatever begins with a dot is left out too.
JUNK = ("__MACOSX", "Thumbs.db", "desktop.ini")
#: What broken archives raise.
BROKEN = (tarfile.TarError, zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError, OSError)


class SourceError(ValueError):
    """A source cannot be read as a whole; one that costs a single pair is told by a `ValueError`."""


@dataclass(frozen=True, slots=True)
class Member:
    """A file in a folder or an archive.

    Attributes:
        name: with `/`, in Unicode's composed form, never with `..`.
        size: in bytes, as it is said.
        at: where it is, for the tree that it belongs to.
        stamp: changes when the file does, as far as that is known.

    Example:
        >>> Member("dogs/1.jpg", 100, 0).folder
        'dogs'
    """

    name: str
    size: int
    at: int
    stamp: int = 0

    @property
    def folder(self) -> str:
        """The part before the last `/`."""
        return self.name.rpartition("/")[0]


class Tree(ABC):
    """Files below a folder, or in an archive.

    Attributes:
        title: how messages call it.
        streamed: files can be read in their order only; any other order is slow.
        links: names of links, and of sparse files in tar.

    Example:
        >>> Path("pictures").mkdir()
        >>> _ = Path("pictures/1.txt").write_text("a dog")
        >>> tree = Folder(Path("pictures"))
        >>> [(member.name, tree.read(member)) for member in tree.members]
        [('1.txt', b'a dog')]
    """

    streamed = False

    def __init__(self, title: str, inside: str = "") -> None:
        self.title, self.inside = title, f"{inside}/" if inside else ""
        self.links: list[str] = []

    @functools.cached_property
    def members(self) -> list[Member]:
        """All files but links and what operating systems add.

        Raises:
            SourceError: it cannot be read, or holds no file at all.
        """
        self.links.clear()
        found = list(self._list())
        if self.inside:
            length = len(self.inside)
            self.links = [name[length:] for name in self.links if name.startswith(self.inside)]
            found = [Member(m.name[length:], m.size, m.at, m.stamp) for m in found if m.name.startswith(self.inside)]
        if not found and not self.links:
            raise SourceError(f"{self.title} holds no files")
        return found

    @functools.cached_property
    def by_name(self) -> dict[str, Member]:
        """Members by their names; of several with one name the last, as in tar."""
        return {member.name: member for member in self.members}

    @abstractmethod
    def _list(self) -> Iterator[Member]: ...

    @abstractmethod
    def _content(self, member: Member, most: int) -> bytes: ...

    def read(self, member: Member, most: int = MOST_BYTES) -> bytes:
        """The bytes of a file.

        Raises:
            ValueError: it has more than `most` bytes, or is damaged.
        """
        too_long = f"with a file of more than {most:,} bytes"
        if member.size > most:
            raise ValueError(too_long)
        try:
            content = self._content(member, most + 1)
        except (*BROKEN, RuntimeError, NotImplementedError) as error:  # the last two: zip's encryption and methods
            why = f" ({error.strerror})" if isinstance(error, OSError) and error.strerror else ""
            raise ValueError(f"that cannot be read{why}") from error
        if len(content) > most:
            raise ValueError(too_long)
        return content

    def close(self) -> None:  # noqa: B027 a folder has nothing to close
        """Forget what was opened; the tree can still be read."""


class Folder(Tree):
    """A folder with those below it.

    Example:
        See `Tree`.

        >>> Folder(Path("pictures")).streamed
        False
    """

    def __init__(self, path: Path) -> None:
        super().__init__(str(path))
        self.path = path
        self._paths: list[str] = []

    def _list(self) -> Iterator[Member]:
        self._paths.clear()

        def fail(error: OSError) -> None:
            raise SourceError(f"{error.filename} cannot be read: {error.strerror}")

        for folder, folders, files in os.walk(self.path, onerror=fail):
            below = os.path.relpath(folder, self.path)
            folders[:] = sorted(f for f in folders if not _junk(f))
            linked = [f for f in folders if os.path.islink(os.path.join(folder, f))]
            for name in sorted([*files, *linked]):
                place = os.path.join(folder, name)
                said = clean_name(name if below == "." else f"{below}/{name}")
                if not said or _junk(name):
                    continue
                found = os.lstat(place)
                if stat.S_ISLNK(found.st_mode):
                    self.links.append(said)
                elif stat.S_ISREG(found.st_mode):
                    self._paths.append(place)
                    yield Member(said, found.st_size, len(self._paths) - 1, found.st_mtime_ns)

    def place(self, member: Member) -> Path:
        """Where a member lies."""
        return Path(self._paths[member.at])

    def _content(self, member: Member, most: int) -> bytes:
        return read_file(self._paths[member.at], most)


def read_file(path: str | Path, most: int) -> bytes:
    """The first bytes of a regular file; a link that took its place meanwhile is not followed.

    Example:
        >>> _ = Path("a.txt").write_text("a dog")
        >>> read_file("a.txt", 3)
        b'a d'
    """
    handle = os.open(path, os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0))
    with open(handle, "rb") as file:
        return file.read(most)


def clean_name(name: str) -> str:
    """The name of a member as one below its archive; empty for what is junk.

    Example:
        >>> clean_name("./dogs//../1.jpg"), clean_name("/etc/passwd"), clean_name("dogs/._1.jpg")
        ('dogs/1.jpg', 'etc/passwd', '')
    """
    parts = [part for part in name.split("/") if part not in ("", ".", "..")]
    return "" if any(map(_junk, parts)) else unicodedata.normalize("NFC", "/".join(parts))


def _junk(part: str) -> bool:
    return part.startswith(".") or part in JUNK


def printable(name: str) -> str:
    """A name that can be written as UTF-8, whatever bytes it has on disk.

    Example:
        >>> printable("cid" + chr(0xDCE9))
        'cid?'
    """
    return name.encode("utf-8", "replace").decode()


def words(error: BaseException) -> str:
    """An error in one line.

    Example:
        >>> words(ValueError("a   b")), words(EOFError())
        ('a b', 'EOFError')
    """
    said = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return " ".join(said.split()) or type(error).__name__
