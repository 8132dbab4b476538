"""What decays, which optimizer a recipe names, and one step."""

import math

import pytest
import torch

from tests.training.small import CONFIG, TOKENIZER
from tutorial_lib import models
from tutorial_lib.training.optimizer import clamp_logit_scale, optimizer_for, take_step
from tutorial_lib.trials import Recipe


def test_only_matrices_that_are_trained_decay() -> None:
    model = models.build(CONFIG, TOKENIZER)
    model.token_embedding.weight.requires_grad_(False)
    decaying, plain = optimizer_for(model, Recipe(weight_decay=0.3)).param_groups
    assert (decaying["weight_decay"], plain["weight_decay"]) == (0.3, 0.0)
    assert all(p.ndim >= 2 for p in decaying["params"])
    assert all(p.ndim < 2 for p in plain["params"])
    trained = [p for p in model.parameters() if p.requires_grad]
    assert {id(p) for p in trained} == {id(p) for p in (*decaying["params"], *plain["params"])}


def test_sgd_takes_the_step_of_the_formula() -> None:
    layer = torch.nn.Linear(1, 1, bias=False)
    recipe = Recipe(optimizer="sgd", weight_decay=0.0)
    optimizer, before = optimizer_for(layer, recipe), layer.weight.item()
    loss = take_step(layer, optimizer, lambda: (layer(torch.ones(1, 1)) ** 2).sum(), recipe, lr=0.1)
    assert not loss.requires_grad
    assert layer.weight.item() == pytest.approx(before - 0.1 * 2 * before, rel=1e-6)


def test_the_logit_scale_stays_between_one_and_its_bound() -> None:
    model = torch.nn.Module()
    for value, expected in ((-1.0, 0.0), (2.0, 2.0), (9.0, math.log(50))):
        model.logit_scale = torch.nn.Parameter(torch.tensor(value))
        clamp_logit_scale(model, Recipe(max_logit_scale=50.0))
        assert model.logit_scale.item() == torch.tensor(expected).item()
