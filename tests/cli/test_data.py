"""`tutorial data`: the shards it writes, and bad input."""

from pathlib import Path

import pytest

from tests.cli.commands import CLASSES, refused, tutorial
from tests.practice.photo_makers import cifar_files, photos, put
from tutorial_lib.data.loading import read_pairs
from tutorial_lib.data.shards import samples


def test_data_train(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pairs = read_pairs(folder / "clean")
    labels = (folder / "clean" / "labels.txt").read_text().splitlines()
    assert len(labels) == CLASSES
    assert pairs.images.shape[1:] == (3, 32, 32)
    assert {sample.meta["label"] for sample in samples(folder / "clean")} == set(labels)
    assert "already holds emojicaps-00000.tar" in refused(capsys, "data", "emojicaps", "--out", folder / "clean")


def test_data_has_a_seed(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ("data", "emojicaps", "--classes", CLASSES, "--copies", 2)
    again = tutorial(capsys, *arguments, "--out", tmp_path / "again")
    other = tutorial(capsys, *arguments, "--out", tmp_path / "other", "--seed", 1)
    name = "emojicaps-00000.tar"
    assert (tmp_path / "again" / name).read_bytes() == (folder / "clean" / name).read_bytes()
    assert other["fingerprint"] != again["fingerprint"]


def test_data_bad_input(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ("data", "emojicaps", "--out", tmp_path / "x")
    assert "a whole number of at least 1 is needed, not '0'" in refused(capsys, *arguments, "--copies", 0)
    assert "side must be at least 8 pixels, not 4" in refused(capsys, *arguments, "--side", 4)
    assert "5000 classes were asked for" in refused(capsys, *arguments, "--classes", 5000)
    assert not (tmp_path / "x").exists()


def test_data_photos(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = put(tmp_path / "downloads", cifar_files(photos(30, seed=1), photos(5, seed=2)))
    arguments = ("data", "photos", "cifar10", source)
    looked = tutorial(capsys, *arguments, "--dry-run")
    assert looked["parts"]["test"]["total"] == 5
    assert "states no licence" in looked["licence"]
    done = tutorial(capsys, *arguments, "--out", tmp_path / "data")
    assert done["parts"]["test"]["pairs"] == 5
    assert len(list(samples(tmp_path / "data" / "cifar10-test"))) == 5
    assert "neither cifar-100-python nor" in refused(capsys, "data", "photos", "cifar100", source, "--dry-run")
    assert "invalid choice: 'mnist'" in refused(capsys, "data", "photos", "mnist", source)
