"""Text in the encodings that people have, and names in the spellings that they use."""

from pathlib import Path

import pytest

from tutorial_lib.data.text import Names, folded, read_text, text_of, words_of


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32", "utf-16-le-bom"])
def test_marked_encodings_are_read(encoding: str) -> None:
    text = "a café, “naïve” 图 🍌"
    mark, name = (b"\xff\xfe", "utf-16-le") if encoding.endswith("bom") else (b"", encoding)
    assert text_of(mark + text.encode(name)) == text


def test_accents_in_two_pieces_are_put_together() -> None:
    assert text_of("cafe\u0301".encode()) == "café"


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"banana\ncaf\xe9\n", r"labels\.txt is no UTF-8 \(byte 10 is 0xe9\): save it as UTF-8"),
        (b"\xff\xfea\0b", r"labels\.txt is no UTF-16"),
        (b"\x80", r"byte 0 is 0x80"),
    ],
)
def test_other_encodings_are_refused_with_the_byte(tmp_path: Path, content: bytes, said: str) -> None:
    (tmp_path / "labels.txt").write_bytes(content)
    with pytest.raises(ValueError, match=said):
        read_text(tmp_path / "labels.txt")


@pytest.mark.parametrize(
    ("given", "meant"),
    [("apple_pie", "apple pie"), ("Apple Pie", "apple pie"), (" apple-pie ", "apple pie"), ("ApplePie", "apple pie"),
     ("cafe\u0301", "café"), ("CAFÉ", "café"), ("annual crop", "AnnualCrop")],
)  # fmt: skip
def test_names_are_found_in_other_spellings(given: str, meant: str) -> None:
    labels = ("banana", "apple pie", "café", "AnnualCrop")
    names = Names(labels)
    assert names.number(given) == labels.index(meant)
    composed = given == meant or folded(given) == meant == given.replace("e\u0301", "é")
    assert bool(names.note) is not composed


def test_what_is_another_name_is_not_found() -> None:
    names = Names(("pen", "Pen", "car"))
    assert [names.number(name) for name in ("pen", "Pen", "PEN", "carp", "ca r", "")] == [0, 1, -1, -1, -1, -1]
    assert names.note == ""


def test_a_note_names_what_was_read_differently() -> None:
    names = Names(("a b", "c d", "e f", "g h"))
    for name in ("a_b", "C D", "EF", "e-f", "G_h"):
        names.number(name)
    assert (
        names.note == "names are read with another spelling: 'a_b' as 'a b', 'C D' as 'c d', 'e-f' as 'e f' and 1 more"
    )


@pytest.mark.parametrize(
    ("label", "caption", "there"),
    [
        ("ape", "a cluster of grapes", False),
        ("ape", "measuring tape", False),
        ("ape", "An Ape.", True),
        ("car", "a carrot and a scarf", False),
        ("car", "two cars, red", True),
        ("pen", "a penguin", False),
        ("box", "boxes", True),
        ("hot dog", "a hot-dog stand", True),
        ("hot dog", "a hot  dog", True),
        ("c++", "a c++ book", True),
        ("rose", "rosette", False),
    ],
)
def test_labels_are_searched_as_words(label: str, caption: str, there: bool) -> None:
    assert (words_of(label).search(caption) is not None) is there
