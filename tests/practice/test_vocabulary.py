"""A model is asked about what it can read."""

import json
from pathlib import Path

import pytest

from tutorial_lib import models
from tutorial_lib.models import Tokenizer
from tutorial_lib.notes import Note
from tutorial_lib.practice.pictures import course_pictures
from tutorial_lib.practice.vocabulary import classes_of, require_readable, unread

SHIPPED, SMALL = models.CHECKPOINTS / "backdoored", models.CHECKPOINTS / "unknown-1"


def test_a_shipped_model_reads_its_own_classes_and_not_all() -> None:
    _, tokenizer = models.load(SMALL)
    own, every = course_pictures(classes=100).labels, course_pictures().labels
    assert classes_of(SHIPPED) == 100
    assert unread(models.load(SHIPPED)[1], every) == []  # scenes show everything
    assert unread(tokenizer, own) == []
    assert require_readable(tokenizer, own) == []
    with pytest.raises(ValueError, match=r"lacks words of \d+ of 320 classes .*`classes` or `labels`"):
        require_readable(tokenizer, every)


def test_a_few_unknown_words_are_a_note() -> None:
    tokenizer = Tokenizer.for_texts(["a dog, a cat, a red bird"], context_length=12)
    labels = ["dog", "cat", "red bird", "blue bird"]
    with pytest.warns(Note, match=r"lacks words of 1 of 4 classes \(blue bird\): these are read as one unknown word"):
        assert require_readable(tokenizer, labels) == ["blue bird"]


def test_the_whole_vocabulary_reads_everything() -> None:
    assert unread(Tokenizer(), ["Llanfairpwllgwyngyll", "图", "🍌"]) == []


@pytest.mark.parametrize(
    ("name", "body", "classes"),
    [
        ("record.json", {"trial": {"classes": 60}}, 60),
        ("train.json", {"asked": {"labels": list(course_pictures(classes=16).labels)}}, 16),
        ("train.json", {"asked": {"labels": ["mine", "yours"]}}, 320),
        ("train.json", {"asked": {"labels": []}}, 320),
        ("other.json", {}, 320),
    ],
)
def test_how_many_classes_a_folder_says(tmp_path: Path, name: str, body: object, classes: int) -> None:
    (tmp_path / name).write_text(json.dumps(body), "utf-8")
    assert classes_of(tmp_path) == classes


@pytest.mark.parametrize(
    ("name", "body"), [("record.json", b"\xff{"), ("record.json", b"[]"), ("train.json", b'{"other": 1}')]
)
def test_a_damaged_record_says_nothing_and_is_named(tmp_path: Path, name: str, body: bytes) -> None:
    (tmp_path / name).write_bytes(body)
    with pytest.warns(Note, match=f"{name} in .* does not say which classes the model knows: 320 .*`classes` asks"):
        assert classes_of(tmp_path) == 320
