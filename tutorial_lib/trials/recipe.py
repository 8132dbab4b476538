"""Hyper-parameters of a training run."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from tutorial_lib.trials.schema import Settings, setting


@dataclass(frozen=True)
class Recipe(Settings):
    """Hyper-parameters of a run; the defaults are the course's `demo` recipe.

    Attributes:
        epochs: passes over the pairs.
        batch_size: pairs per step; the last, smaller batch of an epoch is dropped.
        lr: peak learning rate of AdamW, reached after the warm-up, then a cosine down to 0.
        weight_decay: on matrices only, never on gains, biases or the logit scale.
        warmup: share of all steps with a linearly rising learning rate.
        scale: area of the random crop, as a share of the picture's.
        precision: "float32", "bfloat16", or "auto": bfloat16 where the device multiplies it natively.
        optimizer: "adamw", or "sgd" with momentum `betas[0]`, as Carlini & Terzis (2022) train.

    Raises:
        ValueError: a setting is none of its choices, out of range, or without effect beside the others.

    Example:
        >>> Recipe(epochs=2, batch_size=64).steps(1000)
        30
    """

    epochs: int = 14
    batch_size: int = 256
    lr: float = 2e-3
    weight_decay: float = 0.1
    warmup: float = 0.1
    betas: tuple[float, float] = (0.9, 0.98)
    eps: float = setting(1e-6, needs={"optimizer": "adamw"})
    scale: tuple[float, float] = (0.9, 1.0)
    max_logit_scale: float = 100.0
    precision: Literal["auto", "float32", "bfloat16"] = "auto"
    optimizer: Literal["adamw", "sgd"] = setting("adamw", added=True)

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("epochs", "batch_size", "lr"):
            if not getattr(self, name) > 0:  # NaN is refused too
                raise ValueError(f"{name} must be positive, not {getattr(self, name)}")
        if not self.weight_decay >= 0:
            raise ValueError(f"weight_decay must be at least 0, not {self.weight_decay}")
        if not 0 <= self.warmup < 1:
            raise ValueError(f"warmup is a share of all steps, in [0, 1), not {self.warmup}")

    def steps(self, pairs: int) -> int:
        """Steps on so many pairs."""
        return self.epochs * (pairs // self.batch_size)

    def lr_at(self, step: int, total: int) -> float:
        """Learning rate of a step, counted from 0."""
        warm = round(self.warmup * total)
        if step < warm:
            return self.lr * (step + 1) / warm
        return self.lr * 0.5 * (1 + math.cos(math.pi * (step - warm) / max(1, total - warm)))
