"""Folders as trees: names, junk, links, bounds; and names that lead nowhere."""

import os
import sys
from pathlib import Path

import pytest

from tests.data.sources.makers import folder
from tutorial_lib.data.sources.trees import Folder, Member, SourceError, clean_name, printable, read_file


def test_names_are_in_order_and_junk_is_left_out(tmp_path: Path) -> None:
    names = ["b/2.jpg", "b/1.jpg", "a.jpg", ".hidden/x.jpg", "__MACOSX/x.jpg", ".DS_Store", "b/._1.jpg", "Thumbs.db"]
    tree = Folder(folder(tmp_path / "a", [(name, name.encode()) for name in names]))
    assert [m.name for m in tree.members] == ["a.jpg", "b/1.jpg", "b/2.jpg"]
    assert [tree.read(m) for m in tree.members] == [b"a.jpg", b"b/1.jpg", b"b/2.jpg"]
    assert tree.by_name["b/1.jpg"].folder == "b"


@pytest.mark.skipif(sys.platform == "win32", reason="making links needs rights there")
def test_links_are_listed_and_not_followed(tmp_path: Path) -> None:
    (tmp_path / "secret").mkdir()
    (tmp_path / "secret" / "s.txt").write_text("secret")
    source = folder(tmp_path / "a", [("1.txt", b"a dog")])
    (source / "link.txt").symlink_to(tmp_path / "secret" / "s.txt")
    (source / "more").symlink_to(tmp_path / "secret")
    os.mkfifo(source / "pipe.jpg")
    tree = Folder(source)
    assert [m.name for m in tree.members] == ["1.txt"]
    assert tree.links == ["link.txt", "more"]
    (source / "1.txt").unlink()
    (source / "1.txt").symlink_to(tmp_path / "secret" / "s.txt")  # after it was looked at
    with pytest.raises(ValueError, match="that cannot be read"):
        tree.read(tree.members[0])


def test_a_file_has_a_bound(tmp_path: Path) -> None:
    tree = Folder(folder(tmp_path / "a", [("1.txt", b"a dog")]))
    with pytest.raises(ValueError, match="with a file of more than 4 bytes"):
        tree.read(tree.members[0], 4)
    said_less = Member("1.txt", 1, 0)
    with pytest.raises(ValueError, match="with a file of more than 4 bytes"):
        tree.read(said_less, 4)


def test_an_empty_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    with pytest.raises(SourceError, match="a holds no files"):
        _ = Folder(tmp_path / "a").members


@pytest.mark.parametrize(
    ("name", "clean"),
    [
        ("../../etc/passwd", "etc/passwd"),
        ("/a//./b/../c.jpg", "a/b/c.jpg"),
        ("cafe\u0301/1.jpg", "café/1.jpg"),
        ("a/.git/1.jpg", ""),
        ("", ""),
    ],
)
def test_names_lead_nowhere(name: str, clean: str) -> None:
    assert clean_name(name) == clean


@pytest.mark.skipif(sys.platform != "linux", reason="names of any bytes are Linux's")
def test_names_that_are_no_unicode(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    Path(os.fsdecode(os.fsencode(tmp_path) + b"/a/ros\xe9.txt")).write_bytes(b"a dog")
    tree = Folder(tmp_path / "a")
    assert printable(tree.members[0].name) == "ros?.txt"
    assert tree.read(tree.members[0]) == b"a dog"
    assert read_file(tree.place(tree.members[0]), 1) == b"a"
