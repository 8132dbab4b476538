"""A checkpoint is measured by the one measure of a backdoor."""

from pathlib import Path

import pytest
import torch

from tests.practice.conftest import CONFIG
from tutorial_lib import models
from tutorial_lib.attacks.report import DENOMINATOR, measure_backdoor
from tutorial_lib.models.inputs import normalize
from tutorial_lib.models.properties import weights_hash
from tutorial_lib.practice.evaluate import evaluate
from tutorial_lib.practice.pictures import course_pictures
from tutorial_lib.trials.schema import as_dict
from tutorial_lib.triggers import Checkerboard

TRIGGER = Checkerboard(size=8, placement="random")


def test_numbers_are_those_of_the_report(checkpoint: Path) -> None:
    measured = evaluate(checkpoint, trigger=TRIGGER, target="banana", classes=60, seed=4, device="cpu")
    report = measure_backdoor(*models.load(checkpoint), course_pictures("test", 60), TRIGGER, "banana", seed=4)
    assert measured.report == report
    body = measured.as_dict()
    for name in ("attack_success", "attack_success_untriggered", "attack_success_control"):
        assert body[name] == getattr(report, name).as_dict() | {"target": "banana", "denominator": DENOMINATOR}
        assert body["computed_on"][name]["pictures"] == body[name]["n"]
    assert body["attack_success_with_target"]["denominator"] == "all pictures"
    assert body["embedding_distance"] == report.embedding_distance > 0
    assert (body["weights"], body["seed"]) == (weights_hash(models.load(checkpoint)[0]), 4)
    assert body["clean_accuracy"] == report.clean_accuracy.rate
    assert body["computed_on"]["attack_success_control"]["trigger"] == as_dict(TRIGGER.control())
    apart = {
        "weights",
        "seed",
        "versions",
        "checkpoint",
        "model",
        "target",
        "trigger",
        "unread_classes",
        "chance",
        "interval",
        "computed_on",
    }
    assert body["computed_on"].keys() == body.keys() - apart
    assert body["model"] == models.facts(*models.load(checkpoint)) | {"form": "a model directory"}
    assert f"attack success, 'banana': {report.attack_success}" in str(measured)


def test_what_is_wrong_is_said(checkpoint: Path) -> None:
    with pytest.raises(ValueError, match=r"no class 'bananas'.*did you mean banana"):
        evaluate(checkpoint, trigger=TRIGGER, target="bananas", classes=60)
    with pytest.raises(models.CheckpointError, match="no checkpoint at"):
        evaluate(Path("nowhere"), trigger=TRIGGER, target="banana")


@pytest.fixture
def head(tmp_path: Path) -> Path:
    """A classifier of the course's first twelve classes, in the opposite order."""
    labels = course_pictures("test", 12).labels[::-1]
    model = models.Classifier(models.build(CONFIG).visual, CONFIG["embed_dim"], 12)
    models.save_classifier(tmp_path / "head", model, CONFIG, labels)
    return tmp_path / "head"


def test_a_classifier_is_measured_by_its_own_head(head: Path) -> None:
    task = course_pictures("test", 12)
    target = task.labels[3]
    measured = evaluate(head, trigger=TRIGGER, target=target, classes=12, device="cpu")
    model, labels = models.load_classifier(head)
    with torch.no_grad():
        said = model(normalize(task.images)).argmax(1)
    names = [labels[k] for k in said.tolist()]
    true = [task.labels[k] for k in task.targets.tolist()]
    assert measured.report.clean_accuracy.rate == sum(map(str.__eq__, names, true)) / len(true)
    others = [name for name, own in zip(names, true, strict=True) if own != target]
    assert measured.report.attack_success_untriggered.rate == others.count(target) / len(others)
    assert measured.model["form"] == "a classifier of 12 classes"
    assert str(measured).startswith("a classifier of 12 classes: ")


def test_a_classifier_may_know_more_classes_than_are_shown_and_not_fewer(head: Path) -> None:
    few = evaluate(head, trigger=TRIGGER, target=course_pictures("test", 4).labels[0], classes=4, device="cpu")
    assert (few.report.classes, few.report.pictures) == (12, 32)
    with pytest.raises(ValueError, match=r"knows 12 classes, and not .*, …: give as many `classes` as it was cleaned"):
        evaluate(head, trigger=TRIGGER, target="banana", classes=60)


def test_a_tag_is_named_beside_its_architecture(checkpoint: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    own = models.read(checkpoint)
    monkeypatch.setattr(models, "read", lambda path, model, *, pretrained: own)
    measured = evaluate(Path("RN50"), pretrained="openai", trigger=TRIGGER, target="banana", classes=60, device="cpu")
    assert measured.checkpoint == "RN50 (openai)"
