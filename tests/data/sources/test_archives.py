"""Archives: every compression, damaged ones, links, names that lead out, bombs, and archives in archives."""

import lzma
import stat
import tarfile
import zipfile
import zlib
from pathlib import Path

import pytest

from tests.data.sources.makers import tar, zipped
from tutorial_lib.data.sources.archives import compression, is_archive, open_nested, open_tree
from tutorial_lib.data.sources.trees import SourceError, Tree

FILES = [("a/1.jpg", b"1" * 700), ("../2.jpg", b"22"), ("._1.jpg", b"x"), ("a/1.txt", b"a dog")]


def content(tree: Tree) -> dict[str, bytes]:
    return {m.name: tree.read(m) for m in tree.members}


@pytest.mark.parametrize("mode", ["w", "w:gz", "w:bz2", "w:xz"])
def test_tar(mode: str, tmp_path: Path) -> None:
    tree = open_tree(tar(tmp_path / "a.tar", FILES, mode))
    assert content(tree) == {"a/1.jpg": b"1" * 700, "2.jpg": b"22", "a/1.txt": b"a dog"}
    assert tree.streamed == (mode != "w")
    backwards = {m.name: tree.read(m) for m in reversed(tree.members)}
    assert backwards == content(tree)
    tree.close()
    assert content(tree) == backwards


def test_zip(tmp_path: Path) -> None:
    path = zipped(tmp_path / "a.zip", [*FILES, ("b\\3.jpg", b"333")])
    assert content(open_tree(path)) == {"a/1.jpg": b"1" * 700, "2.jpg": b"22", "a/1.txt": b"a dog", "b/3.jpg": b"333"}
    assert content(open_tree(path, "a")) == {"1.jpg": b"1" * 700, "1.txt": b"a dog"}
    with pytest.raises(SourceError, match=r"a.zip/c holds no files"):
        _ = open_tree(path, "c").members


def test_several_archives_in_a_row(tmp_path: Path) -> None:
    one, two = (tar(tmp_path / name, [(f"{name}.jpg", b"0")]).read_bytes() for name in "xy")
    (tmp_path / "a.tar").write_bytes(one + two)
    assert list(content(open_tree(tmp_path / "a.tar"))) == ["x.jpg", "y.jpg"]
    (tmp_path / "a.tar.xz").write_bytes(lzma.compress(one + two))
    assert list(content(open_tree(tmp_path / "a.tar.xz"))) == ["x.jpg", "y.jpg"]


def test_an_archive_without_its_end_mark_is_read(tmp_path: Path) -> None:
    whole = tar(tmp_path / "a.tar", FILES).read_bytes().rstrip(b"\0")
    (tmp_path / "a.tar").write_bytes(whole + bytes(-len(whole) % 512))
    assert len(content(open_tree(tmp_path / "a.tar"))) == 3


def links(path: Path) -> Path:
    tar(path, FILES)
    with tarfile.open(path, "a") as archive:
        for name, kind, target in (("s.jpg", tarfile.SYMTYPE, "/etc/passwd"), ("h.jpg", tarfile.LNKTYPE, "a/1.jpg")):
            member = tarfile.TarInfo(name)
            member.type, member.linkname = kind, target
            archive.addfile(member)
    return path


def test_links_are_not_followed(tmp_path: Path) -> None:
    tree = open_tree(links(tmp_path / "a.tar"))
    assert "s.jpg" not in content(tree)
    assert tree.links == ["s.jpg", "h.jpg"]
    link = zipfile.ZipInfo("s.jpg")
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr(link, "/etc/passwd")
    tree = open_tree(tmp_path / "a.zip")
    assert (tree.members, tree.links) == ([], ["s.jpg"])


def test_a_bomb_costs_one_file(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("1.jpg", bytes(10_000_000))
    tree = open_tree(tmp_path / "a.zip")
    with pytest.raises(ValueError, match="with a file of more than 1,000 bytes"):
        tree.read(tree.members[0], 1000)


def test_damage_in_a_zip_costs_one_file(tmp_path: Path) -> None:
    body = zipped(tmp_path / "a.zip", [("1.jpg", b"1" * 50), ("2.jpg", b"2" * 50)]).read_bytes()
    (tmp_path / "a.zip").write_bytes(body.replace(b"1" * 50, b"1" * 49 + b"0"))
    tree = open_tree(tmp_path / "a.zip")
    with pytest.raises(ValueError, match=r"^that cannot be read$"):
        tree.read(tree.members[0])
    assert tree.read(tree.members[1]) == b"2" * 50


@pytest.mark.parametrize("mode", ["w", "w:gz", "w:xz"])
def test_a_truncated_archive_is_named(mode: str, tmp_path: Path) -> None:
    files = [(f"{i}.jpg", zlib.compress(bytes(range(256)) * i, 0)) for i in range(30)]
    whole = tar(tmp_path / "a.tar", files, mode).read_bytes()
    (tmp_path / "a.tar").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(
        SourceError, match=r"a.tar is (truncated or damaged after \d+ files|no tar archive, or damaged)"
    ):
        _ = open_tree(tmp_path / "a.tar").members


def test_a_damaged_header_is_no_gap(tmp_path: Path) -> None:
    whole = bytearray(tar(tmp_path / "a.tar", FILES).read_bytes())
    place = whole.index(b"../2.jpg")
    whole[place + 148 : place + 156] = b"99999999"
    (tmp_path / "a.tar").write_bytes(whole)
    with pytest.raises(SourceError, match="damaged after 1 files"):
        _ = open_tree(tmp_path / "a.tar").members


@pytest.mark.parametrize("body", [b"", b"no archive", b"PK\3\4 no archive", b"\x1f\x8b no archive", b"<html>" * 200])
def test_what_is_no_archive_is_named(body: bytes, tmp_path: Path) -> None:
    (tmp_path / "a.zip").write_bytes(body)
    with pytest.raises(SourceError, match=r"a.zip (is no|holds no)"):
        _ = open_tree(tmp_path / "a.zip").members


def test_an_encrypted_zip_is_refused(tmp_path: Path) -> None:
    body = bytearray(zipped(tmp_path / "a.zip", [("1.jpg", b"1")]).read_bytes())
    body[body.index(b"PK\1\2") + 8] |= 1
    (tmp_path / "a.zip").write_bytes(body)
    with pytest.raises(SourceError, match=r"a.zip is encrypted .1.jpg.: unpack it first"):
        _ = open_tree(tmp_path / "a.zip").members


def test_archives_in_archives(tmp_path: Path) -> None:
    inner = zipped(tmp_path / "i.zip", FILES).read_bytes()
    outer = open_tree(tar(tmp_path / "o.tgz", [("x/i.zip", inner)], "w:gz"))
    nested = open_nested(outer, outer.members[0])
    assert list(content(nested)) == ["a/1.jpg", "2.jpg", "a/1.txt"]
    assert nested.title == f"{tmp_path}/o.tgz/x/i.zip"


def test_a_nested_archive_has_a_bound(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tutorial_lib.data.sources.archives.MOST_NESTED", 10)
    outer = open_tree(zipped(tmp_path / "o.zip", [("i.zip", bytes(20))]))
    with pytest.raises(
        SourceError, match=r"o.zip/i.zip is an archive with a file of more than 10 bytes: unpack .*o.zip"
    ):
        open_nested(outer, outer.members[0])


def test_names_and_marks() -> None:
    assert is_archive("A.TAR.GZ")
    assert not is_archive("a.tar.index")
    assert compression(b"BZh91AY") == "bzip2"
