"""Pictures of an import: checked, resized and encoded, several at a time, in their order."""

from __future__ import annotations

import hashlib
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TypeVar

import numpy as np

from tutorial_lib.data.decoding import NotAPictureError, decode
from tutorial_lib.data.shard_writer import encode
from tutorial_lib.practice.import_folder import DIGEST

#: Suffixes of formats that every trainer reads; pictures of others are stored as WebP without loss.
KEPT = {"JPEG": "jpg", "PNG": "png", "WebP": "webp"}
#: Sides that WebP can hold.
WEBP_SIDE = 16_383
#: What the first bytes say.
MARKS = {
    b"\xff\xd8\xff": "JPEG",
    b"\x89PNG\r\n\x1a\n": "PNG",
    b"GIF8": "GIF",
    b"BM": "BMP",
    b"II*\0": "TIFF",
    b"MM\0*": "TIFF",
}

Item = TypeVar("Item")
Result = TypeVar("Result")


def format_of(picture: bytes) -> str:
    """Format of a picture by its content; empty where it is none that is read.

    Example:
        >>> format_of(b"GIF89a"), format_of(b"%!PS-Adobe-3.0 EPSF-3.0")
        ('GIF', '')
    """
    if picture[:4] == b"RIFF" and picture[8:12] == b"WEBP":
        return "WebP"
    return next((name for mark, name in MARKS.items() if picture.startswith(mark)), "")


@dataclass(frozen=True)
class Stored:
    """A picture as it is stored, or why it cannot be.

    Attributes:
        body, suffix: the bytes and the suffix of their format.
        format: of the source's picture.
        size: width and height as stored.
        notes: what conventions differ on.
        problem: why it cannot be used; empty where it can.
        converted: it was to keep its bytes, and its format is none that every trainer reads.

    Example:
        >>> Stored.of(lambda: b"%!PS-Adobe-3.0", side=None, keep_codec=False).problem
        'that are no JPEG, PNG, WebP, GIF, BMP or TIFF'
    """

    body: bytes = b""
    suffix: str = "webp"
    format: str = ""
    size: tuple[int, int] = (0, 0)
    notes: Counter[str] = field(default_factory=Counter)
    problem: str = ""
    converted: bool = False

    @classmethod
    def of(cls, read: Callable[[], bytes], *, side: int | None, keep_codec: bool) -> Stored:
        """A picture made ready.

        Args:
            read: gives its bytes.
            side: resize it, and cut out the centre.
            keep_codec: store the file's own bytes.
        """
        try:
            picture = read()
        except ValueError as error:
            return cls(problem=str(error))
        form, notes = format_of(picture), Counter[str]()
        if not form:
            return cls(problem=_no_picture(picture))
        try:
            image = decode(picture, side=side, notes=notes)
        except NotAPictureError as error:
            return cls(format=form, problem=_why(error))
        height, width = image.shape[:2]
        if keep_codec and form in KEPT:
            return cls(picture, KEPT[form], form, (width, height), notes)
        if max(width, height) > WEBP_SIDE:
            return cls(
                format=form, problem=f"wider or higher than {WEBP_SIDE:,} pixels, which WebP cannot hold (`side`)"
            )
        body = encode(np.ascontiguousarray(image))
        return cls(body, "webp", form, (width, height), +notes, converted=keep_codec)


def _no_picture(content: bytes) -> str:
    start = content[:256].lstrip().lower()
    if not content:
        return "with an empty file"
    if start.startswith(b"version https://git-lfs"):
        return "with a Git LFS pointer in place of the picture (git lfs pull fetches it)"
    if start.startswith((b"<!doctype html", b"<html")):
        return "with a web page in place of the picture"
    return "that are no JPEG, PNG, WebP, GIF, BMP or TIFF"


def _why(error: NotAPictureError) -> str:
    """The kind of problem, without what differs from picture to picture."""
    said = str(error)
    beyond = "at most" in said or "takes more than" in said  # in bytes, pixels or seconds
    return "with a picture beyond the bounds" if beyond else "with a damaged picture"


def digest_of(picture: bytes, caption: str) -> bytes:
    """What tells pairs apart.

    Example:
        >>> digest_of(b"1", "a dog") == digest_of(b"1", "a cat")
        False
    """
    return hashlib.blake2b(len(picture).to_bytes(8, "big") + picture + caption.encode(), digest_size=DIGEST).digest()


def in_order(items: Iterable[Item], work: Callable[[Item], Result], threads: int) -> Iterator[tuple[Item, Result]]:
    """Each item with what several threads make of it, in the order of the items; a few are made ahead.

    Args:
        items: are taken one by one, in the calling thread.
        work: is done by any thread.
        threads: how many.

    Example:
        >>> list(in_order([1, 2, 3], lambda number: number**2, 2))
        [(1, 1), (2, 4), (3, 9)]
    """
    waiting: deque[tuple[Item, Future[Result]]] = deque()
    with ThreadPoolExecutor(threads) as pool:
        try:
            for item in items:
                waiting.append((item, pool.submit(work, item)))
                if len(waiting) > 4 * threads:
                    first, future = waiting.popleft()
                    yield first, future.result()
            while waiting:
                first, future = waiting.popleft()
                yield first, future.result()
        finally:
            for _, future in waiting:
                future.cancel()
