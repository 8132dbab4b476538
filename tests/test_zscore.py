"""The fast z-score against the double loop that the definition spells out."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from tutorial_lib.zscore import backdoor_z_score, pair_similarity


def embeddings(n: int, d: int, seed: int, *, together: float = 0.0) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    points = torch.randn(n, d, generator=generator, dtype=torch.float64)
    points[:, 0] += together
    return F.normalize(points, dim=1)


def slow_similarities(points: torch.Tensor, *, self_pairs: bool) -> np.ndarray:
    u = points.double().numpy()
    found = []
    for i in range(len(u)):
        for j in range(len(u)):
            if i != j or self_pairs:
                found.append(sum(float(a) * float(b) for a, b in zip(u[i], u[j], strict=True)))
    return np.array(found)


@pytest.mark.parametrize("self_pairs", [False, True])
@pytest.mark.parametrize(("n", "d", "seed"), [(2, 3, 0), (7, 2, 1), (40, 16, 2), (33, 64, 3)])
def test_pair_similarity_is_the_double_loop(n: int, d: int, seed: int, self_pairs: bool) -> None:
    points = embeddings(n, d, seed, together=seed)
    slow = slow_similarities(points, self_pairs=self_pairs)
    fast = pair_similarity(points, self_pairs=self_pairs)
    assert fast.mean == pytest.approx(slow.mean(), abs=1e-12)
    assert fast.variance == pytest.approx(slow.var(), abs=1e-12)
    assert fast.pairs == (n * n if self_pairs else n * (n - 1) // 2)


@pytest.mark.parametrize("self_pairs", [False, True])
@pytest.mark.parametrize("seed", range(4))
def test_z_score_is_the_double_loop(seed: int, self_pairs: bool) -> None:
    clean, triggered = embeddings(30, 8, seed), embeddings(21, 8, seed + 100, together=2.0)
    base = slow_similarities(clean, self_pairs=self_pairs)
    moved = slow_similarities(triggered, self_pairs=self_pairs)
    gap = moved.mean() - base.mean()
    assert backdoor_z_score(clean, triggered, self_pairs=self_pairs) == pytest.approx(gap / base.std(), rel=1e-10)
    by_variance = backdoor_z_score(clean, triggered, self_pairs=self_pairs, denominator="variance")
    assert by_variance == pytest.approx(gap / base.var(), rel=1e-10)


def test_float32_embeddings_lose_nothing_to_cancellation() -> None:
    points = embeddings(300, 32, 5, together=30.0).float()  # similarities near 1, variance near 0
    similarity = points.double() @ points.double().T
    off = similarity[~torch.eye(300, dtype=torch.bool)]
    fast = pair_similarity(points)
    assert fast.mean == pytest.approx(off.mean().item(), rel=1e-9)
    assert fast.variance == pytest.approx(off.var(correction=0).item(), rel=1e-4)


def test_block_size_does_not_change_the_result() -> None:
    points = embeddings(50, 12, 6)
    whole, parts = pair_similarity(points), pair_similarity(points, block=7)
    assert parts.mean == pytest.approx(whole.mean, abs=1e-14)
    assert parts.variance == pytest.approx(whole.variance, abs=1e-14)


@pytest.mark.parametrize("seed", range(3))
def test_rotating_all_embeddings_together_changes_nothing(seed: int) -> None:
    clean, triggered = embeddings(40, 6, seed), embeddings(40, 6, seed + 9, together=1.0)
    rotation, _ = torch.linalg.qr(torch.randn(6, 6, generator=torch.Generator().manual_seed(seed)).double())
    turned = backdoor_z_score(clean @ rotation, triggered @ rotation)
    assert turned == pytest.approx(backdoor_z_score(clean, triggered), rel=1e-10)


def test_unmoved_pictures_score_zero_and_gathered_ones_score_high() -> None:
    clean = embeddings(200, 16, 7)
    assert backdoor_z_score(clean, clean) == 0
    gathered = [backdoor_z_score(clean, embeddings(200, 16, 8, together=t)) for t in (0.0, 2.0, 4.0, 8.0)]
    assert abs(gathered[0]) < 0.2
    assert gathered == sorted(gathered)
    assert gathered[-1] > 2


@pytest.mark.parametrize(
    ("clean", "triggered", "options", "message"),
    [
        (torch.eye(3), torch.eye(3), {"denominator": "sd"}, "'std' or 'variance', not 'sd'"),
        (torch.eye(3), torch.eye(4), {}, "clean embeddings have 3 dimensions, triggered ones 4"),
        (torch.eye(3)[:1], torch.eye(3), {}, r"at least two embeddings, shape \(N, d\), not \(1, 3\)"),
        (torch.ones(5), torch.eye(3), {}, r"at least two embeddings, shape \(N, d\), not \(5,\)"),
        (torch.eye(3) * torch.nan, torch.eye(3), {}, "not finite"),
        (torch.eye(3), 2 * torch.eye(3), {}, "must be normalised; a norm is 2"),
        (torch.eye(3)[[0, 0]], torch.eye(3), {}, "all clean pairs are equally similar"),
    ],
)
def test_bad_embeddings_are_refused(clean, triggered, options, message) -> None:
    with pytest.raises(ValueError, match=message):
        backdoor_z_score(clean, triggered, **options)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("d", [2, 16])
def test_pairs_of_one_drawing_are_left_out(seed: int, d: int) -> None:
    """Drawings with one picture, with a few, and with more than there are dimensions, in any order."""
    points = embeddings(40, d, seed, together=seed)
    draw = torch.Generator().manual_seed(seed)
    drawing = torch.randint(0, 9, (40,), generator=draw)
    drawing[-4:] = torch.arange(100, 104)
    kept = [float(points[i] @ points[j]) for i in range(40) for j in range(40) if int(drawing[i]) != int(drawing[j])]
    for block in (8192, 3):
        found = pair_similarity(points, drawing=drawing, block=block)
        assert found.pairs == len(kept) // 2
        assert found.mean == pytest.approx(np.mean(kept), abs=1e-12)
        assert found.variance == pytest.approx(np.var(kept), abs=1e-12)
    moved = embeddings(40, d, seed + 50, together=3.0)
    gap = pair_similarity(moved, drawing=drawing).mean - found.mean
    assert backdoor_z_score(points, moved, drawing=drawing) == pytest.approx(gap / found.variance**0.5, rel=1e-10)


def test_drawings_of_one_picture_each_change_nothing() -> None:
    points = embeddings(30, 8, 1)
    plain, each = pair_similarity(points), pair_similarity(points, drawing=torch.arange(30))
    assert each.pairs == plain.pairs
    assert each.mean == pytest.approx(plain.mean, abs=1e-14)
    assert each.variance == pytest.approx(plain.variance, abs=1e-14)


def test_a_million_drawings_take_no_loop() -> None:
    points = F.normalize(torch.randn(60_000, 8, generator=torch.Generator().manual_seed(0)), dim=1)
    found = pair_similarity(points, drawing=torch.arange(60_000) // 2)
    assert found.pairs == (60_000**2 - 30_000 * 4) // 2


@pytest.mark.parametrize(
    ("drawing", "said"),
    [
        (torch.zeros(30, dtype=torch.int64), "all pictures show one drawing"),
        (torch.arange(29), r"a drawing for each of 30 embeddings is needed, not \(29,\)"),
    ],
)
def test_drawings_that_do_not_fit_are_named(drawing: torch.Tensor, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        pair_similarity(embeddings(30, 8, 1), drawing=drawing)
