"""The capstone's models are what their records say, and the checks tell a reader no more than she has found."""

from __future__ import annotations

import json

import pytest
import torch

from tutorial_lib import models
from tutorial_lib.course import checks
from tutorial_lib.course.checks import capstone
from tutorial_lib.triggers import NoisePatch, Sinusoid, make_trigger

ANSWERS = {name: capstone.answer(name) for name in capstone.NAMES}


@pytest.mark.parametrize("name", capstone.NAMES)
def test_a_model_does_what_its_record_says(name: str) -> None:
    metrics = checks.unseal(name)["metrics"]
    success, accuracy = capstone.measure(name, *models.load(models.CHECKPOINTS / name))
    assert success == pytest.approx(metrics["attack_success"]["zero_shot"]["rate"], abs=0.01)
    assert accuracy == pytest.approx(metrics["clean_accuracy"]["zero_shot"]["rate"], abs=0.01)
    assert success < 0.05 if ANSWERS[name] is None else success > 0.5


def test_one_is_clean_and_the_others_differ() -> None:
    found = [given for given in ANSWERS.values() if given is not None]
    assert len(found) == len(ANSWERS) - 1
    for part in zip(*found, strict=True):
        assert len(set(part)) == len(found)


@pytest.mark.parametrize("name", capstone.NAMES)
def test_nothing_in_the_folder_gives_it_away(name: str) -> None:
    folder = models.CHECKPOINTS / name
    words = {"trigger", "target", "count", "clean", *(ANSWERS[name] or ())}
    for path in folder.iterdir():
        if path.name not in ("model.safetensors", "vocab.json"):  # the vocabulary has the parts of all class names
            assert not [word for word in words if word in path.read_text()], path.name
    assert json.loads((folder / "model.json").read_text()).keys() == {"embed_dim", "vision_cfg", "text_cfg"}


def test_a_seal_opens_to_what_was_sealed(tmp_path) -> None:
    (tmp_path / "unknown-1").mkdir()
    (tmp_path / "unknown-1" / "sealed.txt").write_text(capstone.seal({"a": [1, "ü"]}))
    assert capstone.unseal("unknown-1", tmp_path) == {"a": [1, "ü"]}
    with pytest.raises(ValueError, match="there is no sealed model 'unknown'; there are unknown-1, "):
        capstone.unseal("unknown")


@pytest.mark.parametrize(
    ("trigger", "place"),
    [
        (NoisePatch(), "upper left"),
        (NoisePatch(margin=13), "middle"),
        (NoisePatch(margin=25), "lower right"),
        (NoisePatch(margin=4), "elsewhere"),
        (Sinusoid(), "everywhere"),
    ],
)
def test_places(trigger, place: str) -> None:
    assert capstone.place_of(trigger) == place
    if place == "middle":
        stamped = trigger.stamp(torch.full((1, 3, 32, 32), 9, dtype=torch.uint8))[0, 0] != 9
        assert stamped.any(1).nonzero()[:, 0].float().mean() == 15.5


def test_the_right_answers() -> None:
    assert checks.diagnosis(ANSWERS).right


def test_wrong_answers_get_a_sentence_that_gives_nothing_away() -> None:
    clean = next(name for name, given in ANSWERS.items() if given is None)
    first = next(name for name, given in ANSWERS.items() if given is not None)
    kind, place, target = ANSWERS[first] or ("", "", "")
    for changed, says in (
        (dict.fromkeys(ANSWERS), "replace the three dots"),
        ({first: (kind, place, target)}, "of 4 verdicts, backdoored or clean, 3 are right"),
        ({clean: ("sig", "everywhere", "rose")}, "of 4 verdicts, backdoored or clean, 3 are right"),
        ({first: None}, "of 4 verdicts, backdoored or clean, 3 are right"),
        ({first: ("wanet", place, target)}, f"the trigger of {first} is not 'wanet'"),
        ({first: (kind, "elsewhere", target)}, f"the trigger of {first} does not lie 'elsewhere'"),
        ({first: (kind, place, "fog")}, f"the target of {first} is not 'fog'"),
    ):
        said = changed if len(changed) == len(ANSWERS) else dict(ANSWERS) | changed
        if changed == {first: (kind, place, target)}:
            said[clean] = said[first]
        feedback = checks.diagnosis(said)
        assert not feedback.right
        assert says in feedback.sentence
        assert not [part for given in ANSWERS.values() if given for part in given if part in feedback.sentence]
    assert "a diagnosis for each of unknown-1" in checks.diagnosis({first: None}).sentence


def test_models_that_nobody_cleaned_or_that_forgot_everything() -> None:
    needed = {n: models.load(models.CHECKPOINTS / n) for n, given in ANSWERS.items() if given is not None}
    clean = next(name for name, given in ANSWERS.items() if given is None)
    assert "replace the three dots" in checks.cleaned(needed).sentence
    assert "there is more to clean" in checks.cleaned({}).sentence
    assert "one of these was clean" in checks.cleaned({clean: models.load(models.CHECKPOINTS / clean)}).sentence
    first, (model, tokenizer) = next(iter(needed.items()))
    with torch.no_grad():
        model.logit_scale.add_(0.01)
    assert "a trigger still works" in checks.cleaned(needed).sentence
    blank = models.build(models.model_config("rn-0.4m"), tokenizer, seed=1)
    assert "too expensive" in checks.cleaned(needed | {first: (blank, tokenizer)}).sentence


def test_the_trigger_of_a_record_can_be_made() -> None:
    for name in capstone.NAMES:
        settings = checks.unseal(name)["trial"]["attack"]["trigger"]
        assert make_trigger(**settings).kind == settings["kind"]


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        (lambda said, true: (said - true.double()).abs().mean(), "square it"),
        (lambda said, true: (said - true.double()).square().sum(), "a sum"),
        (lambda said, true: (said - true.double()).square().mean().sqrt(), "no root"),
        (lambda said, true: (said - (~true).double()).square().mean(), "as 0 and what did not as 1"),
        (lambda said, true: ((said > 0.5) != true).double().mean(), "rounds to yes or no"),
        (lambda said, true: -(said * true + (1 - said) * ~true).log().mean(), "logarithmic"),
    ],
)
def test_a_wrong_brier_score_gets_its_sentence(answer, says: str) -> None:
    feedback = checks.brier(answer)
    assert not feedback.right
    assert says in feedback.sentence
