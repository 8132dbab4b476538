"""Flickr and COCO in each form in which they are delivered, against torchvision's readers where it has some."""

from __future__ import annotations

import csv
import io
import json
from collections import Counter
from pathlib import Path

import pytest
from PIL import Image
from torchvision import datasets

from tests.practice.photo_makers import Photo, coco, flickr8k, flickr8k_page, flickr30k, parquet, photos
from tutorial_lib.data.sources.trees import SourceError
from tutorial_lib.practice.photo_captions import Captions, columns_of

SOME = photos(30, sides=(20, 26), captions=3)


def said(whole: Captions) -> dict[str, tuple[str, ...]]:
    """Captions by the name of the picture."""
    return {p.found.name.rpartition("/")[2]: p.captions for p in whole.photographs()}


def expected(some: list[Photo]) -> dict[str, tuple[str, ...]]:
    return {photo.name: photo.captions for photo in some}


def parts(whole: Captions) -> Counter[str]:
    return Counter(p.part for p in whole.photographs())


def test_flickr8k_with_its_lists_of_parts(tmp_path: Path) -> None:
    whole = Captions(flickr8k(tmp_path, SOME, validation=4, test=6))
    assert whole.layout == "captions in Flickr8k.token.txt"
    assert said(whole) == expected(SOME)
    assert parts(whole) == {"validation": 4, "test": 6, "train": 20}
    assert {p.found.name.rpartition("/")[2] for p in whole.photographs() if p.part == "test"} == {
        photo.name for photo in SOME[4:10]
    }


def test_without_lists_some_pictures_are_kept(tmp_path: Path) -> None:
    many = photos(300, sides=(4, 4), captions=1)
    whole = Captions(flickr8k(tmp_path, many))
    found = parts(whole)
    assert found["train"] > 240
    assert min(found["validation"], found["test"]) > 5


def test_flickr30k_is_what_torchvision_reads(tmp_path: Path) -> None:
    root = flickr30k(tmp_path, SOME)
    theirs = datasets.Flickr30k(str(root / "flickr30k-images"), str(root / "results_20130124.token"))
    whole = Captions(root)
    assert said(whole) == {name: tuple(theirs.annotations[name]) for name in theirs.ids} == expected(SOME)
    first = next(iter(whole.photographs()))
    assert first.found.read is not None
    ours = Image.open(io.BytesIO(first.found.read())).convert("RGB")
    assert ours.tobytes() == theirs[theirs.ids.index(first.found.name.rpartition("/")[2])][0].tobytes()


def test_the_page_of_flickr8k_is_what_torchvision_reads(tmp_path: Path) -> None:
    root = flickr8k_page(tmp_path, SOME)
    theirs = datasets.Flickr8k(str(root / "Flickr8k_Dataset"), str(root / "8k-pictures.html"))
    found = said(Captions(root))
    assert found == {Path(name).name: tuple(theirs.annotations[name]) for name in theirs.ids} == expected(SOME)


def test_coco(tmp_path: Path) -> None:
    train, test = SOME[:22], photos(5, seed=9, sides=(9, 9), captions=5)
    whole = Captions(coco(tmp_path, train, test))
    assert said(whole) == expected([*train, *test])
    assert parts(whole)["test"] == 5
    assert parts(whole)["train"] + parts(whole)["validation"] == 22
    (tmp_path / "annotations" / "captions_val2017.json").write_text('{"images": [{"id": 1}]}')
    with pytest.raises(
        SourceError, match=r"captions_val2017.json is no file of COCO's captions, or damaged \(KeyError"
    ):
        list(whole.photographs())


def test_a_row_a_caption_as_on_kaggle(tmp_path: Path) -> None:
    flickr8k(tmp_path, SOME)
    (tmp_path / "Flickr8k.token.txt").unlink()
    with (tmp_path / "captions.txt").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(("image", "caption"))
        writer.writerows((photo.name, caption) for photo in SOME for caption in photo.captions)
    assert said(Captions(tmp_path)) == expected(SOME)


@pytest.mark.parametrize("form", ["list", "numbered", "a row a caption"])
def test_parquet_of_a_hub(form: str, tmp_path: Path) -> None:
    pytest.importorskip("pyarrow", reason="pyarrow, of the extra `import`, is not installed")
    if form == "list":  # all in one file, whose rows say their part
        columns = {"image": [*SOME], "caption": [[*p.captions] for p in SOME]}
        columns["split"] = ["val" if i < 5 else "test" if i < 9 else "train" for i in range(len(SOME))]
        parquet(tmp_path / "data" / "test-00000-of-00001.parquet", columns)
    else:
        for part, some in (("train", SOME[9:]), ("validation", SOME[:5]), ("test", SOME[5:9])):
            if form == "numbered":
                columns = {"image": [*some]} | {f"caption_{k}": [p.captions[k] for p in some] for k in range(3)}
            else:
                columns = {"image": [p for p in some for _ in p.captions]}
                columns["text"] = [caption for p in some for caption in p.captions]
            parquet(tmp_path / "data" / f"{part}-00000-of-00001.parquet", columns)
    whole = Captions(tmp_path)
    each = 3 if form == "a row a caption" else 1
    assert parts(whole) == {"validation": 5 * each, "test": 4 * each, "train": 21 * each}
    found = [caption for p in whole.photographs() for caption in p.captions]
    assert sorted(found) == sorted(caption for p in SOME for caption in p.captions)
    assert all(p.found.read is not None for p in whole.photographs())


def test_rows_of_one_picture_lie_in_one_part(tmp_path: Path) -> None:
    pytest.importorskip("pyarrow", reason="pyarrow, of the extra `import`, is not installed")
    many = photos(120, sides=(4, 4), captions=2)
    columns = {"image": [p for p in many for _ in p.captions], "caption": [c for p in many for c in p.captions]}
    parquet(tmp_path / "train-00000-of-00001.parquet", columns)
    by_picture: dict[bytes, set[str]] = {}
    for photo in Captions(tmp_path).photographs():
        assert photo.found.read is not None
        by_picture.setdefault(photo.found.read(), set()).add(photo.part)
    assert len(by_picture) == 120
    assert {len(found) for found in by_picture.values()} == {1}
    assert set.union(*by_picture.values()) == {"train", "validation", "test"}


def test_a_picture_that_is_not_there_is_told(tmp_path: Path) -> None:
    flickr8k(tmp_path, SOME)
    (tmp_path / "Flicker8k_Dataset" / SOME[3].name).unlink()
    missing = [p.found.problem for p in Captions(tmp_path).photographs() if p.found.read is None]
    assert missing == [f"whose picture is not in {tmp_path}"]


def test_bad_input(tmp_path: Path) -> None:
    (tmp_path / "1.jpg").write_bytes(SOME[0].encoded("JPEG"))
    with pytest.raises(SourceError, match=r"holds no captions in a form that is known: captions_train2017.json"):
        Captions(tmp_path)
    (tmp_path / "a.token").write_text("1.jpg#0 no tab\n")
    with pytest.raises(SourceError, match=r"a.token, line 1 is no `name#number`, tab and caption"):
        list(Captions(tmp_path).photographs())
    (tmp_path / "a.token").write_bytes(b"1.jpg#0\t\xff\n")
    with pytest.raises(SourceError, match=r"a.token is no UTF-8 \(byte 8\)"):
        list(Captions(tmp_path).photographs())
    with pytest.raises(SourceError, match="has no column of captions that is known"):
        columns_of(("image", "label"), "a.parquet")


def test_paths_in_annotations_lead_nowhere(tmp_path: Path) -> None:
    root = coco(tmp_path / "coco", SOME[:4], SOME[4:6])
    (tmp_path / "secret.jpg").write_bytes(SOME[0].encoded("JPEG"))
    file = root / "annotations" / "captions_val2017.json"
    body = json.loads(file.read_text())
    body["images"][0]["file_name"] = "../../secret.jpg"
    file.write_text(json.dumps(body))
    found = {p.found.where: p.found.problem for p in Captions(root).photographs() if p.found.read is None}
    assert found == {"secret.jpg": f"whose picture is not in {root}"}
