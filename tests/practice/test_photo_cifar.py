"""CIFAR in each form in which it is delivered, against torchvision's own reader; and files that are none."""

from __future__ import annotations

import hashlib
import pickle
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from torchvision import datasets

from tests.practice.photo_makers import CLASSES, Photo, cifar_files, cifar_parquet, packed, photos, put, python2_batch
from tutorial_lib.data.decoding import decode
from tutorial_lib.data.sources.trees import SourceError
from tutorial_lib.practice.photo_cifar import Cifar, sentences

TRAIN, TEST = photos(40, seed=1), photos(9, seed=2)
NAMES = tuple(name.replace("_", " ") for name in CLASSES)


def nested(root: Path, fine: bool) -> Path:
    return packed(root / f"cifar-{100 if fine else 10}-python.tar.gz", cifar_files(TRAIN, TEST, fine=fine)).parent


FORMS: dict[str, Callable[[Path, bool], Path]] = {
    "folder of folders": lambda root, fine: put(root / "a", cifar_files(TRAIN, TEST, fine=fine)),
    "the folder": lambda root, fine: next(put(root / "a", cifar_files(TRAIN, TEST, fine=fine)).iterdir()),
    "archive": lambda root, fine: packed(root / "any.tgz", cifar_files(TRAIN, TEST, fine=fine)),
    "folder with the archive": lambda root, fine: nested(root / "a", fine),
    "Parquet": lambda root, fine: cifar_parquet(root / "a", TRAIN, TEST, fine=fine),
}


def content(whole: Cifar) -> dict[str, set[tuple[str, bytes]]]:
    """Class and pixels of every picture, by part."""
    found: dict[str, set[tuple[str, bytes]]] = {"train": set(), "validation": set(), "test": set()}
    for photo in whole.photographs():
        assert photo.found.read is not None
        found[photo.part].add((photo.found.label, decode(photo.found.read()).tobytes()))
    return found


def expected(some: list[Photo]) -> set[tuple[str, bytes]]:
    return {(NAMES[photo.label], photo.pixels.tobytes()) for photo in some}


@pytest.mark.parametrize("name", ["cifar10", "cifar100"])
@pytest.mark.parametrize("form", FORMS)
def test_pictures_and_classes_come_out(form: str, name: str, tmp_path: Path) -> None:
    if form == "Parquet":
        pytest.importorskip("pyarrow", reason="pyarrow, of the extra `import`, is not installed")
    whole = Cifar(FORMS[form](tmp_path, name == "cifar100"), name)
    assert whole.classes == NAMES
    found = content(whole)
    assert found["test"] == expected(TEST)
    assert found["train"] | found["validation"] == expected(TRAIN)
    assert not found["train"] & found["validation"]
    assert 0 < len(found["validation"]) < 12
    again = [(p.found.name, p.captions, p.part, p.found.stamp) for p in whole.photographs()]
    assert again == [(p.found.name, p.captions, p.part, p.found.stamp) for p in whole.photographs()]
    for photo in whole.photographs():
        assert photo.found.label in photo.captions[0]


@pytest.mark.parametrize(("kind", "fine"), [(datasets.CIFAR10, False), (datasets.CIFAR100, True)])
def test_the_pictures_are_those_that_torchvision_reads(
    kind: type[datasets.CIFAR10], fine: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = cifar_files(TRAIN, TEST, fine=fine)
    put(tmp_path, files)
    monkeypatch.setattr(kind, "_check_integrity", lambda self: True)
    meta = f"{kind.base_folder}/{kind.meta['filename']}"
    digest = hashlib.md5(files[meta]).hexdigest()
    monkeypatch.setattr(kind, "meta", {**kind.meta, "md5": digest})
    theirs = {part: kind(str(tmp_path), train=part == "train") for part in ("train", "test")}
    ours = content(Cifar(tmp_path, "cifar100" if fine else "cifar10"))
    for part, found in (("train", ours["train"] | ours["validation"]), ("test", ours["test"])):
        names = theirs[part].classes
        assert found == {(names[k].replace("_", " "), np.asarray(image).tobytes()) for image, k in theirs[part]}


def test_captions_are_the_courses_sentences_and_differ() -> None:
    captions = sentences(["maple tree"] * 200)
    assert all("maple tree" in caption for caption in captions)
    assert len(set(captions)) > 80
    assert sentences(["maple tree"] * 50, start=150) == captions[150:]


def broken(**changes: bytes) -> dict[str, bytes]:
    files = cifar_files(TRAIN, TEST)
    return files | {f"cifar-10-batches-py/{name}": content for name, content in changes.items()}


def test_what_is_no_cifar_is_refused(tmp_path: Path) -> None:
    rows = np.zeros((2, 3072), np.uint8)

    def refused(name: str, **changes: bytes) -> str:
        with pytest.raises(SourceError) as caught:
            list(Cifar(put(tmp_path / name, broken(**changes)), "cifar10").photographs())
        return str(caught.value)

    assert "has 2 pictures, and not as many labels" in refused(
        "a", test_batch=python2_batch({"labels": [1], "data": rows})
    )
    assert "has a label 4, and 4 classes" in refused("b", test_batch=python2_batch({"labels": [0, 4], "data": rows}))
    assert "has no pictures of 32x32 pixels" in refused(
        "c", test_batch=python2_batch({"labels": [], "data": rows[:, 1:]})
    )
    assert "test_batch is no pickle, or damaged" in refused("d", test_batch=b"<html>")
    assert "something else than a batch" in refused("e", test_batch=pickle.dumps([1]))
    assert "names no classes" in refused("f", **{"batches.meta": python2_batch({"label_names": [1]})})
    bad = pickle.dumps({"labels": [1], "data": pickle.PickleBuffer}, 2)
    assert "would run pickle.PickleBuffer if it were unpickled" in refused(
        "g", test_batch=bad.replace(b"_pickle", b"pickle")
    )


def test_what_is_not_there_says_how_to_fetch_it(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("a")
    with pytest.raises(
        SourceError, match=r"neither cifar-100-python .*CIFAR100\(FOLDER, download=True\).*uoft-cs/cifar100"
    ):
        Cifar(tmp_path, "cifar100")
    put(tmp_path, cifar_files(TRAIN, TEST))
    with pytest.raises(SourceError, match="neither cifar-100-python"):
        Cifar(tmp_path, "cifar100")


def test_parquet_of_the_other_cifar_is_refused(tmp_path: Path) -> None:
    pytest.importorskip("pyarrow", reason="pyarrow, of the extra `import`, is not installed")
    with pytest.raises(SourceError, match="no column 'fine_label': it is no CIFAR of that kind"):
        Cifar(cifar_parquet(tmp_path, TRAIN, TEST), "cifar100")
