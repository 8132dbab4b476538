"""The index of faiss against all distances, and what stands in for it where it is not installed."""

from __future__ import annotations

import math

import pytest
import torch

from tutorial_lib.detect import approximate, neighbours
from tutorial_lib.detect.k_distance import KDistance
from tutorial_lib.detect.neighbours import nearest
from tutorial_lib.detect.points import Points
from tutorial_lib.notes import Note

needs_faiss = pytest.mark.skipif(not approximate.available(), reason="faiss is not installed")


def clusters(n: int = 3000, d: int = 16, seed: int = 0) -> torch.Tensor:
    """Embeddings as models have them: many groups of near ones."""
    draw = torch.Generator().manual_seed(seed)
    centres = 4 * torch.randn(60, d, generator=draw)
    return centres[torch.randint(60, (n,), generator=draw)] + torch.randn(n, d, generator=draw)


def slow(points: torch.Tensor, reference: list[int], i: int, k: int) -> list[int]:
    """Positions in the reference of the nearest to one point, one distance after the other."""
    distance = {r: math.dist(points[i].tolist(), points[j].tolist()) for r, j in enumerate(reference) if j != i}
    return sorted(distance, key=distance.__getitem__)[:k]


@needs_faiss
@pytest.mark.parametrize("share", [1.0, 0.4])
def test_nearly_all_of_the_nearest_are_found(share: float) -> None:
    points = clusters()
    reference = torch.randperm(3000, generator=torch.Generator().manual_seed(1))[: round(3000 * share)]
    exact, found = (nearest(points, reference, 8, index=index) for index in ("exact", "approximate"))
    same = (exact.indices[:, :, None] == found.indices[:, None, :]).any(2).float().mean()
    assert same > 0.95
    assert found.distances.shape == (3000, 8)
    assert (found.distances.diff(dim=1) >= 0).all()
    assert (found.distances - exact.distances > -1e-4).all()  # nothing is nearer than the nearest
    assert torch.equal(found.reference, found.distances[reference])
    assert not (reference[found.indices] == torch.arange(3000)[:, None]).any()  # nobody is one's own neighbour
    again = nearest(points, reference, 8, index="approximate")
    assert torch.equal(found.indices, again.indices)


@needs_faiss
def test_what_looks_into_every_list_finds_what_the_loop_finds() -> None:
    points = clusters(400)
    reference = torch.randperm(400, generator=torch.Generator().manual_seed(2))[:300]
    distances, indices = approximate.search(points, reference, 5, probes=300)
    for i in range(0, 400, 40):
        expected = slow(points, reference.tolist(), i, 5)
        assert indices[i].tolist() == expected
        there = [math.dist(points[i].tolist(), points[int(reference[r])].tolist()) for r in expected]
        assert distances[i].tolist() == pytest.approx(there, rel=1e-5)


@needs_faiss
def test_a_point_whose_lists_hold_too_few_gets_exact_neighbours(monkeypatch: pytest.MonkeyPatch) -> None:
    points, reference = clusters(1000), torch.arange(1000)
    _, indices = approximate.search(points, reference, 60, probes=1)
    short = (indices[:, -1] < 0).nonzero()[:, 0]
    assert len(short) > 0
    own = approximate.search
    monkeypatch.setattr(approximate, "search", lambda points, reference, k: own(points, reference, k, probes=1))
    found, exact = (nearest(points, reference, 60, index=index) for index in ("approximate", "exact"))
    assert torch.equal(found.indices[short], exact.indices[short])
    assert torch.allclose(found.distances[short].double(), exact.distances[short].double(), rtol=1e-5)
    assert found.distances.isfinite().all()


@needs_faiss
def test_detectors_take_it_when_asked() -> None:
    points = clusters()
    points[7] += 40  # alone
    both = Points(points, points)
    exact, found = (KDistance(k=8, reference=3000, index=index).of_points(both) for index in ("exact", "approximate"))
    assert int(found.argmax()) == int(exact.argmax()) == 7
    assert ((found - exact).abs() / exact).mean() < 0.01


def test_an_index_is_taken_above_many_pairs_only(monkeypatch: pytest.MonkeyPatch) -> None:
    """Which way is taken, without faiss: exact blocks are the default and the fallback."""
    points, reference, asked = clusters(60), torch.arange(40), []

    def search(points: torch.Tensor, reference: torch.Tensor, k: int) -> tuple[torch.Tensor, torch.Tensor]:
        asked.append(len(reference))
        return torch.zeros(len(points), k), torch.zeros(len(points), k, dtype=torch.int64)

    monkeypatch.setattr(approximate, "search", search)
    monkeypatch.setattr(approximate, "available", lambda: True)
    nearest(points, reference, 3)
    nearest(points, reference, 3, index="auto")
    assert asked == []
    monkeypatch.setattr(neighbours, "MANY", 39)
    nearest(points, reference, 3, index="auto")
    assert asked == [40]
    monkeypatch.setattr(approximate, "available", lambda: False)
    with pytest.warns(Note, match=r"exact neighbours among 40 pairs take long: .*\[neighbours\]"):
        found = nearest(points, reference, 3, index="auto")
    assert torch.equal(found.indices, nearest(points, reference, 3).indices)
    assert asked == [40]


def test_without_faiss_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(approximate, "available", lambda: False)
    with pytest.raises(ImportError, match=r"pip install 'backdooring-clip\[neighbours\]'"):
        nearest(clusters(60), torch.arange(40), 3, index="approximate")


@needs_faiss
def test_too_small_a_reference_is_refused() -> None:
    with pytest.raises(ValueError, match="5 neighbours need a reference of more than 5 pairs, and it has 5"):
        approximate.search(clusters(60), torch.arange(5), 5)


def test_blocks_of_a_large_reference_stay_small(monkeypatch: pytest.MonkeyPatch) -> None:
    points = clusters(200)
    whole = nearest(points, torch.arange(150), 4)
    seen, own = [], torch.addmm

    def addmm(*given: torch.Tensor, alpha: int) -> torch.Tensor:
        seen.append(len(given[1]) * given[2].shape[1])
        return own(*given, alpha=alpha)

    monkeypatch.setattr(torch, "addmm", addmm)
    monkeypatch.setattr(neighbours, "ENTRIES", 1000)
    parts = nearest(points, torch.arange(150), 4)
    assert max(seen) <= 1000
    assert torch.equal(parts.indices, whole.indices)
