"""Checks of the losses (the chapters on contrastive learning and CLIP from scratch)."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from tutorial_lib import losses
from tutorial_lib.course.checks.core import Answer, WrongError, checked, number, same, tensor, unit

__all__ = ["big_batch", "clip_loss", "info_nce", "info_nce_gradient", "supervised_contrast"]


def _cross_entropy(queries: Tensor, keys: Tensor, scale: float, **options: Any) -> Tensor:
    return F.cross_entropy(scale * queries @ keys.T, torch.arange(len(queries)), **options)


@checked("It agrees with the library, also where exponentials overflow.")
def info_nce(answer: Answer) -> None:
    """`answer(queries, keys, logit_scale)`: the InfoNCE loss of normalised embeddings (B, d), in nats."""
    q, k = unit(12, 8, seed=1), unit(12, 8, seed=2)
    expected = _cross_entropy(q, k, 7.0)
    same(
        number(answer(q.clone(), k.clone(), 7.0)),
        expected.item(),
        {
            "the sign is wrong: a loss is the negative of a log-probability.": -expected.item(),
            "this is the sum over the queries; take the mean.": 12 * expected.item(),
            "the softmax must run over the keys of each query, not over the queries of each key.": (
                _cross_entropy(k, q, 7.0).item()
            ),
            "this is the loss in both directions; InfoNCE asks each query for its key only.": (
                losses.clip_loss(q, k, 7.0).item()
            ),
            "the similarities are not multiplied by logit_scale.": _cross_entropy(q, k, 1.0).item(),
            "the similarities are divided by logit_scale; it is 1 / τ already.": _cross_entropy(q, k, 1 / 7).item(),
        },
    )
    same(number(answer(q, k, 1e4)), _cross_entropy(q, k, 1e4).item())


@checked("The softmax minus the right answer, as autograd has it.")
def info_nce_gradient(answer: Answer) -> None:
    """`answer(scores)`: the gradient of InfoNCE for the scores (B, B) of which the diagonal is right, shape (B, B)."""
    scores = (6 * unit(9, 5, seed=3) @ unit(9, 5, seed=4).T).requires_grad_()
    F.cross_entropy(scores, torch.arange(9)).backward()
    assert scores.grad is not None
    softmax = scores.detach().softmax(1)
    same(
        tensor(answer(scores.detach().clone()), (9, 9)),
        scores.grad,
        {
            "the loss is a mean over the B rows, so its gradient has a factor 1 / B.": 9 * scores.grad,
            "this is the softmax alone; the right answer has to be subtracted.": softmax / 9,
            "the sign is wrong: going against the gradient must raise the diagonal.": -scores.grad,
        },
    )


@checked("With several partners each of them counts, and a query is never pushed away from its own kind.")
def supervised_contrast(answer: Answer) -> None:
    """`answer(queries, keys, labels, logit_scale)`: mean over queries of the mean of -log p over keys of its label."""
    q, k, labels = unit(10, 6, seed=5), unit(10, 6, seed=6), torch.tensor([0, 1, 0, 2, 1, 3, 0, 2, 4, 4])
    alike = (labels[:, None] == labels[None]).double()
    log_p = (5 * q @ k.T).log_softmax(1)
    added = -(alike * log_p).sum(1)
    expected = added / alike.sum(1)
    together = -(alike * log_p.exp()).sum(1).log()
    same(
        number(answer(q, k, labels, 5.0)),
        expected.mean().item(),
        {
            "this is plain InfoNCE: keys of the same label still count as wrong.": -log_p.diagonal().mean().item(),
            "the log-probabilities of a query's partners are summed; take their mean.": -(alike * log_p)
            .sum(1)
            .mean()
            .item(),
            "the probabilities of the partners are added before the logarithm; here each partner is asked for.": (
                together.mean().item()
            ),
            "the sign is wrong: a loss is the negative of a log-probability.": -expected.mean().item(),
        },
    )


@checked("Both directions, each a cross-entropy over the whole batch.")
def clip_loss(answer: Answer) -> None:
    """`answer(image, text, logit_scale)`: CLIP's symmetric loss of normalised embeddings (B, d), in nats."""
    image, text = unit(11, 7, seed=7), unit(11, 7, seed=8)
    one, other = _cross_entropy(image, text, 9.0).item(), _cross_entropy(text, image, 9.0).item()
    same(
        number(answer(image, text, 9.0)),
        (one + other) / 2,
        {
            "only pictures look for their captions; captions must look for their pictures too.": one,
            "only captions look for their pictures; pictures must look for their captions too.": other,
            "the two directions are added; CLIP takes their mean.": one + other,
        },
    )
    raw = 3 * image
    if abs(number(answer(raw, text, 9.0)) - (one + other) / 2) < 1e-6:
        raise WrongError("the embeddings are normalised once more inside; the towers have done that.")


class _Tower(torch.nn.Module):
    """A linear map to unit length that notes how many examples pass it at once with gradients."""

    def __init__(self, seed: int) -> None:
        super().__init__()
        random = torch.Generator().manual_seed(seed)
        self.weight = torch.nn.Parameter(torch.randn(6, 5, generator=random, dtype=torch.float64))
        self.most = 0

    def forward(self, x: Tensor) -> Tensor:
        if torch.is_grad_enabled():
            self.most = max(self.most, len(x))
        return F.normalize(x @ self.weight, dim=-1)


def _slopes(images: Tensor, texts: Tensor, chunk: int) -> tuple[float, Tensor]:
    """The loss, added over chunks each of which is held against itself, and the gradients of two fresh towers."""
    towers = _Tower(81), _Tower(82)
    loss = torch.zeros((), dtype=torch.float64)
    for x, y in zip(images.split(chunk), texts.split(chunk), strict=True):
        loss = loss + losses.clip_loss(towers[0](x), towers[1](y), 5.0)
    loss.backward()
    return float(loss.detach()), torch.stack([tower.weight.grad for tower in towers if tower.weight.grad is not None])


@checked("All wrong answers of the batch, and the memory of one chunk.")
def big_batch(answer: Answer) -> None:
    """`answer(f, g, images, texts, scale, chunk)`: CLIP's loss; its gradients are left in the two towers."""
    images, texts = unit(12, 6, seed=83), unit(12, 6, seed=84)
    towers = _Tower(81), _Tower(82)
    found = number(answer(*towers, images.clone(), texts.clone(), 5.0, 4))
    if any(tower.weight.grad is None for tower in towers):
        raise WrongError("no gradient has reached both towers; call `backward`.")
    slopes = torch.stack([tower.weight.grad for tower in towers if tower.weight.grad is not None])
    whole, chunked = _slopes(images, texts, 12), _slopes(images, texts, 4)
    apart = "each chunk is held against itself only; the captions of the other chunks are wrong answers as well."
    same(slopes, whole[1], {apart: chunked[1], apart + " ": chunked[1] / 3, "the gradients are doubled.": 2 * whole[1]})
    same(found, whole[0], {apart: chunked[0], apart + " ": chunked[0] / 3})
    if max(tower.most for tower in towers) > 4:
        raise WrongError(f"right, but {max(t.most for t in towers)} examples pass a tower at once with gradients.")
