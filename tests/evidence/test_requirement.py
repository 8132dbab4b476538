"""What must be shown before a claim can be judged."""

from __future__ import annotations

import pytest

from tests.evidence.worlds import World
from tutorial_lib.evidence.requirement import Requirement, region
from tutorial_lib.evidence.statistics import Estimate

WORKS = Requirement("cc_attacks", "badnets_before", "BadNets succeeds before cleaning", above=0.7)


@pytest.mark.parametrize(
    ("low", "high", "met"), [(0.71, 0.9, True), (0.7, 0.9, True), (0.69, 0.9, False), (0.2, 0.4, False)]
)
def test_the_whole_interval_has_to_lie_in_the_region(low, high, met):
    assert WORKS.met(Estimate((low + high) / 2, low, high, 4, 0.1, "")) == met
    assert Requirement("x", "y", "z", above=0.7, below=0.8).met(Estimate(0.75, low, high, 4, 0.1, "")) is False


def test_quantity_is_that_of_the_records():
    found = WORKS.estimate(World(attack_success=0.9))
    assert found.value == pytest.approx(0.9, abs=0.01)
    assert WORKS.met(found)
    assert WORKS.estimate(World(attack_success=0.9, missing=lambda m: m.seed > 0)) is None


def test_requirement_that_cannot_fail_is_refused():
    with pytest.raises(ValueError, match="the requirement that it rains has no bound"):
        Requirement("cc_attacks", "badnets_before", "it rains")


def test_region_in_words():
    assert region(0.3, float("inf")) == "above 0.3"
    assert region(float("-inf"), 0.3) == "below 0.3"
    assert WORKS.predicate == "above 0.7"
