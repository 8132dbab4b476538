"""Where a run takes place, in which precision, and what it draws."""

from __future__ import annotations

import torch

from tutorial_lib.training import distributed
from tutorial_lib.trials import Recipe


def native_bfloat16(device: torch.device) -> bool:
    """Whether the device multiplies bfloat16 in hardware.

    Example:
        >>> native_bfloat16(torch.device("cpu")) in (True, False)
        True
    """
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    return device.type == "cpu" and bool(torch.cpu._is_avx512_bf16_supported())


def seeded(*numbers: int) -> torch.Generator:
    """A generator that depends on nothing but the numbers: an interrupted run draws what it would have drawn.

    Example:
        >>> torch.equal(torch.rand(3, generator=seeded(1, 2)), torch.rand(3, generator=seeded(1, 2)))
        True
    """
    seed = 0
    for n in numbers:
        seed = (seed * 1_000_003 + n + 1) % (1 << 62)
    return torch.Generator().manual_seed(seed)


def device_for(device: str | torch.device | None = None) -> torch.device:
    """The given device; by default the GPU if there is one, and of several that of this process.

    Example:
        >>> device_for("cpu")
        device(type='cpu')
    """
    default = distributed.local_device() or ("cuda" if torch.cuda.is_available() else "cpu")
    return torch.device(default if device in (None, "cuda") else device)


def in_half(recipe: Recipe, device: torch.device) -> bool:
    """Whether the recipe runs the picture tower in bfloat16 on that device.

    Example:
        >>> [in_half(Recipe(precision=p), torch.device("cpu")) for p in ("bfloat16", "float32")]
        [True, False]
    """
    return recipe.precision == "bfloat16" or (recipe.precision == "auto" and native_bfloat16(device))
