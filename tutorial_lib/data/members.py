"""The files in a shard, whatever its compression, and which pair each belongs to."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import tarfile
import warnings
from collections.abc import Iterator
from pathlib import Path

from tutorial_lib.data.decoding import MOST_BYTES
from tutorial_lib.notes import Note


def split(name: str) -> tuple[str, str]:
    """Key of the pair that a file belongs to, and its suffix, as WebDataset cuts names.

    Example:
        >>> split("some/000017.image.png")
        ('some/000017', 'image.png')
    """
    folder, _, base = name.rpartition("/")
    stem, _, suffix = base.partition(".")
    return f"{folder}/{stem}" if folder else stem, suffix


class TruncatedError(Exception):
    """An archive ends in the middle of a file."""


def opened(shard: Path) -> io.BufferedIOBase:
    """The archive without its compression, whatever it is called.

    Example:
        >>> opened(Path("none.tar"))
        Traceback (most recent call last):
        FileNotFoundError: [Errno 2] No such file or directory: 'none.tar'
    """
    with shard.open("rb") as file:
        start = file.read(6)
    if start.startswith(b"\x1f\x8b"):
        return gzip.GzipFile(shard)
    if start.startswith(b"BZh"):
        return bz2.BZ2File(shard)
    return lzma.LZMAFile(shard) if start.startswith(b"\xfd7zXZ\0") else shard.open("rb")


def members(file: io.BufferedIOBase, shard: Path) -> Iterator[tuple[str, bytes, int]]:
    """Name, content and place of each file, -1 in a compressed archive; also behind the first mark of an end.

    Raises:
        TruncatedError: the archive ends in the middle of a file.

    Example:
        >>> import torch
        >>> from tutorial_lib.data.pairs import Pairs
        >>> from tutorial_lib.data.shard_writer import write_pairs
        >>> one = Pairs(torch.zeros(1, 3, 8, 8, dtype=torch.uint8), ("a dog",), ("1",), torch.tensor([-1]))
        >>> (shard,) = write_pairs(Path("."), one)
        >>> with opened(shard) as file:
        ...     [name for name, _, _ in members(file, shard)]
        ['1.webp', '1.txt', '1.json']
    """
    compressed = not isinstance(file, io.BufferedReader)
    start, links = 0, 0
    while True:
        file.seek(start)
        with tarfile.open(fileobj=file, mode="r:") as tar:
            for member in tar:
                if member.size < 0 or tar.offset <= member.offset:  # tarfile would read the same header for ever
                    raise tarfile.ReadError("a header points backwards")
                base = member.name.rpartition("/")[2]
                if base.startswith("._") or base == ".DS_Store" or member.name.startswith("__MACOSX/"):
                    continue  # what macOS adds
                if member.issym() or member.islnk():
                    links += 1
                    continue
                body = tar.extractfile(member) if member.isreg() else None
                if body is None:
                    continue
                content = body.read() if member.size <= MOST_BYTES else b""  # sparse ones may expand to anything
                if content and len(content) < member.size:
                    raise TruncatedError
                plain = -1 if compressed or member.issparse() else member.offset_data
                yield member.name, content, plain
            end = tar.offset
        following = _after_end(file, end, shard)
        if following is None:
            break
        start = following
    if links:
        warnings.warn(f"{shard} holds {links} links, which are not followed", Note, stacklevel=4)


def _after_end(file: io.BufferedIOBase, end: int, shard: Path) -> int | None:
    """Where another archive begins behind the end mark of one, as `cat a.tar b.tar` leaves it; `None` without.

    Raises:
        TruncatedError: there is no end mark, and the last file is cut.
    """
    file.seek(end)
    block = file.read(512)
    if len(block) < 512:
        size = file.seek(0, io.SEEK_END) if isinstance(file, io.BufferedReader) else end + len(block)
        if size < end or block:
            raise TruncatedError
        warnings.warn(f"{shard} has no end mark: it is whole, or cut between two files", Note, stacklevel=5)
        return None
    if block.strip(b"\0"):  # tarfile takes a damaged header for the end
        raise tarfile.ReadError("a damaged header")
    place = end
    while block and not block.strip(b"\0"):
        place += len(block)
        block = file.read(512)
    if len(block) == 512 and block[257:262] == b"ustar":
        return place
    if block:
        warnings.warn(f"what follows the end mark of {shard} is no archive and is not read", Note, stacklevel=5)
    return None
