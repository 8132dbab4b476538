"""A backdoor of texts in a trained model."""

from dataclasses import replace

import pytest

from tests.runs.small import TINY
from tutorial_lib import runs
from tutorial_lib.attacks import TextBackdoor


def test_text_backdoor_adds_pictures_of_the_target_with_other_captions_and_the_word():
    attack = TextBackdoor(12, target="banana")
    outcome = runs.train_trial(replace(TINY, attack=attack), progress=False)
    task = outcome.task
    assert set(task.class_of_concept(outcome.poisons.concept).tolist()) == {task.class_of("banana")}
    assert all(c.endswith(" zebulon") for c in outcome.poisons.captions)
    metrics = runs.measure(outcome, probes=False)
    assert metrics["text_attack_success"]["n"] == len(task.labels) - 1
    with pytest.raises(ValueError, match="the word 'photo' occurs in clean captions"):
        runs.train_trial(replace(TINY, attack=replace(attack, word="photo")))
