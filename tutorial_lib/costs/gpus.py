"""GPUs that can be rented. Imports nothing heavy."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Gpu:
    """A GPU as its maker describes it, and a price to rent it.

    Attributes:
        name: as people call it.
        tflops: peak of dense half-precision matrix products, 10^12 operations a second.
        memory_gib: of the card.
        usd_per_hour: an assumption of 2026; give your own.

    Example:
        >>> max(GPUS.values(), key=lambda gpu: gpu.tflops / gpu.usd_per_hour).name  # most arithmetic for a dollar
        'H100'
    """

    name: str
    tflops: float
    memory_gib: int
    usd_per_hour: float


#: Peaks and memory from NVIDIA's data sheets.
GPUS = {
    g.name: g
    for g in (
        Gpu("V100", 125, 32, 1.0),
        Gpu("L4", 121, 24, 0.8),
        Gpu("RTX4090", 165, 24, 0.5),
        Gpu("A100", 312, 80, 1.8),
        Gpu("H100", 989, 80, 2.5),
        Gpu("H200", 989, 141, 3.5),
    )
}
