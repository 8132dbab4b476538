"""The detectors of `tutorial_lib.detect` against slow loops, on poisons that are plain to see, and on odd input."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
import torch

from tutorial_lib.attacks.poison import targeted
from tutorial_lib.data.pairs import Pairs
from tutorial_lib.detect import (
    DAO,
    DETECTORS,
    SLOF,
    ActivationClustering,
    CaptionDisagreement,
    KDistance,
    NearDuplicates,
    PointDetector,
    Points,
    SpectralSignatures,
    points_of,
)
from tutorial_lib.detect.caption_groups import caption_groups
from tutorial_lib.detect.neighbours import NeighbourDetector, nearest
from tutorial_lib.evaluate import embed_images

POISONS = 6


def drawn(n: int, d: int, seed: int) -> torch.Tensor:
    return torch.randn(n, d, generator=torch.Generator().manual_seed(seed))


def cloud(n: int = 240, d: int = 6) -> Points:
    """Pictures around three captions, and a few poisons of the first one that lie together and far away."""
    texts = torch.eye(d)[torch.arange(n) % 3]
    images = 2 * texts + 0.3 * drawn(n, d, 1)
    images[: 3 * POISONS : 3] = 0.2 * drawn(POISONS, d, 2) + 6 * torch.eye(d)[5]
    return Points(images, texts)


IS_POISON = torch.arange(240) % 3 == 0
IS_POISON[3 * POISONS :] = False
#: Each with settings that fit the cloud.
SEEING = (
    KDistance(k=8, reference=200),
    SLOF(k=8, reference=200),
    DAO(k=8, reference=120),
    SpectralSignatures(groups=3, normalise=False),
    SpectralSignatures(groups=3),
    ActivationClustering(groups=3, dimensions=3),
)


def loop(points: np.ndarray, reference: list[int], k: int) -> tuple[np.ndarray, list[list[int]]]:
    """Distances and neighbours of each point, one after the other."""
    distances, neighbours = [], []
    for i in range(len(points)):
        near = sorted((float(np.linalg.norm(points[i] - points[j])), j) for j in reference if j != i)[:k]
        distances.append([d for d, _ in near])
        neighbours.append([j for _, j in near])
    return np.array(distances), neighbours


@pytest.mark.parametrize(("n", "r", "k"), [(30, 30, 1), (40, 12, 5), (50, 50, 16), (25, 6, 5)])
def test_neighbours_are_those_of_the_loop(n: int, r: int, k: int) -> None:
    points = drawn(n, 4, n)
    reference = torch.randperm(n, generator=torch.Generator().manual_seed(r))[:r]
    found = nearest(points, reference, k)
    distances, neighbours = loop(points.numpy(), reference.tolist(), k)
    assert np.allclose(found.distances.numpy(), distances, atol=1e-6)
    assert reference[found.indices].tolist() == neighbours
    assert np.allclose(found.reference.numpy(), distances[reference.numpy()], atol=1e-6)


def test_blocks_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    points, reference = drawn(50, 4, 0), torch.arange(20)
    whole = nearest(points, reference, 3)
    monkeypatch.setattr("tutorial_lib.detect.neighbours.BLOCK", 7)
    parts = nearest(points, reference, 3)
    assert torch.equal(parts.indices, whole.indices)
    assert torch.allclose(parts.distances.double(), whole.distances, atol=1e-5)


def test_scores_are_the_formulas_of_the_paper() -> None:
    """k-distance, SLOF and DAO, written out for one point after the other."""
    n, r, k = 40, 25, 6
    points = drawn(n, 5, 3)
    reference = torch.randperm(n, generator=torch.Generator().manual_seed(4))[:r].tolist()
    distances, neighbours = loop(points.numpy(), reference, k)
    settings = {"k": k, "reference": r, "seed": 4}
    both = Points(points, points)
    farthest = distances[:, -1]
    assert KDistance(**settings).of_points(both).tolist() == pytest.approx(farthest.tolist(), rel=1e-6)
    slof = [np.mean([farthest[i] / farthest[j] for j in neighbours[i]]) for i in range(n)]
    assert SLOF(**settings).of_points(both).tolist() == pytest.approx(slof, rel=1e-6)

    def dimension(j: int) -> float:
        return -k / sum(math.log(d / farthest[j] + 1e-4) for d in distances[j])

    dao = [np.mean([dimension(j) * math.log(farthest[i] / farthest[j]) for j in neighbours[i]]) for i in range(n)]
    assert DAO(**settings).of_points(both).tolist() == pytest.approx(dao, rel=1e-5, abs=1e-5)


@pytest.mark.parametrize("detector", SEEING, ids=repr)
def test_poisons_that_are_plain_to_see_come_first(detector: PointDetector) -> None:
    scores = detector.of_points(cloud())
    assert scores.shape == (240,)
    assert IS_POISON[scores.topk(POISONS).indices].all()


@pytest.mark.parametrize("cls", [KDistance, SLOF, DAO])
def test_poisons_that_are_each_others_neighbours_are_hidden(cls: type[NeighbourDetector]) -> None:
    """With more poisons in the reference than neighbours, none of them looks alone any more."""
    scores = cls(k=POISONS - 2, reference=240).of_points(cloud())
    assert not IS_POISON[scores.topk(POISONS).indices].all()


def test_a_caption_that_its_neighbours_do_not_have_stands_out() -> None:
    points = cloud()
    texts = points.texts.clone()
    texts[50] = torch.eye(6)[(50 + 1) % 3]
    scores = CaptionDisagreement(k=8, reference=240).of_points(Points(points.images, texts))
    assert int(scores.argmax()) == 50
    assert scores.min() >= -1e-6


def test_groups_of_captions_are_those_that_are_there() -> None:
    texts = torch.eye(4)[torch.arange(60) % 4]
    found = caption_groups(texts, 100)
    assert len(found.unique()) == 4
    assert all(len(found[torch.arange(60) % 4 == k].unique()) == 1 for k in range(4))


def test_targeted_poisons_are_near_duplicates() -> None:
    images = torch.randint(0, 256, (30, 3, 32, 32), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    clean = Pairs(images, ("a thing",) * 30, tuple(f"c{i}" for i in range(30)), torch.full((30,), -1))
    pairs = clean + targeted(images[0], ["a banana"], 5, target="banana").pairs
    scores = NearDuplicates().scores(None, None, pairs)  # type: ignore[arg-type]
    assert scores[[0, *range(30, 35)]].tolist() == [5.0] * 6
    assert scores[1:30].tolist() == [0.0] * 29


@pytest.mark.parametrize("kind", DETECTORS)
def test_every_detector_scores_the_pairs_of_a_model(kind: str, backdoored) -> None:
    pairs = backdoored.clean + backdoored.poisons
    detector = DETECTORS[kind]()
    scores = detector.scores(backdoored.model, backdoored.tokenizer, pairs)
    assert scores.shape == (len(pairs),)
    assert scores.isfinite().all()
    again = detector.scores(backdoored.model, backdoored.tokenizer, pairs)
    assert torch.equal(scores, again)
    assert detector.title


def test_embeddings_of_pictures_are_not_normalised(backdoored) -> None:
    pairs = backdoored.poisons
    raw = points_of(backdoored.model, backdoored.tokenizer, pairs)
    normalised = embed_images(backdoored.model, pairs.images)
    norm = raw.images.norm(dim=1, keepdim=True)
    assert (norm - 1).abs().min() > 0.01
    assert torch.allclose(raw.images / norm, normalised, atol=1e-5)
    assert torch.allclose(raw.texts.norm(dim=1), torch.ones(len(pairs)), atol=1e-5)


@pytest.mark.parametrize("kind", [k for k, cls in DETECTORS.items() if issubclass(cls, PointDetector)])
def test_pairs_that_are_all_alike_have_finite_scores(kind: str) -> None:
    same = Points(torch.ones(60, 4), torch.ones(60, 4) / 2)
    detector = DETECTORS[kind]()
    assert isinstance(detector, PointDetector)
    scores = detector.of_points(same)
    assert scores.isfinite().all()
    assert scores.unique().numel() == 1


def test_what_cannot_be_scored_is_refused() -> None:
    with pytest.raises(ValueError, match="16 neighbours need a reference of more than 16 pairs, and it has 10"):
        KDistance().of_points(Points(drawn(10, 3, 0), drawn(10, 3, 0)))
    with pytest.raises(ValueError, match="3 pictures and 2 captions are no pairs"):
        Points(drawn(3, 2, 0), drawn(2, 2, 0))
    for what in (math.nan, math.inf, -math.inf):
        broken = drawn(3, 2, 0)
        broken[1, 1] = what
        with pytest.raises(ValueError, match="embeddings of images are not all finite"):
            Points(broken, drawn(3, 2, 0))
    with pytest.raises(ValueError, match="k of a dao must be at least 1"):
        replace(DAO(), k=0)
    with pytest.raises(ValueError, match="groups of a spectral-signatures must be at least 1"):
        SpectralSignatures(groups=0)
    with pytest.raises(ValueError, match="size of a near-duplicates must be at least 2"):
        NearDuplicates(size=1)
