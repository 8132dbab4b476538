"""The machine that something ran on, in detail."""

from __future__ import annotations

import os
import platform
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import torch

from tutorial_lib.machine import memory_bytes
from tutorial_lib.runs.hardware import hardware

#: Libraries that decide results or timings; the last is not needed for most.
LIBRARIES = ("torch", "open_clip_torch", "numpy", "pillow", "webdataset")


def machine() -> dict[str, Any]:
    """CPU, cores, memory, GPU and versions: what a timing was taken on.

    Example:
        >>> found = machine()
        >>> found["threads"] == torch.get_num_threads(), "torch" in found["versions"]
        (True, True)
    """
    return {
        "cpu": hardware("cpu"),
        "cores": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "memory_gib": round(memory_bytes() / 2**30, 1),
        "gpu": torch.cuda.get_device_name() if torch.cuda.is_available() else None,
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "versions": {name: found for name in LIBRARIES if (found := version_of(name))},
    }


def version_of(name: str) -> str:
    """Version of a library, empty where it is not installed.

    Example:
        >>> version_of("torch") == version("torch"), version_of("no such library")
        (True, '')
    """
    try:
        return version(name)
    except PackageNotFoundError:
        return ""
