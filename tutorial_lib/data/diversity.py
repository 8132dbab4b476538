"""How diverse a data set is: how many captions and words differ, and how far the nearest other pair is.

A model can learn a thousand copies of a drawing by heart. Where the nearest other picture and the nearest other caption
are far away, it has to learn something else. Distances are of pixels and of words, so that no model has a say.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from scipy import sparse
from torch import Tensor

from tutorial_lib.data.pairs import Pairs

#: Pairs whose neighbours are looked for, and pictures that are compared at a time.
LOOKED_AT, PART = 1000, 4096


@dataclass(frozen=True)
class Diversity:
    """What was counted and measured.

    Attributes:
        pairs: in the data set.
        distinct_captions: that differ, as a share of all.
        distinct_words: in all captions.
        words: of a caption, mean.
        picture_distance: from a picture to the nearest other one, root mean square over its bytes, in units of their
            range; median.
        caption_distance: from a caption to the nearest other one, the share of the words of both that only one of them
            has (Jaccard); median.
        repeated_captions: of the captions looked at, the share that another pair has word for word, in any order.

    Example:
        >>> images = torch.tensor([0, 0, 255], dtype=torch.uint8)[:, None, None, None].expand(3, 3, 4, 4)
        >>> found = diversity(Pairs(images, ("a dog", "a cat", "a dog"), tuple("123"), torch.full((3,), -1)))
        >>> round(found.distinct_captions, 2), found.distinct_words, found.caption_distance
        (0.67, 3, 0.0)
    """

    pairs: int
    distinct_captions: float
    distinct_words: int
    words: float
    picture_distance: float
    caption_distance: float
    repeated_captions: float


def diversity(pairs: Pairs, *, looked_at: int = LOOKED_AT, seed: int = 0) -> Diversity:
    """Measure the diversity of a data set. Distances shrink as a data set grows: compare equal numbers of pairs.

    Args:
        pairs: at least two.
        looked_at: how many random pairs are compared with all others.
        seed: draws them.

    Raises:
        ValueError: there is only one pair, or none.

    Example:
        >>> from tutorial_lib.data.scenes import EmojiScenes
        >>> found = diversity(EmojiScenes(64).pairs(), looked_at=8)
        >>> found.pairs, found.distinct_captions > 0.9
        (64, True)
    """
    if len(pairs) < 2:
        raise ValueError(f"diversity is between pairs, and there is {len(pairs)}")
    some = torch.randperm(len(pairs), generator=torch.Generator().manual_seed(seed))[:looked_at]
    words = [text.lower().replace(",", " ").replace(".", " ").split() for text in pairs.captions]
    nearest = nearest_caption([frozenset(w) for w in words], some)
    return Diversity(
        pairs=len(pairs),
        distinct_captions=len(set(pairs.captions)) / len(pairs),
        distinct_words=len({word for of_one in words for word in of_one}),
        words=float(np.mean([len(of_one) for of_one in words])),
        picture_distance=float(nearest_picture(pairs, some).median()),
        caption_distance=float(np.median(nearest)),
        repeated_captions=float(np.mean(nearest == 0)),
    )


def nearest_picture(pairs: Pairs, some: Tensor) -> Tensor:
    """Root mean square difference from each of some pictures to the nearest other one, in 0..1, shape (len(some),).

    Example:
        >>> images = torch.tensor([0, 51, 255], dtype=torch.uint8)[:, None, None, None].expand(3, 3, 4, 4)
        >>> three = Pairs(images, tuple("abc"), tuple("123"), torch.full((3,), -1))
        >>> [round(d, 2) for d in nearest_picture(three, torch.tensor([0, 2])).tolist()]
        [0.2, 0.8]
    """
    mine = pairs.images[some].flatten(1).double() / 255
    nearest = torch.full((len(some),), float("inf"), dtype=torch.float64)
    for start in range(0, len(pairs), PART):
        others = torch.arange(start, min(start + PART, len(pairs)))
        part = pairs.images[others].flatten(1).double() / 255
        square = mine.square().sum(1)[:, None] + part.square().sum(1) - 2 * mine @ part.T
        square[some[:, None] == others] = float("inf")  # itself
        nearest = torch.minimum(nearest, square.amin(1))
    return (nearest.clamp(min=0) / mine.shape[1]).sqrt()


def nearest_caption(words: Sequence[frozenset[str]], some: Tensor) -> np.ndarray:
    """Jaccard distance from each of some sets of words to the nearest other one, shape (len(some),).

    Example:
        >>> sets = [frozenset(text.split()) for text in ("a dog", "a cat", "a red dog")]
        >>> nearest_caption(sets, torch.tensor([0])).round(2).tolist()
        [0.33]
    """
    number = {word: k for k, word in enumerate(sorted(set().union(*words)))}
    rows = np.repeat(np.arange(len(words)), [len(w) for w in words])
    columns = np.array([number[word] for of_one in words for word in of_one])
    table = sparse.csr_matrix((np.ones(len(rows), np.float32), (rows, columns)), (len(words), len(number)))
    sizes = np.array([len(w) for w in words])
    found = []
    for k in some.tolist():
        common = np.asarray(table @ table[k].T.toarray())[:, 0]
        distance = 1 - common / (sizes + sizes[k] - common)
        distance[k] = np.inf
        found.append(distance.min())
    return np.array(found)
