"""Shards: every kind of picture is decoded, paths come in every form, and bad shards are named."""

import gzip
import io
import tarfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from torchvision.transforms import CenterCrop, Compose, InterpolationMode, Resize

from tests.data.tars import encoded, picture, some_pairs
from tutorial_lib.data.decoding import decode
from tutorial_lib.data.loading import read_pairs
from tutorial_lib.data.shard_writer import write_pairs
from tutorial_lib.data.shards import ShardError, expand
from tutorial_lib.notes import Note


@pytest.mark.parametrize("size", [(16, 16), (40, 30), (31, 57)])
def test_resizing_is_open_clips(size: tuple[int, int]) -> None:
    image = Image.fromarray(np.random.default_rng(0).integers(0, 256, (*size, 3), dtype=np.uint8))
    reference = Compose([Resize(16, interpolation=InterpolationMode.BICUBIC), CenterCrop(16)])(image)
    assert np.array_equal(decode(encoded(image, "PNG"), side=16), np.array(reference))


@pytest.mark.parametrize(
    ("image", "expected"),
    [
        (picture("RGBA", colour=(255, 0, 0, 0)), (255, 255, 255)),
        (picture("RGBA", colour=(255, 0, 0, 255)), (255, 0, 0)),
        (picture("LA", colour=(0, 0)), (255, 255, 255)),
        (picture("L", colour=90), (90, 90, 90)),
        (picture("1", colour=1), (255, 255, 255)),
        (picture("I;16", colour=256 * 77), (77, 77, 77)),
        (picture("RGB", colour=(1, 2, 3)).convert("P"), (0, 0, 0)),
    ],
)
def test_every_mode_becomes_rgb(image: Image.Image, expected: tuple[int, int, int]) -> None:
    pixels = decode(encoded(image, "PNG"))
    assert pixels.shape == (16, 16, 3)
    assert pixels.dtype == np.uint8
    assert np.abs(pixels[0, 0].astype(int) - expected).max() <= 3


def test_cmyk_becomes_rgb() -> None:
    pixels = decode(encoded(picture("CMYK", colour=(0, 0, 0, 0)), "JPEG"))
    assert pixels.shape == (16, 16, 3)
    assert pixels.min() > 250


def test_transparent_palette_becomes_white() -> None:
    image = picture("P")
    image.putpalette([10, 20, 30] * 256)
    buffer = io.BytesIO()
    image.save(buffer, "PNG", transparency=0)
    assert decode(buffer.getvalue())[0, 0].tolist() == [255, 255, 255]


@pytest.mark.parametrize("name", ["s.tar", "s.tar.gz"])
@pytest.mark.parametrize("share", [0.3, 0.62, 0.9])
def test_a_truncated_shard_is_named(tmp_path: Path, name: str, share: float) -> None:
    whole = write_pairs(tmp_path / "whole", some_pairs(30))[0].read_bytes()
    whole = whole.rstrip(b"\0") if name == "s.tar" else gzip.compress(whole)
    shard = tmp_path / name
    shard.write_bytes(whole[: int(share * len(whole))])
    with pytest.raises(ShardError, match=rf"{name} is truncated"):
        read_pairs(shard)


def test_a_shard_cut_between_two_pairs_is_noticed(tmp_path: Path) -> None:
    path = write_pairs(tmp_path, some_pairs(4))[0]
    with tarfile.open(path) as tar:
        start = tar.getmember("key-002.webp").offset
    path.write_bytes(path.read_bytes()[:start])
    with pytest.warns(Note, match=r"pairs-00000\.tar has no end mark: it is whole, or cut between two files"):
        assert len(read_pairs(path)) == 2


@pytest.mark.parametrize("content", [b"", b"this is a page that says 404 " * 100])
def test_what_is_no_archive_is_named(tmp_path: Path, content: bytes) -> None:
    shard = tmp_path / "page.tar"
    shard.write_bytes(content)
    with pytest.raises(ShardError, match=r"page\.tar is not a tar archive"):
        read_pairs(shard)


def test_no_shards(tmp_path: Path) -> None:
    for pattern in (tmp_path / "none.tar", tmp_path / "*.tar", tmp_path, str(tmp_path / "{0..3}.tar")):
        with pytest.raises(ShardError, match=r"no shards match .*: give \.tar files, a folder"):
            expand(pattern)


def test_paths_in_every_form(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    a = write_pairs(tmp_path / "a", some_pairs(4), shard_size=2)
    b = write_pairs(tmp_path / "b", some_pairs(2), prefix="more")
    assert expand(tmp_path / "a") == a
    assert expand([tmp_path / "a", b[0]]) == [*a, *b]
    assert expand(f"{tmp_path}/a/*.tar::{tmp_path}/b/more-00000.tar") == [*a, *b]
    assert expand(f"{tmp_path}/a/pairs-{{00000..00001}}.tar") == a
    assert expand([a[0], a[0]]) == [a[0]]
    monkeypatch.chdir(tmp_path)
    assert [path.name for path in expand("a/*1.tar")] == ["pairs-00001.tar"]
