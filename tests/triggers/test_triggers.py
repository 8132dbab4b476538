"""Triggers against slow implementations of their own and against what was published about them."""

import math

import numpy as np
import pytest
import torch
from scipy.ndimage import map_coordinates

from tutorial_lib.triggers import (
    TRIGGERS,
    Blended,
    Checkerboard,
    FaintPatch,
    NoisePatch,
    NoisePatches,
    Resampled,
    Sinusoid,
    Stripes,
    Trigger,
    WaNet,
    Watermark,
    make_trigger,
)


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
        ({"placement": "centre"}, "placement of a checkerboard must be fixed or random, not 'centre'"),
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
    with pytest.raises(ValueError, match=rf"there is no trigger 'stickers'; choose from {', '.join(TRIGGERS)}$"):
        make_trigger("stickers")


TRIGGERS_OF_ALL = [make_trigger(name) for name in TRIGGERS]


@pytest.mark.parametrize("trigger", TRIGGERS_OF_ALL, ids=lambda t: t.kind)
class TestEvery:
    def test_it_changes_every_picture_and_leaves_the_originals(self, trigger: Trigger) -> None:
        images = noise()
        before = images.clone()
        stamped = trigger.stamp(images)
        assert torch.equal(images, before)
        assert stamped.dtype == torch.uint8
        assert stamped.shape == images.shape
        assert (stamped != images).flatten(1).any(1).all()

    def test_it_is_the_same_whenever_and_with_whomever_it_is_stamped(self, trigger: Trigger) -> None:
        images = noise(7)
        torch.manual_seed(1)
        first = trigger.stamp(images, 5)
        torch.manual_seed(2)
        assert torch.equal(first, trigger.stamp(images, 5))
        assert torch.equal(first[:3], trigger.stamp(images[:3], 5))

    def test_its_control_is_another_trigger_of_its_kind(self, trigger: Trigger) -> None:
        images = noise()
        other = trigger.control()
        assert other != trigger
        assert not torch.equal(other.stamp(images), trigger.stamp(images))
        assert other.placements == trigger.placements

    def test_it_fits_other_sizes(self, trigger: Trigger) -> None:
        assert trigger.stamp(noise(2, 64, 48)).shape == (2, 3, 64, 48)


def grey(level: int = 128, side: int = 32) -> torch.Tensor:
    return torch.full((1, 3, side, side), level, dtype=torch.uint8)


def test_noise_patch_is_one_clamped_draw_of_cells() -> None:
    trigger = NoisePatch(6, 2, margin=1)
    stamped = trigger.stamp(noise(3))[:, :, 1:7, 1:7]
    assert (stamped == stamped[0]).all()
    generator = torch.Generator().manual_seed(0)
    drawn = torch.randn(3, 3, 3, generator=generator).numpy()
    for c in range(3):
        for row in range(6):
            for column in range(6):
                value = min(1.0, max(0.0, 0.5 + float(drawn[c, row // 2, column // 2])))
                assert int(stamped[0, c, row, column]) == round(255 * value)


def test_faint_patch_is_the_mixture_of_each_pixel_of_the_patch() -> None:
    images = noise(2)
    stamped = FaintPatch(size=5, margin=3, alpha=0.3, pattern_seed=4).stamp(images)
    pattern = NoisePatch(size=5, pattern_seed=4).pattern()
    for n, channel, row, column in np.ndindex(*images.shape):
        before, after = int(images[n, channel, row, column]), int(stamped[n, channel, row, column])
        if 3 <= row < 8 and 3 <= column < 8:
            mixed = 0.7 * before + 0.3 * int(pattern[channel, row - 3, column - 3])
            assert abs(after - mixed) <= 0.5 + 1e-4
        else:
            assert after == before
    assert FaintPatch().control() == FaintPatch(pattern_seed=1)
    with pytest.raises(ValueError, match=r"alpha is the weight of the patch, in \(0, 1\], not 1.5"):
        FaintPatch(alpha=1.5)


def test_clamping_keeps_what_wrapping_around_would_scatter() -> None:
    """N(1/2, 1): 31 % of the cells are clamped at each end; wrapped bytes would be about uniform."""
    pattern = NoisePatch(64, 1, pattern_seed=3).pattern().float()
    for end in (0, 255):
        assert (pattern == end).float().mean() == pytest.approx(0.309, abs=0.02)


def test_stripes_alternate_or_have_corner_colours() -> None:
    plain = Stripes(6, 2).pattern()
    assert plain[0, :, 0].tolist() == [0, 0, 255, 255, 0, 0]
    coloured = Stripes(16, 1, pattern_seed=1).pattern()
    assert (coloured == coloured[:, :, :1]).all()
    assert set(coloured.unique().tolist()) == {0, 255}
    assert len({tuple(row) for row in coloured[:, :, 0].T.tolist()}) > 3


def test_blended_is_the_mixture_of_each_pixel_with_one_pattern() -> None:
    images, trigger = noise(2), Blended(alpha=0.2)
    pattern, stamped = trigger.pattern(32, 32), trigger.stamp(images)
    for n in range(2):
        for c in range(3):
            for row in range(0, 32, 5):
                for column in range(0, 32, 3):
                    value = 0.8 * int(images[n, c, row, column]) + 0.2 * float(pattern[c, row, column])
                    assert abs(int(stamped[n, c, row, column]) - value) <= 0.5 + 1e-3
    assert torch.equal(pattern[:, 0::2, 0::2], pattern[:, 1::2, 1::2])  # cells of two pixels
    difference = Blended(alpha=1.0).stamp(grey())[0].float() - pattern
    assert difference.abs().max() == 0


def test_blended_noise_is_uniform() -> None:
    pattern = Blended(cell=1).pattern(224, 224)
    assert pattern.mean() == pytest.approx(127.5, abs=1)
    assert pattern.std() == pytest.approx(255 / 12**0.5, abs=1)


def test_sig_is_a_sine_of_the_column() -> None:
    stamped = Sinusoid(delta=40, frequency=6).stamp(grey())[0].float() - 128
    for column in range(32):
        expected = 40 * math.sin(2 * math.pi * column * 6 / 32)
        assert (stamped[:, :, column] - expected).abs().max() <= 0.5 + 1e-3
    spectrum = torch.fft.rfft(stamped[0, 0]).abs()
    assert spectrum.argmax() == 6
    assert 2 * spectrum[6] / 32 == pytest.approx(40, abs=0.5)


def test_watermark_is_red_half_and_only_where_letters_are() -> None:
    trigger = Watermark()
    mask, stamped = trigger.mask(32, 32), trigger.stamp(grey(100))[0]
    assert torch.equal((stamped != 100).any(0), mask.bool())
    row, column = mask.nonzero()[0].tolist()
    assert stamped[:, row, column].tolist() == [178, 50, 50]  # halves of 255, 0, 0 and of 100; 177.5 rounds to even
    assert 0.05 < mask.mean() < 0.3


def test_wanet_is_scipys_interpolation_at_the_moved_places() -> None:
    images, trigger = noise(1), WaNet(strength=3.0)
    flow = trigger.flow(32, 32)[0].double().numpy()
    moved = trigger.stamp(images)[0]
    rows, columns = np.meshgrid(np.arange(32.0), np.arange(32.0), indexing="ij")
    x = np.clip(columns / 15.5 - 1 + 3.0 * flow[..., 0] / 32, -1, 1)
    y = np.clip(rows / 15.5 - 1 + 3.0 * flow[..., 1] / 32, -1, 1)
    for c in range(3):
        expected = map_coordinates(images[0, c].double().numpy(), [(y + 1) * 15.5, (x + 1) * 15.5], order=1)
        assert np.abs(moved[c].numpy() - expected).max() <= 0.5 + 1e-2


def test_wanet_as_published_moves_a_quarter_of_a_pixel_smoothly() -> None:
    """k 4, s 0.5 at 32 pixels: control points are displaced by s / H on average, half a pixel being 1 / H."""
    flow = WaNet().flow(32, 32)[0]
    pixels = 0.5 * flow / 32 * 15.5
    assert pixels.abs().mean() == pytest.approx(0.25, rel=0.5)
    curvature = flow[2:] - 2 * flow[1:-1] + flow[:-2]
    assert curvature.abs().max() < 0.1 * flow.abs().max()


def test_the_noise_mode_moves_each_pixel_a_little_further() -> None:
    images, trigger = noise(2), WaNet(strength=2.0)
    noisy = trigger.noisy(images, 3)
    assert torch.equal(noisy, trigger.noisy(images, 3))
    assert not torch.equal(noisy, trigger.noisy(images, 4))
    ramp = torch.arange(32, dtype=torch.uint8).mul(8).expand(1, 3, 32, 32)
    apart = (trigger.noisy(ramp, 3).float() - trigger.stamp(ramp).float()).abs() / 8  # in pixels
    assert 0.05 < apart.mean() < 0.5


def test_resampling_blurs_and_changes_nothing_else() -> None:
    images = noise(4)
    stamped = Resampled(0.5).stamp(images)
    assert stamped.float().mean() == pytest.approx(float(images.float().mean()), abs=1)
    assert stamped.float().std() < 0.7 * images.float().std()
    assert torch.equal(Resampled(0.5).stamp(grey()), grey())


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Blended(alpha=0), "alpha is the weight of the pattern, in .0, 1., not 0"),
        (lambda: Blended(pattern_kind="kitty"), "pattern_kind of a blended must be noise or stripes, not 'kitty'"),
        (lambda: Blended(cell=0), "cell must be at least 1"),
        (lambda: Sinusoid(delta=0), "delta is an amplitude"),
        (lambda: Sinusoid(frequency=0), "frequency must be positive"),
        (lambda: Sinusoid(frequency=17).stamp(grey()), "17 waves need at least 34 columns, and there are 32"),
        (lambda: Watermark(word="QED"), "the font has no D, Q"),
        (lambda: Watermark(word=""), "no letters"),
        (lambda: Watermark(word="SALESALES").stamp(grey()), "does not fit into 32x32"),
        (lambda: WaNet(grid=1), "at least 2 control points"),
        (lambda: WaNet(strength=0), "strength must be positive"),
        (lambda: WaNet(strength=math.nan), "strength must be positive, not nan"),
        (lambda: Sinusoid(frequency=math.nan), "frequency must be positive, not nan"),
        (lambda: make_trigger("noise-patch", cell=2.5), "cell of the trigger noise-patch is a whole number, not 2.5"),
        (lambda: Resampled(1), "share must be in"),
        (lambda: make_trigger("wanet", size=3), "wanet has no size; it has grid, strength, pattern_seed"),
    ],
)
def test_bad_settings_of_other_triggers(make, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make()


@pytest.mark.parametrize("number", [2, 3, 4])
def test_each_of_several_patches_has_a_corner_of_its_own(number: int) -> None:
    images, trigger = noise(3 * number), NoisePatches(number, size=6, margin=1, pattern_seed=2)
    stamped = trigger.stamp(images)
    corners = [(1, 1), (25, 1), (1, 25), (25, 25)]
    for i, (image, before) in enumerate(zip(stamped, images, strict=True)):
        patch = trigger.patches()[i % number].pattern()
        top, left = corners[i % number]
        expected = before.clone()
        flips = [-2] * (i % number in (1, 3)) + [-1] * (i % number in (2, 3))
        expected[:, top : top + 6, left : left + 6] = patch.flip(flips) if flips else patch
        assert torch.equal(image, expected)
    assert not {p.pattern_seed for p in trigger.patches()} & {p.pattern_seed for p in trigger.control().patches()}  # type: ignore[attr-defined]


@pytest.mark.parametrize("number", [1, 5])
def test_there_are_four_corners(number: int) -> None:
    with pytest.raises(ValueError, match="from 2 to 4"):
        NoisePatches(number)
