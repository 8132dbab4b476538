"""Captioned pictures in each layout that people have; every maker writes the same pairs and says what to import."""

import csv
import io
import json
import random
import tarfile
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

WORDS = ("dog", "café", "red car", "Ωmega", "図書館", "naïve 🍌", 'it\'s; a, "quote"')
CLASSES = ("apple pie", "dog", "zebra")


@dataclass(frozen=True)
class Pair:
    """What goes in, and has to come out."""

    name: str
    pixels: np.ndarray
    caption: str
    label: str

    def encoded(self, form: str = "PNG") -> bytes:
        file = io.BytesIO()
        Image.fromarray(self.pixels).save(file, form)
        return file.getvalue()


def pairs(count: int, seed: int = 0) -> list[Pair]:
    """Pictures of several sizes, with captions of several scripts."""
    draw, generator = random.Random(seed), np.random.default_rng(seed)
    found = []
    for i in range(count):
        height, width = draw.randrange(3, 40), draw.randrange(3, 40)
        pixels = generator.integers(0, 256, (height, width, 3), dtype=np.uint8)
        caption = f"{draw.choice(WORDS)} number {i}"
        found.append(Pair(f"p{i:03d}", pixels, caption, CLASSES[i % len(CLASSES)]))
    return found


def tar(path: Path, files: list[tuple[str, bytes]], mode: str = "w") -> Path:
    """A tar archive of some files, in their order."""
    with tarfile.open(path, mode) as archive:
        for name, content in files:
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return path


def zipped(path: Path, files: list[tuple[str, bytes]]) -> Path:
    """A zip archive of some files, in their order."""
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in files:
            archive.writestr(name, content)
    return path


def folder(path: Path, files: list[tuple[str, bytes]]) -> Path:
    """A folder of some files."""
    for name, content in files:
        place = path / name
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(content)
    return path


def rows(some: list[Pair], separator: str = ",", **columns: str) -> bytes:
    """A table of the pairs, with other names of columns where they are given."""
    names = {"image": "image", "caption": "caption", "label": "label"} | columns
    file = io.StringIO()
    writer = csv.writer(file, delimiter=separator)
    writer.writerow(names.values())
    writer.writerows((f"img/{pair.name}.png", pair.caption, pair.label) for pair in some)
    return file.getvalue().encode()


def images(some: list[Pair]) -> list[tuple[str, bytes]]:
    return [(f"img/{pair.name}.png", pair.encoded()) for pair in some]


def with_texts(some: list[Pair], picture: str = ".png", text: str = ".txt") -> list[tuple[str, bytes]]:
    """Pictures and captions of the same names, with classes by name."""
    files = []
    for pair in some:
        files += [(pair.name + picture, pair.encoded()), (f"{pair.name}.cls", pair.label.encode())]
        body = pair.caption if text != ".json" else json.dumps({"TEXT": pair.caption})
        files.append((pair.name + text, body.encode()))
    return files


def lines(some: list[Pair]) -> bytes:
    found = [{"file_name": f"img/{p.name}.png", "text": p.caption, "label": p.label} for p in some]
    return "\n".join(json.dumps(line, ensure_ascii=False) for line in found).encode()


def far_apart(some: list[Pair]) -> list[tuple[str, bytes]]:
    """All pictures, then all captions in another order."""
    files = with_texts(some)
    texts = [file for file in files if not file[0].endswith("png")]
    return [file for file in files if file[0].endswith("png")] + texts[::-1]


def table(path: Path, some: list[Pair], name: str, content: bytes) -> Path:
    folder(path, [*images(some), (name, content)])
    return path / name


#: Each writes some pairs into a new folder, and gives what to import; labels and captions are kept by all.
LAYOUTS: dict[str, Callable[[Path, list[Pair]], Path]] = {
    "csv": lambda path, some: table(path, some, "a.csv", rows(some)),
    "csv with a mark": lambda path, some: table(path, some, "a.csv", b"\xef\xbb\xbf" + rows(some)),
    "csv in UTF-16": lambda path, some: table(path, some, "a.csv", rows(some).decode().encode("utf-16")),
    "csv of Excel": lambda path, some: table(path, some, "a.csv", rows(some, ";", image="Filename", caption="Title")),
    "tsv of open_clip": lambda path, some: table(
        path, some, "a.tsv", rows(some, "\t", image="filepath", caption="title")
    ),
    "JSON lines": lambda path, some: table(path, some, "metadata.jsonl", lines(some)),
    "folder with a csv": lambda path, some: table(path, some, "metadata.csv", rows(some, image="file_name")).parent,
    "zip with a csv": lambda path, some: zipped(path / "a.zip", [("x/a.csv", rows(some)), *in_x(images(some))]),
    "tgz with a csv": lambda path, some: tar(
        path / "a.tgz", [("x/a.csv", rows(some)), *in_x(images(some))[::-1]], "w:gz"
    ),
    "folder of texts": lambda path, some: folder(path / "a", with_texts(some)),
    "deep folders": lambda path, some: folder(path / "a", [(f"{n[1:3]}/{n[3]}/{n}", b) for n, b in with_texts(some)]),
    "captions in JSON": lambda path, some: folder(path / "a", with_texts(some, ".PNG", ".json")),
    "WebDataset": lambda path, some: tar(path / "a.tar", with_texts(some)),
    "compound suffixes": lambda path, some: tar(path / "A.TAR", with_texts(some, ".input.png", ".outputs.txt")),
    "far apart": lambda path, some: tar(path / "a.tar", far_apart(some)),
    "far apart and compressed": lambda path, some: tar(path / "a.tar.gz", far_apart(some), "w:gz"),
    "xz": lambda path, some: tar(path / "a.tar.xz", with_texts(some, ".jpeg.png", ".caption"), "w:xz"),
    "zip": lambda path, some: zipped(path / "a.zip", with_texts(some, text=".text")),
    "zip of a tar": lambda path, some: zipped(
        path / "a.zip", [("b/b.tar", tar(path / "b.tar", far_apart(some)).read_bytes())]
    ),
    "folder of archives": lambda path, some: folder(
        path / "a",
        [
            ("one/1.tar", tar(path / "1.tar", with_texts(some[::2])).read_bytes()),
            ("2.zip", zipped(path / "2.zip", with_texts(some[1::2])).read_bytes()),
        ],
    ),
    "archives in a row": lambda path, some: (
        folder(
            path, [("a.tar", b"".join(tar(path / n, with_texts(some[i::2])).read_bytes() for i, n in enumerate("xy")))]
        )
        / "a.tar"
    ),
    "macOS": lambda path, some: tar(
        path / "a.tar", [m for n, b in with_texts(some) for m in ((f"./._{n}", b"\0\5\x16\7"), (f"./{n}", b))]
    ),
}


def in_x(files: list[tuple[str, bytes]]) -> list[tuple[str, bytes]]:
    return [(f"x/{name}", content) for name, content in files]


def class_folders(some: list[Pair]) -> list[tuple[str, bytes]]:
    """An ImageFolder."""
    return [(f"{pair.label.replace(' ', '_')}/{pair.name}.png", pair.encoded()) for pair in some]
