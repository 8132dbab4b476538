"""Counted arithmetic against a formula, memory against what a process takes."""

import dataclasses
import subprocess
import sys

import pytest
import torch

from tests.training.small import CONFIG as SMALL
from tests.training.small import PAIRS, fit
from tests.training.small import RECIPE as SHORT
from tutorial_lib import models
from tutorial_lib.training import memory as footprint
from tutorial_lib.trials import Recipe

RN50 = models.model_config("RN50")


def test_arithmetic_is_that_of_the_layers() -> None:
    """A ViT is all matrix products, which are counted by hand here: 2 x 3 operations a weight and token."""
    config = models.model_config("ViT-B-32")
    tokens, width, layers, words, text_width = 50, 768, 12, 77, 512
    patches = 2 * 3 * 49 * 3 * 32 * 32 * width * 2 / 3  # no gradient with respect to pixels
    blocks = 6 * tokens * layers * 12 * width**2 + 6 * layers * 2 * tokens**2 * width
    text = 6 * words * layers * 12 * text_width**2 + 6 * layers * 2 * words**2 * text_width
    assert footprint.flops(config) == pytest.approx(patches + blocks + text, rel=0.05)


@pytest.mark.skipif(sys.platform != "linux", reason="reads the peak memory of a Linux process")
def test_memory_is_what_a_process_takes() -> None:
    code = """
import torch
from tutorial_lib import models
from tutorial_lib.models.fast import small_maps
from tutorial_lib.machine import peak_memory
from tutorial_lib.trials import Recipe
from tutorial_lib.training.optimizer import optimizer_for
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


def test_the_time_of_a_training_is_about_what_it_takes(monkeypatch: pytest.MonkeyPatch) -> None:
    recipe = dataclasses.replace(SHORT, epochs=20)
    _, history = fit(recipe=recipe)
    monkeypatch.setattr(footprint, "QUICK", 0.0)  # time some steps although it is short
    said = footprint.training_seconds(SMALL, recipe, len(PAIRS), device="cpu")
    assert history.seconds / 5 < said < history.seconds * 5


def test_a_time_grows_with_the_work_and_a_short_one_is_not_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def second(config, batch, device, half) -> float:
        asked.append(batch)
        return 1.0

    monkeypatch.setattr(footprint, "_seconds_per_sample", second)
    recipe = Recipe(epochs=10, batch_size=100)
    assert footprint.training_seconds(RN50, recipe, 2050, device="cpu") == 10 * 2000
    assert footprint.training_seconds(RN50, dataclasses.replace(recipe, epochs=20), 2050, device="cpu") == 20 * 2000
    assert asked == [2, 2], "the batch of a big model is not tried whole"
    assert 0 < footprint.training_seconds(models.model_config("rn-0.4m"), recipe, 200, device="cpu") < 60
    assert len(asked) == 2
