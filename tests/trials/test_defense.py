"""What all defenses check."""

import math

import pytest

from tests.defenses.small import TRAINED
from tutorial_lib.defenses import DEFENSES


@pytest.mark.parametrize("kind", TRAINED)
@pytest.mark.parametrize("wrong", [{"share": 0}, {"share": 1.5}, {"share": math.nan}, {"dirty": -1}])
def test_every_defense_checks_what_all_have(kind, wrong):
    with pytest.raises(ValueError, match=next(iter(wrong))):
        DEFENSES[kind](**wrong)
