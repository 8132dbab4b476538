"""Pixels as one int64 with red, green, blue and alpha in lanes of 16 bits: an operation on it serves all four.

Integer arithmetic, so every device gives the same bytes. Colours are premultiplied with alpha.
"""

from __future__ import annotations

import torch
from torch import Tensor

_ONES = 0x0001000100010001
_LOW = 0x00FF00FF00FF00FF
_RGB = 0x0000FFFFFFFFFFFF
_ALPHA = 0x00FF000000000000


def spread(packed: Tensor) -> Tensor:
    """int32 pixels with 8 bits a channel, as `packed_sprites` gives them, to int64 pixels with 16.

    Example:
        >>> hex(spread(torch.tensor(0x7F010203)).item())
        '0x7f000100020003'
    """
    x = packed.long() & 0xFFFFFFFF
    x = (x | (x << 16)) & 0x0000FFFF0000FFFF
    return (x | (x << 8)) & _LOW


def colour(channels: Tensor) -> Tensor:
    """Three channels (…, 3), int64 in 0..255, to opaque pixels without alpha, (…).

    Example:
        >>> hex(colour(torch.tensor([1, 2, 3])).item())
        '0x300020001'
    """
    return (channels << torch.tensor([0, 16, 32], device=channels.device)).sum(-1)


def enlarge(x: Tensor, size: int) -> Tensor:
    """Bilinear, in steps of 1/128 of a source pixel: pixels (b, s, s) to (b, size, size).

    Example:
        >>> enlarge(torch.tensor([[[0, 128], [0, 128]]]), 4)[0, 0].tolist()
        [0, 32, 96, 128]
    """
    last = x.shape[1] - 1
    at = ((2 * torch.arange(size, device=x.device) + 1) * (last + 1) * 64 // size - 64).clamp(0, last * 128)
    low, weight = at >> 7, at & 127
    high = (low + 1).clamp(max=last)
    for axis in (1, 2):
        w = weight[:, None] if axis == 1 else weight
        x = x.index_select(axis, low) * (128 - w) + x.index_select(axis, high) * w
        x = ((x + 64 * _ONES) >> 7) & _LOW
    return x


def over(sprite: Tensor, under: Tensor) -> Tensor:
    """A sprite's pixels drawn over opaque ones, without alpha.

    Example:
        >>> red, white = torch.tensor(0x00FF_0000_0000_00FF), torch.tensor(0x00FF_00FF_00FF)
        >>> hex(over(red, white).item())
        '0xff'
    """
    kept = under * (255 - (sprite >> 48)) + 128 * _ONES
    kept = (kept + ((kept >> 8) & _LOW)) >> 8  # each lane divided by 255, rounded
    return (sprite + (kept & _LOW)) & _RGB


def mixed(one: Tensor, two: Tensor, mask: Tensor) -> Tensor:
    """Two opaque colours, mixed: `mask` in 0..128 is the share of the second.

    Example:
        >>> mixed(torch.tensor(0), torch.tensor(100), torch.tensor([0, 64, 128])).tolist()
        [0, 50, 100]
    """
    return ((one * (128 - mask) + two * mask) >> 7) & _LOW


def dimmed(sprite: Tensor, light: Tensor) -> Tensor:
    """A sprite's colours times `light` / 128, in 0..128; its alpha stays.

    Example:
        >>> hex(dimmed(torch.tensor(0x00FF_0000_0000_0080), torch.tensor(64)).item())
        '0xff000000000040'
    """
    return (((sprite & _RGB) * light >> 7) & _LOW) | (sprite & _ALPHA)


def to_bytes(pixels: Tensor, side: int) -> Tensor:
    """Opaque pixels (b, side * side) to pictures (b, 3, side, side), uint8; a view.

    Example:
        >>> to_bytes(torch.tensor([[0x0003_0002_0001]]), 1).flatten().tolist()
        [1, 2, 3]
    """
    return pixels.view(torch.uint8).view(len(pixels), side, side, 8)[..., 0:6:2].permute(0, 3, 1, 2)
