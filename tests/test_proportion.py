"""Intervals of rates: scipy's for independent pictures, those of the drawings where pictures repeat."""

import math

import pytest
import torch
from scipy.stats import binomtest

from tutorial_lib.proportion import Proportion, wilson


@pytest.mark.parametrize("n", [1, 2, 9, 40, 1000, 123_457])
@pytest.mark.parametrize("share", [0.0, 0.01, 0.3, 0.5, 0.999, 1.0])
def test_wilson_is_scipys_for_whole_numbers(n: int, share: float) -> None:
    k = round(share * n)
    expected = binomtest(k, n).proportion_ci(0.95, method="wilson")
    assert wilson(k / n, n) == pytest.approx((expected.low, expected.high), abs=1e-12)


def test_between_whole_numbers_the_interval_lies_between_theirs() -> None:
    widths = [high - low for low, high in (wilson(0.3, n) for n in (10, 10.5, 11))]
    assert widths == sorted(widths, reverse=True)
    assert widths[0] > widths[1] > widths[2]


def hits(n: int, rate: float, seed: int = 0) -> torch.Tensor:
    return torch.rand(n, generator=torch.Generator().manual_seed(seed)) < rate


@pytest.mark.parametrize("rate", [0.0, 0.2, 0.7, 1.0])
def test_one_picture_a_drawing_is_the_plain_interval(rate: float) -> None:
    seen = hits(60, rate) if 0 < rate < 1 else torch.full((60,), rate == 1)
    drawing = torch.randperm(60, generator=torch.Generator().manual_seed(1)) * 7 + 3
    assert Proportion.of(seen, drawing) == Proportion.of(seen)


@pytest.mark.parametrize("copies", [2, 8, 31])
@pytest.mark.parametrize("rate", [0.1, 0.5, 0.9])
def test_pictures_that_repeat_their_drawing_count_as_that_drawing(copies: int, rate: float) -> None:
    """Up to the factor m / (m - 1) by which a variance between m drawings is estimated without bias."""
    drawings = 400
    seen = hits(drawings, rate)
    found = Proportion.of(seen.repeat_interleave(copies), torch.arange(drawings).repeat_interleave(copies))
    assert found.n == drawings * copies
    assert found.rate == pytest.approx(float(seen.double().mean()))
    assert (found.low, found.high) == pytest.approx(wilson(found.rate, drawings - 1), abs=1e-12)
    plain = Proportion.of(seen)
    assert (found.low, found.high) == pytest.approx((plain.low, plain.high), abs=2e-4)


@pytest.mark.parametrize("all_of_them", [False, True])
def test_where_all_agree_there_are_as_many_as_drawings(all_of_them: bool) -> None:
    seen, drawing = torch.full((80,), all_of_them), torch.arange(80) // 8
    found, ten = Proportion.of(seen, drawing), Proportion.of(torch.full((10,), all_of_them))
    assert (found.rate, found.low, found.high) == (ten.rate, ten.low, ten.high)
    assert found.n == 80


def test_one_drawing_is_one_picture() -> None:
    found = Proportion.of(torch.tensor([True, True, False, True]), torch.full((4,), 9))
    assert (found.low, found.high) == wilson(0.75, 1)


def test_the_order_and_the_names_of_drawings_play_no_part() -> None:
    seen, drawing = hits(90, 0.4), torch.arange(90) // 6
    order = torch.randperm(90, generator=torch.Generator().manual_seed(2))
    found = Proportion.of(seen[order], 1000 - 5 * drawing[order])
    expected = Proportion.of(seen, drawing)
    assert (found.rate, found.n) == (expected.rate, expected.n)
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high), abs=1e-12)
    assert Proportion.of(seen.view(9, 10), drawing.view(9, 10)) == expected


def test_it_is_wider_where_pictures_of_a_drawing_agree_and_never_narrower_than_plain() -> None:
    drawing = torch.arange(160) // 8
    agreeing, mixed = (torch.arange(160) % 16) < 8, (torch.arange(160) % 2) == 0  # half of the pictures each
    plain = Proportion.of(agreeing)
    wide, balanced = Proportion.of(agreeing, drawing), Proportion.of(mixed, drawing)
    assert wide.high - wide.low > 2 * (plain.high - plain.low)
    assert (balanced.low, balanced.high) == (plain.low, plain.high)  # less varied than chance counts as chance


def test_a_variance_between_drawings_by_hand() -> None:
    """Three drawings with 3 of 4, 1 of 2 and 0 of 3 hits: a linearised ratio, term by term."""
    seen = torch.tensor([1, 1, 1, 0, 1, 0, 0, 0, 0], dtype=torch.bool)
    drawing = torch.tensor([0, 0, 0, 0, 1, 1, 2, 2, 2])
    rate = 4 / 9
    excess = [3 - 4 * rate, 1 - 2 * rate, 0 - 3 * rate]
    variance = 3 / 2 * sum(e**2 for e in excess) / 81
    found = Proportion.of(seen, drawing)
    assert (found.low, found.high) == pytest.approx(wilson(rate, rate * (1 - rate) / variance), abs=1e-12)


def test_the_interval_covers_the_rate_as_often_as_it_says() -> None:
    """Drawings differ in how often they are hit; taken for independent, pictures promise far too much."""
    generator = torch.Generator().manual_seed(0)
    truth, drawings, copies, rounds = 0.4, 60, 8, 400
    drawing = torch.arange(drawings).repeat_interleave(copies)
    clustered = plain = 0
    for _ in range(rounds):
        chance = torch.where(torch.rand(drawings, generator=generator) < truth, 0.95, 0.05)
        rate = truth * 0.95 + (1 - truth) * 0.05
        seen = torch.rand(drawings * copies, generator=generator) < chance.repeat_interleave(copies)
        for found, given in ((Proportion.of(seen, drawing), True), (Proportion.of(seen), False)):
            inside = found.low <= rate <= found.high
            clustered += inside and given
            plain += inside and not given
    error = 3 * math.sqrt(0.05 * 0.95 / rounds)
    assert clustered / rounds == pytest.approx(0.95, abs=error)
    assert plain / rounds < 0.75


def test_no_pictures_have_no_rate() -> None:
    with pytest.raises(ValueError, match="a rate over no pictures is undefined"):
        Proportion.of(torch.zeros(0, dtype=torch.bool))
