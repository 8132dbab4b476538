"""One training loop. Introduced in the chapter on CLIP from scratch; every model of the course comes out of it."""

from __future__ import annotations

import copy
import functools
import math
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal, TypedDict, Unpack

import open_clip
import torch
from torch import Tensor

from tutorial_lib.data.pairs import Pairs
from tutorial_lib.data.pictures import Images, StoredPictures
from tutorial_lib.losses import clip_loss, triplet_loss
from tutorial_lib.machine import fitting_threads
from tutorial_lib.models.fast import compiled, encode_text, small_maps
from tutorial_lib.models.inputs import normalize, preprocessing_of
from tutorial_lib.models.tokenizer import Tokenizer
from tutorial_lib.ticker import Ticker
from tutorial_lib.training import distributed
from tutorial_lib.training.augment import crop, crop_boxes
from tutorial_lib.training.checkpoint import Keeper, Point, restore
from tutorial_lib.training.curriculum import Curriculum, Loss, Passes, ahead
from tutorial_lib.training.device import device_for, in_half, seeded
from tutorial_lib.training.optimizer import optimizer_for, take_step
from tutorial_lib.trials import History, Recipe
from tutorial_lib.trials.schema import as_dict

#: Pictures that go to a GPU at a time.
PART = 65_536
#: A loss of normalised embeddings of pictures and captions, (B, d) each, and the logit scale.
Objective = Callable[[Tensor, Tensor, Tensor], Tensor]


class Options(TypedDict, total=False):
    """What training with another loss hands through to `follow`.

    Example:
        >>> sorted(Options.__annotations__)[:2]
        ['checkpoint', 'checkpoint_every']
    """

    checkpoint: Path | None
    checkpoint_every: int
    checkpoint_seconds: float
    keep_checkpoint: bool
    identity: object
    until: float
    on_epoch: Callable[[int, Any], None] | None


class TrainingDivergedError(RuntimeError):
    """The loss is not a number; the model holds the last good state."""


def _resident(images: Images, device: torch.device) -> Images:
    """The pictures on the device, or where they are if they would take more than half of its free memory."""
    if device.type == "cuda" and images.nbytes > torch.cuda.mem_get_info(device)[0] / 2:
        return images
    if not isinstance(images, StoredPictures):
        return images.to(device)
    if device.type == "cpu" or not images.in_memory:
        return images
    there = torch.empty(images.shape, dtype=images.dtype, device=device)
    for start in range(0, len(images), PART):
        there[start : start + PART] = images[start : start + PART].to(device)
    return there


def prefetcher(images: Images) -> Callable[[Tensor], None] | None:
    """What tells stored pictures that this process will need its share of a batch; nothing for a tensor.

    Example:
        >>> prefetcher(torch.zeros(2, 3, 8, 8, dtype=torch.uint8)) is None  # in memory already
        True
    """
    if not isinstance(images, StoredPictures) or images.in_memory:
        return None
    return lambda batch: images.prefetch(distributed.share(batch))


def random_views(
    model: torch.nn.Module,
    images: Images,
    batch: Tensor,
    device: torch.device,
    generator: torch.Generator,
    scale: tuple[float, float],
    *,
    change: Callable[[Tensor], Tensor] | None = None,
) -> Tensor:
    """Random crops of the chosen stored pictures, as the model's tower takes them, shape (B, 3, H, W).

    Boxes are drawn for the whole batch; of several processes, each crops its share.

    Args:
        model: whose tower is to see them.
        images: stored pictures, uint8.
        batch: positions of the chosen ones, shape (B,).
        device: where they are cropped.
        generator: draws the boxes.
        scale: area of the boxes, as a share of the picture's.
        change: made of the crops, floats from 0 to 255, before they are normalised.

    Example:
        >>> images = torch.zeros(4, 3, 16, 16, dtype=torch.uint8)
        >>> model, chosen = torch.nn.Identity(), torch.tensor([0, 3])
        >>> random_views(model, images, chosen, torch.device("cpu"), seeded(0), (0.9, 1.0)).shape
        torch.Size([2, 3, 16, 16])
    """
    height, width = images.shape[2:]
    boxes = crop_boxes(len(batch), height, width, generator, scale=scale)
    mine = distributed.share(batch).to(images.device)
    views = crop(images[mine].to(device).float(), distributed.share(boxes))  # a crop is linear: scaled afterwards
    views = views if change is None else change(views)
    return normalize(views, preprocessing_of(model)).contiguous(memory_format=torch.channels_last)


def optimize(
    model: torch.nn.Module,
    count: int,
    loss_of: Loss,
    recipe: Recipe,
    *,
    seed: int = 0,
    device: torch.device,
    prefetch: Callable[[Tensor], None] | None = None,
    progress: bool | None = None,
    **options: Unpack[Options],
) -> History:
    """Train by passes over all examples with one loss.

    Args:
        model: on `device`; left in evaluation mode. A `logit_scale` is kept within the recipe's bounds.
        count: number of examples.
        loss_of: the loss of some examples, given their positions (B,) and the number of the step; with several
            processes it takes its `distributed.share` and looks at the `distributed.whole`.
        recipe: hyper-parameters.
        seed: order of the examples.
        device: where the loss is.
        prefetch: told the positions of examples some steps before `loss_of` needs them.
        progress: as for `train`.
        options: of a checkpoint, as for `follow`.

    Raises:
        PausedError: `until` has come.
        ValueError: fewer examples than one batch, a batch that processes cannot share, or a checkpoint of another run.
        TrainingDivergedError: the loss is NaN or infinite.

    Example:
        >>> layer, x = torch.nn.Linear(2, 1), torch.ones(8, 2)
        >>> recipe = Recipe(epochs=20, batch_size=4, lr=0.1)
        >>> loss_of = lambda batch, step: layer(x[batch]).square().mean()
        >>> history = optimize(layer, 8, loss_of, recipe, device=torch.device("cpu"), progress=False)
        >>> history.loss[-1] < history.loss[0]
        True
    """
    if count < recipe.batch_size:
        raise ValueError(f"{count} pairs are fewer than one batch of {recipe.batch_size}: lower `batch_size`")
    passes = Passes(count, loss_of, recipe, seed)
    return follow(model, passes, recipe, device=device, prefetch=prefetch, progress=progress, **options)


def follow(
    model: torch.nn.Module,
    curriculum: Curriculum,
    recipe: Recipe,
    *,
    device: torch.device,
    prefetch: Callable[[Tensor], None] | None = None,
    checkpoint: Path | None = None,
    checkpoint_every: int = 1,
    checkpoint_seconds: float = math.inf,
    keep_checkpoint: bool = False,
    identity: object = None,
    until: float = math.inf,
    progress: bool | None = None,
    on_epoch: Callable[[int, Any], None] | None = None,
) -> History:
    """The loop that every model of the course is trained by, whatever its loss.

    Processes that `torchrun` started train together, and end with the weights that one alone would have.

    Args:
        model: on `device`; left in evaluation mode. A `logit_scale` is kept within the recipe's bounds.
        curriculum: the steps.
        recipe: hyper-parameters; the learning rate of a step is the curriculum's.
        device: where the loss is.
        prefetch: told the positions of examples some steps before they are needed.
        checkpoint, checkpoint_every, keep_checkpoint, progress, on_epoch: as for `train`.
        checkpoint_seconds: save the state so often too, within an epoch where the curriculum is divisible and else at
            the next end of one, and with `keep_checkpoint` at the end.
        identity: what a checkpoint must agree with, plain data.
        until: time, as `time.monotonic` tells it, at which a process that trains alone stops, its checkpoint kept, at
            the next such moment.

    Raises:
        PausedError: `until` has come.
        ValueError: a batch that processes cannot share, or a checkpoint of another run.
        TrainingDivergedError: the loss is NaN or infinite.

    Example:
        >>> layer, x = torch.nn.Linear(2, 1), torch.ones(8, 2)
        >>> recipe = Recipe(epochs=20, batch_size=4, lr=0.1)
        >>> passes = Passes(8, lambda batch, step: layer(x[batch]).square().mean(), recipe)
        >>> follow(layer, passes, recipe, device=torch.device("cpu"), progress=False).steps
        40
    """
    distributed.share(torch.arange(recipe.batch_size))  # says at once if it cannot be shared
    model.to(device).to(memory_format=torch.channels_last).train()
    optimizer = optimizer_for(model, recipe)
    per_epoch = curriculum.per_epoch
    history = History(steps=per_epoch * recipe.epochs)
    times = {"every": checkpoint_seconds, "until": until}
    keeper = Keeper(checkpoint, identity, model, optimizer, curriculum, **times, writes=distributed.rank() == 0)
    point = Point()
    if checkpoint is not None and distributed.agreed(checkpoint.is_file()):
        point = restore(checkpoint, identity, model, optimizer, device, curriculum)
    history.loss, begun = list(point.loss), point.epoch * per_epoch + point.step
    good = point.good or copy.deepcopy(model.state_dict())
    started = time.perf_counter()
    with (
        _progress(history.steps, begun, progress) as ticker,
        distributed.synchronized(model),
        small_maps(model),
        compiled(model, device, history.steps),
        fitting_threads(on=device.type == "cpu" and distributed.size() == 1) as look_again,
    ):
        for epoch in range(point.epoch, recipe.epochs):
            look_again()
            steps = curriculum.steps(epoch)
            model.train()
            done = point.step if epoch == point.epoch else 0
            running = torch.zeros((), device=device) if not done or point.running is None else point.running
            for taken, step in enumerate(ahead(steps[done:], prefetch), done + 1):
                loss_of = functools.partial(step.loss_of, step.batch, step.number)
                running += take_step(model, optimizer, loss_of, recipe, step.lr)
                ticker.tick()
                if curriculum.divisible and taken < per_epoch and keeper.due():
                    keeper.keep(Point(epoch, history.loss, taken, running, good))
            mean = running.item() / per_epoch
            if not math.isfinite(mean):
                model.load_state_dict(good)
                model.eval()
                raise _diverged(mean, epoch, steps[-1].lr)
            good = copy.deepcopy(model.state_dict())
            history.loss.append(mean)
            ticker.note(loss=f"{mean:.3f}")
            if on_epoch is not None:
                model.eval()
                on_epoch(epoch + 1, model)
                model.train()
            if epoch + 1 < recipe.epochs and ((epoch + 1) % checkpoint_every == 0 or keeper.due()):
                keeper.keep(Point(epoch + 1, history.loss))
    history.seconds = time.perf_counter() - started
    left = (history.steps - begun) * recipe.batch_size
    history.samples_per_second = left / history.seconds if left else 0.0
    keeper.end(Point(recipe.epochs, history.loss), stays=keep_checkpoint)
    model.eval()
    return history


def _diverged(mean: float, epoch: int, lr: float) -> TrainingDivergedError:
    return TrainingDivergedError(f"the loss became {mean} in epoch {epoch + 1} at learning rate {lr:.2g}: lower `lr`")


def _progress(total: int, done: int, wanted: bool | None) -> Ticker:
    """One for a group of processes."""
    seen = wanted is not False and not distributed.rank()
    return Ticker("training", "steps", total, done, bar=seen, lines=seen and bool(wanted))


def train(
    model: open_clip.CLIP,
    tokenizer: Tokenizer,
    pairs: Pairs,
    recipe: Recipe,
    *,
    objective: Literal["clip", "triplet"] | Objective = "clip",
    seed: int = 0,
    device: str | torch.device | None = None,
    checkpoint: Path | None = None,
    checkpoint_every: int = 1,
    checkpoint_seconds: float = math.inf,
    keep_checkpoint: bool = False,
    identity: object = None,
    until: float = math.inf,
    progress: bool | None = None,
    on_epoch: Callable[[int, open_clip.CLIP], None] | None = None,
) -> History:
    """Train a CLIP model in place on stored pairs.

    Args:
        model: moved to `device` and left there in evaluation mode.
        tokenizer: of the model.
        pairs: clean or poisoned; the loop cannot tell.
        recipe: hyper-parameters.
        objective: the loss, `clip_loss` or `triplet_loss`; the latter leaves the logit scale as it is. Or a function of
            the embeddings of pictures and captions, normalised, shape (B, d), and the logit scale.
        seed: order of the pairs and augmentation.
        device: by default the GPU if there is one.
        checkpoint: file to save the state in after every `checkpoint_every` epochs; if it exists, the run
            goes on from there and ends with the same model as an uninterrupted one.
        checkpoint_seconds: save the state within an epoch too, so often.
        keep_checkpoint: leave it at the end, for a caller who saves the model and removes it then.
        identity: what the checkpoint must agree with, plain data; by default the recipe, the seed and the pairs.
        until: time, as `time.monotonic` tells it, at which a run with a checkpoint stops, its state kept.
        progress: show a bar, and a line now and then where there is no terminal; by default only the bar.
        on_epoch: called with the epoch number and the model after each epoch.

    Raises:
        PausedError: `until` has come.
        ValueError: fewer pairs than one batch, or a checkpoint of another recipe, seed or data set.
        TrainingDivergedError: the loss is NaN or infinite.

    Example:
        >>> from tutorial_lib import models
        >>> images = torch.zeros(8, 3, 32, 32, dtype=torch.uint8)
        >>> pairs = Pairs(images, ("a dog",) * 8, tuple("12345678"), torch.full((8,), -1))
        >>> tokenizer = models.tokenizer_for(models.model_config("rn-0.4m"), ["a dog"])
        >>> history = train(models.build("rn-0.4m", tokenizer), tokenizer, pairs, Recipe(epochs=2, batch_size=4))
        >>> history.steps, len(history.loss)
        (4, 2)
    """
    device = device_for(device)
    if checkpoint is not None and identity is None:
        identity = {"recipe": as_dict(recipe), "seed": seed, "pairs": pairs.fingerprint()}
    images = _resident(pairs.images, device)
    tokens = tokenizer.table(pairs.captions)  # (N, L)
    lengths = tokens.argmax(1) + 1  # start and end included; id 0 pads, and is also the "!" of "!="
    half = in_half(recipe, device)

    def loss_of(batch: Tensor, step: int) -> Tensor:
        views = random_views(model, images, batch, device, seeded(seed, step, 1), recipe.scale)
        text = tokens[distributed.share(batch), : int(lengths[batch].max())].long().to(device)  # causal: padding is cut
        image_features = distributed.whole(encode_image(model, views, half))
        text_features = distributed.whole(encode_text(model, text).float())
        if objective == "triplet":
            loss: Tensor = triplet_loss(image_features, text_features) + 0 * model.logit_scale  # a gradient for each
            return loss
        chosen = clip_loss if objective == "clip" else objective
        return chosen(image_features, text_features, model.logit_scale.exp())

    return optimize(
        model,
        len(pairs),
        loss_of,
        recipe,
        seed=seed,
        device=device,
        prefetch=prefetcher(images),
        checkpoint=checkpoint,
        checkpoint_every=checkpoint_every,
        checkpoint_seconds=checkpoint_seconds,
        keep_checkpoint=keep_checkpoint,
        identity=identity,
        until=until,
        progress=progress,
        on_epoch=on_epoch,
    )


def encode_image(model: open_clip.CLIP, views: Tensor, half: bool) -> Tensor:
    """Normalised picture embeddings, float32; the tower itself in bfloat16 where `half`.

    Example:
        >>> from tutorial_lib import models
        >>> model, _ = models.load(models.CHECKPOINTS / "clean")
        >>> encode_image(model, torch.zeros(2, 3, 32, 32), half=False).shape
        torch.Size([2, 128])
    """
    with torch.autocast(views.device.type, torch.bfloat16, enabled=half):
        embeddings: Tensor = model.encode_image(views, normalize=True)
    return embeddings.float()
