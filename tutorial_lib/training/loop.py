"""One training loop. Introduced in the chapter on CLIP from scratch; every model of the course comes out of it."""

from __future__ import annotations

import copy
import functools
import math
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Literal, TypedDict

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
from tutorial_lib.training.device import device_for, in_half, seeded
from tutorial_lib.trials import History, Recipe
from tutorial_lib.trials.schema import as_dict

#: Pictures that go to a GPU at a time.
PART = 65_536
#: Batches whose pictures are decoded ahead.
AHEAD = 2


class Options(TypedDict, total=False):
    """What training with another loss hands through to `optimize`.

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


def optimizer_for(model: torch.nn.Module, recipe: Recipe) -> torch.optim.Optimizer:
    """The recipe's optimizer; weight decay acts on matrices only.

    Example:
        >>> decay = [group["weight_decay"] for group in optimizer_for(torch.nn.Linear(2, 2), Recipe()).param_groups]
        >>> decay  # matrices, and vectors
        [0.1, 0.0]
    """
    matrices = [p for p in model.parameters() if p.requires_grad and p.ndim >= 2]
    vectors = [p for p in model.parameters() if p.requires_grad and p.ndim < 2]
    groups = [{"params": matrices, "weight_decay": recipe.weight_decay}, {"params": vectors, "weight_decay": 0.0}]
    if recipe.optimizer == "sgd":
        return torch.optim.SGD(groups, lr=recipe.lr, momentum=recipe.betas[0])
    return torch.optim.AdamW(groups, lr=recipe.lr, betas=recipe.betas, eps=recipe.eps, fused=True)


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
) -> Tensor:
    """Random crops of the chosen stored pictures, as the model's tower takes them, shape (B, 3, H, W).

    Boxes are drawn for the whole batch; of several processes, each crops its share.

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
    return normalize(views, preprocessing_of(model)).contiguous(memory_format=torch.channels_last)


def optimize(
    model: torch.nn.Module,
    count: int,
    loss_of: Callable[[Tensor, int], Tensor],
    recipe: Recipe,
    *,
    seed: int = 0,
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
        count: number of examples.
        loss_of: the loss of some examples, given their positions (B,) and the number of the step; with several
            processes it takes its `distributed.share` and looks at the `distributed.whole`.
        recipe: hyper-parameters.
        seed: order of the examples.
        device: where the loss is.
        prefetch: told the positions of examples some steps before `loss_of` needs them.
        checkpoint, checkpoint_every, keep_checkpoint, progress, on_epoch: as for `train`.
        checkpoint_seconds: save the state within an epoch too, so often, and with `keep_checkpoint` at the end.
        identity: what a checkpoint must agree with, plain data.
        until: time, as `time.monotonic` tells it, at which a process that trains alone stops, its checkpoint kept.

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
        raise ValueError(f"{count} pairs are fewer than one batch of {recipe.batch_size}: lower batch_size")
    distributed.share(torch.arange(recipe.batch_size))  # says at once if it cannot be shared
    model.to(device).to(memory_format=torch.channels_last).train()
    optimizer = optimizer_for(model, recipe)
    steps_per_epoch = count // recipe.batch_size
    total = recipe.steps(count)
    history = History(steps=total)
    times = {"every": checkpoint_seconds, "until": until}
    keeper = Keeper(checkpoint, identity, model, optimizer, **times, writes=distributed.rank() == 0)
    point = Point()
    if checkpoint is not None and distributed.agreed(checkpoint.is_file()):
        point = restore(checkpoint, identity, model, optimizer, device)
    history.loss, begun = list(point.loss), point.epoch * steps_per_epoch + point.step
    good = point.good or copy.deepcopy(model.state_dict())
    started = time.perf_counter()
    with (
        _progress(total, begun, progress) as ticker,
        distributed.synchronized(model),
        small_maps(model),
        compiled(model, device, total),
        fitting_threads(on=device.type == "cpu" and distributed.size() == 1) as look_again,
    ):
        for epoch in range(point.epoch, recipe.epochs):
            look_again()
            order = torch.randperm(count, generator=seeded(seed, epoch))
            batches = order[: steps_per_epoch * recipe.batch_size].split(recipe.batch_size)
            done = point.step if epoch == point.epoch else 0
            running = torch.zeros((), device=device) if not done or point.running is None else point.running
            for step, batch in enumerate(ahead(batches[done:], prefetch), epoch * steps_per_epoch + done):
                lr = recipe.lr_at(step, total)
                running += take_step(model, optimizer, functools.partial(loss_of, batch, step), recipe, lr)
                ticker.tick()
                if (taken := step + 1 - epoch * steps_per_epoch) < steps_per_epoch and keeper.due():
                    keeper.keep(Point(epoch, history.loss, taken, running, good))
            mean = running.item() / steps_per_epoch
            if not math.isfinite(mean):
                model.load_state_dict(good)
                model.eval()
                raise _diverged(mean, epoch, recipe.lr_at((epoch + 1) * steps_per_epoch - 1, total))
            good = copy.deepcopy(model.state_dict())
            history.loss.append(mean)
            ticker.note(loss=f"{mean:.3f}")
            if on_epoch is not None:
                model.eval()
                on_epoch(epoch + 1, model)
                model.train()
            if (epoch + 1) % checkpoint_every == 0 and epoch + 1 < recipe.epochs:
                keeper.keep(Point(epoch + 1, history.loss))
    history.seconds = time.perf_counter() - started
    history.samples_per_second = (total - begun) * recipe.batch_size / history.seconds if total > begun else 0.0
    keeper.end(Point(recipe.epochs, history.loss), stays=keep_checkpoint)
    model.eval()
    return history


def _diverged(mean: float, epoch: int, lr: float) -> TrainingDivergedError:
    return TrainingDivergedError(
        f"the loss became {mean} in epoch {epoch + 1} at learning rate {lr:.2g}; the model holds the state of the "
        "epoch before. Lower lr."
    )


def _progress(total: int, done: int, wanted: bool | None) -> Ticker:
    """One for a group of processes."""
    seen = wanted is not False and not distributed.rank()
    return Ticker("training", "steps", total, done, bar=seen, lines=seen and bool(wanted))


def take_step(
    model: torch.nn.Module, optimizer: torch.optim.Optimizer, loss_of: Callable[[], Tensor], recipe: Recipe, lr: float
) -> Tensor:
    """One step at a learning rate; returns the loss, detached.

    Example:
        >>> layer = torch.nn.Linear(1, 1)
        >>> optimizer = optimizer_for(layer, Recipe())
        >>> before = layer.weight.item()
        >>> loss = take_step(layer, optimizer, lambda: layer(torch.ones(1, 1)).square().sum(), Recipe(), lr=0.1)
        >>> layer.weight.item() != before
        True
    """
    for group in optimizer.param_groups:
        group["lr"] = lr
    optimizer.zero_grad(set_to_none=True)
    loss = loss_of()
    loss.backward()
    distributed.average_gradients(model)
    optimizer.step()
    clamp_logit_scale(model, recipe)
    return loss.detach()


def ahead(batches: Sequence[Tensor], prefetch: Callable[[Tensor], None] | None) -> Iterator[Tensor]:
    """The batches in their order; `prefetch` is told of each one `AHEAD` steps before.

    Example:
        >>> told: list[int] = []
        >>> batches = torch.arange(10).split(2)
        >>> _ = next(ahead(batches, lambda batch: told.extend(batch.tolist())))
        >>> told  # the first batch and the next two
        [0, 1, 2, 3, 4, 5]
    """
    for k, batch in enumerate(batches):
        if prefetch is not None:
            for soon in batches[: AHEAD + 1] if k == 0 else batches[k + AHEAD : k + AHEAD + 1]:
                prefetch(soon)
        yield batch


@torch.no_grad()
def clamp_logit_scale(model: torch.nn.Module, recipe: Recipe) -> None:
    """Keep the logit scale of a CLIP model between 1 and the recipe's bound.

    Example:
        >>> model = torch.nn.Module()
        >>> model.logit_scale = torch.nn.Parameter(torch.tensor(9.0))
        >>> clamp_logit_scale(model, Recipe(max_logit_scale=100.0))
        >>> round(model.logit_scale.exp().item())
        100
    """
    logit_scale = getattr(model, "logit_scale", None)
    if logit_scale is not None:
        logit_scale.clamp_(0, math.log(recipe.max_logit_scale))


def train(
    model: open_clip.CLIP,
    tokenizer: Tokenizer,
    pairs: Pairs,
    recipe: Recipe,
    *,
    objective: Literal["clip", "triplet"] = "clip",
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
        objective: the loss, `clip_loss` or `triplet_loss`; the latter leaves the logit scale as it is.
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
        return clip_loss(image_features, text_features, model.logit_scale.exp())

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
