"""Parts of a data set: what publishers call them, and what is drawn where they name none."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.practice.photo_makers import packed, photos
from tutorial_lib.data.sources.archives import open_tree
from tutorial_lib.data.sources.found import Found
from tutorial_lib.data.sources.trees import SourceError
from tutorial_lib.practice.photo_parts import (
    Collection,
    Part,
    Photograph,
    drawn_part,
    embedded,
    named_part,
    parquet_tables,
)


class Few(Collection):
    """Four pictures, one without a caption."""

    layout, classes = "few", ("dog",)

    def photographs(self) -> Iterator[Photograph]:
        for name, captions, part in (
            ("a.b/1.jpg", ("one", "two"), "train"),
            ("2.jpg", ("three",), "test"),
            ("3.jpg", (), "train"),
            ("4.jpg", ("four", " "), "train"),
        ):
            yield Photograph(Found(name, name), captions, part)  # type: ignore[arg-type]


@pytest.fixture
def few(tmp_path: Path) -> Few:
    (tmp_path / "file").write_text("")
    return Few(tmp_path)


def test_each_caption_is_a_pair_or_the_first_one_is(few: Few) -> None:
    part = Part(few, "train")
    found = [(pair.name, pair.caption, pair.problem) for pair in part.pairs()]
    none = "without a caption"
    assert found == [
        ("a.b/1.jpg", "one", ""),
        ("a.b/1-1.jpg", "two", ""),
        ("3.jpg", "", none),
        ("4.jpg", "four", ""),
        ("4-1.jpg", " ", none),
    ]
    assert (part.layouts, part.classes, part.title) == ({"few": 5}, {"dog": None}, f"{few.path} (train)")
    assert [pair.caption for pair in Part(few, "train", "first").pairs()] == ["one", "", "four"]
    assert [pair.name for pair in Part(few, "test").pairs()] == ["2.jpg"]
    assert list(Part(few, "validation").pairs()) == []


def test_shares_are_kept_and_a_name_has_one_part() -> None:
    shares = {"validation": 0.1, "test": 0.05}
    drawn = Counter(drawn_part(f"{i}", shares) for i in range(20_000))  # type: ignore[arg-type]
    assert drawn["validation"] == pytest.approx(2000, abs=4 * 43)
    assert drawn["test"] == pytest.approx(1000, abs=4 * 31)
    assert drawn["train"] == 20_000 - drawn["validation"] - drawn["test"]
    assert drawn_part("x", {}) == "train"
    assert drawn_part("7", shares) == drawn_part(b"7", shares)  # type: ignore[arg-type]


def test_names_of_parts(tmp_path: Path) -> None:
    assert [named_part(word) for word in ("TRAIN", "val", "dev", "test", None, "extra")] == [
        "train", "validation", "validation", "test", None, None,
    ]  # fmt: skip
    names = (
        "data/train-00000-of-00002.parquet", "data/train-00001-of-00002.parquet", "plain_text/test/0000.parquet",
        "dev.parquet", "trainer.parquet", "extra-0.parquet", "train.csv",
    )  # fmt: skip
    for name in names:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(b"PAR1")
    found = {member.name: part for part, member, _ in parquet_tables(open_tree(tmp_path))}
    assert found == {names[0]: "train", names[1]: "train", names[2]: "test", names[3]: "validation"}
    with pytest.raises(SourceError, match=r"a.tgz holds train-0.parquet: unpack it first"):
        parquet_tables(open_tree(packed(tmp_path / "a.tgz", {"train-0.parquet": b"PAR1"})))


def test_pictures_in_rows() -> None:
    (photo,) = photos(1)
    for value in (photo.encoded(), {"bytes": photo.encoded(), "path": "x"}):
        found = embedded(value, "0.jpg", "row 0")
        assert found.read is not None
        assert found.read() == photo.encoded()
    for value in (None, b"", {"bytes": None, "path": "/etc/passwd"}, "/etc/passwd"):
        assert embedded(value, "0.jpg", "row 0").problem == "without a picture"
