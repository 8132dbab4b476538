"""The pictures to classify: the course's task, and labelled shards that say the same."""

from pathlib import Path

import pytest
import torch

from tutorial_lib.data.shard_writer import ShardWriter
from tutorial_lib.data.shards import Sample
from tutorial_lib.data.tasks import ZeroShotTask
from tutorial_lib.data.text import Names
from tutorial_lib.practice.pictures import course_pictures, pictures_for, read_labels, shard_pictures, true_class

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


def test_one_picture_is_refused(tmp_path: Path) -> None:
    with ShardWriter(tmp_path) as writer:
        writer.add("p", torch.zeros(8, 8, 3, dtype=torch.uint8).numpy(), "a", {})
    (tmp_path / "labels.txt").write_text("a\nb\n")
    with pytest.raises(ValueError, match=r"at least 2 labelled pictures are classified, and .* has 1"):
        shard_pictures([tmp_path], tmp_path / "labels.txt", 8)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("0,banana\n1,red apple\n", "begin with a number and a separator, as '0,banana'"),
        ("1\tbanana\n2\tpizza\n", "begin with a number and a separator"),
        ("banana\nBanana\n", "names the class 'Banana' twice, also as 'banana'"),
        ("red apple\n RED  apple\n", "names the class 'RED  apple' twice, also as 'red apple'"),
        ("a\na\n", "names the class 'a' twice$"),
        ('["banana", "pizza"]\n', "looks like JSON"),
        ("banana\n", "must name at least two classes"),
    ],
)
def test_labels_in_other_forms_are_refused(tmp_path: Path, text: str, says: str) -> None:
    (tmp_path / "labels.txt").write_text(text)
    with pytest.raises(ValueError, match=says):
        read_labels(tmp_path / "labels.txt")
    with pytest.raises(ValueError, match="is a folder: `labels` is a text file"):
        read_labels(tmp_path)


def test_numbers_in_some_labels_are_theirs(tmp_path: Path) -> None:
    (tmp_path / "labels.txt").write_text("7 up\n4, the number\ncat\n")
    assert read_labels(tmp_path / "labels.txt") == ["7 up", "4, the number", "cat"]


def test_shards_and_labels_belong_together(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="belong together"):
        pictures_for(32, shards=[tmp_path])
    with pytest.raises(ValueError, match="belong together"):
        pictures_for(32, labels=tmp_path / "labels.txt")
