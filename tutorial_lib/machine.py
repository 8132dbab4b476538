"""The machine underneath. Imports nothing heavy."""

from __future__ import annotations

import os
import shutil
import subprocess

#: Share of a GPU's memory that others may hold before it counts as busy.
BUSY = 0.5


def memory_bytes() -> int:
    """Memory of this machine, 0 where it cannot be found out."""
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (ValueError, OSError, AttributeError):
        return 0


def driver() -> str:
    """Version of the NVIDIA driver, empty where there is none."""
    command = shutil.which("nvidia-smi")
    if command is None:
        return ""
    query = [command, "--query-gpu=driver_version", "--format=csv,noheader"]
    try:
        done = subprocess.run(query, capture_output=True, text=True, timeout=20)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.split("\n")[0].strip() if done.returncode == 0 else ""


def gpu_trouble() -> str:
    """Why PyTorch cannot use a GPU here, or what will slow it down; empty if all is well."""
    import torch

    if not torch.cuda.is_available():
        if torch.version.cuda is None and torch.version.hip is None:
            return "this PyTorch is a CPU build" if driver() else "needs a GPU that PyTorch can use"
        if found := driver():
            return (
                f"the NVIDIA driver {found} is too old for PyTorch's CUDA {torch.version.cuda}: update it, or install "
                "PyTorch for an older CUDA"
            )
        return "needs a GPU that PyTorch can use"
    free, there = torch.cuda.mem_get_info()
    if free < BUSY * there:
        return (
            f"busy: other processes hold {(there - free) / 2**30:.0f} of {there / 2**30:.0f} GiB of the GPU; "
            "choose another with CUDA_VISIBLE_DEVICES"
        )
    return ""
