"""Is everything in place, and what can this machine run?"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import torch

from tutorial_lib import places
from tutorial_lib.data import integrity
from tutorial_lib.machine import Limits, container_limits, gpu_trouble
from tutorial_lib.practice.machine import machine
from tutorial_lib.profiles import PROFILES, Profile
from tutorial_lib.training.device import native_bfloat16


@dataclass(frozen=True)
class Health:
    """What was found.

    Attributes:
        machine: CPU, memory, GPU and versions.
        device: that is used by default.
        bfloat16: whether it multiplies that in hardware.
        fingerprint: of the shipped pictures, `None` where they are damaged.
        problem: with them.
        gpu_trouble: why no GPU can be used, or what slows it down.
        profiles: why each cannot run; `None` where it can.
        places: where things are read from and written to.
        limits: of the container that this runs in.

    Example:
        >>> trouble = "needs a GPU that PyTorch can use"
        >>> Health({"gpu": None}, "cpu", False, "0123456789ab", None, trouble, {"cpu": None, "gpu": trouble}, {}).ready
        ('cpu',)
    """

    machine: Mapping[str, Any]
    device: str
    bfloat16: bool
    fingerprint: str | None
    problem: str | None
    gpu_trouble: str
    profiles: Mapping[str, str | None]
    places: Mapping[str, Any]
    limits: Limits = field(default_factory=Limits)

    @property
    def ready(self) -> tuple[str, ...]:
        """The profiles that can run."""
        slow = self.gpu_trouble if self.machine["gpu"] is not None and self.problem is None else None
        return tuple(name for name, why in self.profiles.items() if why in (None, slow))  # a busy GPU is slow, and can

    @property
    def ok(self) -> bool:
        """Whether the data is sound and something can run."""
        return self.problem is None and bool(self.ready)

    def as_dict(self) -> dict[str, Any]:
        """Plain data."""
        data = {"name": "EmojiCaps", "ok": self.problem is None}
        return {
            **self.machine,
            "container": {"memory_bytes": self.limits.memory, "cpus": self.limits.cpus},
            "device": self.device,
            "bfloat16": self.bfloat16,
            "data": data | {"fingerprint": self.fingerprint, "problem": self.problem},
            "gpu_trouble": self.gpu_trouble,
            "profiles": {name: {"ok": name in self.ready, "reason": why} for name, why in self.profiles.items()},
            "places": dict(self.places),
            "ok": self.ok,
        }

    def __str__(self) -> str:
        m, where = self.machine, self.places
        kind = "a checkout" if where["checkout"] else "an installed package"
        data = self.problem or f"EmojiCaps {self.fingerprint}, every checksum right"
        records = (
            f"{where['results']} ({where['record_files']} files)"
            if where["record_files"]
            else (f"none at {where['results']}: reinstall the package")
        )
        making = [name for name in self.ready if not PROFILES[name].references]  # the others show what these make
        lines = [
            f"Python {m['python']}, " + ", ".join(f"{k} {v}" for k, v in m["versions"].items()),
            f"CPU     {m['cpu']}, {m['threads']} threads, {m['memory_gib']} GiB of memory",
            *self._limits(),
            f"GPU     {m['gpu'] or ('MPS, with `device` mps' if torch.backends.mps.is_available() else 'none')}",
            f"bf16    {'multiplied natively: used' if self.bfloat16 else 'not native: float32 is used'}",
            f"data    {data}",
            f"library {kind}, {where['package']}",
            f"records {records}",
            f"runs    {where['store']}",
            f"profiles that figures can be made with: {', '.join(making) or 'none'}",
        ]
        return "\n".join([*lines, *(f"  {name}: {why}" for name, why in self.profiles.items() if why)])

    def _limits(self) -> list[str]:
        """What the container leaves of the machine, if that is less."""
        cpus, memory = self.limits.cpus, self.limits.memory
        said = [f"{cpus:g} of the cores"] if cpus else []
        said += [f"{memory / 2**30:.1f} GiB of memory"] if memory else []
        return [f"limits  this container may use {' and '.join(said)}"] if said else []


def examine() -> Health:
    """Check versions, device and data, and say which profiles this machine can run and where things lie.

    Example:
        >>> examine().fingerprint == integrity.fingerprint()  # every picture is as it was shipped
        True
    """
    found = machine()
    device = "cuda" if torch.cuda.is_available() else "cpu"
    fingerprint = problem = None
    try:
        integrity.verify()
        fingerprint = integrity.fingerprint()
    except (integrity.CorruptDataError, OSError, ValueError) as error:
        problem = str(error)
    profiles: dict[str, str | None] = {}
    trouble = gpu_trouble()
    for profile in PROFILES.values():
        profiles[profile.name] = problem or _lacks(profile, found, trouble)
    return Health(
        found,
        device,
        native_bfloat16(torch.device(device)),
        fingerprint,
        problem,
        trouble,
        profiles,
        _places(),
        container_limits(),
    )


def _lacks(profile: Profile, found: Mapping[str, Any], gpu_trouble: str) -> str | None:
    """Why a profile cannot run here."""
    if profile.past:
        return "holds the first records, which are read and not made again"
    if profile.gpu and gpu_trouble:
        return gpu_trouble
    if 0 < found["memory_gib"] < profile.memory_gib:
        return f"needs {profile.memory_gib} GiB of memory"
    shards = profile.base.shards
    if shards and not any((places.data() / shards).glob("*.tar")):
        return f"needs {shards} as shards in {places.data() / shards}"
    return None


def _places() -> dict[str, Any]:
    results = places.results()
    return {
        "checkout": places.checkout() is not None,
        "package": str(places.PACKAGE),
        "results": str(results),
        "record_files": len(list(results.glob("*/*.jsonl"))),
        "store": str(places.store()),
        "data": str(places.data()),
    }
