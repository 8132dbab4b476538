"""Numbers of records in a text."""

from __future__ import annotations

import pytest

from tests.evidence.worlds import World
from tutorial_lib import profiles
from tutorial_lib.evidence import claims
from tutorial_lib.evidence.quantities import MISSING, interval, measured, quantity, written
from tutorial_lib.evidence.results import Results
from tutorial_lib.evidence.statistics import estimate_mean
from tutorial_lib.experiments import fig2_right

CPU = Results(profiles.get("pilot"))


def test_a_number_is_the_mean_over_recorded_models():
    found = estimate_mean(list(fig2_right.successes(CPU, 128).values()))
    estimate, scale, form = quantity("fig2_right.successes(128) %.2f", CPU)
    assert (estimate, scale, form) == (found, 100.0, ".2f")
    assert measured("fig2_right.successes(128) %.2f", CPU) == f"{100 * found.value:.2f}"
    assert interval("fig2_right.successes(128)", CPU) == f"[{found.low:.2f}, {found.high:.2f}], 4 models"


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
