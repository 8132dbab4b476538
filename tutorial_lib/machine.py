"""The machine underneath. Imports nothing heavy."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

#: Seconds for which the cores are looked at before a block, and less than which the kernel's counts say nothing.
LOOK, SHORT = 0.1, 0.05
#: Share of a GPU's memory that others may hold before it counts as busy.
BUSY = 0.5


class Cores:
    """The cores that other processes leave free, from the kernel's counts (on Linux; elsewhere all cores).

    Threads of one small model wait for each other thousands of times a second. Where a core is busy with other work,
    the thread that waits spins on the one while the other thread waits for the other: two threads are then many times
    slower than one.

    Args:
        counts: gives seconds for which any process and for which this one was running, and the time.

    Example:
        >>> counts = iter([(0.0, 0.0, 0.0), (1.0, 0.0, 1.0)])  # for a second, others kept one core busy
        >>> cores = Cores(lambda: next(counts))
        >>> usable_cores() - cores.free()
        1.0
    """

    def __init__(self, counts: Callable[[], tuple[float, float, float]] | None = None) -> None:
        self._counts = counts or (_counts if Path("/proc/stat").is_file() else None)
        self._before = self._counts() if self._counts else (0.0, 0.0, 0.0)
        self._free = float(usable_cores())

    def free(self) -> float:
        """How many were free for this process since the last call, or since this object was made.

        After too short a time for the kernel's counts it is what the last call said.
        """
        if self._counts is None:
            return self._free
        now = self._counts()
        busy, own, passed = (b - a for a, b in zip(self._before, now, strict=True))
        if passed >= SHORT:
            there = usable_cores()
            self._before, self._free = now, max(0.0, min(there, there - (busy - own) / passed))
        return self._free

    def threads(self, most: int) -> int:
        """How many threads to run now: as many as there were free cores, at least one and no more than `most`."""
        return max(1, min(most, int(self.free() + 0.5)))


def usable_cores() -> int:
    """Cores that this process may run on.

    Example:
        >>> 1 <= usable_cores() <= os.cpu_count()
        True
    """
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _counts() -> tuple[float, float, float]:
    """Seconds that its cores were busy, that this process ran, and the time."""
    mine = {f"cpu{k}" for k in os.sched_getaffinity(0)}
    busy = 0
    for line in Path("/proc/stat").read_text().splitlines():
        name, *ticks = line.split()
        if name in mine:
            busy += sum(map(int, ticks[:8])) - int(ticks[3]) - int(ticks[4])  # all but idle and waiting for a disk
    used = os.times()
    return busy / os.sysconf("SC_CLK_TCK"), used.user + used.system, time.monotonic()


@contextlib.contextmanager
def fitting_threads(*, on: bool = True) -> Iterator[Callable[[], None]]:
    """Let PyTorch use as many threads on the CPU as there are free cores, in the block.

    Nothing is changed where PyTorch has one thread, by OMP_NUM_THREADS=1 for example: results are then the same to the
    last bit whatever else the machine does, where another number of threads rounds otherwise.

    Args:
        on: without it nothing is changed either.

    Yields:
        What looks again, to be called from time to time.

    Example:
        >>> import torch
        >>> before = torch.get_num_threads()
        >>> with fitting_threads() as look:
        ...     look()
        ...     during = torch.get_num_threads()
        >>> 1 <= during <= before == torch.get_num_threads()
        True
    """
    import torch

    most = torch.get_num_threads()
    if most == 1 or not on:
        yield lambda: None
        return
    cores = Cores()
    time.sleep(LOOK)

    def look() -> None:
        torch.set_num_threads(cores.threads(most))

    look()
    try:
        yield look
    finally:
        torch.set_num_threads(most)


def memory_bytes() -> int:
    """Memory of this machine, 0 where it cannot be found out.

    Example:
        >>> memory_bytes() > peak_memory()
        True
    """
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (ValueError, OSError, AttributeError):
        return 0


def peak_memory() -> int:
    """Most bytes that this process has held at once.

    On Linux read from the process itself: `ru_maxrss` of a child starts at what its parent held when it forked.

    Example:
        >>> peak_memory() > 1 << 20  # Python alone takes some MB
        True
    """
    if sys.platform == "linux":
        with open("/proc/self/status") as file:
            return next(int(line.split()[1]) for line in file if line.startswith("VmHWM")) * 1024
    import resource  # not on Windows

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def driver() -> str:
    """Version of the NVIDIA driver, empty where there is none.

    Example:
        >>> from unittest import mock
        >>> with mock.patch.dict(os.environ, PATH=""):  # as where no driver is installed
        ...     driver()
        ''
    """
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

    Example:
        >>> chosen_device("cpu"), chosen_device() in ("cpu", "cuda")
        ('cpu', True)
    """
    import torch

    there = torch.cuda.is_available()
    if name == "cuda" and not there:
        raise ValueError("there is no GPU that PyTorch can use: leave `device` out, or see tutorial doctor")
    return name or ("cuda" if there else "cpu")


def gpu_trouble() -> str:
    """Why PyTorch cannot use a GPU here, or what will slow it down; empty if all is well.

    Example:
        >>> from unittest import mock
        >>> free = mock.patch("torch.cuda.mem_get_info", return_value=(10 << 30, 80 << 30))
        >>> with mock.patch("torch.cuda.is_available", return_value=True), free:  # as on a GPU that is shared
        ...     gpu_trouble()
        'busy: other processes hold 70 of 80 GiB of the GPU; choose another with CUDA_VISIBLE_DEVICES'
    """
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
