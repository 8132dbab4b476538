"""Labelled photographs in the data directory: what is missing or does not fit is said."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from tutorial_lib.data.pairs import Pairs
from tutorial_lib.data.photographs import photograph_task, photograph_training, photograph_validation
from tutorial_lib.data.shard_writer import write_pairs

LABELS = ("cat", "dog", "sea otter")


def part(folder: Path, count: int, *, seed: int, labels: tuple[str, ...] = LABELS, last: int = 2) -> torch.Tensor:
    """A part with so many pictures; gives them."""
    generator = torch.Generator().manual_seed(seed)
    images = torch.randint(0, 256, (count, 3, 8, 8), dtype=torch.uint8, generator=generator)
    classes = torch.arange(count) % (last + 1)
    captions = tuple(f"picture {i}" for i in range(count))
    write_pairs(folder, Pairs(images, captions, tuple(map(str, range(count))), classes))
    (folder / "labels.txt").write_text("\n".join(labels) + "\n")
    return images


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("TUTORIAL_DATA", str(tmp_path))
    return tmp_path


def test_a_task_of_test_and_kept_photographs(data: Path) -> None:
    test, kept = part(data / "cifar10-test", 9, seed=0), part(data / "cifar10-validation", 6, seed=1)
    task = photograph_task("cifar10", side=8)
    assert torch.equal(task.images, test)
    assert task.other is not None
    assert torch.equal(task.other.images, kept)
    assert task.class_of("sea otter") == 2
    assert task.targets.tolist() == [0, 1, 2] * 3
    assert task.class_of_concept(torch.tensor([2, -1, 0])).tolist() == [2, -1, 0]
    assert task.spare is not None
    images, classes = task.spare(6, 0, torch.Generator().manual_seed(0))
    order = torch.randperm(6, generator=torch.Generator().manual_seed(0))
    assert torch.equal(images, kept[order])
    assert torch.equal(classes, order % 3)
    with pytest.raises(ValueError, match="7 targets were asked for, and 6 pictures can serve"):
        task.spare(7, 0, torch.Generator())
    images, classes = photograph_validation("cifar10", side=8)
    assert torch.equal(images, kept)
    assert classes.tolist() == [0, 1, 2, 0, 1, 2]


def test_labelled_training_pictures_are_drawn(data: Path) -> None:
    images = part(data / "cifar100", 12, seed=2)
    some, classes = photograph_training("cifar100", side=8, count=5, seed=3)
    order = torch.randperm(12, generator=torch.Generator().manual_seed(3))[:5]
    assert torch.equal(some, images[order])
    assert torch.equal(classes, order % 3)
    assert len(photograph_training("cifar100", side=8, count=99, seed=3)[0]) == 12


def test_what_is_missing_or_does_not_fit_is_said(data: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"no photographs with labels.txt in .*cifar10-test: tutorial data"):
        photograph_task("cifar10", side=8)
    part(data / "cifar10-test", 3, seed=0)
    part(data / "cifar10-validation", 3, seed=0, labels=("cat", "dog", "otter"))
    with pytest.raises(
        ValueError, match=r"cifar10-validation and .*cifar10-test have other labels.txt: make both anew"
    ):
        photograph_task("cifar10", side=8)
    (data / "cifar10-test" / "labels.txt").write_text("cat\ndog\n")
    with pytest.raises(ValueError, match=r"pictures of none of the 2 classes in its labels.txt"):
        photograph_task("cifar10", side=8)
    (data / "cifar10-test" / "labels.txt").unlink()
    with pytest.raises(FileNotFoundError, match=r"labels.txt"):
        photograph_task("cifar10", side=8)
