"""The machine underneath. Imports nothing heavy."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

#: Seconds for which the cores are looked at before a block, and less than which the kernel's counts say nothing.
LOOK, SHORT = 0.1, 0.05
#: Share of a GPU's memory that others may hold before it counts as busy.
BUSY = 0.5
#: What names a device for all that is not told one, and how devices are named.
ASKED, DEVICE = "TUTORIAL_DEVICE", re.compile(r"cpu|mps|cuda(:\d+)?")
#: Bytes above which a limit is none: version 1 of cgroups writes 2**63 or nearly.
UNLIMITED = 1 << 60


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
            left = allowed_cores() - (busy - own) / passed
            self._before, self._free = now, max(0.0, min(usable_cores(), left))
        return self._free

    def threads(self, most: int) -> int:
        """How many threads to run now: as many as there were free cores, at least one and no more than `most`."""
        return max(1, min(most, int(self.free() + 0.5)))


def allowed_cores() -> int:
    """Cores that this process may run on, some of the time.

    Example:
        >>> 1 <= allowed_cores() <= os.cpu_count()
        True
    """
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def usable_cores() -> int:
    """Cores whose time this process may use up: those that it may run on, or what its container's quota comes to.

    Example:
        >>> 1 <= usable_cores() <= allowed_cores()
        True
    """
    quota = container_limits().cpus
    return max(1, min(allowed_cores(), int(quota))) if quota else allowed_cores()


def limit_threads() -> None:
    """Let libraries that are loaded after this start no more threads than a container's quota allows.

    They count the cores of the machine otherwise, and threads beyond a quota only wait for each other.

    Example:
        >>> limit_threads()  # changes nothing where there is no quota, or OMP_NUM_THREADS is set
    """
    if (cores := usable_cores()) < allowed_cores():
        for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS"):
            os.environ.setdefault(name, str(cores))


@dataclass(frozen=True)
class Limits:
    """What a container may use of its machine: bytes of memory, and cores; `None` where it has no limit.

    Example:
        >>> Limits(memory=4 << 30).cpus is None
        True
    """

    memory: int | None = None
    cpus: float | None = None


def container_limits(root: Path = Path("/")) -> Limits:
    """The limits of the control groups (cgroups, versions 1 and 2) that this process is in; none where there are none.

    A limit counts wherever it is set between the group of the process and the top of what the container sees.

    Args:
        root: where `/proc` and the groups are.

    Example:
        >>> container_limits(Path("nowhere"))
        Limits(memory=None, cpus=None)
    """
    memory, cpus = [], []
    for folder in _groups(root, "memory"):
        for name in ("memory.max", "memory.high", "memory.limit_in_bytes"):
            memory += [n for n in _numbers(folder / name)[:1] if 0 < n < UNLIMITED]
    for folder in _groups(root, "cpu"):
        quotas = [_numbers(folder / "cpu.max")]
        quotas += [_numbers(folder / "cpu.cfs_quota_us") + _numbers(folder / "cpu.cfs_period_us")]
        cpus += [q[0] / q[1] for q in quotas if len(q) == 2 and q[0] > 0 and q[1] > 0]  # -1 and "max" are no limit
    return Limits(min(memory, default=None), min(cpus, default=None))


def _groups(root: Path, controller: str) -> Iterator[Path]:
    """Folders of the groups that limit a resource of this process, from its own to the top that can be seen."""
    own: dict[str, str] = {}  # "" is the one tree of version 2
    for line in _lines(root / "proc/self/cgroup"):
        if len(parts := line.split(":", 2)) == 3:
            own |= dict.fromkeys(parts[1].split(","), parts[2])
    for line in _lines(root / "proc/self/mountinfo"):
        fields, _, system = line.partition(" - ")
        kind, _, options = ([*system.split(" ", 2), "", ""])[:3]
        name = {"cgroup": controller, "cgroup2": ""}.get(kind)
        if name not in own or (name and name not in options.split(",")):
            continue
        top, point = (text.replace("\\040", " ") for text in fields.split(" ")[3:5])
        mounted, path = root / point.lstrip("/"), PurePosixPath(own[name])
        inside = path.relative_to(top) if path.is_relative_to(top) and ".." not in path.parts else PurePosixPath()
        for part in (inside, *inside.parents):
            yield mounted / part


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return []


def _numbers(path: Path) -> list[int]:
    """The numbers at the beginning of a file; "max" is none."""
    words = " ".join(_lines(path)).split()
    try:
        return [int(word) for word in words]
    except ValueError:
        return []


def _counts() -> tuple[float, float, float]:
    """Seconds that its cores were busy, that this process ran, and the time."""
    mine = {f"cpu{k}" for k in os.sched_getaffinity(0)}
    busy = 0
    for line in Path("/proc/stat").read_text(encoding="utf-8").splitlines():
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
    """Memory of this machine, or of the container where that has less; 0 where it cannot be found out.

    Example:
        >>> memory_bytes() > peak_memory()
        True
    """
    try:
        there = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (ValueError, OSError, AttributeError):
        there = 0
    limit = container_limits().memory
    return min(there or limit, limit) if limit else there


def peak_memory() -> int:
    """Most bytes that this process has held at once.

    On Linux read from the process itself: `ru_maxrss` of a child starts at what its parent held when it forked.

    Example:
        >>> peak_memory() > 1 << 20  # Python alone takes some MB
        True
    """
    if sys.platform == "linux":
        with open("/proc/self/status", encoding="utf-8") as file:
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
        done = subprocess.run(query, capture_output=True, encoding="utf-8", errors="replace", timeout=20)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.split("\n")[0].strip() if done.returncode == 0 else ""


def chosen_device(name: str | None = None) -> str:
    """The device of that name; by default that of `$TUTORIAL_DEVICE`, or the GPU if there is one for CUDA or ROCm.

    Args:
        name: "cpu", "cuda", "cuda:1" for the second GPU, or "mps" for the one of a Mac.

    Raises:
        ValueError: there is no such device here.

    Example:
        >>> chosen_device("cpu"), chosen_device() in ("cpu", "cuda")
        ('cpu', True)
    """
    import torch

    there = torch.cuda.is_available()
    name = name or os.environ.get(ASKED)
    if not name:
        return "cuda" if there else "cpu"
    if not DEVICE.fullmatch(name):
        raise ValueError(f"`device` must be cpu, cuda, cuda:N or mps, not {name!r}")
    if name.startswith("cuda") and not there:
        raise ValueError("there is no GPU that PyTorch can use: leave `device` out, or see tutorial doctor")
    if name.startswith("cuda:") and int(name[5:]) >= (count := torch.cuda.device_count()):
        some = "one GPU, cuda:0" if count == 1 else f"{count} GPUs, cuda:0 to cuda:{count - 1}"
        raise ValueError(f"there is no {name}: PyTorch sees {some}; choose another `device`")
    if name == "mps" and not torch.backends.mps.is_available():
        why = "this macOS or Mac has none" if torch.backends.mps.is_built() else "this PyTorch is built without it"
        raise ValueError(f"there is no MPS device ({why}): leave `device` out")
    return name


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
