"""`import tutorial_lib`: the names that it offers, and what importing costs."""

from __future__ import annotations

import doctest
import statistics
import subprocess
import sys
from types import ModuleType

import pytest

import tutorial_lib
from tests.test_packaging import settings
from tutorial_lib import places

OFFERED = [
    "BackdoorReport",
    "Recipe",
    "Trial",
    "attacks",
    "backdoor_z_score",
    "defenses",
    "detect",
    "evaluate",
    "load_model",
    "measure_backdoor",
    "models",
    "profiles",
    "run",
    "train",
    "triggers",
]


def said(code: str) -> list[str]:
    """The words that a fresh interpreter prints."""
    command = [sys.executable, "-c", code]
    return subprocess.run(command, capture_output=True, text=True, check=True, cwd=places.checkout()).stdout.split()


def imported(module: str) -> set[str]:
    """What a fresh interpreter has loaded after one import."""
    return set(said(f"import {module}, sys; print(*sys.modules)"))


@pytest.mark.parametrize("name", OFFERED)
def test_a_name_is_offered(name: str) -> None:
    assert name in dir(tutorial_lib)
    assert name in tutorial_lib.__all__
    assert getattr(tutorial_lib, name) is not None


def test_names_are_what_their_modules_have() -> None:
    from tutorial_lib import attacks, evaluate, models, runs, zscore
    from tutorial_lib.attacks import report
    from tutorial_lib.training import loop

    assert tutorial_lib.train is loop.train
    assert tutorial_lib.run is runs.run
    assert tutorial_lib.load_model is models.load
    assert tutorial_lib.measure_backdoor is report.measure_backdoor
    assert tutorial_lib.backdoor_z_score is zscore.backdoor_z_score
    assert tutorial_lib.evaluate is evaluate
    assert tutorial_lib.attacks is attacks


def test_everything_offered_can_be_had() -> None:
    assert set(OFFERED) | {"__version__"} == set(tutorial_lib.__all__)
    assert sorted(tutorial_lib.__all__) == dir(tutorial_lib)


def test_a_name_that_is_not_offered_is_an_attribute_error() -> None:
    assert isinstance(tutorial_lib, ModuleType)
    with pytest.raises(AttributeError, match="no attribute 'tain'"):
        tutorial_lib.tain  # noqa: B018
    with pytest.raises(ImportError):
        exec("from tutorial_lib import measure_backdor")


def test_the_example_of_the_docstring_works() -> None:
    failed, tried = doctest.testmod(tutorial_lib)
    assert tried >= 6
    assert failed == 0


def test_there_is_one_version() -> None:
    project = settings()["project"]
    assert "version" not in project
    assert project["dynamic"] == ["version"]
    citation = (places.PACKAGE.parent / "CITATION.cff").read_text()
    assert f"\nversion: {tutorial_lib.__version__}\n" in citation
    assert f"## {tutorial_lib.__version__} – " in (places.PACKAGE.parent / "CHANGELOG.md").read_text()


def test_importing_the_package_is_free() -> None:
    assert not imported("tutorial_lib") & {"torch", "numpy", "open_clip"}
    timed = "import time; t = time.perf_counter(); import tutorial_lib; print(time.perf_counter() - t)"
    assert statistics.median(float(said(timed)[0]) for _ in range(3)) < 0.1


@pytest.mark.parametrize("module", ["trials", "attacks", "defenses", "detect", "triggers", "profiles"])
def test_what_describes_a_trial_imports_no_torch(module: str) -> None:
    assert not imported(f"tutorial_lib.{module}") & {"torch", "open_clip"}


def test_runs_import_no_statistics_and_no_augmentation() -> None:
    found = imported("tutorial_lib.runs")
    assert "torch" in found
    assert not found & {"scipy.stats", "sklearn", "skimage", "pandas", "plotly", "torchvision.transforms.v2"}
