"""Names of classes, and the parts of a data set."""

from pathlib import Path

import pytest

from tests.data.sources.makers import folder, zipped
from tutorial_lib.data.sources.archives import open_tree
from tutorial_lib.data.sources.classes import PART_TABLES, class_folders, class_names, in_common, lines, one_part
from tutorial_lib.data.sources.layouts import Source
from tutorial_lib.data.sources.trees import Member, SourceError


def members(*names: str) -> list[Member]:
    return [Member(name, 0, at) for at, name in enumerate(names)]


def test_folders_are_classes_below_what_all_have_in_common() -> None:
    some = members("x/a/1.jpg", "x/a/deep/2.jpg", "x/b_c/3.jpg")
    assert in_common(some) == 1
    assert class_folders(some, "t") == {"a": "a", "b_c": "b c"}
    assert class_folders(members("x/a/1.jpg", "x/a/2.jpg"), "t") == {}
    assert in_common(members("a/1.jpg", "2.jpg")) == 0


@pytest.mark.parametrize("names", [["train", "val"], ["Training_set", "test_images"], ["dev", "train2017"]])
def test_parts_are_told(names: list[str]) -> None:
    with pytest.raises(SourceError, match=f"t holds {names[0]} and {names[1]}: give one of them, as in t/{names[0]}"):
        one_part(names, "t")


@pytest.mark.parametrize("names", [["train", "training"], ["train", "test_tube"], ["valley", "trains"], ["train"]])
def test_classes_are_no_parts(names: list[str]) -> None:
    one_part(names, "t")


def test_parts_of_tables() -> None:
    one_part(["train-00000-of-2.parquet", "train-00001-of-2.parquet", "testament.csv"], "t", PART_TABLES)
    with pytest.raises(SourceError, match=r"t holds train-0.parquet and validation-0.parquet"):
        one_part(["train-0.parquet", "validation-0.parquet"], "t", PART_TABLES)


def test_names_in_a_file(tmp_path: Path) -> None:
    assert lines("cafe\u0301\r\n\r\n dog ".encode("utf-16"), "a") == ("café", "dog")
    with pytest.raises(SourceError, match=r"^a is no UTF-8 \(byte 0\): save it as UTF-8$"):
        lines(b"\xe9", "a")
    assert class_names(open_tree(zipped(tmp_path / "a.zip", [("classes.txt", b"a\nb"), ("x/labels.txt", b"c")]))) == (
        "a",
        "b",
    )
    assert class_names(open_tree(zipped(tmp_path / "b.zip", [("x/labels.txt", b"c")]))) == ()
    body = zipped(tmp_path / "c.zip", [("labels.txt", b"cat and dog")]).read_bytes()
    (tmp_path / "c.zip").write_bytes(body.replace(b"cat and dog", b"cat and cow"))
    with pytest.raises(SourceError, match=r"c.zip/labels.txt is a file that cannot be read"):
        class_names(open_tree(tmp_path / "c.zip"))


def test_imagenet_gets_its_names(tmp_path: Path) -> None:
    files = [(f"n{i:08d}/1.png", b"0") for i in range(1000)]
    source = Source(folder(tmp_path / "val", files))
    assert [p.label for p in source.pairs()][:2] == ["tench", "goldfish"]
    assert len(source.classes) == 1000
