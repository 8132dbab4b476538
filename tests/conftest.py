"""What tests of several folders train once."""

from pathlib import Path

import pytest
from filelock import FileLock

from tutorial_lib import profiles
from tutorial_lib.evidence import registry
from tutorial_lib.evidence.results import Results
from tutorial_lib.runs import Outcome, engines, train_trial
from tutorial_lib.trials.store import RunStore


@pytest.fixture(scope="session")
def backdoored() -> Outcome:
    """A backdoored model of the `test` profile with its data; who changes the model takes a copy."""
    return train_trial(profiles.get("test").cleaning.attacked("badnets", 0), progress=False)


@pytest.fixture(scope="session")
def miniature(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Results:
    """All trials of the `test` profile, trained once for all processes of pytest."""
    base = tmp_path_factory.getbasetemp()
    folder: Path = (base if worker_id == "master" else base.parent) / "miniature"
    profile = profiles.get("test")
    with FileLock(folder.with_suffix(".lock")):
        result = engines.sweep(registry.trials(registry.names(explanations=True), profile), RunStore(folder), jobs=2)
    assert not result.failed
    assert result.left == 0
    return Results(profile, RunStore(folder))
