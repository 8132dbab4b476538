"""The losses against double loops in NumPy and against open_clip."""

import math

import numpy as np
import open_clip
import pytest
import torch
import torch.nn.functional as F

from tutorial_lib.losses import (
    check_weights,
    cleanclip_loss,
    clip_loss,
    flooding,
    in_modal_loss,
    info_nce,
    local_gradient_ascent,
    margin_loss,
    pair_losses,
    triplet_loss,
)


def unit(n: int, d: int, seed: int) -> torch.Tensor:
    return F.normalize(torch.randn(n, d, generator=torch.Generator().manual_seed(seed), dtype=torch.float64), dim=1)


def slow_info_nce(queries: np.ndarray, keys: np.ndarray, scale: float) -> float:
    total = 0.0
    for i in range(len(queries)):
        own = scale * float(np.dot(queries[i], keys[i]))
        everyone = sum(math.exp(scale * float(np.dot(queries[i], keys[j]))) for j in range(len(keys)))
        total += math.log(everyone) - own
    return total / len(queries)


@pytest.mark.parametrize(("n", "d", "scale"), [(1, 4, 10.0), (2, 4, 1.0), (9, 5, 14.3), (17, 8, 100.0)])
def test_info_nce_is_the_double_loop(n: int, d: int, scale: float) -> None:
    queries, keys = unit(n, d, n), unit(n, d, n + 1)
    assert info_nce(queries, keys, scale).item() == pytest.approx(
        slow_info_nce(queries.numpy(), keys.numpy(), scale), abs=1e-10
    )


@pytest.mark.parametrize("seed", range(4))
def test_clip_loss_and_its_gradient_are_open_clips(seed: int) -> None:
    image, text = unit(12, 6, seed).float(), unit(12, 6, seed + 50).float()
    results = []
    for loss in (clip_loss, open_clip.ClipLoss()):
        inputs = [t.clone().requires_grad_() for t in (image, text, torch.tensor(2.66))]
        value = loss(inputs[0], inputs[1], inputs[2].exp())
        value.backward()
        results.append([value.detach(), *(t.grad for t in inputs)])
    for ours, theirs in zip(*results, strict=True):
        torch.testing.assert_close(ours, theirs)


def test_clip_loss_is_the_mean_of_both_directions() -> None:
    image, text = unit(8, 4, 1), unit(8, 4, 2)
    both = slow_info_nce(image.numpy(), text.numpy(), 20) + slow_info_nce(text.numpy(), image.numpy(), 20)
    assert clip_loss(image, text, 20.0).item() == pytest.approx(both / 2, abs=1e-10)
    assert info_nce(image, text, 20.0).item() != pytest.approx(info_nce(text, image, 20.0).item(), abs=1e-3)


@pytest.mark.parametrize("margin", [0.5, 1.0, 2.0])
def test_margin_loss_is_the_loop(margin: float) -> None:
    generator = torch.Generator().manual_seed(3)
    anchor, other = (torch.randn(40, 3, generator=generator, dtype=torch.float64) * 0.6 for _ in range(2))
    same = torch.rand(40, generator=generator) < 0.5
    total = 0.0
    for a, b, s in zip(anchor.tolist(), other.tolist(), same.tolist(), strict=True):
        distance = math.dist(a, b)
        total += distance**2 / 2 if s else max(0.0, margin - distance) ** 2 / 2
    assert margin_loss(anchor, other, same, margin).item() == pytest.approx(total / 40, abs=1e-12)


def test_margin_loss_has_a_finite_gradient_where_two_embeddings_coincide() -> None:
    anchor = torch.ones(2, 3, requires_grad=True)
    margin_loss(anchor, torch.ones(2, 3), torch.tensor([True, False])).backward()
    assert torch.isfinite(anchor.grad).all()


def test_embeddings_of_different_shapes_are_refused() -> None:
    with pytest.raises(ValueError, match=r"queries \(3, 4\) and keys \(2, 4\) must have the same shape"):
        clip_loss(torch.zeros(3, 4), torch.zeros(2, 4), 1.0)


@pytest.mark.parametrize("both_ways", [False, True])
@pytest.mark.parametrize(("l1", "l2"), [(1.0, 1.0), (1.0, 4.0), (0.0, 1.0), (1.0, 0.0)])
def test_cleanclip_loss_is_the_double_loop(both_ways, l1, l2):
    image, text, image_view, text_view = (unit(6, 5, s) for s in range(4))
    i, t, iv, tv = (x.numpy() for x in (image, text, image_view, text_view))
    clip = (slow_info_nce(i, t, 7) + slow_info_nce(t, i, 7)) / 2
    own = [slow_info_nce(i, iv, 7), slow_info_nce(t, tv, 7)]
    if both_ways:
        own = [(own[0] + slow_info_nce(iv, i, 7)) / 2, (own[1] + slow_info_nce(tv, t, 7)) / 2]
    found = cleanclip_loss(image, text, image_view, text_view, 7.0, lambda_clip=l1, lambda_self=l2, both_ways=both_ways)
    assert float(found) == pytest.approx(l1 * clip + l2 * sum(own) / 2, rel=1e-10)


def test_one_way_differs_from_two():
    a, b = unit(5, 4, 0), unit(5, 4, 1)
    assert float(in_modal_loss(a, b, 5.0)) != pytest.approx(float(in_modal_loss(a, b, 5.0, both_ways=True)))


@pytest.mark.parametrize("bad", [-1.0, math.nan, math.inf])
def test_weights_of_losses_are_checked(bad):
    x = unit(3, 2, 0)
    with pytest.raises(ValueError, match="lambda_self is the weight of a loss"):
        cleanclip_loss(x, x, x, x, 1.0, lambda_self=bad)
    with pytest.raises(ValueError, match="both 0"):
        check_weights(0, 0)


@pytest.mark.parametrize(("n", "d", "margin"), [(1, 4, 0.2), (2, 3, 0.2), (9, 5, 0.5), (17, 8, 0.05)])
def test_triplet_loss_is_the_double_loop(n: int, d: int, margin: float) -> None:
    image, text = unit(n, d, n).numpy(), unit(n, d, n + 1).numpy()
    total = 0.0
    for i in range(n):
        for j in range(n):
            if i != j:
                own = float(np.dot(image[i], text[i]))
                total += max(0.0, margin + float(np.dot(image[i], text[j])) - own)
                total += max(0.0, margin + float(np.dot(image[j], text[i])) - own)
    found = triplet_loss(torch.from_numpy(image), torch.from_numpy(text), margin)
    assert found.item() == pytest.approx(total / n, abs=1e-10)


def test_triplet_loss_is_nothing_where_pairs_are_apart_and_refuses_other_shapes() -> None:
    assert triplet_loss(torch.eye(4), torch.eye(4)).item() == 0.0
    with pytest.raises(ValueError, match="same shape"):
        triplet_loss(torch.eye(4), torch.eye(3))


@pytest.mark.parametrize(("n", "scale"), [(1, 3.0), (2, 1.0), (9, 14.3)])
def test_pair_losses_are_the_double_loop_and_their_mean_is_the_clip_loss(n: int, scale: float) -> None:
    image, text = unit(n, 5, n), unit(n, 5, n + 1)
    expected = []
    for i in range(n):
        own = scale * float(image[i] @ text[i])
        both = [[scale * float(a[i] @ b[j]) for j in range(n)] for a, b in ((image, text), (text, image))]
        expected.append(sum(math.log(sum(map(math.exp, row))) - own for row in both) / 2)
    found = pair_losses(image, text, scale)
    assert found.tolist() == pytest.approx(expected, abs=1e-10)
    assert found.mean().item() == pytest.approx(clip_loss(image, text, scale).item(), abs=1e-12)


def test_ascent_turns_what_has_fallen_below_its_level() -> None:
    losses = [0.1, 0.5, 0.9, 2.0]
    tensor = torch.tensor(losses, dtype=torch.float64, requires_grad=True)
    loss = local_gradient_ascent(tensor, 0.5)
    assert loss.item() == pytest.approx((-0.1 + 0 + 0.9 + 2.0) / 4)
    loss.backward()
    assert tensor.grad.tolist() == [-0.25, 0.0, 0.25, 0.25]


@pytest.mark.parametrize(("level", "sign"), [(0.5, 1), (2.0, -1)])
def test_flooding_turns_a_mean_that_has_fallen_below_its_level(level: float, sign: int) -> None:
    tensor = torch.tensor([0.1, 0.9, 2.0], dtype=torch.float64, requires_grad=True)
    loss = flooding(tensor, level)
    assert loss.item() == pytest.approx(abs(1.0 - level) + level)
    loss.backward()
    assert tensor.grad.tolist() == pytest.approx([sign / 3] * 3)
