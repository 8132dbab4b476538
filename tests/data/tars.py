"""Shards made by hand, sound and broken."""

import io
import tarfile
from pathlib import Path

from PIL import Image


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
