"""The pictures that a table names: where they are looked for, and where not."""

import os
import sys
from pathlib import Path

import pytest

from tests.data.sources.makers import folder, zipped
from tutorial_lib.data.sources.archives import open_tree
from tutorial_lib.data.sources.found import Reasons, in_tree, on_disk


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return folder(tmp_path / "data", [("img/1.jpg", b"1"), ("lists/a.csv", b""), ("cafe\u0301.jpg", b"2")])


def test_paths_on_disk(data: Path) -> None:
    picture = on_disk(data, data / "lists")
    for path in ("img/1.jpg", "../img/1.jpg", "img\\1.jpg", str(data / "img" / "1.jpg"), "./img//1.jpg"):
        found = picture(path)
        assert found.read is not None, path
        assert (found.read(), found.problem) == (b"1", "")
    found = picture("café.jpg")
    assert found.read is not None
    assert found.read() == b"2"


def test_paths_that_lead_out(data: Path) -> None:
    (data.parent / "secret.jpg").write_bytes(b"secret")
    picture = on_disk(data / "lists", data / "lists")
    for path in ("../../secret.jpg", str(data.parent / "secret.jpg"), "../img/1.jpg"):
        found = picture(path)
        assert found.read is None
        assert found.problem == f"whose path leads out of {data / 'lists'} (`root` names another folder)"
    free = on_disk(data / "lists", data / "lists", absolute=True)
    assert free(str(data.parent / "secret.jpg")).problem == ""
    assert "leads out of" in free("../../secret.jpg").problem
    if sys.platform != "win32":
        (data / "lists" / "link.jpg").symlink_to(data.parent / "secret.jpg")
        assert "leads out of" in picture("link.jpg").problem


@pytest.mark.skipif(sys.platform == "win32", reason="there are no pipes in folders there")
def test_what_is_no_file(data: Path) -> None:
    os.mkfifo(data / "pipe.jpg")
    picture = on_disk(data, data)
    assert picture("pipe.jpg").problem == picture("img").problem == "whose path is no regular file"
    assert "is not in" in picture("gone.jpg").problem
    assert picture("a\0b").problem == "whose path has a null"
    assert "is not in" in picture("x" * 5000).problem
    assert picture("https://example.org/1.jpg").problem.startswith("whose picture is an address")


def test_paths_in_an_archive(data: Path) -> None:
    tree = open_tree(zipped(data / "a.zip", [("x/img/1.jpg", b"1"), ("img/2.jpg", b"2"), ("café.jpg", b"3")]))
    picture = in_tree(tree, "x/lists")
    for path, content in {"../img/1.jpg": b"1", "img/2.jpg": b"2", "cafe\u0301.jpg": b"3", "/img/2.jpg": b"2"}.items():
        found = picture(path)
        assert found.read is not None, path
        assert found.read() == content
    (data / "secret.jpg").write_bytes(b"secret")
    assert picture(str(data / "secret.jpg")).problem == f"whose picture is not in {data / 'a.zip'}"


def test_reasons_are_counted_with_the_first() -> None:
    reasons = Reasons()
    for reason, name in (("a", "1"), ("b", "2"), ("a", "3")):
        reasons.note(reason, name)
    assert (reasons.total, str(reasons)) == (3, "2 a (first: 1); 1 b (first: 2)")
