"""Random views against torchvision's geometry."""

import math
from collections import Counter

import pytest
import torch
from torchvision.transforms import RandomResizedCrop

from tutorial_lib.training.augment import autoaugment, crop_boxes, random_resized_crop


def seeded(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize(
    ("height", "width", "scale"),
    [(32, 32, (0.9, 1.0)), (20, 50, (0.3, 1.0)), (60, 21, (0.9, 1.0)), (64, 64, (0.08, 0.5))],
)
def test_boxes_are_distributed_as_torchvisions(height: int, width: int, scale: tuple[float, float]) -> None:
    n = 6000
    ours = crop_boxes(n, height, width, seeded(1), scale=scale)
    torch.manual_seed(2)
    picture = torch.zeros(3, height, width)
    theirs = torch.tensor([RandomResizedCrop.get_params(picture, scale, (3 / 4, 4 / 3)) for _ in range(n)])
    assert (ours[:, 0] + ours[:, 2] <= height).all()
    assert (ours[:, 1] + ours[:, 3] <= width).all()
    assert (ours[:, :2] >= 0).all()
    for column in range(4):
        a, b = ours[:, column].double(), theirs[:, column].double()
        error = math.sqrt((a.var() + b.var()) / n)
        assert abs(a.mean() - b.mean()) <= 5 * error + 1e-9
    if height == 32:  # few boxes: compare the frequency of each
        a, b = (Counter(map(tuple, boxes[:, 2:].tolist())) for boxes in (ours, theirs))
        for box in a | b:
            assert abs(a[box] - b[box]) < 5 * math.sqrt(a[box] + b[box]) + 5, box


def test_a_view_shows_the_inside_of_its_box() -> None:
    height = width = 32
    rows = torch.arange(height).float()[:, None].expand(height, width)
    picture = torch.stack([rows, rows.T, torch.zeros(height, width)])  # red tells the row, green the column
    views = random_resized_crop(picture.repeat(50, 1, 1, 1), seeded(4), scale=(0.3, 0.9))
    boxes = crop_boxes(50, height, width, seeded(4), scale=(0.3, 0.9)).double()
    for view, (top, left, box_h, box_w) in zip(views.double(), boxes.tolist(), strict=True):
        for k in (8, 16, 23):  # the centre of pixel k lies (k + 1/2) / 32 of the way through the box
            row, column = top + (k + 0.5) / 32 * box_h - 0.5, left + (k + 0.5) / 32 * box_w - 0.5
            assert view[0, k, 16].item() == pytest.approx(min(31, max(0, row)), abs=1e-3)
            assert view[1, 16, k].item() == pytest.approx(min(31, max(0, column)), abs=1e-3)


def test_the_whole_picture_is_returned_unchanged() -> None:
    images = torch.rand(4, 3, 32, 32, generator=seeded(5))
    boxes = crop_boxes(2000, 32, 32, seeded(6), scale=(0.9, 1.0))
    assert (boxes == torch.tensor([0, 0, 32, 32])).all(1).float().mean() > 0.05  # so it happens
    views = random_resized_crop(images, seeded(6), scale=(5.0, 6.0))  # no box fits: the whole picture
    torch.testing.assert_close(views, images, atol=1e-5, rtol=0)


def test_the_generator_decides_the_views_and_side_their_size() -> None:
    images = torch.rand(6, 3, 32, 32, generator=seeded(7))
    first, again, other = (random_resized_crop(images, seeded(s), side=20) for s in (8, 8, 9))
    assert first.shape == (6, 3, 20, 20)
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_autoaugment_changes_most_pictures_and_depends_on_the_seed_alone():
    images = torch.randint(0, 256, (64, 3, 32, 32), dtype=torch.uint8)
    torch.manual_seed(5)
    state = torch.get_rng_state()
    first = autoaugment(images, 1)
    assert torch.equal(torch.get_rng_state(), state)
    assert torch.equal(first, autoaugment(images, 1))
    assert not torch.equal(first, autoaugment(images, 2))
    assert 0.5 < (first != images).flatten(1).any(1).float().mean() <= 1
    assert first.dtype == torch.uint8
