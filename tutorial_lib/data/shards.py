"""WebDataset shards: the format of CC3M and LAION, read and written. Introduced in chapter 4.

A shard is a tar archive in which neighbouring files with one key are one pair: `key.webp` (or jpg, png),
`key.txt` with the caption and, if you like, `key.json`. Clean and poisoned pairs are written by the same
function in the same codec, so nothing but their content tells them apart.
"""

from __future__ import annotations

import gzip
import io
import json
import os
import struct
import tarfile
import warnings
import zlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from braceexpand import braceexpand
from PIL import Image
from torchvision.transforms import CenterCrop, Compose, InterpolationMode, Resize

from tutorial_lib.data.pairs import Pairs

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
    """

    key: str
    picture: bytes
    suffix: str
    caption: str
    meta: dict
    label: int
    shard: Path

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
    """
    for shard in expand(paths):
        yield from _read(shard)


def _read(shard: Path) -> Iterator[Sample]:
    key, count, end = "", 0, 0
    parts: dict[str, bytes] = {}
    try:
        with tarfile.open(shard, "r:*") as tar:
            for member in tar:
                end = member.offset_data + (-(-member.size // 512) * 512 if member.isfile() else 0)
                body = tar.extractfile(member) if member.isfile() else None
                if body is None:
                    continue
                folder, _, name = member.name.rpartition("/")
                stem, _, suffix = name.partition(".")
                name = f"{folder}/{stem}" if folder else stem
                if name != key and parts:
                    yield _sample(key, parts, shard)
                    count, parts = count + 1, {}
                key = name
                parts[suffix.lower()] = body.read()
            compressed = not isinstance(tar.fileobj, io.BufferedReader)
        if not compressed and not _ends(shard, end):
            raise ShardError(f"{shard} is truncated after {count} pairs: fetch or write it again")
    except (tarfile.TarError, EOFError, zlib.error, gzip.BadGzipFile) as error:
        what = f"truncated or damaged after {count} pairs" if count or parts else "not a tar archive, or damaged"
        raise ShardError(f"{shard} is {what} ({error}): fetch or write it again") from error
    if parts:
        yield _sample(key, parts, shard)


def _ends(shard: Path, position: int) -> bool:
    """Whether the archive's end mark, a block of zeros, follows; tarfile takes a sudden end for one."""
    with shard.open("rb") as file:
        file.seek(position)
        return file.read(512) == bytes(512)


def _sample(key: str, parts: dict[str, bytes], shard: Path) -> Sample:
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
    )


def decode(picture: bytes, *, side: int | None = None) -> np.ndarray:
    """An encoded picture of any mode as RGB, shape (H, W, 3), uint8; transparent parts over white.

    Args:
        picture: the bytes of a file.
        side: if given, the shorter side is resized to it (bicubic) and the centre is cut out, as open_clip does.

    Raises:
        ValueError: the bytes are no picture.
    """
    try:
        image = to_rgb(Image.open(io.BytesIO(picture)))
    except (OSError, SyntaxError, EOFError, ValueError, struct.error, Image.DecompressionBombError) as error:
        raise ValueError(f"not a picture that can be decoded: {error}") from error
    return np.array(resize(image, side) if side else image)


def to_rgb(image: Image.Image) -> Image.Image:
    """Any mode to RGB: transparent parts over white, 16-bit grey scaled down."""
    image.load()
    if image.mode.startswith("I"):
        image = Image.fromarray((np.asarray(image).astype(np.int64) >> 8).clip(0, 255).astype(np.uint8))
    if image.mode in ("RGBA", "LA", "PA", "La", "RGBa") or "transparency" in image.info:
        image = image.convert("RGBA")
        ground = Image.new("RGBA", image.size, "white")
        return Image.alpha_composite(ground, image).convert("RGB")
    return image if image.mode == "RGB" else image.convert("RGB")


def resize(image: Image.Image, side: int) -> Image.Image:
    """Shorter side to `side` by bicubic interpolation, then the centre: open_clip's evaluation view."""
    if image.size == (side, side):
        return image
    return Compose([Resize(side, interpolation=InterpolationMode.BICUBIC), CenterCrop(side)])(image)


class Tally:
    """Counts pairs that were used and pairs that were left out, with the first reason of each kind."""

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


def read_pairs(paths: str | Path | Iterable[str | Path], *, side: int | None = None, limit: int = 0) -> Pairs:
    """All pairs of some shards, in memory.

    Pairs without a caption or with a corrupted picture are skipped, counted and reported as a
    `SkippedPairsWarning`. Memory is 3 x side² bytes a pair.

    Args:
        paths: files, folders, globs or ranges, as `expand` reads them.
        side: width and height of the result; by default that of the stored pictures.
        limit: stop after so many usable pairs, 0 for all.

    Raises:
        ShardError: no shards, a damaged shard, more than 1 % unusable pairs, or pictures of several sizes
            without `side`.

    Example:
        >>> read_pairs("cc3m/{00000..00331}.tar", side=64)  # doctest: +SKIP
    """
    images: list[np.ndarray] = []
    captions, keys, concept, tally = [], [], [], Tally()
    for sample in samples(paths):
        if tally.unusable(sample):
            continue
        try:
            image = decode(sample.picture, side=side)
        except ValueError:
            tally.skip(sample, "with a corrupted picture")
            continue
        if images and image.shape != images[0].shape:
            raise ShardError(
                f"pictures of {images[0].shape[1]}x{images[0].shape[0]} and of {image.shape[1]}x{image.shape[0]} "
                f"pixels ({sample.key} in {sample.shard}): give one side to resize all to"
            )
        images.append(image)
        captions.append(sample.caption)
        keys.append(sample.key)
        number = sample.meta.get("concept", sample.label)
        concept.append(number if isinstance(number, int) else sample.label)
        tally.used += 1
        if tally.used == limit:
            break
    tally.report()
    pixels = torch.from_numpy(np.stack(images)).permute(0, 3, 1, 2).contiguous()
    return Pairs(pixels, tuple(captions), tuple(keys), torch.tensor(concept))


def encode(image: np.ndarray, codec: str = "webp") -> bytes:
    """A picture (H, W, 3), uint8, without loss; the same pixels always give the same bytes."""
    buffer = io.BytesIO()
    if codec == "webp":
        Image.fromarray(image).save(buffer, "WEBP", lossless=True, method=0, quality=0)
    elif codec == "png":
        Image.fromarray(image).save(buffer, "PNG")
    else:
        raise ValueError(f"codec must be one of {', '.join(CODECS)}, not {codec!r}")
    return buffer.getvalue()


class ShardWriter:
    """Writes pairs to numbered shards; they appear under their names only when all are complete.

    Use as a context manager; an exception inside leaves nothing behind.

    Args:
        folder: made if it does not exist.
        prefix: shards are `prefix-00000.tar`, …
        shard_size: pairs per shard.
        codec: "webp" (lossless) or "png".

    Raises:
        FileExistsError: the folder holds shards with this prefix.
    """

    def __init__(self, folder: Path, *, prefix: str = "pairs", shard_size: int = 1000, codec: str = "webp") -> None:
        if shard_size < 1:
            raise ValueError(f"shard_size must be at least 1, not {shard_size}")
        if codec not in CODECS:
            raise ValueError(f"codec must be one of {', '.join(CODECS)}, not {codec!r}")
        self.folder, self.prefix, self.shard_size, self.codec = Path(folder), prefix, shard_size, codec
        if old := sorted(self.folder.glob(f"{prefix}-*.tar")):
            raise FileExistsError(f"{self.folder} already holds {old[0].name}: choose another folder or remove it")
        self.count = 0
        self._tar: tarfile.TarFile | None = None
        self._sizes: dict[str, int] = {}

    def __enter__(self) -> ShardWriter:
        self.folder.mkdir(parents=True, exist_ok=True)
        return self

    def add(self, key: str, image: np.ndarray, caption: str, meta: dict) -> None:
        """Append one pair."""
        if "." in key.rpartition("/")[2]:
            raise ValueError(f"the key {key!r} has a dot, at which WebDataset would cut it")
        if self.count % self.shard_size == 0:
            self._close()
            name = f"{self.prefix}-{len(self._sizes):05d}.tar"
            self._sizes[name] = 0
            self._tar = tarfile.open(self.folder / f"{name}.part", "w", format=tarfile.GNU_FORMAT)  # noqa: SIM115
        assert self._tar is not None
        body = json.dumps({"key": key} | meta, ensure_ascii=False, sort_keys=True).encode()
        for suffix, content in (
            (self.codec, encode(image, self.codec)),
            ("txt", caption.encode()),
            ("json", body),
        ):
            member = tarfile.TarInfo(f"{key}.{suffix}")  # time 0, owner 0: the same bytes at any time
            member.size, member.mode = len(content), 0o644
            self._tar.addfile(member, io.BytesIO(content))
        self.count += 1
        self._sizes[f"{self.prefix}-{len(self._sizes) - 1:05d}.tar"] += 1

    @property
    def paths(self) -> list[Path]:
        return [self.folder / name for name in self._sizes]

    def _close(self) -> None:
        if self._tar is not None:
            self._tar.close()
            self._tar = None

    def __exit__(self, kind, *_) -> None:
        self._close()
        for path in self.paths:
            part = path.with_name(path.name + ".part")
            if kind is None:
                os.replace(part, path)
            else:
                part.unlink(missing_ok=True)
        if kind is None:
            self._write_sizes()

    def _write_sizes(self) -> None:
        """`sizes.json`, in which open_clip's trainer looks for the number of pairs."""
        path = self.folder / "sizes.json"
        sizes = json.loads(path.read_text()) if path.is_file() else {}
        part = path.with_name("sizes.json.part")
        part.write_text(json.dumps(sizes | self._sizes, indent=1, sort_keys=True) + "\n")
        os.replace(part, path)


def write_pairs(
    folder: Path,
    pairs: Pairs,
    *,
    shard_size: int = 1000,
    codec: str = "webp",
    prefix: str = "pairs",
    labels: Sequence[str] | None = None,
) -> list[Path]:
    """Write pairs as WebDataset shards; the same pairs always give the same bytes.

    Args:
        folder: made if it does not exist.
        pairs: clean or poisoned.
        shard_size: pairs per shard.
        codec: "webp" (lossless) or "png".
        prefix: shards are `prefix-00000.tar`, …
        labels: class of each picture, stored as `label` in its JSON for evaluation; training never reads it.

    Returns:
        The shards.

    Raises:
        FileExistsError: the folder holds shards with this prefix.
    """
    if labels is not None and len(labels) != len(pairs):
        raise ValueError(f"{len(labels)} labels for {len(pairs)} pairs")
    pixels = pairs.images.permute(0, 2, 3, 1).contiguous().numpy()
    with ShardWriter(Path(folder), prefix=prefix, shard_size=shard_size, codec=codec) as writer:
        for i, (key, caption, concept) in enumerate(
            zip(pairs.keys, pairs.captions, pairs.concept.tolist(), strict=True)
        ):
            meta = {"concept": concept} if concept >= 0 else {}
            writer.add(key, pixels[i], caption, meta if labels is None else meta | {"label": labels[i]})
    return writer.paths
