"""Shards of the course's pictures are its task."""

from pathlib import Path

import torch

from tutorial_lib.practice.pictures import course_pictures, shard_pictures
from tutorial_lib.practice.shards import write_emojicaps


def test_shards_of_the_course_are_its_task(tmp_path: Path) -> None:
    write_emojicaps(tmp_path, split="test", classes=20)
    task, mine = course_pictures("test", 20), shard_pictures([tmp_path], tmp_path / "labels.txt", 32)
    assert mine.labels == task.labels
    assert mine.images.equal(task.images)
    assert mine.targets.equal(task.targets)
    assert mine.sprite.equal(torch.arange(len(mine)))
    assert mine.about["data"] == str(tmp_path)
