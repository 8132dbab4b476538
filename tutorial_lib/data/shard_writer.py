"""Writing WebDataset shards: clean and poisoned pairs in the same codec, the same bytes every time."""

from __future__ import annotations

import io
import json
import os
import tarfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from tutorial_lib.data.pairs import Pairs
from tutorial_lib.data.shards import CODECS


def encode(image: np.ndarray, codec: str = "webp") -> bytes:
    """A picture (H, W, 3), uint8, without loss; the same pixels always give the same bytes.

    Raises:
        ValueError: there is no such codec.

    Example:
        >>> encode(np.zeros((4, 4, 3), np.uint8))[:4]
        b'RIFF'
    """
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
        ValueError: `shard_size` is below 1, or `codec` is neither.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     with ShardWriter(Path(folder), shard_size=1) as writer:
        ...         for key in ("1", "2"):
        ...             writer.add(key, np.zeros((4, 4, 3), np.uint8), "a dog", {})
        ...     [path.name for path in writer.paths]
        ['pairs-00000.tar', 'pairs-00001.tar']
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

    def add(self, key: str, image: np.ndarray, caption: str, meta: dict[str, Any], label: int = -1) -> None:
        """Append one pair.

        Args:
            key: its name, without a dot.
            image: shape (H, W, 3), uint8.
            caption: of the picture.
            meta: for `key.json`.
            label: class number for `key.cls`; that of none, -1, is not written.

        Raises:
            ValueError: the name has a dot.
        """
        if "." in key.rpartition("/")[2]:
            raise ValueError(f"the key {key!r} has a dot, at which WebDataset would cut it")
        if self.count % self.shard_size == 0:
            self._close()
            name = f"{self.prefix}-{len(self._sizes):05d}.tar"
            self._sizes[name] = 0
            self._tar = tarfile.open(self.folder / f"{name}.part", "w", format=tarfile.GNU_FORMAT)  # noqa: SIM115
        assert self._tar is not None
        body = json.dumps({"key": key} | meta, ensure_ascii=False, sort_keys=True).encode()
        parts = [(self.codec, encode(image, self.codec)), ("txt", caption.encode()), ("json", body)]
        for suffix, content in parts + [("cls", str(label).encode())] * (label >= 0):
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

    def __exit__(self, kind: type[BaseException] | None, *_: Any) -> None:
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
        sizes = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
        part = path.with_name("sizes.json.part")
        part.write_text(json.dumps(sizes | self._sizes, indent=1, sort_keys=True) + "\n", encoding="utf-8")
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
        ValueError: `shard_size` is below 1, or `codec` is neither.

    Example:
        >>> import tempfile, torch
        >>> one = Pairs(torch.zeros(1, 3, 8, 8, dtype=torch.uint8), ("a dog",), ("1",), torch.tensor([-1]))
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     [path.name for path in write_pairs(Path(folder), one, prefix="clean")]
        ['clean-00000.tar']
    """
    if labels is not None and len(labels) != len(pairs):
        raise ValueError(f"{len(labels)} labels for {len(pairs)} pairs")
    pixels = pairs.pixels.permute(0, 2, 3, 1).contiguous().numpy()
    with ShardWriter(Path(folder), prefix=prefix, shard_size=shard_size, codec=codec) as writer:
        for i, (key, caption, concept) in enumerate(
            zip(pairs.keys, pairs.captions, pairs.concept.tolist(), strict=True)
        ):
            meta = {"concept": concept} if concept >= 0 else {}
            writer.add(key, pixels[i], caption, meta if labels is None else meta | {"label": labels[i]})
    return writer.paths
