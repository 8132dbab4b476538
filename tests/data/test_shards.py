"""Shards and their writer: what is written is read, the same bytes each time, and bad shards are named."""

import gzip
import io
import json
import tarfile
import warnings
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torchvision.transforms import CenterCrop, Compose, InterpolationMode, Resize

from tests.data.tars import encoded, picture, write_tar
from tutorial_lib.data.loading import read_pairs
from tutorial_lib.data.pairs import Pairs
from tutorial_lib.data.shard_writer import encode, write_pairs
from tutorial_lib.data.shards import ShardError, SkippedPairsWarning, decode, expand, samples


def some_pairs(n: int = 7, side: int = 16, seed: int = 0) -> Pairs:
    generator = torch.Generator().manual_seed(seed)
    images = torch.randint(0, 256, (n, 3, side, side), generator=generator, dtype=torch.uint8)
    captions = tuple(f"picture {i}, “naïve” 图" for i in range(n))
    return Pairs(images, captions, tuple(f"key-{i:03d}" for i in range(n)), torch.arange(n) - 1)


@pytest.mark.parametrize("codec", ["webp", "png"])
def test_read_gives_what_was_written(tmp_path: Path, codec: str) -> None:
    pairs = some_pairs()
    written = write_pairs(tmp_path, pairs, shard_size=3, codec=codec)
    assert [path.name for path in written] == ["pairs-00000.tar", "pairs-00001.tar", "pairs-00002.tar"]
    found = read_pairs(tmp_path)
    assert found.images.equal(pairs.images)
    assert (found.captions, found.keys) == (pairs.captions, pairs.keys)
    assert found.concept.equal(pairs.concept)
    assert found.fingerprint() == pairs.fingerprint()
    assert json.loads((tmp_path / "sizes.json").read_text()) == {
        p.name: n for p, n in zip(written, (3, 3, 1), strict=True)
    }
    assert all(sample.lossless for sample in samples(tmp_path))


def test_same_pairs_same_bytes(tmp_path: Path) -> None:
    for name in ("a", "b"):
        write_pairs(tmp_path / name, some_pairs(), shard_size=4)
    a, b = (sorted((tmp_path / name).iterdir()) for name in ("a", "b"))
    assert [p.name for p in a] == [p.name for p in b]
    assert all(x.read_bytes() == y.read_bytes() for x, y in zip(a, b, strict=True))


def test_labels_are_stored_for_evaluation(tmp_path: Path) -> None:
    write_pairs(tmp_path, some_pairs(3), labels=["cat", "dog", "cat"])
    assert [sample.meta["label"] for sample in samples(tmp_path)] == ["cat", "dog", "cat"]
    with pytest.raises(ValueError, match="2 labels for 3 pairs"):
        write_pairs(tmp_path / "other", some_pairs(3), labels=["cat", "dog"])


def test_nothing_is_overwritten_and_nothing_is_left_half_written(tmp_path: Path) -> None:
    write_pairs(tmp_path, some_pairs(3))
    with pytest.raises(FileExistsError, match=r"already holds pairs-00000\.tar"):
        write_pairs(tmp_path, some_pairs(3))
    broken = some_pairs(5)
    broken = Pairs(broken.images, broken.captions, (*broken.keys[:4], "a.b"), broken.concept)
    with pytest.raises(ValueError, match="has a dot"):
        write_pairs(tmp_path / "broken", broken, shard_size=2)
    assert not list((tmp_path / "broken").iterdir())


def test_other_settings_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="codec must be one of webp, png, not 'jpg'"):
        write_pairs(tmp_path, some_pairs(), codec="jpg")
    with pytest.raises(ValueError, match="shard_size must be at least 1"):
        write_pairs(tmp_path, some_pairs(), shard_size=0)


def test_reads_the_format_of_cc3m(tmp_path: Path) -> None:
    """Plain and gzipped shards with jpg, png and webp of several sizes, folders in names, and class files."""
    files = {}
    for i, (form, suffix, size) in enumerate(
        [("JPEG", "jpg", (40, 30)), ("PNG", "png", (20, 50)), ("WEBP", "webp", (24, 24)), ("JPEG", "jpeg", (24, 40))]
    ):
        files[f"00/{i:09d}.{suffix}"] = encoded(picture(size=size, colour=(200, 10 * i, 0)), form)
        files[f"00/{i:09d}.txt"] = f"a caption {i}\n".encode()
        files[f"00/{i:09d}.json"] = b'{"url": "x"}'
    write_tar(tmp_path / "00000.tar", files)
    write_tar(tmp_path / "00001.tar.gz", {name.replace("00/", "01/"): body for name, body in files.items()}, "w:gz")
    found = read_pairs(str(tmp_path / "{00000.tar,00001.tar.gz}"), side=16)
    assert found.images.shape == (8, 3, 16, 16)
    assert found.captions[:4] == ("a caption 0", "a caption 1", "a caption 2", "a caption 3")
    assert found.keys[0] == "00/000000000"
    assert (found.images[3, 0].float() - 200).abs().max() < 3


def test_class_files_are_read(tmp_path: Path) -> None:
    files = {"a.png": encoded(picture(), "PNG"), "a.txt": b"x", "a.cls": b"7"}
    assert read_pairs(write_tar(tmp_path / "a.tar", files)).concept.tolist() == [7]


def test_pictures_of_several_sizes_need_a_side(tmp_path: Path) -> None:
    files = {}
    for i, size in enumerate([(16, 16), (16, 20)]):
        files |= {f"{i}.png": encoded(picture(size=size), "PNG"), f"{i}.txt": b"x"}
    shard = write_tar(tmp_path / "a.tar", files)
    with pytest.raises(ShardError, match=r"16x16 and of 16x20 pixels .*give one side"):
        read_pairs(shard)


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


def test_encoding_loses_nothing() -> None:
    image = np.random.default_rng(0).integers(0, 256, (32, 32, 3), dtype=np.uint8)
    for codec in ("webp", "png"):
        assert np.array_equal(decode(encode(image, codec)), image)
        assert encode(image, codec) == encode(image, codec)


def _many(bad: dict[str, bytes], n: int = 300) -> dict[str, bytes]:
    body = encoded(picture(), "PNG")
    files = {}
    for i in range(n):
        files |= {f"{i:04d}.png": body, f"{i:04d}.txt": b"fine"}
    return files | bad


@pytest.mark.parametrize(
    ("bad", "why"),
    [
        ({"x.png": b"\x89PNG no picture", "x.txt": b"c"}, "1 with a corrupted picture"),
        ({"x.jpg": encoded(picture(size=(64, 64)), "JPEG")[:-400], "x.txt": b"c"}, "1 with a corrupted picture"),
        ({"x.png": encoded(picture(), "PNG"), "x.txt": b" \n"}, "1 with an empty caption"),
        ({"x.png": encoded(picture(), "PNG")}, "1 with an empty caption"),
        ({"x.txt": b"c"}, "1 without a picture"),
    ],
)
def test_a_few_bad_pairs_are_skipped_and_reported(tmp_path: Path, bad: dict[str, bytes], why: str) -> None:
    shard = write_tar(tmp_path / "a.tar", _many(bad))
    with pytest.warns(SkippedPairsWarning, match=rf"1 of 301 pairs skipped: {why} \(first: x in a\.tar\)"):
        assert len(read_pairs(shard)) == 300


def test_many_bad_pairs_stop(tmp_path: Path) -> None:
    bad = {f"x{i}.png": b"no" for i in range(4)} | {f"x{i}.txt": b"c" for i in range(4)}
    bad = dict(sorted(bad.items()))
    shard = write_tar(tmp_path / "a.tar", _many(bad))
    with pytest.raises(ShardError, match=r"4 of 304 pairs, more than 1%, cannot be used: 4 with a corrupted picture"):
        read_pairs(shard)
    only = write_tar(tmp_path / "b.tar", {"x.txt": b"c"})
    with pytest.raises(ShardError, match="none of 1 pairs can be used"):
        read_pairs(only)


def test_sound_shards_give_no_warning(tmp_path: Path) -> None:
    write_pairs(tmp_path, some_pairs())
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        read_pairs(tmp_path)


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
    with pytest.raises(ShardError, match=r"pairs-00000\.tar is truncated after 1 pairs"):
        read_pairs(path)


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
