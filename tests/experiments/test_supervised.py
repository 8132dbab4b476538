"""Doses at which half of the triggered pictures are misread."""

import math

import pytest

from tutorial_lib.experiments.supervised import half_dose


@pytest.mark.parametrize(
    ("successes", "dose"),
    [
        ({16: 0.0, 32: 0.5, 64: 1.0}, 32.0),
        ({16: 0.25, 64: 0.75}, 32.0),
        ({0: 0.9, 10: 0.2, 100: 0.8}, 10 * 10**0.5),
        ({20: 0.6, 40: 0.9}, 20.0),
        ({20: 0.1, 40: 0.4}, math.inf),
        ({}, math.inf),
    ],
)
def test_half_dose_lies_between_the_numbers_around_it(successes: dict[int, float], dose: float) -> None:
    assert half_dose(successes) == pytest.approx(dose)
