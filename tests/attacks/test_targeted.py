"""Targeted attacks in a trained model."""

from dataclasses import replace

import torch

from tests.runs.small import TINY
from tutorial_lib import runs
from tutorial_lib.attacks import Group, Targeted


def test_targeted_attack_gives_each_picture_its_own_class_and_captions():
    attack = Targeted((Group(0), Group(3), Group(3, "one"), Group(3, disguise=True)), targets=4)
    outcome = runs.train_trial(replace(TINY, attack=attack), progress=False)
    plan = outcome.plan
    assert len(plan.targets) == 16
    assert len({t.wanted for t in plan.targets}) == 16
    assert all(t.true != t.wanted for t in plan.targets)
    assert len(outcome.poisons) == 3 * 4 * 3
    distinct = {g: {len(set(t.captions)) for t in plan.targets if t.group == g} for g in range(4)}
    assert distinct[0] == {0}
    assert distinct[1] == {3}
    assert distinct[2] == {1}
    plain, hidden = outcome.poisons.images[:3], outcome.poisons.images[-3:]
    assert torch.equal(plain[0], plain[1])
    assert not torch.equal(hidden[0], hidden[1])
    rows = runs.measure(outcome, probes=False)["targets"]
    assert all("picture_at" in r for r in rows)
    assert ["captions_at" in r for r in rows] == [r["count"] > 0 for r in rows]
    assert [r["wanted"] for r in rows] == [t.wanted for t in plan.targets]
