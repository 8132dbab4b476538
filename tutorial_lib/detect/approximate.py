"""Nearest neighbours from an index of faiss, for references that are too large for all distances.

An inverted file: k-means lays the reference into lists, and a query looks into the nearest of them. Its vectors are
kept in two bytes a number; distances of what it finds are computed anew from the embeddings.

Memory for 3,000,000 embeddings of 512 numbers, all of them in the reference: 6.1 GB the embeddings themselves, 3.1 GB
the index, 0.9 GB while its lists are made, and 0.6 GB what is found for k = 16: 10 GB, where one block of exact
distances alone would have 12 MB a query and all of them 36 TB.
"""

from __future__ import annotations

import importlib.util
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor

#: Lists that a query looks into, vectors a list that k-means sees, and its rounds.
PROBES, SEEN, ROUNDS = 32, 64, 10
#: Fewest vectors a list, as faiss wants them.
FEWEST = 39
#: More than are asked for, since two bytes a number may change the order of near ones.
MORE = 4
#: Embeddings that go to the index at a time.
BLOCK = 65_536


def available() -> bool:
    """Whether faiss is installed.

    Example:
        >>> available() in (True, False)
        True
    """
    return importlib.util.find_spec("faiss") is not None


def search(points: Tensor, reference: Tensor, k: int, *, probes: int = PROBES, seed: int = 0) -> tuple[Tensor, Tensor]:
    """The nearest points of a reference that an index finds, a point itself excluded.

    Of 60,000 EmojiScenes under the checkpoint "clean", 128 numbers each and all in the reference, it finds 97.7 % of
    the 16 nearest, and puts the 16th 0.2 % too far on average, in 5 s of one core where exact blocks take 23 s. With 16
    probes it finds 91.3 %, with 64 99.7 %.

    Args:
        points: shape (N, d), float32.
        reference: positions of the reference among the points, shape (R,), int64.
        k: neighbours of each.
        probes: lists that a query looks into.
        seed: of the lists.

    Returns:
        Distances, ascending, and positions in the reference, shape (N, k). A point whose lists hold fewer than k has
        distances of infinity and positions of -1 at its end.

    Raises:
        ImportError: faiss is not installed.
        ValueError: the reference has not more than k points.

    Source: Johnson, Douze & Jégou (2019); IVF with the 16-bit scalar quantizer.

    Example:
        >>> import torch
        >>> points = torch.randn(500, 8, generator=torch.Generator().manual_seed(0))
        >>> if available():
        ...     assert search(points, torch.arange(500), k=5)[0].shape == (500, 5)
    """
    if not available():
        raise ImportError("an approximate index needs faiss: pip install 'backdooring-clip[neighbours]'")
    import faiss
    import torch

    if not 1 <= k < len(reference):
        raise ValueError(f"{k} neighbours need a reference of more than {k} pairs, and it has {len(reference)}")
    faiss.omp_set_num_threads(torch.get_num_threads())
    points = points.float()
    count, size = points.shape[1], len(reference)
    lists = max(1, min(round(4 * size**0.5), size // FEWEST))
    index = faiss.IndexIVFScalarQuantizer(
        faiss.IndexFlatL2(count), count, lists, faiss.ScalarQuantizer.QT_fp16, faiss.METRIC_L2
    )
    index.cp.seed, index.cp.niter = seed, ROUNDS
    some = torch.randperm(size, generator=torch.Generator().manual_seed(seed))[: max(SEEN, FEWEST) * lists]
    index.train(points[reference[some]].numpy())
    for part in reference.split(BLOCK):
        index.add(points[part].numpy())
    index.nprobe = probes
    place = torch.full((len(points),), -1)
    place[reference] = torch.arange(size)
    distances, indices = [], []
    for start in range(0, len(points), BLOCK):
        part = points[start : start + BLOCK]
        _, found = index.search(part.numpy(), min(k + 1 + MORE, size))
        near, where = _exact(part, points, reference, torch.from_numpy(found), place[start : start + BLOCK])
        distances.append(near[:, :k])
        indices.append(where[:, :k])
    return torch.cat(distances), torch.cat(indices)


def _exact(part: Tensor, points: Tensor, reference: Tensor, found: Tensor, own: Tensor) -> tuple[Tensor, Tensor]:
    """What was found, by its true distance, without each point itself."""
    import torch

    distance = torch.empty(found.shape)
    for column in range(found.shape[1]):  # not all at once: (B, k, d) would be many times the embeddings
        there = points[reference[found[:, column].clamp(min=0)]]
        distance[:, column] = (part - there).norm(dim=1)
    distance[(found < 0) | (found == own[:, None])] = float("inf")
    near, order = distance.sort(dim=1)
    return near, torch.where(near.isinf(), -1, found.gather(1, order))
