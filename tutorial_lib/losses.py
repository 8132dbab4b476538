"""Contrastive losses on normalised embeddings. Introduced in chapter 1."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor


def info_nce(queries: Tensor, keys: Tensor, logit_scale: Tensor | float) -> Tensor:
    """Cross-entropy of picking each query's own key among all keys of the batch.

    Args:
        queries: normalised embeddings, shape (B, d).
        keys: normalised embeddings, shape (B, d); `keys[i]` belongs to `queries[i]`.
        logit_scale: 1 / temperature.

    Returns:
        The mean loss in nats, a scalar.

    Source: van den Oord et al. (2018), equation 4; introduced in chapter 1.
    """
    if queries.shape != keys.shape:
        raise ValueError(f"queries {tuple(queries.shape)} and keys {tuple(keys.shape)} must have the same shape")
    logits = logit_scale * queries @ keys.T  # (B, B)
    return F.cross_entropy(logits, torch.arange(len(logits), device=logits.device))


def clip_loss(image: Tensor, text: Tensor, logit_scale: Tensor | float) -> Tensor:
    """Mean of the image-to-text and the text-to-image InfoNCE losses.

    Args:
        image, text: normalised embeddings of the same pairs, shape (B, d).
        logit_scale: 1 / temperature.

    Source: Radford et al. (2021), figure 3; introduced in chapter 2.
    """
    return (info_nce(image, text, logit_scale) + info_nce(text, image, logit_scale)) / 2


def margin_loss(anchor: Tensor, other: Tensor, same: Tensor, margin: float = 1.0) -> Tensor:
    """The pairwise loss that started it: pull pairs together, push others apart up to a margin.

    Args:
        anchor, other: embeddings, shape (B, d).
        same: whether each pair shows the same thing, shape (B,), bool.
        margin: distance beyond which a different pair costs nothing.

    Source: Hadsell et al. (2006), equation 4; introduced in chapter 1.
    """
    distance = (anchor - other).norm(dim=1)  # (B,)
    pull = distance.square() / 2
    push = F.relu(margin - distance).square() / 2
    return torch.where(same, pull, push).mean()
