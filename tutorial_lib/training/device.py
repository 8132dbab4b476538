"""Where a run takes place, in which precision, and what it draws."""

from __future__ import annotations

import warnings

import torch

from tutorial_lib.machine import chosen_device
from tutorial_lib.notes import Note
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

    Raises:
        ValueError: there is no such device here.

    Example:
        >>> device_for("cpu")
        device(type='cpu')
    """
    if isinstance(device, torch.device):
        return device
    chosen = chosen_device(device)
    return torch.device((distributed.local_device() or chosen) if chosen == "cuda" else chosen)


def in_half(recipe: Recipe, device: torch.device) -> bool:
    """Whether the recipe runs the picture tower in bfloat16 on that device.

    Never on a Mac's GPU, whatever the recipe asks for: not every one of them has it.

    Example:
        >>> [in_half(Recipe(precision=p), torch.device("cpu")) for p in ("bfloat16", "float32")]
        [True, False]
    """
    if device.type == "mps":
        if recipe.precision == "bfloat16":
            warnings.warn("mps computes in float32 here, not in bfloat16", Note, stacklevel=2)
        return False
    return recipe.precision == "bfloat16" or (recipe.precision == "auto" and native_bfloat16(device))
