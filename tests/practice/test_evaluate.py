"""A checkpoint is measured by the one measure of a backdoor."""

from pathlib import Path

import pytest

from tutorial_lib import models
from tutorial_lib.attacks.report import DENOMINATOR, measure_backdoor
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
    assert body["clean_accuracy"] == report.clean_accuracy.rate
    assert body["computed_on"]["attack_success_control"]["trigger"] == as_dict(TRIGGER.control())
    assert body["computed_on"].keys() == body.keys() - {
        "checkpoint",
        "model",
        "target",
        "trigger",
        "unread_classes",
        "chance",
        "interval",
    } - {"computed_on"}
    assert f"attack success, 'banana': {report.attack_success}" in str(measured)


def test_what_is_wrong_is_said(checkpoint: Path) -> None:
    with pytest.raises(ValueError, match=r"no class 'bananas'.*did you mean banana"):
        evaluate(checkpoint, trigger=TRIGGER, target="bananas", classes=60)
    with pytest.raises(models.CheckpointError, match="no checkpoint at"):
        evaluate(Path("nowhere"), trigger=TRIGGER, target="banana")
