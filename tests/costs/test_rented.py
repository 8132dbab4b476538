"""Plans: the paper's hours are given back, and money follows from hours."""

from dataclasses import replace

import pytest

from tutorial_lib import profiles
from tutorial_lib.attacks import Backdoor
from tutorial_lib.costs import rented
from tutorial_lib.costs.gpus import GPUS
from tutorial_lib.defenses import Finetuning
from tutorial_lib.trials import Trial


def test_the_papers_hours_are_given_back() -> None:
    """The plan of the model that calibrates it is what the paper reports."""
    trial = profiles.get("paper").backdoor(75, 0)
    found = rented.estimate([trial], [GPUS["V100"]])
    assert found["gpus"]["V100"]["gpu_hours"] == pytest.approx(rented.PAPER_HOURS, rel=0.01)
    assert 0.05 < found["utilisation"] < 0.3
    assert found["samples"] == 30 * 2_950_000


def test_more_gpus_need_less_memory_each_and_a_faster_one_fewer_hours() -> None:
    trial = profiles.get("paper").backdoor(75, 0)
    alone = rented.estimate([trial], GPUS.values())
    eight = rented.estimate([trial], GPUS.values(), together=8)
    assert eight["memory_bytes"] < alone["memory_bytes"] / 4
    assert not alone["gpus"]["V100"]["fits"]
    assert eight["gpus"]["V100"]["fits"]
    assert alone["gpus"]["H100"]["gpu_hours"] < alone["gpus"]["A100"]["gpu_hours"] < alone["gpus"]["V100"]["gpu_hours"]
    priced = rented.estimate([trial], [GPUS["A100"]], usd_per_hour=4)["gpus"]["A100"]
    assert priced["usd"] == pytest.approx(4 * priced["gpu_hours"])


def test_models_that_several_defenses_clean_are_counted_once() -> None:
    base = Trial(Backdoor(4), data="d")
    body = rented.estimate([base, *(replace(base, defense=Finetuning(share=s)) for s in (0.1, 0.2))], [])
    assert (body["trials"], body["models"]) == (3, 1)
