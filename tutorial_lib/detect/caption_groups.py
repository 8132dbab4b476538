"""Groups of captions that stand for the classes that pairs do not have."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor


def caption_groups(texts: Tensor, groups: int, seed: int = 0) -> Tensor:
    """The group of each caption, shape (N,), int64: k-means of the embeddings, as many groups as captions allow.

    Args:
        texts: embeddings of the captions, shape (N, d).
        groups: wanted.
        seed: of k-means.

    Example:
        >>> import torch
        >>> found = caption_groups(torch.tensor([[0.0], [0.1], [5.0], [5.1]]), 2)
        >>> bool(found[0] == found[1] != found[2] == found[3])
        True
    """
    import torch
    from sklearn.cluster import MiniBatchKMeans

    wanted = min(groups, len(texts.unique(dim=0)))
    found = MiniBatchKMeans(wanted, random_state=seed, n_init=3, batch_size=4096).fit_predict(texts.double().numpy())
    return torch.from_numpy(found).long()
