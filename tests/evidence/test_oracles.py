"""Each claim against a world in which its source is plainly right and one in which it is plainly wrong."""

from __future__ import annotations

import doctest
from dataclasses import replace

import pytest

from tests.evidence import worlds
from tests.evidence.oracles import ORACLES
from tests.evidence.worlds import World
from tutorial_lib import models
from tutorial_lib.evidence import claims
from tutorial_lib.experiments import fig5_right, zscore_success

IDS = [claim.id for claim in claims.load()]


def verdict(name: str, world: World) -> claims.Verdict:
    """As if the claim were of the profile of the world."""
    return claims.judge(replace(claims.get(name), profiles=(world.profile.judged_as,)), world)


@pytest.mark.parametrize("name", IDS)
def test_claim_holds_where_its_source_is_right_and_fails_where_it_is_wrong(name):
    assert name in ORACLES, f"the claim {name!r} has no oracle: write a world where it is right and its mirror"
    for rules, expected in ORACLES[name].worlds:
        found = verdict(name, World(**rules))
        assert found.verdict == expected, f"{claims.get(name).says}: {found.estimate}"


def test_each_oracle_is_of_a_claim():
    assert not ORACLES.keys() - set(IDS), "these oracles have no claim"


def test_example_of_the_fixture():
    found = doctest.testmod(worlds)
    assert found.attempted > 0
    assert not found.failed


def test_rule_of_something_that_no_record_has_is_refused():
    with pytest.raises(TypeError, match="no record tells zscore; rules are of z_score, "):
        World(zscore=1.0)


def test_world_says_nothing_beyond_its_rules():
    world = World(attack_success=0.5)
    record = world.get(zscore_success.trials(world.profile)[0])
    assert record is not None
    assert record.metrics["attack_success"]["zero_shot"]["rate"] == pytest.approx(0.5, abs=0.02)
    with pytest.raises(LookupError, match="says nothing about z_score"):
        record.metrics["z_score"]


def test_trial_that_nobody_plans_has_no_record():
    world = World(z_score=1.0)
    trial = fig5_right.trials(world.profile)[0]
    assert world.get(trial) is not None
    assert world.get(replace(trial, copies=trial.copies + 1)) is None


def test_models_of_one_rule_differ_a_little_and_the_same_each_time():
    one, other = (World(z_score=3.0), World(z_score=3.0))
    values = [r.metrics["z_score"] for r in one.of(fig5_right.trials(one.profile))]
    assert len(set(values)) == len(values)
    assert values == [r.metrics["z_score"] for r in other.of(fig5_right.trials(other.profile))]


@pytest.mark.parametrize("name", [n for n in worlds.MILLIONS if not n.startswith("rn50")])
def test_parameters_of_the_image_towers(name):
    counted = sum(p.numel() for p in models.build(name).visual.parameters())
    assert worlds.MILLIONS[name] == pytest.approx(counted / 1e6, abs=0.05)
