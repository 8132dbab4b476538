"""Dry runs: counts, ten pairs, and what would stop an import."""

import json
from pathlib import Path

import pytest

from tests.data.sources.makers import class_folders, folder, pairs, rows, table, tar, with_texts
from tutorial_lib.data.sources.found import Reasons
from tutorial_lib.data.sources.tables import Columns
from tutorial_lib.data.sources.trees import SourceError
from tutorial_lib.practice import import_survey
from tutorial_lib.practice.import_survey import Keys, look, too_many


def test_ten_pairs_are_spread_over_all(tmp_path: Path) -> None:
    some = pairs(30)
    found = look([tar(tmp_path / "a.tgz", with_texts(some), "w:gz")])
    assert (found.total, found.pairs, found.classes, found.problem) == (30, 30, ("apple pie", "dog", "zebra"), "")
    assert [pair.key for pair in found.shown] == [f"a/p{i * 29 // 9:03d}" for i in range(10)]
    last = found.shown[-1]
    height, width, _ = some[-1].pixels.shape
    assert (last.width, last.height, last.format, last.caption) == (width, height, "PNG", some[-1].caption)
    assert str(last) in str(found)
    assert list(tmp_path.iterdir()) == [tmp_path / "a.tgz"]


def test_fewer_than_ten(tmp_path: Path) -> None:
    for count in (1, 2, 9):
        found = look([folder(tmp_path / f"{count}", with_texts(pairs(count)))])
        assert len(found.shown) == count


def test_a_dry_run_says_what_would_stop(tmp_path: Path) -> None:
    files = [file for file in with_texts(pairs(10)) if file[0] not in ("p001.txt", "p001.cls")]
    found = look([folder(tmp_path / "a", files)])
    assert "an import would stop: 1 of 10 pairs, more than 1%, cannot be used" in str(found)
    assert json.loads(json.dumps(found.as_dict()))["problem"] == found.problem
    assert "a/p001" not in [pair.key for pair in found.shown]
    assert look([tmp_path / "a"], skip_bad=0.1).problem == ""
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "README.md").write_text("nothing else")
    assert "holds no pictures with captions or classes" in look([tmp_path / "b"]).problem


def test_a_picture_that_cannot_be_read_is_shown_as_such(tmp_path: Path) -> None:
    found = look([folder(tmp_path / "a", [("1.jpg", b""), ("1.txt", b"a dog")])])
    assert str(found.shown[0]) == "a/1  with an empty file  'a dog'"


def test_the_fingerprint_is_of_what_is_there(tmp_path: Path) -> None:
    source = folder(tmp_path / "a", with_texts(pairs(3)))
    before = look([source]).fingerprint
    assert look([source]).fingerprint == before
    assert look([source], lower=True).fingerprint != before
    (source / "p001.png").write_bytes((source / "p001.png").read_bytes() + b"0")
    assert look([source]).fingerprint != before


def test_numbers_are_no_names(tmp_path: Path) -> None:
    body = b"image,caption,label\n" + b"".join(b"img/p%03d.png,a dog,%d\n" % (i, 10 - i) for i in range(3))
    found = look([table(tmp_path / "a", pairs(3), "a.csv", body)])
    assert (found.classes, found.named) == (("8", "9", "10"), False)
    assert "3 numbers without names (8, 9, 10): a labels.txt names them" in str(found)


def test_all_classes_are_kept_also_those_without_pictures(tmp_path: Path) -> None:
    files = [*with_texts(pairs(3)), ("labels.txt", b"zebra\ncat\ndog\napple pie\n")]
    assert look([folder(tmp_path / "a", files)]).classes == ("zebra", "cat", "dog", "apple pie")


def test_pairs_without_a_class_are_told(tmp_path: Path) -> None:
    files = [file for file in with_texts(pairs(6)) if file[0] != "p001.cls"]
    found = look([folder(tmp_path / "a", files)])
    assert (found.pairs, found.labelled) == (6, 5)
    assert "classes: 3 (apple pie, dog, zebra); only 5 pairs have one" in str(found)


def test_too_many_classes_are_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(import_survey, "MOST_CLASSES", 2)
    path = table(tmp_path / "a", pairs(3), "a.csv", rows(pairs(3)))
    with pytest.raises(SourceError, match=r"line 4 .* is of class 3: `label_column` names no column of classes"):
        look([path])


def test_columns_are_named(tmp_path: Path) -> None:
    body = rows(pairs(3), image="where", caption="what", label="kind")
    path = table(tmp_path / "a", pairs(3), "a.csv", body)
    with pytest.raises(SourceError, match=r"`image_column` names one of 'where', 'what', 'kind'"):
        look([path])
    found = look([path], columns=Columns("where", "what", "kind"))
    assert found.layouts == {"table: pictures in 'where', captions in 'what', classes in 'kind'": 3}


def test_classes_in_turn(tmp_path: Path) -> None:
    found = look([folder(tmp_path / "a", class_folders(pairs(9)))], show=9)
    assert [pair.label for pair in found.shown[:4]] == ["apple pie", "dog", "zebra", "apple pie"]


@pytest.mark.parametrize(
    ("left", "total", "tolerance", "said"),
    [
        (0, 10, 0.0, ""),
        (1, 100, 0.01, ""),
        (2, 100, 0.01, "raise `skip_bad` to 2%"),
        (1, 1000, 0.0, "raise `skip_bad` to 1%"),
        (10, 10, 1.0, "none of 10 pairs can be used"),
    ],
)
def test_too_many(left: int, total: int, tolerance: float, said: str) -> None:
    reasons = Reasons({"with an empty file": (left, "1.jpg")} if left else {})
    found = too_many(reasons, total, tolerance)
    assert said in found
    assert bool(said) == bool(found)


def test_keys_are_unique_stable_and_have_no_dots() -> None:
    names = ["a b.jpg", "a_b.png", "a/b.jpg", "x/" * 100 + "1.jpg", "", "é.jpg", "e\u0301.jpg", "a.b/c.jpg", "..jpg"]
    once, again = ([keys.key("pets", name) for name in names] for keys in (Keys(), Keys()))
    assert once == again
    assert len(set(once)) == len(names)
    assert not any("." in key for key in once)
    assert all(len(key.encode()) <= import_survey.LONGEST_KEY + 2 for key in once)
    assert once[:3] == ["pets/a_b", "pets/a_b-2", "pets/a/b"]
