"""What tests of several folders share: what is trained once, and one thread."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from filelock import FileLock

from tutorial_lib import profiles
from tutorial_lib.evidence import registry
from tutorial_lib.evidence.results import Results
from tutorial_lib.runs import Outcome, engines, train_trial
from tutorial_lib.trials.store import RunStore


@pytest.fixture
def one_thread() -> Iterator[None]:
    """For what is compared bit by bit: sums depend on the number of threads, and that on what else the machine does."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


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
