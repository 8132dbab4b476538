"""What experiments take on rented GPUs, before anything starts: pairs, steps, memory, hours and money.

Hours rest on one measurement that the paper reports: a ResNet-50 took about 100 hours of a V100 for 30 epochs of
CC3M. The arithmetic of that model is counted, which gives the share of a V100's peak that was used; other GPUs are
taken to reach the same share of theirs, and no small model more than `FASTEST` samples a second. Records made on the
GPU itself, where there are some, are the better guide: `tutorial status` uses those.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict
from typing import Any

from tutorial_lib import models
from tutorial_lib.costs import seconds
from tutorial_lib.costs.gpus import GPUS, Gpu
from tutorial_lib.training import memory
from tutorial_lib.trials import Trial

#: Carlini & Terzis (2022), reproducibility statement: GPU hours of one model on Conceptual Captions, on V100s.
PAPER_HOURS, PAPER_GPU = 100.0, "V100"
#: Samples a second beyond which a model of a few million parameters is assumed to wait for the CPU.
FASTEST = 100_000
#: Share of a card's memory that can be used.
USABLE = 0.92


def utilisation() -> float:
    """Share of a V100's peak that the paper's training used, from its hours and our count of its arithmetic.

    Example:
        >>> round(utilisation(), 2)  # 11 % of it
        0.11
    """
    samples = 30 * seconds.SHARD_PAIRS["cc3m"]
    used = samples * seconds.operations("RN50", 224)
    return used / (PAPER_HOURS * 3600 * GPUS[PAPER_GPU].tflops * 1e12)


def gpu_seconds(trial: Trial, gpu: Gpu, share: float) -> float:
    """Estimated seconds of one GPU for a trial.

    Example:
        >>> from tutorial_lib import profiles
        >>> trial = profiles.get("paper").backdoor(300, seed=0)
        >>> round(gpu_seconds(trial, GPUS["V100"], utilisation()) / 3600)  # what the paper says
        100
    """
    operations = seconds.operations(trial.model, trial.side)
    each = max(operations / (gpu.tflops * 1e12 * share), 1 / FASTEST)
    return seconds.OVERHEAD + seconds.samples(trial) * each


def estimate(
    trials: Sequence[Trial], gpus: Iterable[Gpu], *, together: int = 1, usd_per_hour: float = 0
) -> dict[str, Any]:
    """What some trials take.

    Args:
        trials: models to train.
        gpus: to choose from.
        together: GPUs that share a model, and so its batch.
        usd_per_hour: of a GPU, instead of the table's.

    Returns:
        Sums over the trials, the largest memory a step needs on one GPU, and for each GPU its hours, its price, whether
        that fits, and the largest batch on `together` of them that would.

    Example:
        >>> from tutorial_lib import profiles
        >>> profile = profiles.get("gpu")
        >>> found = estimate([profile.backdoor(300, seed) for seed in range(8)], [GPUS["L4"]])
        >>> found["models"], found["samples"], found["gpus"]["L4"]["fits"]
        (8, 240000000, True)
    """
    share = utilisation()
    bases = {t.weights.key: t.weights for t in trials}  # a model that several defenses clean is trained once
    kinds = {(t.model, t.recipe.batch_size, t.recipe.optimizer): t for t in bases.values()}
    needed = {k: _memory(t, together) for k, t in kinds.items()}
    largest = max(needed, key=lambda k: needed[k])
    shown = kinds[largest]
    body: dict[str, Any] = {
        "trials": len(trials),
        "models": len(bases),
        "pairs": max(map(seconds.pairs, trials)),
        "samples": sum(map(seconds.samples, trials)),
        "steps": sum(seconds.samples(t) // t.recipe.batch_size for t in trials),
        "memory_bytes": needed[largest],
        "largest_model": shown.model,
        "batch_size": shown.recipe.batch_size,
        "together": together,
        "utilisation": share,
        "gpus": {},
    }
    for gpu in gpus:
        hours = sum(gpu_seconds(t, gpu, share) for t in trials) / 3600
        there = gpu.memory_gib * 2**30 * USABLE
        config = models.model_config(shown.model)
        body["gpus"][gpu.name] = asdict(gpu) | {
            "gpu_hours": hours,
            "usd": hours * (usd_per_hour or gpu.usd_per_hour),
            "fits": needed[largest] <= there,
            "largest_batch": together * memory.largest_batch(config, shown.recipe, there),
        }
    return body


def _memory(trial: Trial, together: int) -> float:
    config = models.model_config(trial.model)
    return memory.training_bytes(config, trial.recipe, batch_size=-(-trial.recipe.batch_size // together))
