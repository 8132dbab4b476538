"""How much of what the machine can multiply a training loop uses."""

from __future__ import annotations

import time
from typing import Any

import torch

from tutorial_lib.training.memory import flops


def measured_peak(device: str = "cpu", *, half: bool = False, size: int = 2048, repeats: int = 5) -> float:
    """Floating-point operations a second of a large matrix product, the best of some."""
    kind = torch.bfloat16 if half else torch.float32
    a = torch.randn(size, size, dtype=kind, device=device)
    best = float("inf")
    for _ in range(repeats):
        started = time.perf_counter()
        a @ a
        if device.startswith("cuda"):
            torch.cuda.synchronize()
        best = min(best, time.perf_counter() - started)
    return 2 * size**3 / best


def share(config: dict[str, Any], samples_per_second: float, *, half: bool, device: str = "cpu") -> dict[str, Any]:
    """Operations a second that training needs, beside those of a matrix product on this machine."""
    used, there = flops(config) * samples_per_second, measured_peak(device, half=half)
    return {"flops_per_second": used, "matrix_product": there, "share": used / there, "half": half}


def describe(body: dict[str, Any]) -> str:
    kind = "bfloat16" if body["half"] else "float32"
    return (
        f"  arithmetic              {body['flops_per_second'] / 1e9:8,.0f} GFLOP/s, {body['share']:.0%} of a large "
        f"{kind} matrix product ({body['matrix_product'] / 1e9:,.0f})"
    )
