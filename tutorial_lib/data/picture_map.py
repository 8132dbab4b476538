"""Pictures in a memory map on disk: made once, in blocks with a checksum each, and read in any order.

Processes that train on the same pictures share the pages of one map, and what does not fit into memory stays on disk.
Beside the map, `<name>.json` says what it is of and the checksum of each block. When a map is opened every block is
read and compared: one that is missing, cut short or damaged is drawn anew, as is what a killed process did not reach.
"""

from __future__ import annotations

import errno
import json
import os
import shutil
import warnings
import zlib
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch
from filelock import FileLock
from torch import Tensor

from tutorial_lib.files import NotWrittenError, whole
from tutorial_lib.notes import Note
from tutorial_lib.ticker import Ticker

#: Pictures of a block.
BLOCK = 1 << 14
#: Share of the free disk that a map may take.
USABLE = 0.95


def mapped(path: Path, count: int, side: int, made: str, draw: Callable[[range], Tensor]) -> Tensor:
    """The first `count` pictures of a map, which is made or continued where they are not there.

    Args:
        path: of the map; its checksums and a lock lie beside it.
        count: how many pictures are needed.
        side: width and height in pixels.
        made: what the pictures are of, in words that differ for other pictures.
        draw: pictures of some numbers, shape (n, 3, side, side), uint8; the same whenever it is asked.

    Returns:
        Shape (count, 3, side, side), uint8, on disk; what is written into the tensor stays in memory.

    Raises:
        ValueError: the map is of other pictures.
        NotWrittenError: the disk is full or the folder cannot be written.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     path = Path(folder, "dark.map")
        ...     mapped(path, 2, 4, "dark", lambda these: torch.zeros(len(these), 3, 4, 4, dtype=torch.uint8)).shape
        torch.Size([2, 3, 4, 4])
    """
    blocks = -(-count // BLOCK)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(path.with_suffix(".lock")):  # who waits finds the map made
            path.touch()
            sums = _sums(path, made)
            sound = _sound(path, sums[:blocks], side)
            if wrong := sound.count(False):
                warnings.warn(f"{wrong} of {len(sound)} blocks of {path} are damaged: drawn anew", Note, stacklevel=2)
            if missing := [k for k in range(blocks) if not (k < len(sound) and sound[k])]:
                _require_room(path, room_needed(path, count, side))
                _write(path, made, sums, missing, draw)
    except NotWrittenError:
        raise
    except OSError as error:
        raise NotWrittenError(error.errno, error.strerror, str(path)) from error
    return torch.from_numpy(np.memmap(path, dtype=np.uint8, mode="c", shape=(count, 3, side, side)))


def room_needed(path: Path, count: int, side: int) -> int:
    """Bytes that a map still takes on its disk.

    Example:
        >>> room_needed(Path("nowhere.map"), 1, 32) == BLOCK * 3 * 32 * 32
        True
    """
    there = path.stat().st_size if path.is_file() else 0
    return max(0, -(-count // BLOCK) * BLOCK * 3 * side * side - there)


def _sums(path: Path, made: str) -> list[int]:
    """The checksums that are noted beside a map; none where nothing is noted, or the note is damaged."""
    try:
        body = json.loads(_beside(path).read_text("utf-8"))
        found, sums = str(body["made"]), [int(s) for s in body["sums"]]
    except (OSError, ValueError, KeyError, TypeError):
        return []
    if found != made:
        raise ValueError(f"{path} holds other pictures ({found}; these are {made}): remove it, or take another folder")
    return sums


def _beside(path: Path) -> Path:
    return path.with_suffix(".json")


def _sound(path: Path, sums: Sequence[int], side: int) -> list[bool]:
    """Whether each block is as its checksum says; reading them all fetches the map from the disk, too."""
    with path.open("rb") as file:
        blocks = Ticker("reading a map", "blocks", len(sums), lines=False).over(sums)
        return [zlib.crc32(file.read(BLOCK * 3 * side * side)) == said for said in blocks]


def _require_room(path: Path, needed: int) -> None:
    free = shutil.disk_usage(path.parent).free
    if needed > USABLE * free:
        said = f"{needed / 1e9:,.1f} GB more are needed there, and {free / 1e9:,.1f} GB are free"
        raise NotWrittenError(errno.ENOSPC, said, str(path))


def _write(path: Path, made: str, sums: list[int], missing: Sequence[int], draw: Callable[[range], Tensor]) -> None:
    """Draw what is missing, block by block; each is noted when it is on disk."""
    with path.open("r+b") as file:
        for k in Ticker("drawing", "blocks", len(missing), lines=False).over(missing):
            block = draw(range(k * BLOCK, (k + 1) * BLOCK)).contiguous().numpy().data
            file.seek(k * block.nbytes)
            file.write(block)
            file.flush()
            os.fsync(file.fileno())
            sums[k : k + 1] = [zlib.crc32(block)]
            with whole(_beside(path), alone=True) as part:
                part.write_text(json.dumps({"made": made, "sums": sums}), "utf-8")
