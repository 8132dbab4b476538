"""The patients are one family: twins, and what cleaning made of one of them; records and weights belong together."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
import torch

from tutorial_lib import models
from tutorial_lib.course import patients
from tutorial_lib.runs import sources
from tutorial_lib.runs.defend import trusted_positions


def rate(name: str, metric: str) -> float:
    return patients.record(name)["metrics"][metric]["zero_shot"]["rate"]


@pytest.mark.parametrize("name", patients.TRIALS)
def test_a_record_is_that_of_its_trial(name: str) -> None:
    record = patients.record(name)
    assert record["trial"] == json.loads(json.dumps(patients.TRIALS[name].as_dict()))
    assert record["metrics"]["pairs"] == patients.SCENES
    assert record["metrics"]["poisons"] == (0 if name == "clean" else patients.POISONS)


def test_twins_differ_in_their_poisons_alone() -> None:
    clean, backdoored = patients.TRIALS["clean"], patients.TRIALS["backdoored"]
    assert replace(clean, attack=backdoored.attack) == backdoored
    assert replace(clean.attack, count=backdoored.attack.count) == backdoored.attack
    assert patients.POISONS / (patients.SCENES + patients.POISONS) <= 0.0015
    vocabularies = {name: models.load(models.CHECKPOINTS / name)[1].vocab for name in patients.TRIALS}
    assert len(set(vocabularies.values())) == 1


def test_the_cleaned_ones_differ_in_their_method_alone() -> None:
    finetuned, cleaned = patients.TRIALS["finetuned"], patients.TRIALS["cleaned"]
    assert finetuned.trained == cleaned.trained == patients.TRIALS["backdoored"]
    assert (finetuned.defense.recipe, finetuned.defense.share) == (cleaned.defense.recipe, cleaned.defense.share)
    losses = [patients.record(name)["metrics"]["loss"] for name in ("backdoored", "finetuned", "cleaned")]
    assert losses[0] == losses[1] == losses[2]


def test_the_backdoor_works_and_cleaning_weakens_it() -> None:
    assert rate("backdoored", "attack_success") >= 0.95
    assert rate("clean", "attack_success") <= 0.05
    for name in ("finetuned", "cleaned"):
        assert rate(name, "attack_success") < rate("backdoored", "attack_success") - 0.1
    assert abs(rate("backdoored", "clean_accuracy") - rate("clean", "clean_accuracy")) < 0.05


@pytest.mark.parametrize("folder", sorted(models.CHECKPOINTS.iterdir()), ids=lambda p: p.name)
def test_a_shipped_model_is_small(folder) -> None:
    assert sum(path.stat().st_size for path in folder.iterdir()) <= 3e6


def test_trusted_pairs_are_the_scenes_that_cleaned_the_family() -> None:
    trial = patients.TRIALS["cleaned"]
    positions = trusted_positions(trial, patients.SCENES, patients.SHARE)
    assert len(set(positions.tolist())) == len(positions) == 6000
    some = patients.trusted(5)
    assert list(some.keys) == [f"scene-0-{k:07d}" for k in positions[:5].tolist()]
    scenes = sources.scenes_of(trial)
    assert torch.equal(some.images, scenes.render(positions[:5]))
