"""Integer drawing against Python's own integers, one pixel at a time."""

import numpy as np
import pytest
import torch

from tutorial_lib.data.compose import Atlas, packed_sprites, random_below, random_bits, to_images

M64 = (1 << 64) - 1


def slow_bits(seed: int, index: int, draw: int) -> int:
    """SplitMix64 with unbounded integers."""

    def mix(z: int) -> int:
        z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & M64
        z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & M64
        return z ^ (z >> 31)

    golden = 0x9E3779B97F4A7C15
    state = mix((seed * golden + draw + 1) & M64)
    return (mix((state + index * golden) & M64) >> 16) & 0xFFFFFFFF


def sprites(n: int = 4, side: int = 12) -> torch.Tensor:
    """Noise in all four channels, with holes."""
    x = torch.randint(0, 256, (n, side, side, 4), dtype=torch.uint8, generator=torch.Generator().manual_seed(1))
    x[:, :3, :4, 3] = 0
    x[:, 5:, 5:, 3] = 255
    return x


@pytest.mark.parametrize("seed", [0, 1, 1001, 2**40])
def test_random_bits_are_splitmix64(seed: int) -> None:
    index = torch.tensor([0, 1, 2, 77, 3_000_000, 2**40])
    for draw in (0, 1, 99):
        assert random_bits(seed, index, draw).tolist() == [slow_bits(seed, i, draw) for i in index.tolist()]


def test_random_below_is_uniform_and_draws_are_independent() -> None:
    index = torch.arange(40_000)
    first, second = random_below(10, 3, index, 0), random_below(10, 3, index, 1)
    other_seed, next_index = random_below(10, 4, index, 0), random_below(10, 3, index + 1, 0)
    assert first.min() == 0
    assert first.max() == 9
    for other in (second, other_seed, next_index):
        table = torch.zeros(10, 10)
        table.index_put_((first, other), torch.ones(len(index)), accumulate=True)
        chi_square = ((table - 400).square() / 400).sum().item()
        assert 40 < chi_square < 175  # 99 degrees of freedom


def test_random_below_takes_a_limit_for_each_example() -> None:
    limit = torch.arange(1, 2001)
    drawn = random_below(limit, 0, torch.arange(2000), 5)
    assert (drawn >= 0).all()
    assert (drawn < limit).all()
    assert drawn[0] == 0


@pytest.mark.parametrize("size", [3, 5, 12])
def test_packed_sprites_are_area_means_of_premultiplied_colours(size: int) -> None:
    images = sprites()
    packed = packed_sprites(images, size).view(torch.uint8).view(4, size, size, 4).numpy()
    x = images.double().numpy()
    x[..., :3] *= x[..., 3:] / 255
    for n in range(4):
        for row in range(size):
            for column in range(size):
                rows = slice(row * 12 // size, -(-(row + 1) * 12 // size))
                columns = slice(column * 12 // size, -(-(column + 1) * 12 // size))
                mean = x[n, rows, columns].mean((0, 1))
                np.testing.assert_allclose(packed[n, row, column], mean, atol=0.5 + 1e-4)


def test_paste_is_the_loop_over_pixels() -> None:
    atlas = Atlas.of(sprites(), side=16, sizes=(5, 12, 20))
    generator = torch.Generator().manual_seed(2)
    n = 60
    canvas = torch.randint(0, 256, (n, 16, 16, 3), dtype=torch.int32, generator=generator)
    sprite = torch.randint(-1, 4, (n,), generator=generator)
    size = torch.randint(0, 3, (n,), generator=generator)
    top, left = torch.randint(-22, 18, (2, n), generator=generator).unbind(0)  # partly or wholly outside too
    drawn = atlas.paste(canvas, sprite, size, top, left)
    expected = canvas.clone().tolist()
    for b in range(n):
        if sprite[b] < 0:
            continue
        edge = (5, 12, 20)[int(size[b])]
        source = packed_sprites(sprites(), edge)[sprite[b]].view(torch.uint8).view(edge, edge, 4).tolist()
        for row in range(edge):
            for column in range(edge):
                y, x = int(top[b]) + row, int(left[b]) + column
                if 0 <= y < 16 and 0 <= x < 16:
                    *colour, alpha = source[row][column]
                    under = [(u * (255 - alpha) + 127) // 255 for u in expected[b][y][x]]
                    expected[b][y][x] = [c + u for c, u in zip(colour, under, strict=True)]
    assert torch.equal(drawn, torch.tensor(expected, dtype=torch.int32))


def test_background_blends_four_corners() -> None:
    atlas = Atlas.of(sprites(), side=9, sizes=(5,))
    index = torch.arange(40)
    drawn = atlas.background(7, index, 20)
    kinds = set()
    for b in range(40):
        corner = [slow_bits(7, b, 20 + k) * 256 >> 32 for k in range(12)]
        flat = slow_bits(7, b, 32) * 2 >> 32
        which, strength = slow_bits(7, b, 33) * 32 >> 32, slow_bits(7, b, 34) * 12 >> 32
        kinds.add(flat)
        for y in range(9):
            for x in range(9):
                noise = (int(atlas.textures[which, y, x]) * strength) >> 7
                for channel in range(3):
                    c = [corner[channel]] * 4 if flat else corner[channel::3]
                    ground = (c[0] * (8 - y) + c[2] * y) * (8 - x) + (c[1] * (8 - y) + c[3] * y) * x
                    assert drawn[b, y, x, channel] == min(255, max(0, ground // 64 + noise))
    assert kinds == {0, 1}


def test_a_picture_does_not_depend_on_its_batch() -> None:
    atlas = Atlas.of(sprites(), side=16, sizes=(5, 12))

    def draw(index: torch.Tensor) -> torch.Tensor:
        size, top = random_below(2, 0, index, 50), random_below(8, 0, index, 51)
        return to_images(atlas.paste(atlas.background(0, index, 0), index % 4, size, top, top))

    index = torch.arange(50)
    shuffled = torch.randperm(50, generator=torch.Generator().manual_seed(0))
    assert torch.equal(draw(index)[shuffled], draw(shuffled))
    assert torch.equal(draw(index[33:34]), draw(index)[33:34])
    assert draw(index).shape == (50, 3, 16, 16)
