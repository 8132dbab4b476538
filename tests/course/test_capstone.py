"""The capstone's model is backdoored as its record says, and the checks tell a reader what is wrong."""

import json

import pytest

from tutorial_lib import models
from tutorial_lib.course import checks
from tutorial_lib.course.checks import capstone


@pytest.fixture(scope="module")
def answer() -> dict[str, str]:
    attack = checks.unseal()["trial"]["attack"]
    return {"trigger": attack["trigger"]["kind"], "target": attack["target"]}


def test_the_model_does_what_its_record_says() -> None:
    metrics = checks.unseal()["metrics"]
    success, accuracy = capstone.measure(*models.load(capstone.FOLDER))
    assert success == pytest.approx(metrics["attack_success"]["zero_shot"]["rate"], abs=0.01)
    assert accuracy == pytest.approx(metrics["clean_accuracy"]["zero_shot"]["rate"], abs=0.01)
    assert success > 0.9


def test_nothing_in_the_folder_gives_it_away(answer: dict[str, str]) -> None:
    for path in capstone.FOLDER.iterdir():
        if path.name not in ("model.safetensors", "vocab.json"):  # the vocabulary has the parts of all class names
            assert answer["trigger"] not in path.read_text()
            assert answer["target"] not in path.read_text()
    assert json.loads((capstone.FOLDER / "model.json").read_text()).keys() == {"embed_dim", "vision_cfg", "text_cfg"}


def test_a_seal_opens_to_what_was_sealed(tmp_path) -> None:
    path = tmp_path / "sealed.txt"
    path.write_text(capstone.seal({"a": [1, "ü"]}))
    assert capstone.unseal(path) == {"a": [1, "ü"]}


def test_answers(answer: dict[str, str]) -> None:
    assert checks.diagnosis(backdoored=True, **answer).right
    for given, says in (
        ({"backdoored": False}, "look again"),
        ({"backdoored": True, "trigger": "wanet", "target": answer["target"]}, "not by 'wanet'"),
        ({"backdoored": True, "trigger": answer["trigger"], "target": "rainbow"}, "the target is not 'rainbow'"),
    ):
        feedback = checks.diagnosis(**given)
        assert not feedback.right
        assert says in feedback.sentence
        assert answer["target"] not in feedback.sentence


def test_a_model_that_nobody_cleaned_or_that_forgot_everything() -> None:
    model, tokenizer = models.load(capstone.FOLDER)
    assert "the trigger still works" in checks.cleaned(model, tokenizer).sentence
    blank = models.build(models.model_config("rn-0.4m"), tokenizer, seed=1)
    assert "too expensive" in checks.cleaned(blank, tokenizer).sentence
