"""The z-score beside the plain pairwise matrix in blocks, and beside blocks that use symmetry.

Each method runs in a process of its own.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from tutorial_lib.bench import apart
from tutorial_lib.machine import peak_memory
from tutorial_lib.zscore import backdoor_z_score

BLOCK = 2048


def embeddings(n: int, d: int, seed: int) -> tuple[Tensor, Tensor]:
    """Clean and triggered embeddings, normalised, (n, d) float64; the triggered ones share a direction."""
    generator = torch.Generator().manual_seed(seed)
    common = torch.randn(d, generator=generator, dtype=torch.float64)
    clean, triggered = torch.empty(2, n, d, dtype=torch.float64)
    for x, strength in ((clean, 0.3), (triggered, 1.0)):  # in place: nothing but the result adds to the peak memory
        x.normal_(generator=generator).add_(strength * common)
        x.div_(torch.linalg.vector_norm(x, dim=1, keepdim=True))
    return clean, triggered


def _from_sums(first: float, second: float, pairs: int) -> tuple[float, float]:
    mean = first / pairs
    return mean, second / pairs - mean**2


def blocks_moments(x: Tensor) -> tuple[float, float]:
    """Mean and variance over pairs from the whole N x N matrix, a block of rows at a time."""
    n, first, second = len(x), 0.0, 0.0
    for rows in x.split(BLOCK):
        similarity = rows @ x.T  # (BLOCK, N)
        first += similarity.sum().item()
        second += similarity.square_().sum().item()
    own = x.square().sum(1)
    return _from_sums(first - own.sum().item(), second - own.square().sum().item(), n * (n - 1))


def symmetric_moments(x: Tensor) -> tuple[float, float]:
    """The same from the blocks on and above the diagonal; those above it count twice."""
    n, first, second = len(x), 0.0, 0.0
    for start in range(0, n, BLOCK):
        rows = x[start : start + BLOCK]
        own = rows @ rows.T
        first += own.sum().item()
        second += own.square_().sum().item()
        if start + BLOCK < n:
            above = rows @ x[start + BLOCK :].T
            first += 2 * above.sum().item()
            second += 2 * above.square_().sum().item()
    own = x.square().sum(1)
    return _from_sums(first - own.sum().item(), second - own.square().sum().item(), n * (n - 1))


def _z(moments: Callable[[Tensor], tuple[float, float]]) -> Callable[[Tensor, Tensor], float]:
    def z(clean: Tensor, triggered: Tensor) -> float:
        mean, variance = moments(clean)
        return float((moments(triggered)[0] - mean) / variance**0.5)

    return z


METHODS = {"fast": backdoor_z_score, "blocks": _z(blocks_moments), "symmetric": _z(symmetric_moments)}


def measure(method: str, *, n: int, d: int, seed: int, repeats: int, precision: str = "float64") -> dict[str, Any]:
    """Seconds, value and additional peak memory of one method, in this process."""
    clean, triggered = (x.to(getattr(torch, precision)) for x in embeddings(n, d, seed))
    before = peak_memory()
    METHODS[method](clean[:256], triggered[:256])  # starts the thread pools
    seconds, value = [], 0.0
    for _ in range(repeats):
        started = time.perf_counter()
        value = METHODS[method](clean, triggered)
        seconds.append(time.perf_counter() - started)
    return {"seconds": seconds, "value": value, "peak_mib": (peak_memory() - before) / 2**20}


def compare(*, n: int, d: int, repeats: int, seed: int = 0, precision: str = "float64") -> dict[str, Any]:
    """Every method on the same embeddings.

    Args:
        n, d: number and size of the embeddings, clean and triggered each.
        repeats: runs of the fast method before and again after the slow ones, which run once where they take minutes.
        seed: draws the embeddings.
        precision: of the embeddings and of the references' arithmetic.
    """
    slow_repeats = repeats if n <= 10_000 else 1
    runs: dict[str, dict[str, Any]] = {}
    for method in ("fast", "blocks", "symmetric", "fast"):  # before and after: the machine may be busy with other work
        times = repeats if method == "fast" else slow_repeats
        run = apart.run("zscore", method, n=n, d=d, seed=seed, repeats=times, precision=precision)
        run["seconds"] += runs.get(method, {"seconds": []})["seconds"]
        runs[method] = run
    seconds = {method: statistics.median(run["seconds"]) for method, run in runs.items()}
    return {
        "n": n,
        "d": d,
        "precision": precision,
        "seconds": seconds,
        "repeats": {method: len(run["seconds"]) for method, run in runs.items()},
        "speedup": seconds["blocks"] / seconds["fast"],
        "speedup_over_symmetric": seconds["symmetric"] / seconds["fast"],
        "largest_difference": max(abs(run["value"] - runs["fast"]["value"]) for run in runs.values()),
        "value": runs["fast"]["value"],
        "peak_mib": {method: round(run["peak_mib"], 1) for method, run in runs.items()},
    }


def describe(result: dict[str, Any]) -> list[str]:
    """The comparison for people."""
    seconds, peak = result["seconds"], result["peak_mib"]
    return [
        f"z-score of {result['n']:,} clean and as many triggered embeddings of {result['d']} dimensions, "
        f"{result['precision']}:",
        f"  tutorial_lib            {seconds['fast']:9.3f} s  {peak['fast']:8.1f} MiB",
        f"  pairwise, blocks        {seconds['blocks']:9.3f} s  {peak['blocks']:8.1f} MiB  {result['speedup']:6.1f} x",
        f"  pairwise, symmetric     {seconds['symmetric']:9.3f} s  {peak['symmetric']:8.1f} MiB  "
        f"{result['speedup_over_symmetric']:6.1f} x",
        f"  they agree to {result['largest_difference']:.1e}",
    ]


if __name__ == "__main__":
    apart.answer(measure, METHODS, n=50_000, d=512, seed=0, repeats=1, precision="float64")
