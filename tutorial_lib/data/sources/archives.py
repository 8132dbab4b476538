"""Archives as trees: zip, and tar with any of the usual compressions."""

from __future__ import annotations

import bz2
import functools
import gzip
import io
import lzma
import stat
import tarfile
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO

from tutorial_lib.data.sources.arrow import zstandard
from tutorial_lib.data.sources.trees import BROKEN, MOST_TEXT, Folder, Member, SourceError, Tree, clean_name, words

#: What is read from within an archive as a whole, a table or an archive, may have so many bytes.
MOST_NESTED = 1 << 30
ARCHIVES = (".zip", ".tar", ".tgz", ".tbz2", ".txz", ".tar.gz", ".tar.bz2", ".tar.xz", ".tar.zst", ".tzst")
#: Suffixes of texts, which are kept when a compressed archive is read for its names.
TEXTS = (".txt", ".caption", ".text", ".json", ".cls")


class Zip(Tree):
    """A zip archive.

    Args:
        opened: gives the archive's bytes, anew at each call.
        title, inside: as for `open_tree`.

    Example:
        >>> with zipfile.ZipFile("a.zip", "w") as archive:
        ...     archive.writestr("../../1.txt", "a dog")
        >>> [member.name for member in open_tree(Path("a.zip")).members]
        ['1.txt']
    """

    def __init__(self, opened: Callable[[], IO[bytes]], title: str, inside: str = "") -> None:
        super().__init__(title, inside)
        self._opened = opened

    @functools.cached_property
    def _zip(self) -> zipfile.ZipFile:
        try:
            return zipfile.ZipFile(self._opened())
        except (*BROKEN, ValueError) as error:
            raise SourceError(f"{self.title} is no zip archive, or damaged ({words(error)})") from error

    @functools.cached_property
    def _infos(self) -> list[zipfile.ZipInfo]:
        return self._zip.infolist()

    def _list(self) -> Iterator[Member]:
        for at, info in enumerate(self._infos):
            name = clean_name(info.filename.replace("\\", "/"))
            if info.is_dir() or not name:
                continue
            if info.flag_bits & 1:
                raise SourceError(f"{self.title} is encrypted ({name}): unpack it first")
            if stat.S_ISLNK(info.external_attr >> 16):
                self.links.append(name)
            else:
                yield Member(name, info.file_size, at, info.CRC)

    def _content(self, member: Member, most: int) -> bytes:
        with self._zip.open(self._infos[member.at]) as file:
            return file.read(most)

    def close(self) -> None:
        if "_zip" in vars(self):
            self._zip.close()
            del self._zip, self._infos


class _Header(tarfile.TarInfo):
    """A header of a tar archive; one that is damaged is an error, also where blocks of zeros are passed over."""

    @classmethod
    def frombuf(cls, buf: bytes | bytearray, encoding: str, errors: str) -> _Header:
        try:
            return super().frombuf(buf, encoding, errors)
        except tarfile.InvalidHeaderError as error:  # type: ignore[attr-defined]
            raise tarfile.ReadError(f"a damaged header ({error})") from error


class Tar(Tree):
    """A tar archive, compressed or not; also several behind each other, as `cat a.tar b.tar` leaves them.

    Args:
        opened: gives the archive's bytes, anew at each call.
        title, inside: as for `open_tree`.

    Example:
        >>> with tarfile.open("a.tgz", "w:gz") as archive:
        ...     archive.addfile(tarfile.TarInfo("./1.txt"))
        >>> tree = open_tree(Path("a.tgz"))
        >>> tree.streamed, [member.name for member in tree.members]
        (True, ['1.txt'])
    """

    def __init__(self, opened: Callable[[], IO[bytes]], title: str, inside: str = "") -> None:
        super().__init__(title, inside)
        self._opened = opened
        self._texts: dict[int, bytes] = {}
        self._pass: Iterator[tuple[int, tarfile.TarInfo, tarfile.TarFile]] | None = None
        self._next = 0
        with opened() as file:
            self._compression = compression(file.read(6))
        self.streamed = bool(self._compression)

    def _files(self) -> Iterator[tuple[int, tarfile.TarInfo, tarfile.TarFile]]:
        """One pass over the regular files: number in the archive, header, the archive to read it from."""
        count = 0
        try:
            with (
                _plain(self._opened(), self._compression, self.title) as file,
                tarfile.open(
                    fileobj=file,
                    mode="r|" if self.streamed else "r:",
                    ignore_zeros=True,
                    tarinfo=_Header,
                    encoding="utf-8",
                ) as tar,
            ):
                for header in tar:
                    tar.members = []  # type: ignore[attr-defined]  # headers of millions of files need not be kept
                    count += 1
                    yield count - 1, header, tar
        except BROKEN as error:
            what = f"truncated or damaged after {count} files" if count else "no tar archive, or damaged"
            raise SourceError(f"{self.title} is {what} ({words(error)}): fetch or write it again") from error

    def _list(self) -> Iterator[Member]:
        self._texts.clear()
        for number, header, tar in self._files():
            name = clean_name(header.name)
            if not name or not (header.isreg() or header.issym() or header.islnk()):
                continue
            if not header.isreg() or header.issparse():
                self.links.append(name)
                continue
            if self.streamed and name.lower().endswith(TEXTS) and header.size <= MOST_TEXT:
                body = tar.extractfile(header)
                self._texts[number] = body.read() if body else b""
            yield Member(name, header.size, number if self.streamed else header.offset_data, int(header.mtime))

    def _content(self, member: Member, most: int) -> bytes:
        if not self.streamed:
            self._file.seek(member.at)
            return self._file.read(min(most, member.size))
        if (kept := self._texts.get(member.at)) is not None:
            return kept[:most]
        if self._pass is None or member.at < self._next:
            self._pass = self._files()
        for number, header, tar in self._pass:
            if number == member.at:
                self._next = number + 1
                body = tar.extractfile(header)
                return body.read(most) if body else b""
        raise ValueError(f"that is no longer in {self.title}")

    @functools.cached_property
    def _file(self) -> IO[bytes]:
        return self._opened()

    def close(self) -> None:
        self._pass = None
        if "_file" in vars(self):
            self._file.close()
            del self._file


def compression(start: bytes) -> str:
    """How something is compressed, by its first six bytes; empty where it is not.

    Example:
        >>> compression(gzip.compress(b"a"))
        'gzip'
    """
    marks = {b"\x1f\x8b": "gzip", b"BZh": "bzip2", b"\xfd7zXZ\0": "xz", b"\x28\xb5\x2f\xfd": "zstd"}
    return next((name for mark, name in marks.items() if start.startswith(mark)), "")


def _plain(file: IO[bytes], how: str, title: str) -> IO[bytes]:
    if how == "gzip":
        return gzip.GzipFile(fileobj=file)  # type: ignore[return-value]
    if how == "bzip2":
        return bz2.BZ2File(file)
    if how == "xz":
        return lzma.LZMAFile(file)
    if how == "zstd":
        return zstandard(file, title)
    return file


def is_archive(name: str) -> bool:
    """Whether a file is called like an archive.

    Example:
        >>> is_archive("A.TAR"), is_archive("a.csv")
        (True, False)
    """
    return name.lower().endswith(ARCHIVES)


def open_tree(path: Path, inside: str = "") -> Tree:
    """A folder or an archive.

    Args:
        path: of it.
        inside: a folder in the archive.

    Raises:
        SourceError: there is no such file, or it is no archive.

    Example:
        See `Tree`.

        >>> open_tree(Path("nowhere"))
        Traceback (most recent call last):
        tutorial_lib.data.sources.trees.SourceError: there is no file or folder nowhere
    """
    if path.is_dir():
        return Folder(path)
    try:
        with path.open("rb") as file:
            start = file.read(4)
    except FileNotFoundError as error:
        raise SourceError(f"there is no file or folder {path}") from error
    except OSError as error:
        raise SourceError(f"{path} cannot be read: {error.strerror}") from error
    return _archive(lambda: path.open("rb"), f"{path}/{inside}" if inside else str(path), start, inside)


def open_nested(tree: Tree, member: Member) -> Tree:
    """An archive within another tree; in memory, unless it is a file of a folder.

    Raises:
        SourceError: it is no archive, or too large to be held in memory.

    Example:
        >>> with zipfile.ZipFile("outer.zip", "w") as archive:
        ...     archive.write("a.zip")
        >>> outer = open_tree(Path("outer.zip"))
        >>> [member.name for member in open_nested(outer, outer.members[0]).members]
        ['1.txt']
    """
    if isinstance(tree, Folder):
        return open_tree(tree.place(member))
    title = f"{tree.title}/{member.name}"
    try:
        content = tree.read(member, MOST_NESTED)
    except SourceError:
        raise
    except ValueError as error:
        raise SourceError(f"{title} is an archive {error}: unpack {tree.title} first") from error
    return _archive(lambda: io.BytesIO(content), title, content[:4])


def _archive(opened: Callable[[], IO[bytes]], title: str, start: bytes, inside: str = "") -> Tree:
    if start.startswith(b"PK"):
        return Zip(opened, title, inside)
    return Tar(opened, title, inside)
