"""What a source is taken for, and what it is refused for."""

from pathlib import Path

import pytest

from tests.data.sources.makers import LAYOUTS, class_folders, folder, images, pairs, rows, tar, with_texts, zipped
from tutorial_lib.data.sources.layouts import Source
from tutorial_lib.data.sources.trees import SourceError


def problems(source: Source) -> set[str]:
    return {pair.problem for pair in source.pairs()}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_every_call_gives_the_same(layout: str, tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    source = Source(LAYOUTS[layout](tmp_path / "in", pairs(6)))
    once, again = ([(p.name, p.caption, p.label, p.stamp) for p in source.pairs()] for _ in range(2))
    assert once == again
    assert len(once) == sum(source.layouts.values()) == 6


def test_class_folders_in_an_archive_with_a_folder_around(tmp_path: Path) -> None:
    some = [(f"pets/train/{name}", body) for name, body in class_folders(pairs(6))]
    for path in (zipped(tmp_path / "pets.zip", some), tar(tmp_path / "pets.tgz", some, "w:gz")):
        source = Source(path)
        assert {p.label for p in source.pairs()} == {"apple pie", "dog", "zebra"}
        assert list(source.classes) == ["apple pie", "dog", "zebra"]


def test_one_part_of_a_data_set_is_given(tmp_path: Path) -> None:
    files = class_folders(pairs(6))
    parts = [(f"{part}/{name}", body) for part in ("train", "val") for name, body in files]
    path = zipped(tmp_path / "pets.zip", parts)
    for given in (path, folder(tmp_path / "pets", parts)):
        with pytest.raises(SourceError, match=r"holds train and val: give one of them, as in .*/train"):
            list(Source(given).pairs())
    assert len(list(Source(path / "val").pairs())) == 6
    tables = [("train.csv", rows(pairs(3))), ("test-00000.csv", rows(pairs(3))), *images(pairs(3))]
    with pytest.raises(SourceError, match=r"holds test-00000.csv and train.csv: give one of them"):
        list(Source(folder(tmp_path / "b", tables)).pairs())
    trains = [(name.replace("dog", "train").replace("zebra", "test_tube"), body) for name, body in files]
    assert len(list(Source(folder(tmp_path / "c", trains)).pairs())) == 6


def test_numbers_of_classes_get_their_names(tmp_path: Path) -> None:
    some = pairs(4)
    files = [(f"{p.name}.png", p.encoded()) for p in some] + [(f"{p.name}.cls", b"1") for p in some[:3]]
    files += [(f"{some[3].name}.cls", b"2")]
    assert problems(Source(tar(tmp_path / "a.tar", files))) == {"without a caption"}
    source = Source(tar(tmp_path / "b.tar", [*files, ("labels.txt", b"cat\ndog\n")]))
    assert [(p.label, p.caption, p.problem) for p in source.pairs()][2:] == [
        ("dog", "a photo of a dog", ""),
        ("", "", "of a class beyond the 2 that have names"),
    ]
    assert list(source.classes) == ["cat", "dog"]


def test_names_of_classes_lie_beside_a_table(tmp_path: Path) -> None:
    body = b"image,label\nimg/p000.png,1\n"
    path = folder(tmp_path / "a", [*images(pairs(1)), ("a.csv", body), ("classes.txt", b"cat\r\ndog\r\n")]) / "a.csv"
    assert [(p.caption, p.label) for p in Source(path).pairs()] == [("a photo of a dog", "dog")]
    (tmp_path / "a" / "classes.txt").write_bytes(b"ros\xe9\n")
    with pytest.raises(SourceError, match=r"classes.txt is no UTF-8 .byte 3.: save it as UTF-8"):
        list(Source(path).pairs())


def test_a_table_with_its_pictures_elsewhere(tmp_path: Path) -> None:
    path = folder(tmp_path / "a", [("captions.txt", rows(pairs(3)))]) / "captions.txt"
    assert "is not in" in problems(Source(path)).pop()
    folder(tmp_path / "b", images(pairs(3)))
    packed = tar(tmp_path / "b.tgz", images(pairs(3)), "w:gz")
    for root in (tmp_path / "b", packed):
        assert problems(Source(path, root=root)) == {""}


def test_absolute_paths_are_followed_where_no_root_is_given(tmp_path: Path) -> None:
    folder(tmp_path / "b", images(pairs(3)))
    body = rows(pairs(3)).replace(b"img/", f"{tmp_path}/b/img/".encode())
    path = folder(tmp_path / "a", [("a.csv", body)]) / "a.csv"
    assert problems(Source(path)) == problems(Source(path, root=tmp_path / "b")) == {""}
    for source in (
        Source(path, root=tmp_path / "a"),
        Source(tmp_path / "a"),
    ):  # a folder that somebody else may have made
        assert not any(pair.read for pair in source.pairs())


def test_tables_that_are_none_are_put_aside(tmp_path: Path) -> None:
    files = [*with_texts(pairs(3)), ("notes.csv", b"a,b\n1,2\n"), ("x.csv", b"url,caption\nhttps://a/1.jpg,a dog\n")]
    source = Source(folder(tmp_path / "a", files))
    assert len(list(source.pairs())) == 3
    assert source.aside.total == 2
    with pytest.raises(SourceError, match=r"notes.csv has no column of pictures that is known"):
        list(Source(tmp_path / "a" / "notes.csv").pairs())
    assert problems(Source(tmp_path / "a" / "x.csv")) == {
        "whose picture is an address, which is not fetched (img2dataset does that)"
    }


def test_pictures_that_no_table_names_are_told(tmp_path: Path) -> None:
    files = [*images(pairs(3)), ("a.csv", rows(pairs(2))), ("more/1.jpg", b"0")]
    for source in (Source(folder(tmp_path / "a", files)), Source(zipped(tmp_path / "a.zip", files))):
        assert len(list(source.pairs())) == 2
        assert source.aside == {"pictures that no table names": (2, "img/p002.png")}


def test_pictures_without_anything(tmp_path: Path) -> None:
    files = [(f"{p.name}.png", p.encoded()) for p in pairs(3)]
    assert problems(Source(folder(tmp_path / "a", files))) == {"without a caption"}
    only_one = [(f"dog/{name}", body) for name, body in files]
    assert problems(Source(folder(tmp_path / "b", only_one))) == {"without a caption"}


def test_linked_pictures_are_counted(tmp_path: Path) -> None:
    source = folder(tmp_path / "a", with_texts(pairs(2)))
    (source / "l.png").symlink_to(source / "p000.png")
    (source / "l.txt").symlink_to(source / "p000.txt")
    found = Source(source)
    assert [p.problem for p in found.pairs()] == ["that are links or sparse files, which are not read", "", ""]
    assert found.aside["that are links or sparse files, which are not read"] == (1, "l.txt")


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("nowhere", "there is no file or folder nowhere"),
        ("https://example.org/a.tar", "https://example.org/a.tar is an address: fetch it first"),
        ("a.json", "is no table .*, no archive .* and no folder"),
    ],
)
def test_what_is_no_source(path: str, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("a.json").write_text("{}")
    with pytest.raises(SourceError, match=said):
        Source(Path(path))


def test_a_template_has_one_place() -> None:
    for template in ("a photo", "{} {}"):
        with pytest.raises(SourceError, match=r"`template` must have one \{\} for the class"):
            Source(Path(), template=template)


def test_archives_in_archives_have_an_end(tmp_path: Path) -> None:
    path = zipped(tmp_path / "0.zip", with_texts(pairs(1)))
    for i in range(1, 5):
        path = zipped(tmp_path / f"{i}.zip", [("a.zip", path.read_bytes())])
    assert len(list(Source(tmp_path / "3.zip").pairs())) == 1
    with pytest.raises(SourceError, match="lies in too many archives: unpack some"):
        list(Source(path).pairs())
