"""Stamped pictures, their order, and the statistics of detectors, against loops."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch

from tests.detect.planted import pictures, small
from tutorial_lib.detect import stamping


def test_stamped_is_the_formula_pixel_by_pixel() -> None:
    images = pictures(2, side=4).float()
    mask, pattern = torch.rand(1, 4, 4), torch.rand(3, 4, 4)
    found = stamping.stamped(images, mask, pattern)
    for n, c, y, x in itertools.product(range(2), range(3), range(4), range(4)):
        m = mask[0, y, x].item()
        expected = images[n, c, y, x].item() * (1 - m) + 255 * m * pattern[c, y, x].item()
        assert found[n, c, y, x].item() == pytest.approx(expected, abs=1e-3)


def test_alikeness_is_the_mean_over_pairs() -> None:
    points = torch.nn.functional.normalize(torch.randn(5, 7, 4, generator=torch.Generator().manual_seed(0)), dim=-1)
    found = stamping.alikeness(points)
    for k in range(5):
        cosines = [float(points[k, i] @ points[k, j]) for i in range(7) for j in range(7) if i != j]
        assert found[k].item() == pytest.approx(np.mean(cosines), abs=1e-6)


def test_the_outlier_index_is_that_of_numpy() -> None:
    values = torch.randn(31, generator=torch.Generator().manual_seed(1))
    away = values.double().numpy() - np.median(values.double().numpy())
    expected = away / (1.4826 * np.median(np.abs(away)))
    assert np.allclose(stamping.outlier_index(values).numpy(), expected)
    assert stamping.outlier_index(torch.ones(5)).tolist() == [0.0] * 5
    assert stamping.outlier_index(torch.tensor([1.0, 1, 1, 1, 2])).tolist() == pytest.approx([0, 0, 0, 0, 5 / 1.2533])


def test_gains_are_counted() -> None:
    generator = torch.Generator().manual_seed(2)
    directions, before, after = (torch.randn(*shape, generator=generator) for shape in ((4, 6), (20, 4), (20, 4)))
    found = stamping.gains(directions, before, after)
    for k in range(6):
        counts = [sum(int((x[i] @ directions).argmax()) == k for i in range(20)) for x in (before, after)]
        assert found[k].item() == pytest.approx((counts[1] - counts[0]) / 20)


@pytest.mark.parametrize(("images", "steps", "size"), [(10, 5, 3), (4, 6, 4), (7, 1, 7)])
def test_every_epoch_shows_each_picture_once(images: int, steps: int, size: int) -> None:
    drawn = stamping.batches(images, steps, size, seed=0)
    assert drawn.shape == (steps, size)
    for epoch in drawn.flatten().split(images):
        assert len(set(epoch.tolist())) == len(epoch)
    assert torch.equal(drawn, stamping.batches(images, steps, size, seed=0))
    assert images == 1 or not torch.equal(drawn, stamping.batches(images, steps, size, seed=1))


def test_a_model_is_left_as_it_was() -> None:
    model, _ = small()
    model.train()
    frozen = model.visual.conv1.weight.requires_grad_(False)
    kinds = [type(m) for m in model.modules()]
    with stamping.still(model):
        assert not model.training
        assert not any(p.requires_grad for p in model.parameters())
    assert model.training
    assert [type(m) for m in model.modules()] == kinds
    assert next(p for p in model.parameters() if not p.requires_grad) is frozen


def test_embeddings_are_those_of_open_clip() -> None:
    from tutorial_lib.evaluate import embed_images

    model, _ = small()
    images = pictures(5)
    with torch.no_grad():
        assert torch.allclose(stamping.embed(model, images.float()), embed_images(model, images), atol=1e-5)
