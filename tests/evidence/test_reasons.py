"""The sentence that says how a verdict came about."""

from __future__ import annotations

import pytest

from tutorial_lib.evidence.decide import PValues
from tutorial_lib.evidence.reasons import reason, would_decide
from tutorial_lib.evidence.statistics import Estimate

INSIDE = "the 95 % interval lies inside the region"
HOLM = "Holm's correction over 9 claims"
FOUND = Estimate(0.25, 0.1, 0.4, 4, 0.1, "")


def said(**changes) -> str:
    given = {"own": PValues(0.01, 0.99), "kind": "mean", "role": "confirmatory", "p": 0.02, "family": 9, "pilot": False}
    given |= changes
    return reason(FOUND, given.pop("own"), **given)


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({}, f"Confirmatory: {INSIDE}, and {HOLM} leaves p = 0.02."),
        ({"p": 0.4}, f"Confirmatory: {INSIDE}, but {HOLM} leaves p = 0.4."),
        (
            {"own": PValues(0.99, 0.01)},
            f"Confirmatory: the 95 % interval lies outside the region, and {HOLM} leaves p = 0.02.",
        ),
        ({"own": PValues(0.3, 0.7)}, "Confirmatory: the 95 % interval reaches across a bound of the region."),
        ({"pilot": True}, f"Confirmatory, but of a pilot and so not corrected: {INSIDE}."),
        ({"role": "exploratory"}, f"Exploratory, judged by itself: {INSIDE}."),
        (
            {"role": "exploratory", "kind": "exists"},
            "Exploratory, judged by itself: 1 of 4 models show it beyond chance.",
        ),
    ],
)
def test_role_interval_and_correction_are_told(changes, sentence):
    assert said(**changes) == sentence


def test_undecided_says_how_many_models_would_decide_or_why_none():
    assert would_decide(1500, "mean") == "If these models are typical, 1,500 would decide it with a chance of 80 %."
    assert "the quantity lies on a bound" in would_decide(None, "mean")
    assert "not known of a statistic" in would_decide(None, "statistic")
