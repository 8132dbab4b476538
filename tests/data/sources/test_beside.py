"""Which files belong to a picture, and what they say."""

from pathlib import Path

import pytest

from tests.data.sources.makers import folder
from tutorial_lib.data.sources.beside import Beside, as_text, caption_lines
from tutorial_lib.data.sources.trees import Folder


def beside(tmp_path: Path, files: dict[str, str]) -> Beside:
    tree = Folder(folder(tmp_path / "a", [(name, text.encode()) for name, text in files.items()]))
    return Beside(tree, tree.members)


def captions(tmp_path: Path, files: dict[str, str]) -> dict[str, str]:
    found = beside(tmp_path, files)
    return {picture.name: found.said(picture).caption for picture in found.pictures}


@pytest.mark.parametrize(
    "names",
    [
        ("1.jpg", "1.txt"),
        ("1.JPG", "1.TXT"),
        ("1.jfif", "1.caption"),
        ("1.jpg", "1.jpg.txt"),
        ("photos.v2/1.v3.tif", "photos.v2/1.v3.text"),
        ("1.input.png", "1.outputs.txt"),
        ("1.image.jpg", "1.caption.txt"),
    ],
)
def test_a_caption_is_found(names: tuple[str, str], tmp_path: Path) -> None:
    assert list(captions(tmp_path, {names[0]: "", names[1]: "a dog"}).values()) == ["a dog"]


def test_a_key_of_several_pictures_is_nobodys(tmp_path: Path) -> None:
    files = {"1.input.png": "", "1.target.png": "", "1.outputs.txt": "a dog"}
    assert captions(tmp_path, files) == {"1.input.png": "", "1.target.png": ""}


def test_own_names_come_before_keys(tmp_path: Path) -> None:
    files = {"a.1.png": "", "a.2.png": "", "a.1.txt": "one", "a.2.txt": "two", "b/a.1.png": "", "b/a.1.txt": "three"}
    assert captions(tmp_path, files) == {"a.1.png": "one", "a.2.png": "two", "b/a.1.png": "three"}


def test_captions_and_classes_of_several_files(tmp_path: Path) -> None:
    files = {"1.jpg": "", "1.txt": " ", "1.json": '{"TEXT": "a dog", "label": 3}', "1.cls": "7"}
    found = beside(tmp_path, files)
    said = found.said(found.pictures[0])
    assert (said.caption, said.label, said.origin) == ("a dog", "3", "captions in .json")
    files = {"2.jpg": "", "2.json": "[" * 100_000, "2.cls": "dog"}
    found = beside(tmp_path / "b", files)
    assert (found.said(found.pictures[0]).caption, found.said(found.pictures[0]).label) == ("", "dog")


def test_files_that_belong_to_nobody(tmp_path: Path) -> None:
    found = beside(tmp_path, {"1.jpg": "", "1.txt": "a dog", "2.txt": "a cat", "3.svg": "", "3.txt": "a cow"})
    assert found.has_words()
    for picture in found.pictures:
        found.said(picture)
    assert list(found.alone()) == [
        ("2.txt", "texts without a picture"),
        ("3.txt", "texts beside a .svg, which is not read"),
    ]


@pytest.mark.parametrize(
    ("text", "caption", "translated"),
    [
        ("A dog.\nde.utf8=Ein Hund.\npt_BR.utf8=Um cão.\nca@valencia.utf8=Un gos.\nsr@latin.utf8=Pas.", "A dog.", True),
        ("A dog.\r\n\r\nde.utf8=Ein Hund.\r\n", "A dog.", True),
        ("A dog.\nA cat: de.utf8=Ein Hund.", "A dog.\nA cat: de.utf8=Ein Hund.", False),
        ("A dog.", "A dog.", False),
        ("", "", False),
    ],
)
def test_translations_are_no_caption(text: str, caption: str, translated: bool) -> None:
    assert caption_lines(text) == (caption, translated)


def test_values_as_text() -> None:
    assert [as_text(value) for value in (["", "a"], 3.0, 3.5, True, {"a": 1}, " a ")] == ["a", "3", "", "", "", "a"]
