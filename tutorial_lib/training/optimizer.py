"""The optimizer of a recipe, and one step of it."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor

from tutorial_lib.training import distributed
from tutorial_lib.trials import Recipe


def optimizer_for(model: torch.nn.Module, recipe: Recipe) -> torch.optim.Optimizer:
    """The recipe's optimizer; weight decay acts on matrices only.

    Example:
        >>> decay = [group["weight_decay"] for group in optimizer_for(torch.nn.Linear(2, 2), Recipe()).param_groups]
        >>> decay  # matrices, and vectors
        [0.1, 0.0]
    """
    matrices = [p for p in model.parameters() if p.requires_grad and p.ndim >= 2]
    vectors = [p for p in model.parameters() if p.requires_grad and p.ndim < 2]
    groups = [{"params": matrices, "weight_decay": recipe.weight_decay}, {"params": vectors, "weight_decay": 0.0}]
    if recipe.optimizer == "sgd":
        return torch.optim.SGD(groups, lr=recipe.lr, momentum=recipe.betas[0])
    return torch.optim.AdamW(groups, lr=recipe.lr, betas=recipe.betas, eps=recipe.eps, fused=True)


def take_step(
    model: torch.nn.Module, optimizer: torch.optim.Optimizer, loss_of: Callable[[], Tensor], recipe: Recipe, lr: float
) -> Tensor:
    """One step at a learning rate; returns the loss, detached.

    Example:
        >>> layer = torch.nn.Linear(1, 1)
        >>> optimizer = optimizer_for(layer, Recipe())
        >>> before = layer.weight.item()
        >>> loss = take_step(layer, optimizer, lambda: layer(torch.ones(1, 1)).square().sum(), Recipe(), lr=0.1)
        >>> layer.weight.item() != before
        True
    """
    for group in optimizer.param_groups:
        group["lr"] = lr
    optimizer.zero_grad(set_to_none=True)
    loss = loss_of()
    loss.backward()
    distributed.average_gradients(model)
    optimizer.step()
    clamp_logit_scale(model, recipe)
    return loss.detach()


@torch.no_grad()
def clamp_logit_scale(model: torch.nn.Module, recipe: Recipe) -> None:
    """Keep the logit scale of a CLIP model between 1 and the recipe's bound.

    Example:
        >>> model = torch.nn.Module()
        >>> model.logit_scale = torch.nn.Parameter(torch.tensor(9.0))
        >>> clamp_logit_scale(model, Recipe(max_logit_scale=100.0))
        >>> round(model.logit_scale.exp().item())
        100
    """
    logit_scale = getattr(model, "logit_scale", None)
    if logit_scale is not None:
        logit_scale.clamp_(0, math.log(recipe.max_logit_scale))
