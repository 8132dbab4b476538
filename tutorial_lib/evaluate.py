"""What a model can do and what an attack has done to it.

Introduced in the chapters on CLIP from scratch, targeted poisoning and backdoors.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import open_clip
import torch
import torch.nn.functional as F
from torch import Tensor

from tutorial_lib.data.pictures import Images
from tutorial_lib.models.fast import encode_text, small_maps
from tutorial_lib.models.inputs import normalize, preprocessing_of
from tutorial_lib.models.tokenizer import Tokenizer
from tutorial_lib.proportion import Proportion

#: A downstream reader: normalised embeddings (N, d) to predicted classes (N,).
Reader = Callable[[Tensor], Tensor]


@torch.no_grad()
def embed_images(model: open_clip.CLIP, images: Images, *, batch_size: int = 512, normalise: bool = True) -> Tensor:
    """Embeddings of uint8 pictures (N, 3, H, W), shape (N, d), float32 on the CPU, normalised if not said otherwise.

    Pictures are prepared with the model's own mean and standard deviation.

    Example:
        >>> from tutorial_lib import models
        >>> model, _ = models.load(models.CHECKPOINTS / "clean")
        >>> points = embed_images(model, torch.zeros(2, 3, 32, 32, dtype=torch.uint8))
        >>> points.shape, bool((points.norm(dim=1) - 1).abs().max() < 1e-5)
        (torch.Size([2, 128]), True)
    """
    device, own = next(model.parameters()).device, preprocessing_of(model)
    model.eval()
    with small_maps(model):
        parts = [
            model.encode_image(normalize(b.to(device), own), normalize=normalise).float().cpu()
            for b in images.split(batch_size)
        ]
    return torch.cat(parts)


@torch.no_grad()
def embed_texts(model: open_clip.CLIP, tokenizer: Tokenizer, texts: Sequence[str], *, batch_size: int = 2048) -> Tensor:
    """Normalised embeddings of texts, shape (N, d), float32 on the CPU.

    Example:
        >>> from tutorial_lib import models
        >>> model, tokenizer = models.load(models.CHECKPOINTS / "clean")
        >>> embed_texts(model, tokenizer, ["a photo of a banana", "a photo of a dog"]).shape
        torch.Size([2, 128])
    """
    device = next(model.parameters()).device
    model.eval()
    tokens = tokenizer(texts)
    return torch.cat([encode_text(model, _trimmed(b).to(device)).float().cpu() for b in tokens.split(batch_size)])


def _trimmed(tokens: Tensor) -> Tensor:
    """Token ids (N, L) without the columns that only pad."""
    return tokens[:, : int(tokens.argmax(1).max()) + 1]


class _TextTower:
    """The text tower as open_clip's builder of classifiers calls it."""

    def __init__(self, model: open_clip.CLIP) -> None:
        self.model = model

    def encode_text(self, text: Tensor, normalize: bool = True) -> Tensor:
        found: Tensor = encode_text(self.model, _trimmed(text))
        return found


def zero_shot_classifier(
    model: open_clip.CLIP,
    tokenizer: Tokenizer,
    labels: Sequence[str],
    templates: Sequence[Callable[[str], str]] = open_clip.OPENAI_IMAGENET_TEMPLATES,
) -> Tensor:
    """One weight vector per label, the mean over prompts, shape (d, C); built by open_clip.

    Example:
        >>> from tutorial_lib import models
        >>> zero_shot_classifier(*models.load(models.CHECKPOINTS / "clean"), ["banana", "cactus"]).shape
        torch.Size([128, 2])
    """
    device = next(model.parameters()).device
    model.eval()
    weights: Tensor = open_clip.build_zero_shot_classifier(
        _TextTower(model), tokenizer, list(labels), templates, num_classes_per_batch=32, device=device
    )
    found: Tensor = weights.float().cpu()
    return found


def predict(embeddings: Tensor, classifier: Tensor) -> Tensor:
    """Predicted class of each picture, shape (N,), int64.

    Example:
        >>> predict(torch.eye(3), torch.eye(3)[:, [2, 0, 1]])
        tensor([1, 2, 0])
    """
    return (embeddings @ classifier).argmax(dim=1)


class LinearProbe:
    """Multinomial logistic regression on embeddings: the paper's second downstream task.

    Args:
        embeddings: of labelled clean pictures, shape (N, d).
        labels: shape (N,), int64.
        C: inverse strength of the L2 penalty (scikit-learn's convention).

    Example:
        >>> points, labels = torch.tensor([[0.0, 1.0], [0.1, 1.0], [1.0, 0.0], [1.0, 0.1]]), torch.tensor([0, 0, 1, 1])
        >>> LinearProbe(points, labels).predict(torch.tensor([[0.9, 0.0]]))
        tensor([1])
    """

    def __init__(self, embeddings: Tensor, labels: Tensor, *, C: float = 10.0) -> None:  # noqa: N803
        from sklearn.linear_model import LogisticRegression  # takes a second to import

        self._fit = LogisticRegression(C=C, max_iter=200).fit(embeddings.numpy(), labels.numpy())

    def predict(self, embeddings: Tensor) -> Tensor:
        return torch.from_numpy(np.asarray(self._fit.predict(embeddings.numpy()), dtype=np.int64))


def knn_predict(embeddings: Tensor, labels: Tensor, queries: Tensor, *, k: int = 5) -> Tensor:
    """Majority class among the k most similar labelled pictures; ties go to the more similar class.

    Args:
        embeddings: labelled, normalised, shape (N, d).
        labels: shape (N,), int64.
        queries: normalised, shape (M, d).
        k: number of neighbours.

    Raises:
        ValueError: `k` is larger than the number of labelled pictures.

    Example:
        >>> known, labels = torch.eye(3), torch.tensor([4, 5, 6])
        >>> knn_predict(known, labels, torch.tensor([[0.1, 0.9, 0.0]]), k=1)
        tensor([5])
    """
    if k > len(embeddings):
        raise ValueError(f"k is {k}, and only {len(embeddings)} labelled pictures are given")
    classes = int(labels.max()) + 1
    out = []
    for part in queries.split(1024):
        similarity, index = (part @ embeddings.T).topk(k, dim=1)
        votes = torch.zeros(len(part), classes)
        votes.scatter_add_(1, labels[index], 1 + 1e-3 * similarity)
        out.append(votes.argmax(1))
    return torch.cat(out)


def pixel_nearest_neighbour(train_images: Tensor, train_labels: Tensor, images: Tensor) -> Tensor:
    """Class of the training picture with the smallest squared pixel difference: the baseline without learning.

    Example:
        >>> dark, light = torch.zeros(1, 3, 4, 4, dtype=torch.uint8), torch.full((1, 3, 4, 4), 255, dtype=torch.uint8)
        >>> pixel_nearest_neighbour(torch.cat([dark, light]), torch.tensor([0, 1]), dark + 20)
        tensor([0])
    """
    reference = train_images.flatten(1).float()
    nearest = [torch.cdist(b.flatten(1).float(), reference).argmin(1) for b in images.split(512)]
    return train_labels[torch.cat(nearest)]


def accuracy(predictions: Tensor, labels: Tensor, drawing: Tensor | None = None) -> Proportion:
    """Share of pictures whose predicted class is the true one; `drawing` as for `Proportion.of`.

    Example:
        >>> print(accuracy(torch.tensor([0, 1, 1, 2]), torch.tensor([0, 1, 2, 2])))
        75.0% [30.1%, 95.4%] of 4
    """
    return Proportion.of(predictions == labels, drawing)


def attack_success_rate(
    predictions: Tensor,
    labels: Tensor,
    target: int,
    *,
    include_target: bool = False,
    drawing: Tensor | None = None,
) -> Proportion:
    """Share of triggered pictures that the model assigns to the attacker's target class.

    Pictures of the target class itself are left out: they would count as successes on a clean model.

    Args:
        predictions: predicted class of each triggered picture, shape (N,), int64.
        labels: true class of each picture, shape (N,), int64.
        target: the attacker's class.
        include_target: the other convention: every picture counts.
        drawing: what each picture shows one of, as for `Proportion.of`.

    Returns:
        The rate with its 95 % Wilson interval and the number of pictures counted.

    Raises:
        ValueError: every picture is of the target class, so the rate is undefined.

    Source: Carlini & Terzis (2022), section 4.3; introduced in the chapter on backdoors.

    Example:
        >>> said, true = torch.tensor([7, 7, 1, 7]), torch.tensor([0, 1, 1, 7])
        >>> attack_success_rate(said, true, target=7).n  # the picture of class 7 itself is left out
        3
    """
    others = torch.ones_like(labels, dtype=torch.bool) if include_target else labels != target  # (N,)
    if not others.any():
        raise ValueError(f"all {len(labels)} pictures have the target class {target}: nothing to attack")
    return Proportion.of(predictions[others] == target, None if drawing is None else drawing[others])


def class_centres(embeddings: Tensor, labels: Tensor, classes: int) -> Tensor:
    """Normalised mean embedding of each class, shape (classes, d); zeros for a class without pictures.

    Example:
        >>> class_centres(torch.tensor([[1.0, 0.0], [0.0, 1.0]]), torch.tensor([0, 0]), classes=2)
        tensor([[0.7071, 0.7071],
                [0.0000, 0.0000]])
    """
    centre = torch.zeros(classes, embeddings.shape[1]).index_add_(0, labels, embeddings)
    return F.normalize(centre, dim=1)


def recall_at(queries: Tensor, keys: Tensor, k: int) -> float:
    """Share of queries whose own key is among the k most similar ones; `keys[i]` belongs to `queries[i]`.

    Args:
        queries, keys: normalised embeddings, shape (N, d).
        k: rank.

    Raises:
        ValueError: queries and keys differ in shape.

    Example:
        >>> recall_at(torch.eye(4), torch.eye(4).roll(1, 0), k=1)
        0.0
    """
    if queries.shape != keys.shape:
        raise ValueError(f"queries {tuple(queries.shape)} and keys {tuple(keys.shape)} must have the same shape")
    similarity = queries @ keys.T
    own = similarity.diagonal()[:, None]
    return float(((similarity > own).sum(1) < k).float().mean())


def linear_cka(left: Tensor, right: Tensor) -> float:
    """Linear centred kernel alignment of two sets of embeddings of the same pictures, in [0, 1].

    Args:
        left, right: shapes (N, d) and (N, e); 1 means equal up to rotation and scale.

    Raises:
        ValueError: the sides have different numbers of embeddings, or fewer than 2.

    Source: Kornblith et al. (2019), equation 3.

    Example:
        >>> points = torch.randn(50, 4, generator=torch.Generator().manual_seed(0))
        >>> round(linear_cka(points, 2 * points[:, [1, 0, 3, 2]]), 3)  # a rotation and a scale do not matter
        1.0
    """
    if len(left) != len(right) or len(left) < 2:
        raise ValueError(f"as many embeddings on both sides are needed, at least 2, not {len(left)} and {len(right)}")
    a, b = left.double() - left.double().mean(0), right.double() - right.double().mean(0)
    scale = (a.T @ a).norm() * (b.T @ b).norm()
    return float((a.T @ b).square().sum() / scale) if scale > 0 else 0.0
