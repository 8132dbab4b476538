"""What defenses are given and what they give back."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import open_clip
import torch
from torch import Tensor

from tutorial_lib.data.pairs import Pairs
from tutorial_lib.supervised import Classifier
from tutorial_lib.tokenizer import Tokenizer
from tutorial_lib.train import History
from tutorial_lib.trials import Defense


class DefenseError(ValueError):
    """A defense lacks something that it needs."""


@dataclass(frozen=True)
class Material:
    """What a defender has.

    Attributes:
        pairs: those that she trusts.
        labels: class of each trusted picture, shape (len(pairs),), int64, -1 where unknown; `None` without labels.
        classes: number of classes, where there are labels.
        training: the pairs that the model was trained on, poisons included, where she has them.
    """

    pairs: Pairs
    labels: Tensor | None = None
    classes: int = 0
    training: Pairs | None = None


@dataclass(frozen=True)
class Cleaned:
    """A cleaned model.

    Attributes:
        model: a CLIP model, or a classifier where the defense needs class labels.
        history: what the training did.
        notes: what the defense found, plain numbers.
    """

    model: open_clip.CLIP | Classifier
    history: History
    notes: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Run:
    """How to run: seed, device and progress bar."""

    seed: int = 0
    device: str | torch.device | None = None
    progress: bool | None = False


#: A defense: (model, tokenizer, material, settings, run) to a cleaned model; the given model may be changed.
Method = Callable[[open_clip.CLIP, Tokenizer, Material, Defense, Run], Cleaned]
