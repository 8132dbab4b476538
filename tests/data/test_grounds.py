"""Grounds: each kind of pattern looks as it is called, and colours have the nearest name."""

import torch

from tutorial_lib.data import grounds
from tutorial_lib.data.grounds import COLOURS, MASKS, PATTERNS, WORDS, colour_names, masks

SIDE = 32
FOUND = masks(SIDE, "cpu").view(MASKS, SIDE, SIDE).double()


def of(name: str) -> torch.Tensor:
    return FOUND[PATTERNS.index(name) :: len(PATTERNS)]


def test_masks_are_shares_and_none_is_like_another() -> None:
    assert FOUND.max() == 128
    assert FOUND.min() == 0
    assert len(set(map(bytes, masks(SIDE, "cpu").numpy()))) > 0.97 * MASKS  # some plain ones have no grain either
    assert len(WORDS) == len(PATTERNS)
    assert torch.equal(masks(SIDE, "cpu"), masks.__wrapped__(SIDE, "cpu"))


def test_patterns_are_what_they_are_called() -> None:
    rows, columns = FOUND.mean(2), FOUND.mean(1)
    horizon = rows[PATTERNS.index("horizon") :: len(PATTERNS)]
    assert (horizon[:, -1] > horizon[:, 0] + 60).all()  # two halves, one over the other
    assert of("horizon").std(2).mean() < 12  # and the same from left to right, but for the grain
    hills = of("hills")
    assert (hills[:, -1].mean(1) > hills[:, 0].mean(1) + 40).double().mean() > 0.9
    assert hills.std(2).mean() > of("horizon").std(2).mean() + 2  # not quite
    frame = of("frame")
    assert (frame[:, 0].mean(1) > 90).all()
    assert (frame[:, 12:20, 12:20].mean((1, 2)) < 40).all()
    assert of("plain").mean() < 8
    assert of("stripes").std((1, 2)).mean() > 30
    assert of("dots").std((1, 2)).mean() > 30
    assert (columns.std(1) > 1).double().mean() > 0.5


def test_names_of_colours_are_the_nearest_ones() -> None:
    some = torch.randint(0, 256, (500, 3), generator=torch.Generator().manual_seed(0))
    for channels, name in zip(some.tolist(), colour_names(some).tolist(), strict=True):
        distance = {w: sum((a - b) ** 2 for a, b in zip(channels, c, strict=True)) for w, c in COLOURS.items()}
        assert distance[list(COLOURS)[name]] == min(distance.values())
    assert grounds.colour_names(torch.tensor(list(COLOURS.values()))).tolist() == list(range(len(COLOURS)))
