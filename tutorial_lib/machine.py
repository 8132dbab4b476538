"""The machine underneath. Imports nothing heavy."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys

#: Share of a GPU's memory that others may hold before it counts as busy.
BUSY = 0.5


def memory_bytes() -> int:
    """Memory of this machine, 0 where it cannot be found out."""
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (ValueError, OSError, AttributeError):
        return 0


def peak_memory() -> int:
    """Most bytes that this process has held at once.

    On Linux read from the process itself: `ru_maxrss` of a child starts at what its parent held when it forked.
    """
    if sys.platform == "linux":
        with open("/proc/self/status") as file:
            return next(int(line.split()[1]) for line in file if line.startswith("VmHWM")) * 1024
    import resource  # not on Windows

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


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


def chosen_device(name: str | None = None) -> str:
    """The device of that name; by default the GPU if there is one.

    Raises:
        ValueError: a GPU was asked for and there is none.
    """
    import torch

    there = torch.cuda.is_available()
    if name == "cuda" and not there:
        raise ValueError("there is no GPU that PyTorch can use: leave --device out, or see tutorial doctor")
    return name or ("cuda" if there else "cpu")


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
