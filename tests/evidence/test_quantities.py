"""Numbers of records in a text."""

from __future__ import annotations

import re

import pytest

from tests.evidence.worlds import World
from tutorial_lib import profiles
from tutorial_lib.evidence import claims
from tutorial_lib.evidence.quantities import MISSING, SHARES, bounds, interval, measured, printed, quantity, written
from tutorial_lib.evidence.results import Results
from tutorial_lib.evidence.shown import Shown
from tutorial_lib.evidence.statistics import estimate_mean
from tutorial_lib.experiments import fig2_right

CPU = Results(profiles.get("pilot"))


def test_a_number_is_the_mean_over_recorded_models():
    found = estimate_mean(list(fig2_right.successes(CPU, 128).values()))
    estimate, scale, form = quantity("fig2_right.successes(128) %.2f", CPU)
    assert (estimate, scale, form) == (found, 100.0, ".2f")
    assert measured("fig2_right.successes(128) %.2f", CPU) == f"{100 * found.value:.2f}"
    assert found.high > 1
    assert interval("fig2_right.successes(128)", CPU) == f"{found.low:.2f} to 1.00, 4 models"


def test_only_shares_are_cut():
    """A difference may be below zero, and an interval that hid it would decide what is not decided."""
    found = estimate_mean(fig2_right.accuracy_change(CPU))
    assert found.low < 0 < found.high
    low, high = (printed(100 * v, ".1f") for v in (found.low, found.high))
    assert low.startswith("\N{MINUS SIGN}")
    assert interval("fig2_right.accuracy_change %.1f", CPU) == f"{low} to {high}, 4 models"
    control = estimate_mean(fig2_right.control(CPU))
    assert control.low < 0
    assert interval("fig2_right.control %.2f", CPU) == f"0.00 to {100 * control.high:.2f}, 4 models"


SHARES_ASKED = (
    "cc_attacks.badnets_before",
    "cc_budget.accuracies('cleanclip', 1.0)",
    "cc_critique.pretrained_before",
    "fig2_right.control",
    "fig2_right.successes(16)",
    "caption_sets.success",
)


@pytest.mark.parametrize("text", SHARES_ASKED)
def test_shares_lie_between_none_and_all(text):
    assert bounds(text) == (0, 1)
    estimate = quantity(text, Shown())[0]
    assert estimate is not None
    assert 0 <= estimate.value <= 1


def test_every_name_of_a_share_is_tried():
    assert {re.split(r"[.(]", text)[1] for text in SHARES_ASKED} == SHARES


def test_numbers_have_a_minus_sign_and_zero_has_none():
    assert printed(-0.04, ".1f") == "0.0"
    assert printed(-1.9, ".1f") == "\N{MINUS SIGN}1.9"
    assert printed(1.9, ".0f") == "2"


def test_one_model_has_no_interval():
    assert interval('grids.z_score("75 poisons in 10,000 scenes")', CPU) == "one model"


def test_what_was_not_run_is_said():
    nothing = World(attack_success=0.5, missing=lambda m: True)
    assert measured("fig2_right.successes(128) %", nothing) == MISSING
    assert interval("fig2_right.successes(128) %", nothing) == MISSING


@pytest.mark.parametrize(
    "text", ["fig2_right", "fig2_right.success of", "fig9.x", "fig2_right.nothing", "fig2_right.successes(1 2)"]
)
def test_quantities_that_do_not_exist_are_refused(text):
    with pytest.raises(ValueError, match=r"is not module|there is no figure|has no quantity|no values of Python"):
        quantity(text, CPU)


def test_roles_are_replaced_wherever_a_line_ends():
    number = "{measured}`fig2_right.successes(128)\n%` %"
    found = written(number + " ({interval}`fig2_right.successes(128)`);\n{verdict}`backdoor_rises`.", CPU)
    assert found.endswith("4 models); holds.")
    assert "{" not in found
    assert written("", CPU) == ""


def test_every_explanation_can_be_written():
    for claim in claims.load():
        found = written(claim.why, Results(profiles.get(claim.explains)))
        assert "{" not in found, claim.id
        assert MISSING not in found, claim.id
