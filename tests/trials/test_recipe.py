"""Recipes: the learning rate step by step, and settings that are refused."""

import math

import pytest

from tutorial_lib.trials import Recipe


@pytest.mark.parametrize(("warmup", "total"), [(0.0, 7), (0.1, 40), (0.5, 9)])
def test_learning_rate_rises_to_its_peak_and_follows_a_cosine(warmup: float, total: int) -> None:
    recipe = Recipe(lr=0.3, warmup=warmup)
    warm = round(warmup * total)
    rates = [recipe.lr_at(step, total) for step in range(total)]
    for step, rate in enumerate(rates):
        done = (step - warm) / (total - warm)
        assert rate == pytest.approx(0.3 * (step + 1) / warm if step < warm else 0.15 * (1 + math.cos(math.pi * done)))
    assert max(rates) == 0.3
    assert rates[0] > 0
    assert 0 < rates[-1] < 0.3 * 10 / total


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"epochs": 0}, "epochs must be positive, not 0"),
        ({"batch_size": -4}, "batch_size must be positive, not -4"),
        ({"lr": 0.0}, r"lr must be positive, not 0\.0"),
        ({"warmup": 1.0}, r"warmup is a share of all steps, in \[0, 1\), not 1\.0"),
        ({"precision": "float16"}, "precision of a recipe must be auto, float32 or bfloat16, not 'float16'"),
    ],
)
def test_impossible_recipes_are_refused(settings, message) -> None:
    with pytest.raises(ValueError, match=message):
        Recipe(**settings)


def test_recipes_out_of_range_are_refused():
    with pytest.raises(ValueError, match="lr must be positive, not nan"):
        Recipe(lr=math.nan)
    for decay in (-1, math.nan):
        with pytest.raises(ValueError, match="weight_decay must be at least 0"):
            Recipe(weight_decay=decay)
