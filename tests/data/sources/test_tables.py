"""Tables: encodings, separators, columns, damage."""

import gzip
import io
from typing import Any

import pytest

from tutorial_lib.data.sources.tables import Columns, Table, is_table, open_table
from tutorial_lib.data.sources.trees import SourceError


def of(content: bytes, title: str = "a.csv") -> Table:
    return open_table(lambda: io.BytesIO(content), title)


def everything(table: Table) -> list[tuple[int, tuple[Any, ...]]]:
    return list(table.rows(table.columns[:1]))


def test_several_lines_and_separators() -> None:
    table = of(b'path;title\r\n1.jpg;"a ""dog"",\r\nand a cat"\r\n\r\n2.jpg\r\n')
    assert table.columns == ("path", "title")
    found = list(table.rows(("title", "path", "")))
    assert found == [(3, ('a "dog",\r\nand a cat', "1.jpg", None)), (5, (None, "2.jpg", None))]
    assert of(b"image_name| comment_number| comment\n1.jpg| 0| a dog\n").columns == (
        "image_name",
        "comment_number",
        "comment",
    )


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32"])
def test_encodings(encoding: str) -> None:
    table = of("path,caption\n1.jpg,cafe\u0301 図\n".encode(encoding))
    assert list(table.rows(("caption",))) == [(2, ("café 図",))]


@pytest.mark.parametrize("before", [0, 70_000])
@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
def test_an_encoding_that_is_none_names_file_and_byte(before: int, mark: bytes) -> None:
    start = mark + b"path,caption\n" + b"1.jpg,a dog\n" * (before // 12) + b"1.jpg,ros"
    with pytest.raises(SourceError, match=rf"a.csv is no UTF-8 \(byte {len(start)} is 0xe9\): save it as UTF-8"):
        list(of(start + b"\xe9\n").rows(("path",)))


def test_a_compressed_table() -> None:
    assert of(gzip.compress(b"path,caption\n"), "a.csv.gz").columns == ("path", "caption")
    with pytest.raises(SourceError, match=r"a.csv.gz cannot be read"):
        everything(of(gzip.compress(b"path,caption\n" * 99)[:30], "a.csv.gz"))


def test_json_lines() -> None:
    table = of(b'{"file_name": "1.jpg", "text": ["a dog", "a cat"]}\n\n{"file_name": "2.jpg"}\n', "a.jsonl")
    assert list(table.rows(("text", "file_name"))) == [(1, (["a dog", "a cat"], "1.jpg")), (3, (None, "2.jpg"))]


@pytest.mark.parametrize(
    ("content", "title", "said"),
    [
        (b"", "a.csv", "a.csv is empty, or its first line names no columns"),
        (b"", "a.jsonl", "a.jsonl is empty"),
        (b"{", "a.jsonl", "a.jsonl, line 1 is no JSON"),
        (b"[" * 100_000, "a.jsonl", "a.jsonl, line 1 is no JSON"),
        (b"{}\n[]", "a.jsonl", "a.jsonl, line 2 is no JSON object"),
        (b"a,b\n" + b'"' + b"x" * 200_000, "a.csv", "a.csv, line .: field larger than field limit"),
    ],
)
def test_damaged_tables_are_named(content: bytes, title: str, said: str) -> None:
    with pytest.raises(SourceError, match=said):
        everything(of(content, title))


def test_a_line_has_a_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tutorial_lib.data.sources.tables.MOST_LINE", 10)
    with pytest.raises(SourceError, match=r"a.csv has a line of more than 10 characters"):
        _ = of(b"path,caption and more\n").columns


@pytest.mark.parametrize(
    ("present", "chosen"),
    [
        (("URL", "TEXT"), ("URL", "TEXT", "")),
        (("filepath", "title"), ("filepath", "title", "")),
        (("id", "File_Name", "Caption", "category"), ("File_Name", "Caption", "category")),
        (("img", "fine_label"), ("img", "", "fine_label")),
    ],
)
def test_usual_columns_are_found(present: tuple[str, ...], chosen: tuple[str, str, str]) -> None:
    assert Columns().chosen(present, "a.csv") == Columns(*chosen)


def test_columns_are_named() -> None:
    present = ("a", "b", "path", "caption")
    assert Columns("a", "b").chosen(present, "a.csv") == Columns("a", "b", "")
    with pytest.raises(
        SourceError, match=r"a.csv has no column 'c' .`label_column`.: it has 'a', 'b', 'path', 'caption'"
    ):
        Columns(label="c").chosen(present, "a.csv")
    with pytest.raises(
        SourceError, match=r"a.csv has no column of pictures that is known; `image_column` names one of"
    ):
        Columns().chosen(("a", "caption"), "a.csv")
    with pytest.raises(
        SourceError, match=r"a.csv has no column of captions that is known; `caption_column` names one of"
    ):
        Columns().chosen(("path", "b"), "a.csv")


def test_parquet() -> None:
    arrow = pytest.importorskip("pyarrow", reason="pyarrow, of the extra `import`, is not installed")
    parquet = pytest.importorskip("pyarrow.parquet")
    file = io.BytesIO()
    parquet.write_table(
        arrow.table({"path": ["1.jpg"] * 100, "caption": ["a"] * 99 + [None], "raw": [b"0"] * 100}), file
    )
    table = of(file.getvalue(), "a.parquet")
    assert table.columns == ("path", "caption", "raw")
    assert list(table.rows(("caption", "")))[98:] == [(98, ("a", None)), (99, (None, None))]
    assert (table.embeds("raw"), table.embeds("path"), table.names("path")) == (True, False, ())
    with pytest.raises(SourceError, match=r"a.parquet is no Parquet file, or damaged"):
        _ = of(file.getvalue()[:-9], "a.parquet").columns


def test_names_of_tables() -> None:
    assert is_table("TRAIN.CSV.gz")
    assert not is_table("captions.txt")
    assert is_table("captions.txt", given=True)
