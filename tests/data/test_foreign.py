"""Shards as other people write them: read rightly, or named in one line with what to do."""

import bz2
import gzip
import io
import json
import lzma
import random
import tarfile
import warnings
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from PIL import Image

from tests.data.tars import encoded, write_tar
from tutorial_lib.data.index import read_index
from tutorial_lib.data.loading import open_pairs, read_pairs
from tutorial_lib.data.shards import ShardError, SkippedPairsWarning, expand, samples
from tutorial_lib.notes import Note

WORDS = ("banana", "apple", "red car", "violin", "guitar")


def colour(i: int) -> bytes:
    return encoded(Image.new("RGB", (8, 8), (i % 256, 7 * i % 256, 13 * i % 256)), "PNG")


def pairs(n: int = 120, start: int = 0, name: Callable[[int], str] = lambda i: f"{i:05d}") -> dict[str, bytes]:
    return {
        f"{name(i)}.{end}": body
        for i in range(start, start + n)
        for end, body in (("png", colour(i)), ("txt", f"a photo of a {WORDS[i % 5]} number {i}".encode()))
    }


def renamed(change: Callable[[str], str]) -> dict[str, bytes]:
    return {change(name): body for name, body in pairs().items()}


def same(where: Path, n: int = 120) -> None:
    """The pairs are those that were written, pictures and captions belonging together."""
    found = read_pairs(where)
    assert len(found) == n
    for i, caption in enumerate(found.captions):
        number = int(caption.rpartition(" ")[2])
        assert found.pixels[i, :, 0, 0].tolist() == [number % 256, 7 * number % 256, 13 * number % 256]


def json_captions() -> dict[str, bytes]:
    told = {n: json.dumps({"caption": b.decode()}).encode() for n, b in pairs().items() if n.endswith("txt")}
    return {n.replace(".txt", ".json"): told.get(n, b) for n, b in pairs().items()}


FORMS: dict[str, Callable[[], dict[str, bytes]]] = {
    "plain": pairs,
    "macos": lambda: {k: v for n, b in pairs().items() for k, v in ((f"._{n}", b"\0\5\x16\7" + bytes(160)), (n, b))},
    "macos strays": lambda: {".DS_Store": bytes(64), "__MACOSX/._00000.png": bytes(64), **pairs()},
    "folders with dots": lambda: pairs(name=lambda i: f"photos.v2/{i:05d}"),
    "compound suffixes": lambda: renamed(lambda n: n.replace(".png", ".input.png").replace(".txt", ".outputs.txt")),
    "image.jpg": lambda: renamed(lambda n: n.replace(".png", ".image.jpg")),
    "other suffixes": lambda: renamed(lambda n: n.replace(".png", ".JFIF").replace(".txt", ".caption")),
    "text": lambda: renamed(lambda n: n.replace(".txt", ".text")),
    "captions in JSON": json_captions,
    "marks of UTF-8": lambda: {n: b"\xef\xbb\xbf" * n.endswith("txt") + b for n, b in pairs().items()},
    "UTF-16": lambda: {n: b.decode().encode("utf-16") if n.endswith("txt") else b for n, b in pairs().items()},
}


@pytest.mark.parametrize("form", FORMS)
def test_pairs_in_other_forms(tmp_path: Path, form: str) -> None:
    write_tar(tmp_path / "a.tar", FORMS[form]())
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        same(tmp_path)


@pytest.mark.parametrize(
    ("form", "suffix"), [("GIF", "gif"), ("BMP", "bmp"), ("TIFF", "tif"), ("GIF", "jpg"), ("PNG", "jpeg")]
)
def test_pictures_are_what_they_hold(tmp_path: Path, form: str, suffix: str) -> None:
    body = encoded(Image.new("RGB", (8, 8), "red"), form)
    write_tar(tmp_path / "a.tar", {f"1.{suffix}": body, "1.txt": b"red"})
    assert read_pairs(tmp_path).pixels[0, :, 4, 4].tolist() == [255, 0, 0]


@pytest.mark.parametrize(
    ("name", "pack"),
    [
        ("a.tgz", gzip.compress),
        ("A.TAR", bytes),
        ("a.tar.bz2", bz2.compress),
        ("a.tar.xz", lzma.compress),
        ("a.tar", gzip.compress),
    ],
)
def test_archives_by_other_names_and_compressed(tmp_path: Path, name: str, pack: Callable[[bytes], bytes]) -> None:
    whole = write_tar(tmp_path / "x", pairs()).read_bytes()
    (tmp_path / "x").unlink()
    (tmp_path / name).write_bytes(pack(whole))
    same(tmp_path)


def test_folders_below_are_searched_where_one_holds_no_archive(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for part in range(2):
        (tmp_path / f"part{part}").mkdir()
        write_tar(tmp_path / f"part{part}" / "a.tar", pairs(60, 60 * part))
    same(tmp_path)
    write_tar(tmp_path / "own.tar", pairs(5))
    same(tmp_path, 5)
    monkeypatch.setenv("HOME", str(tmp_path))
    assert expand("~/own.tar") == [tmp_path / "own.tar"]
    monkeypatch.chdir(tmp_path)
    assert len(expand(["own.tar", "./own.tar", str(tmp_path / "own.tar"), "part0/../own.tar"])) == 1


def test_what_follows_the_end_mark_of_an_archive_is_read(tmp_path: Path) -> None:
    """`cat a.tar b.tar > c.tar`, which tar itself reads as the first one alone."""
    first, second = (write_tar(tmp_path / f"{k}.tar", pairs(60, 60 * k)).read_bytes() for k in range(2))
    (tmp_path / "both").mkdir()
    both = tmp_path / "both" / "c.tar"
    both.write_bytes(first + second)
    same(both)
    assert len(read_index(both).entries) == 120
    assert open_pairs(both, side=8, memory=0).images[torch.tensor([119])][0, :, 0, 0].tolist() == [119, 65, 11]
    both.write_bytes(gzip.compress(first + second))
    same(both)
    both.write_bytes(first + b"something else" * 100)
    with pytest.warns(Note, match=r"what follows the end mark of .*c\.tar is no archive and is not read"):
        same(both, 60)


def test_an_archive_without_an_end_mark(tmp_path: Path) -> None:
    path = write_tar(tmp_path / "a.tar", pairs())
    whole = path.read_bytes().rstrip(b"\0")
    path.write_bytes(whole + bytes(-len(whole) % 512))
    with pytest.warns(Note, match="has no end mark: it is whole, or cut between two files"):
        same(path)


def test_links_cost_themselves_alone(tmp_path: Path) -> None:
    path = tmp_path / "a.tar"
    with tarfile.open(path, "w") as tar:
        for name, body in pairs().items():
            member = tarfile.TarInfo(name)
            member.size = len(body)
            tar.addfile(member, io.BytesIO(body))
        for name, kind in (("99998.png", tarfile.LNKTYPE), ("99999.png", tarfile.SYMTYPE)):
            member = tarfile.TarInfo(name)
            member.type, member.linkname = kind, "/etc/passwd"
            tar.addfile(member)
    with pytest.warns(Note, match=r"a\.tar holds 2 links, which are not followed"):
        same(path)


def test_a_header_that_points_backwards_is_no_endless_loop(tmp_path: Path) -> None:
    content = bytearray(write_tar(tmp_path / "a.tar", pairs(4)).read_bytes())
    content[124:136] = b"\xff" * 8 + (-512 & 0xFFFFFFFF).to_bytes(4, "big")
    content[148:156] = b" " * 8
    content[148:156] = f"{sum(content[:512]):06o}\0 ".encode()
    (tmp_path / "a.tar").write_bytes(content)
    with pytest.raises(ShardError, match="not a tar archive, or damaged"):
        read_pairs(tmp_path)


def test_a_file_that_would_expand_to_anything_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tutorial_lib.data.members.MOST_BYTES", 1000)
    write_tar(tmp_path / "a.tar", pairs() | {"99999.png": bytes(2000), "99999.txt": b"large"})
    with pytest.warns(SkippedPairsWarning, match="1 without a picture .first: 99999"):
        same(tmp_path)


def test_keys_that_two_shards_share(tmp_path: Path) -> None:
    write_tar(tmp_path / "a.tar", pairs(60))
    write_tar(tmp_path / "b.tar", {f"{int(n[:5]) - 60:05d}{n[5:]}": b for n, b in pairs(60, 60).items()})
    same(tmp_path)


def test_pairs_whose_parts_lie_apart_are_sent_to_import(tmp_path: Path) -> None:
    path = write_tar(tmp_path / "a.tar", dict(sorted(pairs().items(), key=lambda item: item[0][-3:])))
    with pytest.raises(ShardError, match=r"none of 240 pairs .*lie apart in the archive: `tutorial import` sorts them"):
        read_pairs(path)
    with pytest.raises(ShardError, match=r"no shards match .*`tutorial import` makes shards of pictures"):
        expand(tmp_path / "nothing")


def test_bad_pairs_are_counted_and_may_be_many(tmp_path: Path) -> None:
    bad = pairs()
    for i in range(6):
        bad[f"{i:05d}.png"] = b"no picture"
    write_tar(tmp_path / "a.tar", bad)
    with pytest.raises(ShardError, match=r"6 of 120 pairs, more than 1%, cannot .*; `skip_bad` of 0.055 leaves them"):
        read_pairs(tmp_path)
    for read in (read_pairs, lambda path, skip_bad: open_pairs(path, side=8, memory=0, skip_bad=skip_bad)):
        with pytest.warns(SkippedPairsWarning, match="6 of 120 pairs skipped: 6 with a corrupted picture"):
            assert len(read(tmp_path, skip_bad=0.055)) == 114
    with pytest.raises(ValueError, match=r"`skip_bad` is a share of the pairs, in \[0, 1\), not 5"):
        read_pairs(tmp_path, skip_bad=5)


@pytest.mark.parametrize(
    ("parts", "number", "label"),
    [
        ({"cls": b"3"}, 3, None),
        ({"cls": "²".encode()}, -1, "²"),
        ({"cls": "٣".encode()}, -1, None),
        ({"cls": b"-1"}, -1, None),
        ({"cls": b"banana"}, -1, "banana"),
        ({"cls": b"99999999999999999999"}, -1, None),
        ({"json": b'{"label": "cat"}', "cls": b"dog"}, -1, "cat"),
        ({"json": b'{"concept": 1e400}'}, -1, None),
        ({"json": b'{"concept": 123456789012345678901234567890}'}, -1, None),
        ({"json": b'{"concept": true}'}, -1, None),
        ({"json": b'{"concept": 9}', "cls": b"3"}, 9, None),
        ({"json": b"[" * 200_000}, -1, None),
        ({"json": b"\xff\xfe"}, -1, None),
        ({"json": b"[1, 2]"}, -1, None),
        ({"cls": b"\xff"}, -1, None),
    ],
)
def test_labels_of_every_kind(tmp_path: Path, parts: dict[str, bytes], number: int, label: str | None) -> None:
    write_tar(tmp_path / "a.tar", {"1.png": colour(1), "1.txt": b"a dog"} | {f"1.{k}": v for k, v in parts.items()})
    (sample,) = samples(tmp_path)
    assert (sample.number, sample.meta.get("label")) == (number, label)
    assert read_pairs(tmp_path).concept.tolist() == [number]


def test_pictures_in_forms_that_are_not_read_are_named(tmp_path: Path) -> None:
    write_tar(tmp_path / "a.tar", {"1.avif": b"x", "1.txt": b"a dog"})
    with pytest.raises(ShardError, match=r"none of 1 pairs .*: 1 whose picture is in a form that is not read, \.avif"):
        read_pairs(tmp_path)


def test_a_caption_that_is_no_text_costs_its_pair(tmp_path: Path) -> None:
    write_tar(tmp_path / "a.tar", pairs() | {"99999.png": colour(1), "99999.txt": b"na\xefve"})
    said = r"1 with a caption that cannot be read \(no UTF-8 at byte 2\) \(first: 99999"
    with pytest.warns(SkippedPairsWarning, match=said):
        same(tmp_path)


def test_what_conventions_differ_on_is_said_once(tmp_path: Path) -> None:
    clear = encoded(Image.new("RGBA", (8, 8), (0, 0, 0, 0)), "PNG")
    two = {"99998.png": clear, "99998.txt": b"a", "99999.png": clear, "99999.txt": b"b"}
    write_tar(tmp_path / "a.tar", pairs(5) | two)
    for read in (read_pairs, lambda path: open_pairs(path, side=8, memory=0)):
        with pytest.warns(Note, match="^2 pictures transparent, put over white"):
            assert len(read(tmp_path)) == 7


def mutated(seed: int, whole: bytes) -> bytes:
    r = random.Random(seed)
    content = bytearray(gzip.compress(whole, 1) if seed % 5 == 0 else whole)
    sizes = (b"77777777777\0", b"-0000000001\0", b"\x80" + bytes(11), bytes(12))
    for _ in range(r.choice((1, 1, 3, 20))):
        at = r.randrange(max(1, len(content)))
        block = at // 512 * 512
        match r.randrange(5):
            case 0:
                content[at : at + 1] = bytes([r.randrange(256)])
            case 1:
                content[at : at + 512] = r.randbytes(512)
            case 2:
                content = content[:at]
            case 3:
                content[block:block] = content[:512]
            case 4:
                content[block + 124 : block + 136] = r.choice(sizes)
    return bytes(content)


def fuzz(folder: Path, seeds: range) -> Counter[str]:
    """How many damaged archives were read, and how many refused in one kind of error."""
    whole = write_tar(folder / "whole.tar", pairs(6)).read_bytes()
    found: Counter[str] = Counter()
    for seed in seeds:
        path = folder / "mutant.tar"
        path.write_bytes(mutated(seed, whole))
        try:
            found["read"] += len(read_pairs(path, skip_bad=0.9)) > 0
        except ShardError:
            found["refused"] += 1
    return found


@pytest.mark.filterwarnings("ignore")
def test_mutated_archives_are_read_or_refused(tmp_path: Path) -> None:
    found = fuzz(tmp_path, range(600))
    assert found["read"] + found["refused"] == 600
    assert min(found["read"], found["refused"]) > 50


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_many_mutated_archives_are_read_or_refused(tmp_path: Path) -> None:
    found = fuzz(tmp_path, range(1000, 16_000))
    assert found["read"] + found["refused"] == 15_000
