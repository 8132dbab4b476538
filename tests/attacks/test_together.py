"""Several attacks on one model: each has the poisons and the measurement that it has alone."""

import json
from dataclasses import replace

import pytest
import torch

from tests.runs.small import TINY
from tutorial_lib import runs
from tutorial_lib.attacks import Backdoor, Group, Targeted, Together
from tutorial_lib.attacks.report import reader_of
from tutorial_lib.attacks.together import beside
from tutorial_lib.defenses import Finetuning
from tutorial_lib.evaluate import embed_images
from tutorial_lib.runs.defend import apply, material
from tutorial_lib.trials import Recipe, Record
from tutorial_lib.triggers import NoisePatch

BACKDOOR = Backdoor(8, target="banana")
TARGETED = Targeted((Group(0), Group(2), Group(3, disguise=True)), targets=3)
SHARED = Together((BACKDOOR, TARGETED))


@pytest.fixture(scope="module")
def outcome():
    return runs.train_trial(replace(TINY, attack=SHARED), progress=False)


def test_poisons_are_those_of_each_attack_alone_one_after_the_other() -> None:
    clean, task = runs.prepare(TINY)
    alone = [part.plan(clean, task, seed=5).poisons for part in (BACKDOOR, TARGETED)]
    shared = SHARED.plan(clean, task, seed=5).poisons
    assert shared.fingerprint() == (alone[0] + alone[1]).fingerprint()
    assert shared.keys == alone[0].keys + alone[1].keys
    assert torch.equal(shared.origin, (alone[0] + alone[1]).origin)


def test_a_record_has_the_metrics_of_each_attack(outcome) -> None:
    found = runs.measure(outcome, probes=False)
    assert found["poisons"] == 8 + 3 * (2 + 3)
    assert found["poisons_by_part"] == [8, 15]
    readers = {"zero_shot": reader_of(outcome.model, outcome.tokenizer, outcome.task.labels)}
    embeddings = embed_images(outcome.model, outcome.task.images)
    for plan in outcome.plan.parts:
        own = plan.measure(outcome.model, outcome.tokenizer, outcome.task, embeddings, readers)
        assert {name: found[name] for name in own} == own
    assert {"z_score", "attack_success", "targets"} <= found.keys()


def test_two_attacks_of_one_kind_have_metrics_and_keys_of_their_own() -> None:
    both = Together((BACKDOOR, TARGETED, replace(BACKDOOR, count=4, trigger=NoisePatch())))
    trial = replace(TINY, attack=both)
    found = runs.train_trial(trial, progress=False)
    assert len(set(found.poisons.keys)) == len(found.poisons) == 8 + 15 + 4
    record = runs.run(trial, progress=False)
    assert {"z_score", "2_z_score", "targets"} <= record.metrics.keys()
    assert record.metrics["z_score"] != record.metrics["2_z_score"]
    assert Record.from_json(record.to_json()) == record


def test_keys_of_trials_with_one_attack_are_what_they_were_and_every_part_counts() -> None:
    trial = replace(TINY, attack=SHARED)
    assert [part["kind"] for part in trial.as_dict()["attack"]["parts"]] == ["backdoor", "targeted"]
    others = [
        replace(TINY, attack=other)
        for other in (
            BACKDOOR,
            TARGETED,
            Together((TARGETED, BACKDOOR)),
            Together((replace(BACKDOOR, count=9), TARGETED)),
            Together((BACKDOOR, replace(TARGETED, targets=4))),
        )
    ]
    assert len({t.key for t in (trial, *others)}) == 6
    json.dumps(trial.as_dict(), allow_nan=False)


def test_one_of_several_attacks_is_found() -> None:
    assert SHARED.find(Backdoor) == BACKDOOR
    assert SHARED.find(Targeted) == TARGETED
    assert BACKDOOR.find(Backdoor) is BACKDOOR
    assert BACKDOOR.find(Targeted) is None


def test_controls_add_nothing_together() -> None:
    nothing = Together((replace(BACKDOOR, count=0), replace(TARGETED, planted=False)))
    assert SHARED.adds
    assert not nothing.adds
    assert nothing.plan(*runs.prepare(TINY), seed=0).poisons is None
    assert replace(TINY, attack=nothing, defense=Finetuning()).weights.attack is None
    assert Together((replace(BACKDOOR, count=0), TARGETED)).adds


def test_a_defense_is_given_the_backdoor_of_several_attacks(outcome) -> None:
    defense = Finetuning(recipe=Recipe(epochs=1, batch_size=16), share=0.5, dirty=2)
    given = material(outcome, defense)
    assert given.labels[-2:].tolist() == [outcome.task.class_of("banana")] * 2
    cleaned = runs.measure(apply(replace(outcome), defense, progress=False), probes=False)
    assert "triggered_to_target" in cleaned["retrieval"]
    assert "similarity_of_views" in cleaned


def test_one_more_attack_stands_beside_that_of_a_trial() -> None:
    assert beside(replace(TINY, attack=BACKDOOR), TARGETED) == replace(TINY, attack=SHARED)
    with pytest.raises(ValueError, match="the trial has no attack that another one could stand beside"):
        beside(replace(TINY, attack=None), TARGETED)


@pytest.mark.parametrize(
    ("parts", "message"),
    [
        ((BACKDOOR,), "a together needs at least 2 parts, not 1"),
        ((), "a together needs at least 2 parts, not 0"),
        ((BACKDOOR, SHARED), "parts of a together must be attacks that are one attack each, not Together"),
        ((BACKDOOR, Finetuning()), "parts of a together must be attacks that are one attack each, not Finetuning"),
    ],
)
def test_what_is_not_several_attacks_is_refused(parts, message) -> None:
    with pytest.raises(ValueError, match=message):
        Together(parts)
