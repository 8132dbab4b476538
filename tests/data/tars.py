"""Shards made by hand, sound and broken."""

import io
import tarfile
from pathlib import Path

import torch
from PIL import Image

from tutorial_lib.data.pairs import Pairs


def picture(mode: str = "RGB", size: tuple[int, int] = (16, 16), colour: object = 0) -> Image.Image:
    return Image.new(mode, size, colour)


def encoded(image: Image.Image, form: str) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, form)
    return buffer.getvalue()


def write_tar(path: Path, files: dict[str, bytes], mode: str = "w") -> Path:
    with tarfile.open(path, mode) as tar:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    return path


def some_pairs(n: int = 7, side: int = 16, seed: int = 0) -> Pairs:
    generator = torch.Generator().manual_seed(seed)
    images = torch.randint(0, 256, (n, 3, side, side), generator=generator, dtype=torch.uint8)
    captions = tuple(f"picture {i}, “naïve” 图" for i in range(n))
    return Pairs(images, captions, tuple(f"key-{i:03d}" for i in range(n)), torch.arange(n) - 1)
