"""What tests of several folders train once."""

import pytest

from tutorial_lib import profiles
from tutorial_lib.runs import Outcome, train_trial


@pytest.fixture(scope="session")
def backdoored() -> Outcome:
    """A backdoored model of the `test` profile with its data; who changes the model takes a copy."""
    return train_trial(profiles.get("test").cleaning.attacked("badnets", 0), progress=False)
