"""Shards of every form are read, bad pairs are skipped and counted."""

import warnings
from pathlib import Path

import pytest

from tests.data.tars import encoded, picture, some_pairs, write_tar
from tutorial_lib.data.loading import read_pairs
from tutorial_lib.data.shard_writer import write_pairs
from tutorial_lib.data.shards import ShardError, SkippedPairsWarning


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
