"""Triggers against a double loop over pixels."""

import pytest
import torch

from tutorial_lib.triggers import Checkerboard, make_trigger


def noise(n: int = 5, height: int = 32, width: int = 32) -> torch.Tensor:
    return torch.randint(1, 255, (n, 3, height, width), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize(("size", "cell", "margin"), [(6, 2, 1), (4, 1, 0), (16, 4, 3), (5, 2, 0), (1, 1, 31)])
def test_fixed_checkerboard_is_the_double_loop(size: int, cell: int, margin: int) -> None:
    images = noise()
    before = images.clone()
    stamped = Checkerboard(size, cell, margin=margin).stamp(images)
    expected = images.clone()
    for row in range(size):
        for column in range(size):
            white = (row // cell + column // cell) % 2
            expected[:, :, margin + row, margin + column] = 255 if white else 0
    assert torch.equal(stamped, expected)
    assert torch.equal(images, before)


def test_random_checkerboard_changes_one_patch_somewhere_in_each_picture() -> None:
    images, trigger = noise(400, 12, 10), Checkerboard(4, 1, placement="random")
    stamped = trigger.stamp(images, seed=3)
    places = set()
    for image, before in zip(stamped, images, strict=True):
        rows, columns = (image != before).any(0).nonzero().unbind(1)  # noise is never 0 or 255
        top, left = int(rows.min()), int(columns.min())
        assert len(rows) == 16
        assert torch.equal(image[:, top : top + 4, left : left + 4], trigger.pattern())
        places.add((top, left))
    assert places == {(top, left) for top in range(9) for left in range(7)}


def test_random_places_come_from_the_seed() -> None:
    images, trigger = noise(20), Checkerboard(placement="random")
    assert torch.equal(trigger.stamp(images, seed=1), trigger.stamp(images, seed=1))
    assert not torch.equal(trigger.stamp(images, seed=1), trigger.stamp(images, seed=2))
    assert torch.equal(trigger.stamp(images, seed=1)[:7], trigger.stamp(images[:7], seed=1))


def test_stamping_twice_is_stamping_once() -> None:
    images, trigger = noise(), Checkerboard()
    assert torch.equal(trigger.stamp(trigger.stamp(images)), trigger.stamp(images))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"size": 0}, "at least 1 pixel, not 0 and 2"),
        ({"cell": 0}, "at least 1 pixel, not 6 and 0"),
        ({"placement": "centre"}, "'fixed' or 'random', not 'centre'"),
    ],
)
def test_impossible_settings_are_refused(settings, message) -> None:
    with pytest.raises(ValueError, match=message):
        make_trigger("checkerboard", **settings)


def test_a_patch_larger_than_the_picture_is_refused() -> None:
    with pytest.raises(ValueError, match="a 32x32 patch with margin 1 does not fit into 32x32 pixels"):
        Checkerboard(32).stamp(noise())
    with pytest.raises(ValueError, match="a 9x9 patch with margin 0 does not fit into 8x20 pixels"):
        Checkerboard(9, placement="random").stamp(noise(1, 8, 20))
    assert Checkerboard(32, placement="random").stamp(noise()).eq(noise()).sum() == 0  # exactly fits


def test_an_unknown_trigger_is_refused() -> None:
    with pytest.raises(ValueError, match="there is no trigger 'stickers'; choose from checkerboard"):
        make_trigger("stickers")
