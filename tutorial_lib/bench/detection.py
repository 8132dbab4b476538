"""The neighbours that detectors of poisoned pairs look for, beside faiss and scikit-learn.

Twice: in a random reference, as the detectors do unless told otherwise, and among all pairs, where an index stands in
for the table of all distances. Each method runs in a process of its own.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from tutorial_lib.bench import apart
from tutorial_lib.detect import DAO, KDistance
from tutorial_lib.detect.points import Points
from tutorial_lib.machine import peak_memory

#: Neighbours, and pairs of the random reference, as published.
K, REFERENCE = 16, 2048
#: Embeddings whose k-distances are compared; of all distances a peer computes theirs only, and its time is scaled.
SAMPLE = 1000
#: Embeddings lie in groups, along fewer directions than they have numbers, with noise in all.
GROUPS, DIRECTIONS, NOISE = 1000, 16, 0.02


def embeddings(n: int, d: int, seed: int) -> Tensor:
    """Embeddings, shape (n, d), float32, made in place, so that nothing but the result adds to the peak memory."""
    generator = torch.Generator().manual_seed(seed)
    centres = 2 * torch.randn(GROUPS, DIRECTIONS, generator=generator)
    spread = torch.randn(DIRECTIONS, d, generator=generator) / DIRECTIONS**0.5
    x = torch.empty(n, d).normal_(generator=generator).mul_(NOISE)
    for rows in x.split(1 << 16):
        group = torch.randint(GROUPS, (len(rows),), generator=generator)
        rows.addmm_(centres[group] + torch.randn(len(rows), DIRECTIONS, generator=generator), spread)
    return x


def drawn(n: int) -> Tensor:
    """The order in which `KDistance` draws its reference: the last ones are not in it."""
    return torch.randperm(n, generator=torch.Generator().manual_seed(0))


def _ours(x: Tensor) -> Tensor:
    return KDistance(k=K, reference=REFERENCE, index="exact").of_points(Points(x, x))


def _dao(x: Tensor) -> Tensor:
    return DAO(k=K, reference=REFERENCE, index="exact").of_points(Points(x, x))


def _faiss(x: Tensor) -> Tensor:
    return _every_distance(x, x[drawn(len(x))[:REFERENCE]], K)


def _scikit_learn(x: Tensor) -> Tensor:
    from sklearn.neighbors import NearestNeighbors

    known = NearestNeighbors(n_neighbors=K, algorithm="brute", n_jobs=-1).fit(x[drawn(len(x))[:REFERENCE]].numpy())
    return torch.from_numpy(known.kneighbors(x.numpy())[0][:, -1])


def _index(x: Tensor) -> Tensor:
    return KDistance(k=K, reference=len(x), index="approximate").of_points(Points(x, x))


def _all_of_a_sample(x: Tensor) -> Tensor:
    some = drawn(len(x))[-SAMPLE:]
    out = torch.zeros(len(x))
    out[some] = _every_distance(x[some], x, K + 1)  # each finds itself, too
    return out


def _every_distance(points: Tensor, known: Tensor, k: int) -> Tensor:
    """From the k-th nearest of the known ones, by faiss, which computes all distances."""
    import faiss

    faiss.omp_set_num_threads(torch.get_num_threads())
    index = faiss.IndexFlatL2(known.shape[1])
    index.add(known.numpy())
    squares, _ = index.search(points.numpy(), k)
    return torch.from_numpy(squares[:, -1]).clamp(min=0).sqrt()


METHODS: dict[str, Callable[[Tensor], Tensor]] = {
    "ours": _ours,
    "faiss": _faiss,
    "scikit-learn": _scikit_learn,
    "dao": _dao,
    "index": _index,
    "all of a sample": _all_of_a_sample,
}


def measure(method: str, *, n: int, d: int, seed: int) -> dict[str, Any]:
    """Seconds, most memory with the embeddings, and what the sample got, of one method, in this process."""
    x = embeddings(n, d, seed)
    METHODS[method](x[: REFERENCE + SAMPLE])  # starts the thread pools
    started = time.perf_counter()
    scores = METHODS[method](x)
    seconds = time.perf_counter() - started
    sample = scores[drawn(n)[-SAMPLE:]]
    return {"seconds": seconds, "sample": sample.tolist(), "peak_gib": peak_memory() / 2**30}


def compare(*, n: int = 1_000_000, d: int = 512, repeats: int = 3, seed: int = 0) -> dict[str, Any]:
    """Every method on the same embeddings, in turn.

    Args:
        n, d: number and size of the embeddings.
        repeats: turns of the methods with a reference; those among all pairs, which take minutes, have one.
        seed: draws the embeddings.

    Raises:
        ValueError: there are not more embeddings than the reference and the sample have together.
    """
    if n <= REFERENCE + SAMPLE:
        raise ValueError(f"{n} embeddings are too few: more than {REFERENCE + SAMPLE} are needed")
    runs: dict[str, list[dict[str, Any]]] = {method: [] for method in METHODS}
    for turn in range(repeats):
        for method, found in runs.items():
            if turn == 0 or method not in ("index", "all of a sample"):
                found.append(apart.run("detection", method, n=n, d=d, seed=seed))
    seconds = {m: statistics.median(run["seconds"] for run in found) for m, found in runs.items()}
    seconds["all"] = seconds.pop("all of a sample") * n / SAMPLE
    ours, peer, index, exact = (
        torch.tensor(runs[m][0]["sample"]) for m in ("ours", "faiss", "index", "all of a sample")
    )
    return {
        "n": n,
        "d": d,
        "k": K,
        "reference": REFERENCE,
        "seconds": seconds,
        "peak_gib": {m: round(max(run["peak_gib"] for run in found), 2) for m, found in runs.items()},
        "ratio_to_faiss": seconds["faiss"] / seconds["ours"],
        "ratio_to_scikit_learn": seconds["scikit-learn"] / seconds["ours"],
        "ratio_to_all": seconds["all"] / seconds["index"],
        "largest_difference": ((ours - peer).abs() / peer).max().item(),
        "too_far": (index / exact - 1).mean().item(),
    }


def describe(body: dict[str, Any]) -> list[str]:
    """The comparison for people."""
    seconds, peak = body["seconds"], body["peak_gib"]
    ratios = {"faiss": body["ratio_to_faiss"], "scikit-learn": body["ratio_to_scikit_learn"]}
    peers = ", ".join(f"{name} {seconds[name]:.1f} s ({ratio:.2f} x)" for name, ratio in ratios.items())
    return [
        f"detection: {body['k']} nearest of a reference of {body['reference']:,} for {body['n']:,} embeddings of "
        f"{body['d']} numbers: tutorial_lib {seconds['ours']:.1f} s, {peak['ours']:.1f} GiB; {peers}; they agree to "
        f"{body['largest_difference']:.0e}",
        f"  DAO, which looks for them and weighs them: {seconds['dao']:.1f} s, {peak['dao']:.1f} GiB",
        f"  nearest of all: an index {seconds['index']:.0f} s, {peak['index']:.1f} GiB, {body['too_far']:.1%} too far; "
        f"every distance about {seconds['all']:,.0f} s ({body['ratio_to_all']:.1f} x)",
    ]


if __name__ == "__main__":
    apart.answer(measure, METHODS, n=1_000_000, d=512, seed=0)
