"""Plans: counted arithmetic against a formula, memory against what a process takes, money against hours."""

import json
import subprocess
import sys
from dataclasses import replace

import pytest
import torch

from tutorial_lib import models, profiles
from tutorial_lib.attacks import Backdoor
from tutorial_lib.cli import main
from tutorial_lib.costs import rented
from tutorial_lib.costs.gpus import GPUS
from tutorial_lib.defenses import Finetuning
from tutorial_lib.training import memory as footprint
from tutorial_lib.trials import Recipe, Trial

RN50 = models.model_config("RN50")


def test_arithmetic_is_that_of_the_layers() -> None:
    """A ViT is all matrix products, which are counted by hand here: 2 x 3 operations a weight and token."""
    config = models.model_config("ViT-B-32")
    tokens, width, layers, words, text_width = 50, 768, 12, 77, 512
    patches = 2 * 3 * 49 * 3 * 32 * 32 * width * 2 / 3  # no gradient with respect to pixels
    blocks = 6 * tokens * layers * 12 * width**2 + 6 * layers * 2 * tokens**2 * width
    text = 6 * words * layers * 12 * text_width**2 + 6 * layers * 2 * words**2 * text_width
    assert footprint.flops(config) == pytest.approx(patches + blocks + text, rel=0.05)


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


@pytest.mark.skipif(sys.platform != "linux", reason="reads the peak memory of a Linux process")
def test_memory_is_what_a_process_takes() -> None:
    code = """
import torch
from tutorial_lib import models
from tutorial_lib.models.fast import small_maps
from tutorial_lib.machine import peak_memory
from tutorial_lib.trials import Recipe
from tutorial_lib.training.loop import optimizer_for
torch.set_num_threads(1)
model = models.build("rn-5m").train().to(memory_format=torch.channels_last)
recipe = Recipe(batch_size=1024)
optimizer = optimizer_for(model, recipe)
before = peak_memory()
image, text = torch.randn(1024, 3, 32, 32), torch.zeros(1024, 16, dtype=torch.int64)
with small_maps(model):
    image = image.contiguous(memory_format=torch.channels_last)
    (model.encode_image(image).square().mean() + model.encode_text(text).square().mean()).backward()
optimizer.step()
print(peak_memory() - before)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    said = footprint.training_bytes(models.model_config("rn-5m"), Recipe(batch_size=1024), half=False)
    assert 0.5 * said < int(done.stdout) < 1.5 * said


def test_out_of_memory_says_what_would_fit(monkeypatch: pytest.MonkeyPatch) -> None:
    recipe = Recipe(batch_size=1024)
    with (
        pytest.raises(MemoryError, match=r"batch_size 1024 needs about 67\.\d GiB .* lower batch_size to \d+"),
        footprint.explained(RN50, recipe, torch.device("cpu")),
    ):
        raise torch.OutOfMemoryError("CUDA out of memory")
    with pytest.raises(RuntimeError, match="something else"), footprint.explained(RN50, recipe, torch.device("cpu")):
        raise RuntimeError("something else")
    fits = footprint.largest_batch(RN50, recipe, 80 * 2**30)
    assert footprint.training_bytes(RN50, recipe, batch_size=fits) < 80 * 2**30
    assert footprint.training_bytes(RN50, recipe, batch_size=2 * fits) > 80 * 2**30
    assert footprint.largest_batch(RN50, recipe, 2**20) == 0
    assert "batch_size to 512" in footprint.out_of_memory(RN50, recipe, 2**50), "less than what has just failed"


def test_the_command(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["plan", "fig4", "--gpu", "a100", "--together", "8", "--json"]) == 0
    body = json.loads(capsys.readouterr().out)
    assert body["figures"]["fig4"]["models"] == len({t.key for t in _fig4()})
    assert body["total"]["A100"]["usd"] > 1000
    assert main(["plan", "fig4", "--gpu", "V100"]) == 0
    text = capsys.readouterr().out
    assert "V100 (32 GB) is too small" in text
    assert "Not measured" in text


def _fig4():
    from tutorial_lib.experiments import fig4

    return fig4.trials(profiles.get("paper"))


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--gpu", "toaster"], "no GPU 'toaster'"),
        (["--profile", "demo"], "plan that one"),
        (["--usd-per-hour", "nan"], "price"),
    ],
)
def test_bad_input(arguments, said, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["plan", "fig4", *arguments]) == 2
    assert said in capsys.readouterr().err
