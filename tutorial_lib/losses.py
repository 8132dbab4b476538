"""Contrastive losses on normalised embeddings. Introduced in the chapter on contrastive learning."""

from __future__ import annotations

import math

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

    Raises:
        ValueError: queries and keys differ in shape.

    Source: van den Oord et al. (2018), equation 4; introduced in the chapter on contrastive learning.

    Example:
        >>> import torch
        >>> two = torch.eye(2)
        >>> round(info_nce(two, two, logit_scale=1.0).item(), 3)  # log(1 + 1 / e)
        0.313
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

    Source: Radford et al. (2021), figure 3; introduced in the chapter on CLIP from scratch.

    Example:
        >>> import torch
        >>> image, text = torch.eye(2), torch.eye(2).flip(0)
        >>> round(clip_loss(image, text, logit_scale=10.0).item(), 2)  # every caption belongs to the other picture
        10.0
    """
    return (info_nce(image, text, logit_scale) + info_nce(text, image, logit_scale)) / 2


def pair_losses(image: Tensor, text: Tensor, logit_scale: Tensor | float) -> Tensor:
    """What each pair of a batch contributes to `clip_loss`, which is their mean.

    Args:
        image, text: normalised embeddings of the same pairs, shape (B, d).
        logit_scale: 1 / temperature.

    Returns:
        Losses in nats, shape (B,).

    Example:
        >>> import torch
        >>> image, text = torch.eye(3), torch.eye(3)[[0, 2, 1]]
        >>> [round(x, 1) for x in pair_losses(image, text, logit_scale=9.0).tolist()]  # two have changed places
        [0.0, 9.0, 9.0]
    """
    logits = logit_scale * image @ text.T  # (B, B)
    own = torch.arange(len(logits), device=logits.device)
    both = F.cross_entropy(logits, own, reduction="none") + F.cross_entropy(logits.T, own, reduction="none")
    return both / 2


def local_gradient_ascent(losses: Tensor, gamma: float) -> Tensor:
    """Mean of sign(l - gamma) l: losses that have fallen below gamma are raised again.

    Args:
        losses: of each example, shape (B,).
        gamma: the level that examples are held at.

    Source: Li et al. (2021), equation 3.

    Example:
        >>> import torch
        >>> losses = torch.tensor([0.25, 2.0], requires_grad=True)
        >>> local_gradient_ascent(losses, gamma=0.5).backward()
        >>> losses.grad.tolist()
        [-0.5, 0.5]
    """
    return ((losses.detach() - gamma).sign() * losses).mean()


def flooding(losses: Tensor, level: float) -> Tensor:
    """|mean - level| + level: the mean of a batch is kept from falling below a level.

    Args:
        losses: of each example, shape (B,).
        level: that the mean is held at.

    Source: Ishida et al. (2020), equation 2; a baseline of Li et al. (2021).

    Example:
        >>> import torch
        >>> flooding(torch.tensor([0.1, 0.3]), level=0.5).item() > 0.5
        True
    """
    return (losses.mean() - level).abs() + level


def in_modal_loss(
    views: Tensor, other_views: Tensor, logit_scale: Tensor | float, *, both_ways: bool = False
) -> Tensor:
    """InfoNCE between two views of the same pictures, or of the same captions.

    Args:
        views, other_views: normalised embeddings, shape (B, d); CleanCLIP has the view that the CLIP loss sees first,
            and an augmented one second.
        logit_scale: 1 / temperature; CleanCLIP shares that of the CLIP loss.
        both_ways: also pick each augmented view's own view, and take the mean; CleanCLIP's code has one way.

    Source: Bansal et al. (2023), equation 2; introduced in the chapter on CleanCLIP.

    Example:
        >>> import torch
        >>> views = torch.eye(3)
        >>> in_modal_loss(views, views, 5.0).item() < in_modal_loss(views, views.roll(1, 0), 5.0).item()
        True
    """
    one = info_nce(views, other_views, logit_scale)
    return (one + info_nce(other_views, views, logit_scale)) / 2 if both_ways else one


def cleanclip_loss(
    image: Tensor,
    text: Tensor,
    image_view: Tensor,
    text_view: Tensor,
    logit_scale: Tensor | float,
    *,
    lambda_clip: float = 1.0,
    lambda_self: float = 1.0,
    both_ways: bool = False,
) -> Tensor:
    """λ₁ L_CLIP + λ₂ L_SS, where L_SS is the mean of the in-modal losses of pictures and captions.

    Args:
        image, text: normalised embeddings of the pairs, shape (B, d).
        image_view, text_view: of augmented views of the same pictures and captions, shape (B, d).
        logit_scale: 1 / temperature.
        lambda_clip, lambda_self: λ₁ and λ₂; with λ₁ = 0 it is self-supervision only.
        both_ways: see `in_modal_loss`.

    Raises:
        ValueError: a weight is negative or not a number, or both are 0.

    Source: Bansal et al. (2023), equation 3; introduced in the chapter on CleanCLIP.

    Example:
        >>> import torch
        >>> x = torch.eye(4)
        >>> both = cleanclip_loss(x, x, x, x, 1.0, lambda_self=2.0)
        >>> round((both / clip_loss(x, x, 1.0)).item(), 2)  # λ₁ + λ₂ where all parts are equal
        3.0
    """
    check_weights(lambda_clip, lambda_self)
    own = in_modal_loss(image, image_view, logit_scale, both_ways=both_ways)
    own = (own + in_modal_loss(text, text_view, logit_scale, both_ways=both_ways)) / 2
    return lambda_clip * clip_loss(image, text, logit_scale) + lambda_self * own if lambda_clip else lambda_self * own


def par_loss(
    image: Tensor, text: Tensor, image_before: Tensor, text_before: Tensor, logit_scale: Tensor | float, tau: float
) -> Tensor:
    """L_CLIP less half the squared distances of pictures and captions from where they were, each until it exceeds tau.

    Args:
        image, text: normalised embeddings of the same pairs, shape (B, d).
        image_before, text_before: of the same views under the model as it was found, shape (B, d).
        logit_scale: 1 / temperature.
        tau: mean squared distance, at most 4, from which on nothing pushes a modality any further.

    Source: Singh et al. (2024), "Perturb and recover", equations 4 to 6.

    Example:
        >>> import torch
        >>> x = torch.eye(4)
        >>> far, near = par_loss(x, x, -x, x, 1.0, tau=4.0), par_loss(x, x, x, x, 1.0, tau=4.0)
        >>> (near - far).item()  # half of 4
        2.0
    """

    def pushed(now: Tensor, before: Tensor) -> Tensor:
        distance = (now - before).square().sum(1).mean()
        return torch.where(distance <= tau, distance, 0.0)

    push = (pushed(image, image_before) + pushed(text, text_before)) / 2
    return clip_loss(image, text, logit_scale) - push


def check_weights(lambda_clip: float, lambda_self: float) -> None:
    """Raises ValueError unless both weights are finite, none is negative and one is positive.

    Raises:
        ValueError: a weight is negative or not finite, or both are 0.

    Example:
        >>> check_weights(1.0, -1.0)
        Traceback (most recent call last):
        ValueError: lambda_self is the weight of a loss, a number of at least 0, not -1.0
    """
    for name, value in (("lambda_clip", lambda_clip), ("lambda_self", lambda_self)):
        if not (value >= 0 and math.isfinite(value)):
            raise ValueError(f"{name} is the weight of a loss, a number of at least 0, not {value}")
    if lambda_clip == lambda_self == 0:
        raise ValueError("lambda_clip and lambda_self are both 0: there is no loss to train with")


def margin_loss(anchor: Tensor, other: Tensor, same: Tensor, margin: float = 1.0) -> Tensor:
    """The pairwise loss that started it: pull pairs together, push others apart up to a margin.

    Args:
        anchor, other: embeddings, shape (B, d).
        same: whether each pair shows the same thing, shape (B,), bool.
        margin: distance beyond which a different pair costs nothing.

    Source: Hadsell et al. (2006), equation 4; introduced in the chapter on contrastive learning.

    Example:
        >>> import torch
        >>> a, b = torch.zeros(2, 2), torch.tensor([[0.6, 0.8], [3.0, 4.0]])
        >>> round(margin_loss(a, b, same=torch.tensor([True, False])).item(), 2)  # 1² / 2, and 0 beyond the margin
        0.25
    """
    distance = (anchor - other).norm(dim=1)  # (B,)
    pull = distance.square() / 2
    push = F.relu(margin - distance).square() / 2
    return torch.where(same, pull, push).mean()


def triplet_loss(image: Tensor, text: Tensor, margin: float = 0.2) -> Tensor:
    """Hinge loss over the triplets of a batch: a pair is to be closer by `margin` than any two that do not belong.

    Args:
        image, text: normalised embeddings of the same pairs, shape (B, d).
        margin: in cosine similarity.

    Returns:
        The sum over the B - 1 other captions and the B - 1 other pictures, mean over the pairs, a scalar.

    Raises:
        ValueError: the embeddings differ in shape.

    Source: Kiros et al. (2014); the sum of hinges of Faghri et al. (2018), equation 3. Carlini & Terzis (2022), section
    2.2, call it the early technique.

    Example:
        >>> import torch
        >>> image, text = torch.eye(2), torch.eye(2).flip(0)
        >>> round(triplet_loss(image, text).item(), 2)  # wrong in both directions, by 1 and the margin
        2.4
    """
    if image.shape != text.shape:
        raise ValueError(f"pictures {tuple(image.shape)} and captions {tuple(text.shape)} must have the same shape")
    similarity = image @ text.T  # (B, B)
    own = similarity.diagonal()
    other = ~torch.eye(len(own), dtype=torch.bool, device=own.device)
    captions = (margin + similarity - own[:, None]).clamp(min=0) * other
    pictures = (margin + similarity - own[None, :]).clamp(min=0) * other
    return (captions.sum() + pictures.sum()) / len(own)
