"""Pixels in lanes against the same arithmetic, one channel at a time."""

import torch

from tutorial_lib.data import lanes

N = 400


def channels(seed: int, count: int = 4) -> torch.Tensor:
    return torch.randint(0, 256, (N, count), generator=torch.Generator().manual_seed(seed))


def pixel(found: list[int]) -> int:
    return sum(c << 16 * k for k, c in enumerate(found))


def premultiplied(seed: int) -> torch.Tensor:
    """Colours that are no brighter than their alpha."""
    x = channels(seed)
    x[:, :3] = x[:, :3] * x[:, 3:] // 255
    return x


def test_pixels_are_spread_and_put_together() -> None:
    x = channels(0)
    packed = torch.tensor([sum(c << 8 * k for k, c in enumerate(row)) for row in x.tolist()])
    packed = torch.where(packed >= 1 << 31, packed - (1 << 32), packed).to(torch.int32)
    assert lanes.spread(packed).tolist() == [pixel(row) for row in x.tolist()]
    assert lanes.colour(x[:, :3]).tolist() == [pixel(row[:3]) for row in x.tolist()]
    square = lanes.colour(x[:, :3]).view(100, 4)
    assert torch.equal(lanes.to_bytes(square, 2), x[:, :3].view(100, 2, 2, 3).permute(0, 3, 1, 2).to(torch.uint8))


def test_a_sprite_covers_what_is_under_it() -> None:
    sprite, under = premultiplied(1), channels(2, 3)
    found = lanes.over(torch.tensor([pixel(r) for r in sprite.tolist()]), lanes.colour(under))
    for row, ground, got in zip(sprite.tolist(), under.tolist(), found.tolist(), strict=True):
        assert got == pixel([c + (2 * u * (255 - row[3]) + 255) // 510 for c, u in zip(row[:3], ground, strict=True)])


def test_colours_are_mixed_and_sprites_dimmed_in_each_lane() -> None:
    one, two, share = channels(3, 3), channels(4, 3), channels(5, 1)[:, 0] % 129
    found = lanes.mixed(lanes.colour(one), lanes.colour(two), share)
    for a, b, m, got in zip(one.tolist(), two.tolist(), share.tolist(), found.tolist(), strict=True):
        assert got == pixel([(x * (128 - m) + y * m) >> 7 for x, y in zip(a, b, strict=True)])
    sprite = premultiplied(6)
    dim = lanes.dimmed(torch.tensor([pixel(r) for r in sprite.tolist()]), share)
    for row, m, got in zip(sprite.tolist(), share.tolist(), dim.tolist(), strict=True):
        assert got == pixel([*(c * m >> 7 for c in row[:3]), row[3]])


def test_a_sprite_is_enlarged_between_its_pixels() -> None:
    x = channels(7)[:64].view(4, 4, 4, 4)
    small = torch.tensor([pixel(r) for r in x.reshape(-1, 4).tolist()]).view(4, 4, 4)
    large = lanes.enlarge(small, 9).view(torch.uint8).view(4, 9, 9, 8)[..., ::2]
    wanted = torch.nn.functional.interpolate(x.permute(0, 3, 1, 2).float(), size=(9, 9), mode="bilinear")
    assert (large.permute(0, 3, 1, 2) - wanted).abs().max() < 3
