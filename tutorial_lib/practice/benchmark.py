"""Every benchmark in turn, with the machine that it ran on."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, get_args

Part = Literal["train", "zscore", "store", "clean", "detect", "scaling", "company"]
PARTS: tuple[Part, ...] = get_args(Part)


@dataclass(frozen=True)
class Benchmark:
    """What was measured.

    Attributes:
        machine: CPU, memory, GPU and versions.
        repeats: medians are over this many runs.
        found: by part, its numbers.
        lines: what they say.

    Example:
        >>> print(Benchmark({"cpu": "a CPU", "threads": 2, "versions": {"torch": "2.15.0"}}, 3, {}, ()))
        a CPU, 2 threads, torch 2.15.0, median of 3
    """

    machine: Mapping[str, Any]
    repeats: int
    found: Mapping[str, Mapping[str, Any]]
    lines: tuple[str, ...]

    def as_dict(self) -> dict[str, Any]:
        """Plain data, as in the files of `book/results/bench`."""
        return {"machine": dict(self.machine), "repeats": self.repeats, **self.found}

    def __str__(self) -> str:
        m = self.machine
        first = f"{m['cpu']}, {m['threads']} threads, torch {m['versions']['torch']}, median of {self.repeats}"
        return "\n".join((first, *self.lines))


def benchmark(
    parts: Iterable[Part] = PARTS,
    *,
    repeats: int = 3,
    embeddings: int = 50_000,
    dimensions: int = 512,
    time_to_accuracy: bool = True,
    seed: int = 0,
) -> Benchmark:
    """Measure the library beside its peers.

    Args:
        parts: what to measure, in this order.
        repeats: medians are over this many runs.
        embeddings, dimensions: N and d of the z-score's embeddings, shape (N, d).
        time_to_accuracy: also train CLIP and its peer to a fixed accuracy, which takes minutes.
        seed: of data, weights and order.

    Raises:
        ValueError: no such part.

    Example:
        >>> found = benchmark(["zscore"], repeats=1, embeddings=200, dimensions=8)
        >>> found.found["zscore"]["largest_difference"] < 1e-6
        True
    """
    from tutorial_lib.bench import cleaning, company, detection, scaling, store, training, zscore
    from tutorial_lib.practice.machine import machine

    several = {"repeats": repeats, "seed": seed}
    calls: dict[str, tuple[Any, dict[str, Any]]] = {
        "train": (training, several | {"time_to_accuracy": time_to_accuracy}),
        "zscore": (zscore, several | {"n": embeddings, "d": dimensions}),
        "store": (store, {"repeats": repeats}),
        "clean": (cleaning, several),
        "detect": (detection, several),
        "scaling": (scaling, several),
        "company": (company, several),
    }
    asked = tuple(parts)
    if wrong := [part for part in asked if part not in calls]:
        raise ValueError(f"no part {wrong[0]!r}: there are {', '.join(calls)}")
    found: dict[str, Mapping[str, Any]] = {}
    lines: list[str] = []
    for part in asked:
        module, options = calls[part]
        found[part] = module.compare(**options)
        lines += module.describe(found[part])
    return Benchmark(machine(), repeats, found, tuple(lines))
