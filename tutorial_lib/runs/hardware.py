"""The machine that a record was made on."""

from __future__ import annotations

import os
import platform
from pathlib import Path

import torch

from tutorial_lib.machine import chosen_device
from tutorial_lib.training import distributed


def hardware(device: str | None = None) -> str:
    """The machine in a few words: GPU, or CPU model and cores (of a Mac's GPU, the same with "MPS").

    Example:
        >>> "cores" in hardware("cpu")
        True
    """
    chosen = chosen_device(device)
    if chosen.startswith("cuda"):
        together = distributed.size()
        name = torch.cuda.get_device_name(*([chosen] if ":" in chosen else []))
        return (f"{together} x " if together > 1 else "") + name
    model = platform.processor() or platform.machine()
    info = Path("/proc/cpuinfo")
    if info.is_file():
        names = [
            line.split(":", 1)[1].strip()
            for line in info.read_text(encoding="utf-8", errors="replace").splitlines()
            if line.startswith("model name")
        ]
        model = names[0] if names else model
    return f"{model}, {os.cpu_count()} cores" + (", MPS" if chosen == "mps" else "")
