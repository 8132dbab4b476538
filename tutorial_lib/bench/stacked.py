"""Several models as one with stacked parameters, by `torch.func`: does it beat one after another?"""

from __future__ import annotations

import contextlib
import copy
import statistics
import time
import warnings
from collections.abc import Callable
from typing import Any

import open_clip
import torch
from torch import Tensor, nn
from torch.func import functional_call, grad_and_value, stack_module_state, vmap

from tutorial_lib import models
from tutorial_lib.losses import clip_loss
from tutorial_lib.models.fast import small_maps
from tutorial_lib.models.tokenizer import Tokenizer
from tutorial_lib.training.device import device_for

MODEL, BATCH = "tiny-rn", 256


class _Loss(nn.Module):
    """A model with its loss as one function of a batch, as `functional_call` wants it."""

    def __init__(self, model: open_clip.CLIP) -> None:
        super().__init__()
        self.model = model

    def forward(self, images: Tensor, text: Tensor) -> Tensor:
        image = self.model.encode_image(images, normalize=True)
        return clip_loss(image, self.model.encode_text(text, normalize=True), self.model.logit_scale.exp())


def gradients(
    count: int, *, seed: int = 0, batch: int = BATCH, device: str | torch.device = "cpu"
) -> tuple[
    Callable[[], list[tuple[Tensor, dict[str, Tensor]]]],
    Callable[[], tuple[Tensor, dict[str, Tensor]]],
]:
    """Two functions that compute the loss and all gradients of `count` models, each on a batch of its own.

    Returns:
        One after another, and stacked. The first gives a loss and gradients by name for each model, the second losses
        of shape (count,) and stacked gradients by name.
    """
    text = Tokenizer.for_texts(["a dog beside a cat in a park"], context_length=16)
    each = [_Loss(models.build(MODEL, text, seed=seed + k)).to(device).train() for k in range(count)]
    random = torch.Generator().manual_seed(seed)
    images = torch.randn(count, batch, 3, 32, 32, generator=random).to(device)
    tokens = text(["a dog beside a cat in a park"]).expand(count, batch, -1).contiguous().to(device)
    last = [x.contiguous(memory_format=torch.channels_last) for x in images]
    parameters, buffers = stack_module_state(each)  # copies
    skeleton = copy.deepcopy(each[0]).to("meta")

    def one_by_one() -> list[tuple[Tensor, dict[str, Tensor]]]:
        found = []
        for module, x, t in zip(each, last, tokens, strict=True):
            module.zero_grad()
            with small_maps(module):
                loss = module(x, t)
                loss.backward()
            found.append((loss.detach(), {n: p.grad for n, p in module.named_parameters() if p.grad is not None}))
        return found

    def loss_of(p: dict[str, Tensor], b: dict[str, Tensor], x: Tensor, t: Tensor) -> Tensor:
        loss: Tensor = functional_call(skeleton, (p, b), (x, t))
        return loss

    both = vmap(grad_and_value(loss_of), randomness="different")

    def stacked() -> tuple[Tensor, dict[str, Tensor]]:
        with small_maps(skeleton):
            found, losses = both(parameters, buffers, images, tokens)
        return losses, found

    return one_by_one, stacked


def compare(*, count: int = 4, repeats: int = 5, seed: int = 0) -> dict[str, Any]:
    """Milliseconds of a model's forward and backward pass, medians, the two ways in turn."""
    device = device_for()
    ways = dict(zip(("one_by_one_ms", "stacked_ms"), gradients(count, seed=seed, device=device), strict=True))
    times: dict[str, list[float]] = {name: [] for name in ways}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # attention has no batched kernel and says so
        for k in range(repeats + 1):
            for name, way in ways.items():
                seconds = _timed(way, device)
                if k:  # the first prepares kernels
                    times[name].append(1000 * seconds / count)
    medians = {name: statistics.median(found) for name, found in times.items()}
    return {"models": count, "batch": BATCH} | medians | {"ratio": medians["one_by_one_ms"] / medians["stacked_ms"]}


def _timed(way: Callable[[], Any], device: torch.device) -> float:
    wait = torch.cuda.synchronize if device.type == "cuda" else contextlib.nullcontext
    wait()
    started = time.perf_counter()
    way()
    wait()
    return time.perf_counter() - started
