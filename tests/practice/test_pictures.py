"""The pictures to classify: the course's task, and labelled shards that say the same."""

from pathlib import Path

import pytest
import torch

from tutorial_lib.data.shard_writer import ShardWriter
from tutorial_lib.data.shards import Sample
from tutorial_lib.data.tasks import ZeroShotTask
from tutorial_lib.data.text import Names
from tutorial_lib.practice.pictures import course_pictures, pictures_for, shard_pictures, true_class

NAMES = ("cat", "dog")


@pytest.mark.parametrize(
    ("caption", "meta", "label", "true"),
    [
        ("dog", {}, -1, 1),
        ("a dog", {}, -1, -1),
        ("a dog", {"label": "cat"}, -1, 0),
        ("dog", {"label": "horse"}, -1, -1),
        ("dog", {"label": "dog"}, 0, 0),
        ("dog", {}, 2, -1),
        ("Dog ", {}, -1, 1),
        ("x", {"label": 1}, -1, 1),
        ("x", {"label": 2}, -1, -1),
        ("x", {"label": True}, -1, -1),
    ],
)
def test_class_of_a_pair(caption: str, meta: dict, label: int, true: int) -> None:
    sample = Sample("k", b"x", "png", caption, meta, label, Path("x.tar"))
    assert true_class(sample, Names(NAMES)) == true


def test_the_course_says_where_its_pictures_are_from() -> None:
    task = course_pictures("validation", 20, 16)
    assert isinstance(task, ZeroShotTask)
    assert task.images.shape[1:] == (3, 16, 16)
    assert task.about["split"] == "validation"
    assert task.about["style"] == task.style
    assert len(task.sprite.unique()) < len(task), "several pictures of a drawing"


def test_class_numbers_of_cls_are_read(tmp_path: Path) -> None:
    picture = torch.zeros(8, 8, 3, dtype=torch.uint8).numpy()
    with ShardWriter(tmp_path) as writer:
        for i in range(3):
            writer.add(f"p{i}", picture, "whatever", {}, label=2 - i)
    (tmp_path / "labels.txt").write_text("a\nb\nc\n")
    assert shard_pictures([tmp_path], tmp_path / "labels.txt", 8).targets.tolist() == [2, 1, 0]


def test_shards_and_labels_belong_together(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="belong together"):
        pictures_for(32, shards=[tmp_path])
    with pytest.raises(ValueError, match="belong together"):
        pictures_for(32, labels=tmp_path / "labels.txt")
