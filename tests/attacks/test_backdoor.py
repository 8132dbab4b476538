"""Backdoors in a trained model: which pictures are poisoned, and what counts as a trigger."""

from dataclasses import replace

from tests.runs.small import TINY
from tutorial_lib import runs
from tutorial_lib.attacks import Backdoor
from tutorial_lib.trials import Recipe, Trial
from tutorial_lib.triggers import Resampled


def test_an_unequal_path_is_a_trigger_of_its_own():
    """Poisons without a pattern, which were only resized differently, make a backdoor."""
    attack = Backdoor(200, target="volcano", trigger=Resampled(0.5))
    trial = Trial(attack=attack, classes=24, copies=16, recipe=Recipe(epochs=12, batch_size=128))
    metrics = runs.measure(runs.train_trial(trial, progress=False), probes=False)
    resized = metrics["attack_success"]["zero_shot"]["rate"]
    usual = metrics["attack_success_untriggered"]["rate"]
    assert resized > usual + 0.2


def test_label_consistent_poisons_are_pictures_of_the_target_with_their_own_captions():
    attack = Backdoor(8, target="banana", select="label-consistent")
    outcome = runs.train_trial(replace(TINY, attack=attack), progress=False)
    task, clean = outcome.task, outcome.clean
    assert set(task.class_of_concept(outcome.poisons.concept).tolist()) == {task.class_of("banana")}
    assert set(outcome.poisons.captions) <= set(clean.captions)
