"""The backdoor z-score: how far triggered pictures have moved together. Introduced in the chapter on backdoors.

Exact over all pairs, without ever forming them: with s the sum of the embeddings and M their second-moment
matrix, the similarities of all N² ordered pairs sum to ‖s‖², and their squares sum to ‖M‖² (Frobenius).
Time O(N d²), memory O(d²). Pairs of renderings of one drawing, which say nothing about two pictures, are left out by
the same sums over each drawing's few pictures.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

#: Variance of clean similarities below which there is no scale: a model that calls everything alike.
NO_SCALE = 1e-12


@dataclass(frozen=True)
class PairSimilarity:
    """Mean and (population) variance of the cosine similarity over pairs of pictures, and their number.

    Example:
        >>> PairSimilarity(mean=0.1, variance=0.02, pairs=6).pairs
        6
    """

    mean: float
    variance: float
    pairs: int


def pair_similarity(
    embeddings: Tensor, *, drawing: Tensor | None = None, self_pairs: bool = False, block: int = 8192
) -> PairSimilarity:
    """Mean and variance of the similarities of all pairs.

    Args:
        embeddings: normalised, shape (N, d).
        drawing: what each picture shows one of, shape (N,); pairs of one drawing are left out, whatever `self_pairs`.
        self_pairs: count each picture with itself too (similarity 1), as some published code does.
        block: rows converted to float64 at a time.

    Raises:
        ValueError: fewer than two embeddings, not finite, not normalised, or all of one drawing.

    Example:
        >>> import torch
        >>> found = pair_similarity(torch.eye(3))
        >>> found.mean, found.pairs
        (0.0, 3)
        >>> twice = torch.eye(2).repeat_interleave(2, 0)  # two pictures of each of two drawings
        >>> pair_similarity(twice, drawing=torch.tensor([0, 0, 1, 1])).mean
        0.0
    """
    n, d = _check(embeddings)
    if drawing is not None and drawing.shape != (n,):
        raise ValueError(f"a drawing for each of {n} embeddings is needed, not {tuple(drawing.shape)}")
    total = torch.zeros(d, dtype=torch.float64, device=embeddings.device)
    moment = torch.zeros(d, d, dtype=torch.float64, device=embeddings.device)
    own = own_squared = 0.0
    for rows in embeddings.split(block):
        rows = rows.double()
        total += rows.sum(0)
        moment.addmm_(rows.T, rows)
        norms = torch.linalg.vector_norm(rows, dim=1).square()  # similarity of each picture with itself
        own += norms.sum().item()
        own_squared += norms.square().sum().item()
    first: float = total.square().sum().item()
    second: float = moment.square().sum().item()
    pairs = n * n
    if drawing is not None:
        inner = _within(embeddings, drawing, block)
        first, second, pairs = first - inner[0], second - inner[1], pairs - inner[2]
        if not pairs:
            raise ValueError("all pictures show one drawing: no pairs are left")
    elif not self_pairs:
        first, second, pairs = first - own, second - own_squared, n * (n - 1)
    mean = first / pairs
    halved = drawing is not None or not self_pairs
    return PairSimilarity(mean, max(0.0, second / pairs - mean**2), pairs // 2 if halved else pairs)


def _within(embeddings: Tensor, drawing: Tensor, block: int) -> tuple[float, float, int]:
    """Sum of the similarities of ordered pairs of one drawing, of their squares, and their number; self pairs too.

    Drawings with equally many pictures are taken together: where none has more than d pictures, time is O(N d²).
    """
    order = drawing.to(embeddings.device).argsort()
    sizes = drawing.unique(return_counts=True)[1].to(embeddings.device)
    starts = sizes.cumsum(0) - sizes
    first = second = 0.0
    pairs = 0
    for size in sizes.unique().tolist():
        rows = order[starts[sizes == size, None] + torch.arange(size, device=order.device)]  # (drawings, size)
        for part in rows.split(max(1, block // size)):
            points = embeddings[part].double()
            few = size <= points.shape[-1]
            products = points @ points.mT if few else points.mT @ points  # Gram or moment: equal Frobenius norms
            first += (products.sum() if few else points.sum(1).square().sum()).item()
            second += products.square().sum().item()
        pairs += len(rows) * size * size
    return first, second, pairs


def backdoor_z_score(
    clean: Tensor,
    triggered: Tensor,
    *,
    drawing: Tensor | None = None,
    denominator: Literal["std", "variance"] = "std",
    self_pairs: bool = False,
) -> float:
    """Distance between the mean similarities of triggered and of clean pairs, in clean standard deviations.

    Args:
        clean: normalised embeddings of pictures, shape (N, d).
        triggered: normalised embeddings of pictures with the trigger, shape (M, d).
        drawing: what each picture shows one of, shape (N,), the same in both; pairs of one drawing are left out.
        denominator: "std" as the paper's text and figures count; "variance" as its definition 1 prints.
        self_pairs: count each picture with itself too.

    Raises:
        ValueError: embeddings of different sizes, too few, of one drawing, not normalised, or clean ones that are all
            equal.

    Source: Carlini & Terzis (2022), definition 1 and figure 3: (0.78 - 0.1) is said to be five standard deviations.

    Example:
        >>> import torch
        >>> drawn = torch.randn(200, 8, generator=torch.Generator().manual_seed(0))
        >>> apart = torch.nn.functional.normalize(drawn, dim=1)
        >>> together = torch.nn.functional.normalize(apart + 3, dim=1)
        >>> backdoor_z_score(apart, together) > 2 > abs(backdoor_z_score(apart, -apart))
        True
    """
    if denominator not in ("std", "variance"):
        raise ValueError(f"denominator must be 'std' or 'variance', not {denominator!r}")
    if clean.ndim == 2 and triggered.ndim == 2 and clean.shape[1] != triggered.shape[1]:
        raise ValueError(f"clean embeddings have {clean.shape[1]} dimensions, triggered ones {triggered.shape[1]}")
    base = pair_similarity(clean, drawing=drawing, self_pairs=self_pairs)
    moved = pair_similarity(triggered, drawing=drawing, self_pairs=self_pairs)
    if base.variance < NO_SCALE:
        raise ValueError("all clean pairs are equally similar: the z-score has no scale")
    scale = base.variance**0.5 if denominator == "std" else base.variance
    return (moved.mean - base.mean) / scale


def _check(embeddings: Tensor) -> tuple[int, int]:
    if embeddings.ndim != 2 or len(embeddings) < 2:
        raise ValueError(f"needs at least two embeddings, shape (N, d), not {tuple(embeddings.shape)}")
    norms = embeddings.norm(dim=1)
    if not torch.isfinite(norms).all():
        raise ValueError("an embedding is not finite")
    if norms.min() == 0:
        raise ValueError("an embedding is zero: the model says nothing about that picture; its weights may be damaged")
    if (norms - 1).abs().max() > 1e-2:
        raise ValueError(f"embeddings must be normalised; a norm is {norms[(norms - 1).abs().argmax()].item():.3g}")
    return embeddings.shape[0], embeddings.shape[1]
