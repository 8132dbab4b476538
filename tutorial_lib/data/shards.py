"""WebDataset shards: the format of CC3M and LAION, one pair at a time. Introduced in the chapter on backdoors.

A shard is a tar archive in which neighbouring files with one key are one pair: `key.webp` (or jpg, png),
`key.txt` with the caption and, if you like, `key.json` and `key.cls` with the number of a class. Clean and poisoned
pairs are written by the same function in the same codec, so nothing but their content tells them apart.
"""

from __future__ import annotations

import gzip
import io
import json
import struct
import tarfile
import warnings
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from braceexpand import braceexpand
from PIL import Image

PICTURES = ("webp", "jpg", "jpeg", "png")
CODECS = ("webp", "png")
#: Share of pairs that may be unusable before reading stops.
TOLERANCE = 0.01


class ShardError(RuntimeError):
    """A shard is missing, damaged or not an archive, or too many of its pairs cannot be used."""


class SkippedPairsWarning(UserWarning):
    """Some pairs could not be used and were left out."""


@dataclass(frozen=True)
class Sample:
    """One pair as it lies in a shard.

    Attributes:
        key: name of the pair.
        picture: the encoded picture, empty where there is none.
        suffix: its format, one of `PICTURES`.
        caption: empty where there is none.
        meta: the content of `key.json`.
        label: the class number in `key.cls`, -1 where there is none.
        shard: the archive.
        offset: where in it the picture begins, in bytes; -1 in a compressed archive.

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

    @property
    def number(self) -> int:
        """The class of the pair, from `key.json` or `key.cls`; -1 where it is not said."""
        number = self.meta.get("concept", self.label)
        return number if isinstance(number, int) else self.label

    @property
    def lossless(self) -> bool:
        """Whether the picture's codec keeps every pixel."""
        return self.picture.startswith(b"\x89PNG") or (self.picture[:4] == b"RIFF" and b"VP8L" in self.picture[:64])


def expand(paths: str | Path | Iterable[str | Path]) -> list[Path]:
    """The shards that some paths stand for.

    Args:
        paths: files, folders, globs (`clean/*.tar`), ranges (`{00000..00099}.tar`), or several joined by `::`.

    Raises:
        ShardError: a path stands for no shard.

    Example:
        >>> expand("nowhere/{000..002}.tar")  # doctest: +ELLIPSIS
        Traceback (most recent call last):
        tutorial_lib.data.shards.ShardError: no shards match nowhere/000.tar: ...
    """
    found: list[Path] = []
    for entry in [paths] if isinstance(paths, str | Path) else paths:
        for pattern in str(entry).split("::"):
            for name in [pattern] if Path(pattern).exists() else braceexpand(pattern):
                path = Path(name)
                if path.is_file():
                    hits = [path]
                elif path.is_dir():
                    hits = sorted([*path.glob("*.tar"), *path.glob("*.tar.gz")])
                else:
                    root = Path(path.anchor) if path.is_absolute() else Path()
                    parts = path.relative_to(root) if path.is_absolute() else path
                    hits = sorted(root.glob(str(parts))) if any(c in name for c in "*?[") else []
                if not hits:
                    raise ShardError(f"no shards match {name}: give .tar files, a folder that holds some, or a glob")
                found += hits
    return list(dict.fromkeys(found))


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
    key, count, end = "", 0, 0
    parts: dict[str, bytes] = {}
    offsets: dict[str, int] = {}
    try:
        with tarfile.open(shard, "r:*") as tar:
            compressed = not isinstance(tar.fileobj, io.BufferedReader)
            for member in tar:
                end = member.offset_data + (-(-member.size // 512) * 512 if member.isfile() else 0)
                body = tar.extractfile(member) if member.isfile() else None
                if body is None:
                    continue
                folder, _, name = member.name.rpartition("/")
                stem, _, suffix = name.partition(".")
                name = f"{folder}/{stem}" if folder else stem
                if name != key and parts:
                    yield _sample(key, parts, offsets, shard)
                    count, parts, offsets = count + 1, {}, {}
                key = name
                parts[suffix.lower()] = body.read()
                offsets[suffix.lower()] = -1 if compressed else member.offset_data
        if not compressed and not _ends(shard, end):
            raise ShardError(f"{shard} is truncated after {count} pairs: fetch or write it again")
    except (tarfile.TarError, EOFError, zlib.error, gzip.BadGzipFile) as error:
        what = f"truncated or damaged after {count} pairs" if count or parts else "not a tar archive, or damaged"
        raise ShardError(f"{shard} is {what} ({error}): fetch or write it again") from error
    if parts:
        yield _sample(key, parts, offsets, shard)


def _ends(shard: Path, position: int) -> bool:
    """Whether the archive's end mark, a block of zeros, follows; tarfile takes a sudden end for one."""
    with shard.open("rb") as file:
        file.seek(position)
        return file.read(512) == bytes(512)


def _sample(key: str, parts: dict[str, bytes], offsets: dict[str, int], shard: Path) -> Sample:
    suffix = next((s for s in PICTURES if s in parts), "")
    try:
        meta = json.loads(parts["json"]) if "json" in parts else {}
    except ValueError:
        meta = {}
    label = parts.get("cls", b"").decode(errors="replace").strip()
    return Sample(
        key=key,
        picture=parts.get(suffix, b""),
        suffix=suffix,
        caption=parts.get("txt", b"").decode(errors="replace").strip(),
        meta=meta if isinstance(meta, dict) else {},
        label=int(label) if label.isdigit() else -1,
        shard=shard,
        offset=offsets.get(suffix, -1),
    )


def decode(picture: bytes, *, side: int | None = None) -> np.ndarray:
    """An encoded picture of any mode as RGB, shape (H, W, 3), uint8; transparent parts over white.

    Args:
        picture: the bytes of a file.
        side: if given, the shorter side is resized to it (bicubic) and the centre is cut out, as open_clip does.

    Raises:
        ValueError: the bytes are no picture.

    Example:
        >>> decode(b"no picture")
        Traceback (most recent call last):
        ValueError: not a picture that can be decoded: cannot identify image file <_io.BytesIO object at ...>
    """
    try:
        image = to_rgb(Image.open(io.BytesIO(picture)))
    except (OSError, SyntaxError, EOFError, ValueError, struct.error, Image.DecompressionBombError) as error:
        raise ValueError(f"not a picture that can be decoded: {error}") from error
    return np.array(resize(image, side) if side else image)


def to_rgb(image: Image.Image) -> Image.Image:
    """Any mode to RGB: transparent parts over white, 16-bit grey scaled down.

    Example:
        >>> to_rgb(Image.new("RGBA", (2, 2), (0, 0, 0, 0))).getpixel((0, 0))  # transparent: white
        (255, 255, 255)
    """
    image.load()
    if image.mode.startswith("I"):
        image = Image.fromarray((np.asarray(image).astype(np.int64) >> 8).clip(0, 255).astype(np.uint8))
    if image.mode in ("RGBA", "LA", "PA", "La", "RGBa") or "transparency" in image.info:
        image = image.convert("RGBA")
        ground = Image.new("RGBA", image.size, "white")
        return Image.alpha_composite(ground, image).convert("RGB")
    return image if image.mode == "RGB" else image.convert("RGB")


def resize(image: Image.Image, side: int) -> Image.Image:
    """Shorter side to `side` by bicubic interpolation, then the centre: open_clip's evaluation view.

    Example:
        >>> resize(Image.new("RGB", (80, 40)), 20).size
        (20, 20)
    """
    if image.size == (side, side):
        return image
    from torchvision.transforms import CenterCrop, Compose, InterpolationMode, Resize  # only where pictures are resized

    view: Image.Image = Compose([Resize(side, interpolation=InterpolationMode.BICUBIC), CenterCrop(side)])(image)
    return view


class Tally:
    """Counts pairs that were used and pairs that were left out, with the first reason of each kind.

    Example:
        >>> tally = Tally()
        >>> tally.unusable(Sample("1", b"", "", "a dog", {}, -1, Path("pairs-00000.tar"))), dict(tally.skipped)
        (True, {'without a picture': ['1 in pairs-00000.tar']})
    """

    def __init__(self) -> None:
        self.used = 0
        self.skipped: dict[str, list[str]] = {}

    def skip(self, sample: Sample, why: str) -> None:
        self.skipped.setdefault(why, []).append(f"{sample.key} in {sample.shard.name}")

    def unusable(self, sample: Sample) -> bool:
        """Count a pair that lacks its picture or its caption."""
        if not sample.picture:
            self.skip(sample, "without a picture")
        elif not sample.caption:
            self.skip(sample, "with an empty caption")
        else:
            return False
        return True

    def report(self) -> None:
        """Warn about what was left out.

        Raises:
            ShardError: nothing can be used, or more than 1 % was left out.
        """
        left = sum(map(len, self.skipped.values()))
        total = self.used + left
        parts = [f"{len(names)} {why} (first: {names[0]})" for why, names in self.skipped.items()]
        if not self.used:
            raise ShardError(f"none of {total} pairs can be used: {'; '.join(parts) or 'the shards are empty'}")
        if left > TOLERANCE * total:
            raise ShardError(f"{left} of {total} pairs, more than {TOLERANCE:.0%}, cannot be used: {'; '.join(parts)}")
        if left:
            warnings.warn(f"{left} of {total} pairs skipped: {'; '.join(parts)}", SkippedPairsWarning, stacklevel=3)
