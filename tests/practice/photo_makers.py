"""Small data sets in the formats that torchvision and a hub deliver: CIFAR's batches, Flickr's and COCO's captions."""

from __future__ import annotations

import io
import json
import struct
import tarfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

#: Classes of the small CIFARs, in the order of their numbers.
CLASSES = ("airplane", "sea_otter", "maple_tree", "cat")


@dataclass(frozen=True)
class Photo:
    """One picture with what is said of it."""

    name: str
    pixels: np.ndarray  # (H, W, 3)
    label: int = -1
    captions: tuple[str, ...] = ()

    def encoded(self, form: str = "PNG") -> bytes:
        file = io.BytesIO()
        Image.fromarray(self.pixels).save(file, form)
        return file.getvalue()


def photos(count: int, *, seed: int = 0, sides: tuple[int, int] = (32, 32), captions: int = 0) -> list[Photo]:
    """Pictures of noise, each of another colour, so that they can be told apart."""
    generator = np.random.default_rng(seed)
    return [
        Photo(
            f"{seed}{i:04d}_{i:x}.jpg",
            generator.integers(0, 256, (*sides, 3), dtype=np.uint8),
            i % len(CLASSES),
            tuple(f"caption {k} of picture {i}, a {CLASSES[i % 4].replace('_', ' ')} ." for k in range(captions)),
        )
        for i in range(count)
    ]


# -- pickles as Python 2 wrote them, which is how CIFAR is published


def python2_batch(content: dict[str, Any]) -> bytes:
    """A dictionary of texts, lists of numbers or texts, and one array, in protocol 2 and with Python 2's strings."""
    body = b"".join(_text(key) + _value(value) for key, value in content.items())
    return b"\x80\x02}(" + body + b"u."


def _text(text: str) -> bytes:
    raw = text.encode("latin-1")
    return b"U" + bytes([len(raw)]) + raw if len(raw) < 256 else b"T" + struct.pack("<i", len(raw)) + raw


def _value(value: Any) -> bytes:
    if isinstance(value, str):
        return _text(value)
    if isinstance(value, int):
        return b"K" + bytes([value]) if value < 256 else b"J" + struct.pack("<i", value)
    if isinstance(value, list):
        return b"](" + b"".join(map(_value, value)) + b"e"
    raw = value.tobytes()
    shape = b"".join(b"M" + struct.pack("<H", n) for n in value.shape)
    return (
        b"cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\nK\x00\x85U\x01b\x87R"
        + (b"(K\x01(" + shape + b"t")
        + b"cnumpy\ndtype\nU\x02u1K\x00K\x01\x87R(K\x03U\x01|NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb"
        + (b"\x89T" + struct.pack("<i", len(raw)) + raw + b"tb")
    )


def _rows(some: Sequence[Photo]) -> np.ndarray:
    """As CIFAR has them: all red values of a picture, then all green ones, then all blue ones."""
    return np.stack([photo.pixels.transpose(2, 0, 1).reshape(-1) for photo in some])


def cifar_files(
    train: Sequence[Photo], test: Sequence[Photo], *, fine: bool = False, classes: Sequence[str] = CLASSES
) -> dict[str, bytes]:
    """The files of CIFAR-10, or of CIFAR-100 with fine labels, in the folder in which torchvision leaves them."""

    def batch(some: Sequence[Photo], title: str) -> bytes:
        labels = [photo.label for photo in some]
        named: dict[str, Any] = {"batch_label": title, "filenames": [f"{photo.name}.png" for photo in some]}
        named |= {"fine_labels": labels, "coarse_labels": [0] * len(some)} if fine else {"labels": labels}
        return python2_batch(named | {"data": _rows(some)})

    names = [*classes]
    if fine:
        meta = python2_batch({"fine_label_names": names, "coarse_label_names": ["things"]})
        found = {"meta": meta, "train": batch(train, "training batch 1 of 1"), "test": batch(test, "test")}
        return {f"cifar-100-python/{name}": content for name, content in found.items()}
    found = {"batches.meta": python2_batch({"num_cases_per_batch": len(train), "label_names": names})}
    for number in range(5):
        found[f"data_batch_{number + 1}"] = batch(train[number::5], f"training batch {number + 1} of 5")
    found["test_batch"] = batch(test, "testing batch 1 of 1")
    return {f"cifar-10-batches-py/{name}": content for name, content in found.items()}


def put(root: Path, files: dict[str, bytes]) -> Path:
    """A folder of files."""
    for name, content in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(content)
    return root


def packed(path: Path, files: dict[str, bytes]) -> Path:
    """The archive from which torchvision unpacks them."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(path, "w:gz") as archive:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return path


# -- Parquet as a hub delivers it


def parquet(path: Path, columns: dict[str, list[Any]], *, classes: dict[str, Sequence[str]] | None = None) -> Path:
    """A file with pictures in a column, and the names of classes as Hugging Face's datasets keep them."""
    import pyarrow
    import pyarrow.parquet

    path.parent.mkdir(parents=True, exist_ok=True)
    stored = {
        name: [{"bytes": v.encoded(), "path": v.name} if isinstance(v, Photo) else v for v in values]
        for name, values in columns.items()
    }
    features = {name: {"names": [*names], "_type": "ClassLabel"} for name, names in (classes or {}).items()}
    table = pyarrow.table(stored)
    table = table.replace_schema_metadata({"huggingface": json.dumps({"info": {"features": features}})})
    pyarrow.parquet.write_table(table, path)
    return path


def cifar_parquet(root: Path, train: Sequence[Photo], test: Sequence[Photo], *, fine: bool = False) -> Path:
    """CIFAR as a hub delivers it."""
    label, folder = ("fine_label", "cifar100") if fine else ("label", "plain_text")
    for part, some in (("train", train), ("test", test)):
        columns: dict[str, list[Any]] = {"img": [*some], label: [photo.label for photo in some]}
        columns |= {"coarse_label": [0] * len(some)} if fine else {}
        parquet(root / folder / f"{part}-00000-of-00001.parquet", columns, classes={label: CLASSES})
    return root


# -- captions


def flickr8k(root: Path, some: Sequence[Photo], *, validation: int = 0, test: int = 0) -> Path:
    """Flickr8k as its authors pack it: a folder of pictures, `Flickr8k.token.txt`, and lists of the parts."""
    _jpegs(root / "Flicker8k_Dataset", some)
    lines = [f"{photo.name}#{k}\t{caption}" for photo in some for k, caption in enumerate(photo.captions)]
    (root / "Flickr8k.token.txt").write_text("\n".join(lines) + "\n", "utf-8")
    names = [photo.name for photo in some]
    if validation or test:
        parts = {"dev": names[:validation], "test": names[validation : validation + test]}
        parts["train"] = names[validation + test :]
        for part, chosen in parts.items():
            (root / f"Flickr_8k.{part}Images.txt").write_text("\n".join(chosen) + "\n", "utf-8")
    return root


def flickr8k_page(root: Path, some: Sequence[Photo]) -> Path:
    """The web page of Flickr8k that torchvision reads, with one picture that is gone."""
    _jpegs(root / "Flickr8k_Dataset", some)
    cell = (
        '<td><a href="http://www.flickr.com/photos/someone/{id}/">http://www.flickr.com/photos/someone/{id}/</a></td>'
    )
    rows = []
    for photo in some:
        captions = "".join(f"<li>{caption}</li>" for caption in photo.captions)
        rows.append(f"<tr>{cell.format(id=photo.name.partition('_')[0])}<td><ul>{captions}</ul></td></tr>")
    rows.append("<tr><td>Image Not Found</td><td><ul><li>nothing is left of it</li></ul></td></tr>")
    page = f"<html><body><h5>8k pictures</h5><table border=1>{''.join(rows)}</table></body></html>"
    (root / "8k-pictures.html").write_text(page, "utf-8")
    return root


def flickr30k(root: Path, some: Sequence[Photo]) -> Path:
    """Flickr30k as torchvision reads it: a folder of pictures and `results_20130124.token`."""
    _jpegs(root / "flickr30k-images", some)
    lines = [f"{photo.name}#{k}\t{caption}" for photo in some for k, caption in enumerate(photo.captions)]
    (root / "results_20130124.token").write_text("\n".join(lines) + "\n", "utf-8")
    return root


def coco(root: Path, train: Sequence[Photo], test: Sequence[Photo]) -> Path:
    """COCO as torchvision reads it: folders of pictures, and captions in a file of annotations for each."""
    (root / "annotations").mkdir(parents=True)
    for part, some in (("train2017", train), ("val2017", test)):
        _jpegs(root / part, some)
        body = {
            "info": {"year": 2017},
            "images": [{"id": 100 + i, "file_name": photo.name} for i, photo in enumerate(some)],
            "annotations": [
                {"id": 10 * i + k, "image_id": 100 + i, "caption": caption}
                for k in range(max(len(photo.captions) for photo in some))
                for i, photo in enumerate(some)
                for caption in photo.captions[k : k + 1]
            ],
        }
        (root / "annotations" / f"captions_{part}.json").write_text(json.dumps(body), "utf-8")
    return root


def _jpegs(folder: Path, some: Sequence[Photo]) -> None:
    folder.mkdir(parents=True)
    for photo in some:
        (folder / photo.name).write_bytes(photo.encoded("JPEG"))
