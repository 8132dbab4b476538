"""Arithmetic, memory and time of a training step, counted on a model that is never computed, or timed on a few pairs.

For plans and error messages.
"""

from __future__ import annotations

import contextlib
import functools
import json
import time
from collections.abc import Iterator
from typing import Any

import open_clip
import torch
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

from tutorial_lib import models
from tutorial_lib.machine import fitting_threads, memory_bytes
from tutorial_lib.training import distributed
from tutorial_lib.training.device import device_for, in_half
from tutorial_lib.trials import Recipe

#: Bytes of a parameter while it is trained: weight, gradient, the copy that survives a divergence, and one a state.
FIXED, STATES = 3 * 4, {"adamw": 2, "sgd": 1}

#: Operations a second of a slow core, seconds that are not worth timing, and operations of a step that is timed.
SLOW, QUICK, TRIED = 5e9, 60.0, 1e11


@functools.lru_cache(maxsize=64)
def _counted(config: str) -> tuple[float, float, int]:
    settings = json.loads(config)
    with torch.device("meta"):
        model = models.build(settings).train()
    (few, kept_by_few), (more, kept_by_more) = (_step(model, settings, batch) for batch in (2, 4))
    return (more - few) / 2, (kept_by_more - kept_by_few) / 2, models.parameter_count(model)


def _step(model: open_clip.CLIP, config: dict[str, Any], batch: int) -> tuple[int, int]:
    """Operations of a step, and bytes that its backward pass keeps, weights included."""
    side = config["vision_cfg"].get("image_size", 224)
    pictures = torch.empty(batch, 3, side, side, device="meta")
    text = torch.zeros(batch, model.context_length, dtype=torch.int64, device="meta")
    alive: list[Tensor] = []  # so that no storage takes the place of another

    def keep(tensor: Tensor) -> Tensor:
        alive.append(tensor)
        return tensor

    counter = FlopCounterMode(display=False)
    with counter, torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        loss = model.encode_image(pictures).sum() + model.encode_text(text).sum()
        loss.backward()
    storages = {t.untyped_storage()._cdata: t.untyped_storage().nbytes() for t in alive}
    return counter.get_total_flops(), sum(storages.values())


def _count(config: dict[str, Any]) -> tuple[float, float, int]:
    return _counted(json.dumps(config, sort_keys=True))


def flops(config: dict[str, Any]) -> float:
    """Floating-point operations of one sample, forward and backward: PyTorch's count on open_clip's own model.

    Example:
        >>> round(flops(models.model_config("tiny-rn")) / 1e6)  # millions
        36
    """
    return _count(config)[0]


def training_bytes(
    config: dict[str, Any], recipe: Recipe, *, batch_size: int = 0, together: int = 0, half: bool = True
) -> float:
    """About how much memory a step takes: parameters with their optimizer, and what backward needs of the batch.

    Args:
        config: the model.
        recipe: its optimizer and, without `batch_size`, its batch.
        batch_size: pairs that one device sees.
        together: pairs that all devices see, whose similarities each holds; by default those of the recipe.
        half: activations in two bytes.

    Example:
        >>> round(training_bytes(models.model_config("tiny-rn"), Recipe(batch_size=256)) / 2**30, 1)  # GiB
        0.1
    """
    batch = batch_size or recipe.batch_size
    _, activations, parameters = _count(config)
    fixed = parameters * (FIXED + 4 * STATES[recipe.optimizer])
    return fixed + batch * activations * (0.5 if half else 1) + 6 * 4 * (together or recipe.batch_size) ** 2


def largest_batch(config: dict[str, Any], recipe: Recipe, memory: float, *, half: bool = True) -> int:
    """The largest power of two up to 65,536 that fits into so many bytes of each device, 0 if none does.

    Example:
        >>> largest_batch(models.model_config("tiny-rn"), Recipe(), 2**30)
        2048
    """
    batch = 1 << 16
    size = distributed.size()
    while batch and training_bytes(config, recipe, batch_size=batch, together=batch * size, half=half) > memory:
        batch >>= 1
    return batch


def training_seconds(config: dict[str, Any], recipe: Recipe, pairs: int, *, device: str | None = None) -> float:
    """About how long a training will take on this machine: a few steps on random pixels say so.

    Where even a slow machine would need less than a minute by the count of operations, nothing is timed.

    Args:
        config: the model, with its `image_size`.
        recipe: epochs, batch and precision.
        pairs: that an epoch has.
        device: by default the GPU if there is one.

    Raises:
        ValueError: there is no such device.

    Example:
        >>> seconds = training_seconds(models.model_config("rn-0.4m"), Recipe(epochs=2, batch_size=64), 640)
        >>> 0 < seconds < 60
        True
    """
    where = device_for(device)
    samples = recipe.steps(pairs) * recipe.batch_size
    needed = flops(config)
    together = distributed.size()
    if samples * needed / SLOW / together < QUICK:
        return samples * needed / SLOW / together
    batch = max(2, min(recipe.batch_size // together, int(TRIED / needed)))
    return samples / together * _seconds_per_sample(config, batch, where, in_half(recipe, where))


def _seconds_per_sample(config: dict[str, Any], batch: int, device: torch.device, half: bool) -> float:
    """Forward and backward of one pair, from the fastest of a few steps."""
    side = config["vision_cfg"].get("image_size", 224)
    model = models.build(config).train().to(device)
    pictures = torch.zeros(batch, 3, side, side, device=device)
    text = torch.zeros(batch, model.context_length, dtype=torch.int64, device=device)
    fastest = float("inf")
    with fitting_threads(on=device.type == "cpu" and distributed.size() == 1):  # as the training itself
        for _ in range(3):
            started = time.perf_counter()
            with torch.autocast(device.type, torch.bfloat16, enabled=half):
                seen = model.encode_image(pictures)
            (seen.float().sum() + model.encode_text(text).float().sum()).backward()
            if device.type == "cuda":
                torch.cuda.synchronize(device)
            elif device.type == "mps":
                torch.mps.synchronize()
            fastest = min(fastest, (time.perf_counter() - started) / batch)
    return fastest


@contextlib.contextmanager
def explained(config: dict[str, Any], recipe: Recipe, device: torch.device) -> Iterator[None]:
    """Let a step that runs out of memory say what it needs, and which number to lower to what.

    Raises:
        MemoryError: instead of PyTorch's own errors.

    Example:
        >>> config = models.model_config("tiny-rn")
        >>> with explained(config, Recipe(batch_size=8192), torch.device("cpu")):
        ...     raise RuntimeError("can't allocate memory")
        Traceback (most recent call last):
        MemoryError: out of memory: a step with batch_size 8192 needs about ...
    """
    try:
        yield
    except RuntimeError as error:  # PyTorch's OutOfMemoryError is one, and the CPU's allocator has no other
        if not (isinstance(error, torch.OutOfMemoryError) or "can't allocate memory" in str(error)):
            raise
        free, there = torch.cuda.mem_get_info(device) if device.type == "cuda" else (0, memory_bytes())
        message = out_of_memory(config, recipe, there)
        if free and free < there / 2 and torch.cuda.memory_allocated(device) < there / 4:
            message += f"; other processes hold {(there - free) / 2**30:,.0f} GiB of this GPU"
        raise MemoryError(message) from error


def out_of_memory(config: dict[str, Any], recipe: Recipe, there: float) -> str:
    """What a step needs, what there is, and what would fit.

    Example:
        >>> out_of_memory(models.model_config("tiny-rn"), Recipe(batch_size=4096), 2**29)
        'out of memory: a step with batch_size 4096 needs about ... and the device has 0.5: lower batch_size to ...'
    """
    each = -(-recipe.batch_size // distributed.size())
    half = recipe.precision != "float32"
    needed = training_bytes(config, recipe, batch_size=each, half=half)
    fits = (
        min(largest_batch(config, recipe, 0.9 * there, half=half), 1 << (each - 1).bit_length() - 1)
        * distributed.size()
    )
    return (
        f"out of memory: a step with batch_size {recipe.batch_size} needs about {needed / 2**30:,.1f} GiB beside the "
        f"pictures, and the device has {there / 2**30:,.1f}: lower batch_size to {max(fits, 1)}, or take more GPUs"
    )
