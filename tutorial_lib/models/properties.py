"""What a model takes and what it is made of: its size, its activation, how its pictures and texts are prepared."""

from __future__ import annotations

import hashlib
from typing import Any

import torch
from open_clip.transformer import QuickGELU

from tutorial_lib.models.inputs import preprocessing_of
from tutorial_lib.models.tokenizer import Tokenizer


def picture_side(model: torch.nn.Module) -> int:
    """Width and height of the pictures that a model takes, in pixels.

    Example:
        >>> from tutorial_lib import models
        >>> picture_side(models.load(models.CHECKPOINTS / "clean")[0])
        32
    """
    tower: Any = model.visual
    side = tower.image_size
    return int(side if isinstance(side, int) else side[0])


def parameter_count(module: torch.nn.Module) -> int:
    """Numbers that training changes, and those of frozen parts.

    Example:
        >>> parameter_count(torch.nn.Linear(3, 2))
        8
    """
    return sum(p.numel() for p in module.parameters())


def weights_hash(model: torch.nn.Module) -> str:
    """What tells the weights of two models apart, 16 hexadecimal digits of SHA-256 over names and values.

    Example:
        >>> layer = torch.nn.Linear(3, 2)
        >>> before = weights_hash(layer)
        >>> layer.bias.data += 1
        >>> len(before), weights_hash(layer) == before
        (16, False)
    """
    digest = hashlib.sha256()
    for name, tensor in model.state_dict().items():
        digest.update(name.encode())
        digest.update(tensor.cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()[:16]


def has_quick_gelu(model: torch.nn.Module) -> bool:
    """Whether a model's activation is QuickGELU, as in OpenAI's.

    Example:
        >>> from tutorial_lib import models
        >>> has_quick_gelu(models.load(models.CHECKPOINTS / "clean")[0])
        False
    """
    return any(isinstance(m, QuickGELU) for m in model.modules())


def facts(model: torch.nn.Module, tokenizer: Tokenizer | None = None) -> dict[str, Any]:
    """What a model's pictures and texts are prepared as, and its activation; plain data.

    Args:
        model: a CLIP model, or a classifier.
        tokenizer: of the model, where it reads texts.

    Example:
        >>> from tutorial_lib import models
        >>> facts(*models.load(models.CHECKPOINTS / "clean"))["activation"]
        'GELU'
    """
    texts = {} if tokenizer is None else {"context_length": tokenizer.context_length, "tokens": tokenizer.vocab_size}
    return {
        "parameters": parameter_count(model),
        "side": picture_side(model),
        **preprocessing_of(model).as_dict(),
        "activation": "QuickGELU" if has_quick_gelu(model) else "GELU",
        **texts,
    }
