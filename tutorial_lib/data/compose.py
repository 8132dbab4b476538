"""Draw pictures from sprites: integer arithmetic only, each picture a pure function of its draws.

Random numbers come from a counter-based generator (SplitMix64, Steele et al. 2014): draw `k` of example
`i` depends on nothing but (seed, i, k), so any batch, order, process or device gives the same picture.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

_GOLDEN = -7046029254386353131  # 0x9E3779B97F4A7C15 as int64
_MIX1 = -4658895280553007687  # 0xBF58476D1CE4E5B9
_MIX2 = -7723592293110705685  # 0x94D049BB133111EB


def _mix(z: Tensor) -> Tensor:
    z = (z ^ ((z >> 30) & 0x3FFFFFFFF)) * _MIX1  # int64 products wrap; the masks make shifts logical
    z = (z ^ ((z >> 27) & 0x1FFFFFFFFF)) * _MIX2
    return z ^ ((z >> 31) & 0x1FFFFFFFF)


def random_bits(seed: int, index: Tensor, draw: int) -> Tensor:
    """32 random bits for each example, shape as `index`, int64 in [0, 2^32).

    Example:
        >>> random_bits(0, torch.tensor([0, 1, 2]), 0).tolist()
        [235474742, 2150686146, 753173234]
        >>> random_bits(0, torch.tensor([2, 0]), 0).tolist()  # another batch in another order, the same numbers
        [753173234, 235474742]
    """
    state = _mix(torch.full_like(index, seed) * _GOLDEN + draw + 1)
    return (_mix(state + index * _GOLDEN) >> 16) & 0xFFFFFFFF


def random_below(limit: int | Tensor, seed: int, index: Tensor, draw: int) -> Tensor:
    """Integers in [0, limit), one per example (fixed-point multiplication, no rejection).

    Example:
        >>> (1 + random_below(6, 0, torch.arange(8), 0)).tolist()  # eight dice
        [1, 4, 2, 3, 6, 2, 2, 2]
    """
    return (random_bits(seed, index, draw) * limit) >> 32


def packed_sprites(images: Tensor, size: int) -> Tensor:
    """Sprites resized and premultiplied, red in the lowest byte and alpha in the highest.

    Computed on the CPU whatever the device, a part at a time: a GPU rounds area means differently.

    Args:
        images: RGBA pictures, shape (N, H, W, 4), uint8.
        size: width and height of the result, in pixels.

    Returns:
        Shape (N, size, size), int32, on the CPU.

    Example:
        >>> red = torch.tensor([200, 0, 0, 127], dtype=torch.uint8).expand(1, 4, 4, 4)  # half transparent
        >>> [hex(pixel) for pixel in packed_sprites(red, 2)[0, 0].tolist()]
        ['0x7f000064', '0x7f000064']
    """
    out = torch.empty(len(images), size, size, dtype=torch.int32)
    how = {"mode": "area"} if size <= images.shape[2] else {"mode": "bilinear", "align_corners": False}
    for part, place in zip(images.cpu().split(512), out.split(512), strict=True):
        x = part.float()
        alpha = x[..., 3:] / 255
        x = torch.cat([x[..., :3] * alpha, x[..., 3:]], dim=-1).permute(0, 3, 1, 2)  # (b, 4, H, W)
        x = F.interpolate(x, size=(size, size), **how).round().clamp(0, 255).to(torch.int32)
        place.copy_(x[:, 0] | (x[:, 1] << 8) | (x[:, 2] << 16) | (x[:, 3] << 24))
    return out


@dataclass(frozen=True)
class Atlas:
    """Sprites at a few sizes, premultiplied, one RGBA pixel packed into an int32.

    Attributes:
        side: width and height of the pictures to draw, in pixels.
        sizes: sprite sizes in pixels.
        tables: for each size s, shape (N, s + 2, s + 2), int32: a transparent border lets any pixel
            outside the sprite be read there.
        textures: grey noise for backgrounds, shape (32, side, side), int32 in -128..127.

    Example:
        >>> red = torch.tensor([255, 0, 0, 255], dtype=torch.uint8).expand(1, 4, 4, 4)
        >>> atlas, first = Atlas.of(red, side=3, sizes=(2,)), torch.tensor([0])
        >>> black = torch.zeros(1, 3, 3, 3, dtype=torch.int32)
        >>> atlas.paste(black, first, size=first, top=first + 1, left=first)[0, :, :, 0].tolist()
        [[0, 0, 0], [255, 255, 0], [255, 255, 0]]
    """

    side: int
    sizes: tuple[int, ...]
    tables: tuple[Tensor, ...]
    textures: Tensor

    @classmethod
    def of(cls, images: Tensor, *, side: int, sizes: tuple[int, ...], device: str | torch.device = "cpu") -> Atlas:
        """Build the tables from RGBA pictures of shape (N, H, W, 4), uint8."""
        tables = tuple(F.pad(packed_sprites(images, size), (1, 1, 1, 1)).to(device) for size in sizes)
        cells = torch.arange(32 * side * side, device=device)
        noise = random_below(256, 0, cells, 0).view(32, side, side) - 128
        smooth = F.avg_pool2d(noise.float()[:, None], 3, 1, 1)[:, 0].round().long()
        textures = torch.cat([noise[:16], 2 * smooth[16:]]).clamp(-128, 127)
        return cls(side, tuple(sizes), tables, textures.to(torch.int32))

    def background(self, seed: int, index: Tensor, draw: int) -> Tensor:
        """Four random corner colours, blended, plus noise of random strength; (B, side, side, 3) int32 in 0..255."""
        colours = [random_below(256, seed, index, draw + k) for k in range(12)]
        corner = torch.stack(colours, 1).view(-1, 2, 2, 3).to(torch.int32)  # (B, 2, 2, 3)
        flat = random_below(2, seed, index, draw + 12).bool()  # half of the pictures have one plain colour
        corner = torch.where(flat[:, None, None, None], corner[:, :1, :1], corner)
        ramp = torch.arange(self.side, device=index.device, dtype=torch.int32)
        last = self.side - 1
        rows = corner[:, 0, None] * (last - ramp)[:, None, None] + corner[:, 1, None] * ramp[:, None, None]
        rows = rows[:, :, 0, None] * (last - ramp)[:, None] + rows[:, :, 1, None] * ramp[:, None]  # (B, side, side, 3)
        ground = rows // (last * last)
        which = random_below(len(self.textures), seed, index, draw + 13)
        strength = random_below(12, seed, index, draw + 14).to(torch.int32)
        noise = (self.textures[which] * strength[:, None, None]) >> 7
        return (ground + noise[..., None]).clamp(0, 255)

    def paste(self, canvas: Tensor, sprite: Tensor, size: Tensor, top: Tensor, left: Tensor) -> Tensor:
        """Draw one sprite on each picture.

        Args:
            canvas: pictures, shape (B, side, side, 3), int32 in 0..255.
            sprite: which sprite, shape (B,), int64; -1 draws nothing.
            size: index into `sizes`, shape (B,), int64.
            top, left: position of the sprite's first pixel, shape (B,), int64.
        """
        span = torch.arange(self.side, device=canvas.device)
        pixels = torch.zeros(canvas.shape[:3], dtype=torch.int32, device=canvas.device)
        for k, table in enumerate(self.tables):
            chosen = ((size == k) & (sprite >= 0)).nonzero()[:, 0]
            if not len(chosen):
                continue
            edge = self.sizes[k]
            rows = (span - top[chosen, None]).clamp(-1, edge) + 1  # (b, side)
            cols = (span - left[chosen, None]).clamp(-1, edge) + 1
            pixels[chosen] = table[sprite[chosen, None, None], rows[:, :, None], cols[:, None, :]]
        rgba = pixels.view(torch.uint8).view(*pixels.shape, 4).to(torch.int32)
        return rgba[..., :3] + (canvas * (255 - rgba[..., 3:]) + 127) // 255


def to_images(canvas: Tensor) -> Tensor:
    """(B, side, side, 3) int32 to (B, 3, side, side) uint8.

    Example:
        >>> to_images(torch.full((1, 2, 2, 3), 300))[0, 0].tolist()
        [[255, 255], [255, 255]]
    """
    return canvas.clamp(0, 255).to(torch.uint8).permute(0, 3, 1, 2).contiguous()
