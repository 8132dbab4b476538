"""How long it takes to read many pictures with a big model, said before and while it happens."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator

import open_clip
from torch import Tensor, nn

from tutorial_lib import costs
from tutorial_lib.evaluate import embed_images, embed_texts
from tutorial_lib.machine import fitting_threads
from tutorial_lib.models import Model, Tokenizer
from tutorial_lib.ticker import Ticker

#: Prompts of a class, in zero-shot classification.
PROMPTS = len(open_clip.OPENAI_IMAGENET_TEMPLATES)
#: Pictures and texts that are timed.
TRIED = 4


def reading_seconds(model: Model, tokenizer: Tokenizer, images: Tensor, *, pictures: int, classes: int) -> float:
    """About how long a model takes for so many pictures and the prompts of so many classes, from a few of each.

    Args:
        model: on its device.
        tokenizer: of the model.
        images: some pictures, shape (N, 3, H, W), uint8.
        pictures: how many are to be read.
        classes: how many have prompts, 0 for a classifier with a head.

    Example:
        >>> import torch
        >>> from tutorial_lib import models
        >>> clip, tokenizer = models.load(models.CHECKPOINTS / "clean")
        >>> images = torch.zeros(8, 3, 32, 32, dtype=torch.uint8)
        >>> 0 < reading_seconds(clip, tokenizer, images, pictures=1000, classes=10) < 600
        True
    """
    some, text = images[:TRIED], ["a photo of a banana"] * TRIED

    def seconds(texts: bool) -> float:
        fastest = float("inf")
        for _ in range(3):  # the first one warms up
            started = time.perf_counter()
            if texts:
                embed_texts(model, tokenizer, text)
            else:
                embed_images(model, some)
            fastest = min(fastest, time.perf_counter() - started)
        return fastest / TRIED

    with fitting_threads(on=not next(model.parameters()).is_cuda):
        prompts = classes * PROMPTS * seconds(texts=True) if classes else 0.0
        return pictures * seconds(texts=False) + prompts


def announce_reading(
    model: Model, tokenizer: Tokenizer, images: Tensor, *, times: int, classes: int, yes: bool
) -> None:
    """Say how long pictures take to be read so many times, as `tutorial_lib.costs.announce` does.

    Raises:
        ValueError: more than an hour, and nobody has agreed.

    Example:
        >>> import torch
        >>> from tutorial_lib import models
        >>> clip, tokenizer = models.load(models.CHECKPOINTS / "clean")
        >>> images = torch.zeros(8, 3, 32, 32, dtype=torch.uint8)
        >>> announce_reading(clip, tokenizer, images, times=3, classes=10, yes=False)  # nothing to speak of
    """
    seconds = reading_seconds(model, tokenizer, images, pictures=times * len(images), classes=classes)
    costs.announce(seconds, yes=yes, what="reading the pictures")


@contextlib.contextmanager
def reading(model: Model, pictures: int, classes: int = 0) -> Iterator[None]:
    """Show how many pictures and prompts have passed through a model in the block.

    Args:
        model: with a picture tower `visual`.
        pictures: that will pass.
        classes: whose prompts will.

    Example:
        >>> import torch
        >>> from tutorial_lib import models
        >>> clip, _ = models.load(models.CHECKPOINTS / "clean")
        >>> with reading(clip, 2):
        ...     embed_images(clip, torch.zeros(2, 3, 32, 32, dtype=torch.uint8)).shape
        torch.Size([2, 128])
    """
    with contextlib.ExitStack() as stack:
        _follow(stack, model.visual, "pictures", pictures)
        if classes and (last := getattr(model, "ln_final", None)) is not None:
            _follow(stack, last, "prompts", classes * PROMPTS)
        yield


def _follow(stack: contextlib.ExitStack, tower: nn.Module, unit: str, total: int) -> None:
    """Count what passes through a module, from its first call on."""
    tickers: list[Ticker] = []

    def before(module: nn.Module, given: object) -> None:
        if not tickers:
            tickers.append(stack.enter_context(Ticker("reading", unit, total)))

    def after(module: nn.Module, given: object, out: Tensor) -> None:
        tickers[0].tick(len(out))

    stack.callback(tower.register_forward_pre_hook(before).remove)
    stack.callback(tower.register_forward_hook(after).remove)
