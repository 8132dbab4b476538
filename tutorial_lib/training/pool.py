"""A pool of embeddings: the last ones that were added, and which of them is nearest."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor


class Pool:
    """A queue of embeddings, first in, first out.

    Args:
        size: embeddings that it holds at most.

    Raises:
        ValueError: `size` is below 1.

    Source: the support set of Dwibedi et al. (2021), which RoCLIP and SafeCLIP both have.

    Example:
        >>> pool = Pool(2)
        >>> pool.add(torch.eye(3))
        >>> len(pool), pool.nearest(torch.tensor([[1.0, 0.9, 0.0]]))  # the first one has left
        (2, tensor([[0., 1., 0.]]))
    """

    def __init__(self, size: int) -> None:
        if size < 1:
            raise ValueError(f"a pool holds at least one embedding, not {size}")
        self.size, self._next, self._full = size, 0, False
        self._rows: Tensor | None = None

    def __len__(self) -> int:
        return self.size if self._full else self._next

    def add(self, embeddings: Tensor) -> None:
        """Put embeddings (B, d) into it, in the place of the oldest ones; no gradient goes through a pool."""
        added = embeddings.detach()[-self.size :]
        if self._rows is None:
            self._rows = added.new_zeros(self.size, added.shape[1])
        place = (self._next + torch.arange(len(added), device=added.device)) % self.size
        self._rows[place] = added
        self._full = self._full or self._next + len(added) >= self.size
        self._next = (self._next + len(added)) % self.size

    def nearest(self, queries: Tensor) -> Tensor:
        """The embedding of the pool with the largest inner product with each query, shape (B, d), without gradient.

        Raises:
            ValueError: the pool is empty.
        """
        if self._rows is None:
            raise ValueError("the pool is empty: nothing is nearest")
        rows = self._rows[: len(self)]
        return rows[(queries.detach() @ rows.T).argmax(1)]

    def state(self) -> dict[str, Any]:
        """What it holds, for a checkpoint."""
        return {"rows": self._rows, "next": self._next, "full": self._full}

    def restore(self, state: dict[str, Any]) -> None:
        """Hold what `state` gave."""
        self._rows, self._next, self._full = state["rows"], state["next"], state["full"]
