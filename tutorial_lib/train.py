"""One training loop. Introduced in chapter 2; every model of the course comes out of it."""

from __future__ import annotations

import copy
import math
import os
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import open_clip
import torch
from torch import Tensor
from tqdm.auto import tqdm

from tutorial_lib.augment import normalize, random_resized_crop
from tutorial_lib.data.pairs import Pairs
from tutorial_lib.losses import clip_loss
from tutorial_lib.schema import as_dict
from tutorial_lib.tokenizer import Tokenizer
from tutorial_lib.trials import Recipe


class TrainingDivergedError(RuntimeError):
    """The loss is not a number; the model holds the last good state."""


@dataclass
class History:
    """What a run did: mean loss by epoch, steps, and samples per second of the part that ran here."""

    loss: list[float] = field(default_factory=list)
    steps: int = 0
    samples_per_second: float = 0.0
    seconds: float = 0.0


def native_bfloat16(device: torch.device) -> bool:
    """Whether the device multiplies bfloat16 in hardware."""
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    return device.type == "cpu" and torch.cpu._is_avx512_bf16_supported()


def optimizer_for(model: torch.nn.Module, recipe: Recipe) -> torch.optim.Optimizer:
    """The recipe's optimizer; weight decay acts on matrices only."""
    matrices = [p for p in model.parameters() if p.requires_grad and p.ndim >= 2]
    vectors = [p for p in model.parameters() if p.requires_grad and p.ndim < 2]
    groups = [{"params": matrices, "weight_decay": recipe.weight_decay}, {"params": vectors, "weight_decay": 0.0}]
    if recipe.optimizer == "sgd":
        return torch.optim.SGD(groups, lr=recipe.lr, momentum=recipe.betas[0])
    return torch.optim.AdamW(groups, lr=recipe.lr, betas=recipe.betas, eps=recipe.eps, fused=True)


def _resident(images: Tensor, device: torch.device) -> Tensor:
    """The pictures on the device, or where they are if they would take more than half of its free memory."""
    if device.type == "cuda" and images.nbytes > torch.cuda.mem_get_info(device)[0] / 2:
        return images
    return images.to(device)


def seeded(*numbers: int) -> torch.Generator:
    """A generator that depends on nothing but the numbers: an interrupted run draws what it would have drawn."""
    seed = 0
    for n in numbers:
        seed = (seed * 1_000_003 + n + 1) % (1 << 62)
    return torch.Generator().manual_seed(seed)


def train(
    model: open_clip.CLIP,
    tokenizer: Tokenizer,
    pairs: Pairs,
    recipe: Recipe,
    *,
    seed: int = 0,
    device: str | torch.device | None = None,
    checkpoint: Path | None = None,
    checkpoint_every: int = 1,
    progress: bool | None = None,
    on_epoch: Callable[[int, open_clip.CLIP], None] | None = None,
) -> History:
    """Train a CLIP model in place on stored pairs.

    Args:
        model: moved to `device` and left there in evaluation mode.
        tokenizer: of the model.
        pairs: clean or poisoned; the loop cannot tell.
        recipe: hyper-parameters.
        seed: order of the pairs and augmentation.
        device: by default the GPU if there is one.
        checkpoint: file to save the state in after every `checkpoint_every` epochs; if it exists, the run
            goes on from there and ends with the same model as an uninterrupted one. Removed at the end.
        progress: show a bar; by default only on a terminal.
        on_epoch: called with the epoch number and the model after each epoch.

    Raises:
        ValueError: fewer pairs than one batch, or a checkpoint of another recipe, seed or data set.
        TrainingDivergedError: the loss is NaN or infinite.
    """
    if len(pairs) < recipe.batch_size:
        raise ValueError(f"{len(pairs)} pairs are fewer than one batch of {recipe.batch_size}: lower batch_size")
    device = torch.device(device or ("cuda" if torch.cuda.is_available() else "cpu"))
    model.to(device, memory_format=torch.channels_last).train()
    images = _resident(pairs.images, device)
    tokens = tokenizer(pairs.captions)  # (N, L)
    lengths = tokens.argmax(1) + 1  # start and end included; id 0 pads, and is also the "!" of "!="
    optimizer = optimizer_for(model, recipe)
    half = recipe.precision == "bfloat16" or (recipe.precision == "auto" and native_bfloat16(device))
    steps_per_epoch = len(pairs) // recipe.batch_size
    total = recipe.steps(len(pairs))
    history = History(steps=total)
    first_epoch = 0
    signature = {"recipe": as_dict(recipe), "seed": seed, "pairs": pairs.fingerprint() if checkpoint else ""}
    if checkpoint is not None and checkpoint.is_file():
        first_epoch, history.loss = _restore(checkpoint, signature, model, optimizer, device)
    good = copy.deepcopy(model.state_dict())
    started = time.perf_counter()
    bar = tqdm(
        total=total,
        initial=first_epoch * steps_per_epoch,
        unit="step",
        disable=None if progress is None else not progress,
    )
    for epoch in range(first_epoch, recipe.epochs):
        order = torch.randperm(len(pairs), generator=seeded(seed, epoch))
        running = torch.zeros((), device=device)
        for k in range(steps_per_epoch):
            step = epoch * steps_per_epoch + k
            batch = order[k * recipe.batch_size : (k + 1) * recipe.batch_size]
            views = random_resized_crop(
                normalize(images[batch.to(images.device)].to(device)), seeded(seed, step, 1), scale=recipe.scale
            )
            text = tokens[batch, : int(lengths[batch].max())].to(device)  # causal text tower: padding has no effect
            for group in optimizer.param_groups:
                group["lr"] = recipe.lr_at(step, total)
            optimizer.zero_grad(set_to_none=True)
            loss = _loss(model, views.contiguous(memory_format=torch.channels_last), text, half)
            loss.backward()
            optimizer.step()
            with torch.no_grad():
                model.logit_scale.clamp_(0, math.log(recipe.max_logit_scale))
            running += loss.detach()
            bar.update()
        mean = running.item() / steps_per_epoch
        if not math.isfinite(mean):
            model.load_state_dict(good)
            model.eval()
            raise TrainingDivergedError(
                f"the loss became {mean} in epoch {epoch + 1} at learning rate {recipe.lr_at(step, total):.2g}; "
                "the model holds the state of the epoch before. Lower lr."
            )
        good = copy.deepcopy(model.state_dict())
        history.loss.append(mean)
        bar.set_postfix(loss=f"{mean:.3f}")
        if on_epoch is not None:
            model.eval()
            on_epoch(epoch + 1, model)
            model.train()
        if checkpoint is not None and (epoch + 1) % checkpoint_every == 0 and epoch + 1 < recipe.epochs:
            _store(checkpoint, signature, model, optimizer, epoch + 1, history.loss)
    bar.close()
    history.seconds = time.perf_counter() - started
    done = (recipe.epochs - first_epoch) * steps_per_epoch * recipe.batch_size
    history.samples_per_second = done / history.seconds if done else 0.0
    if checkpoint is not None:
        checkpoint.unlink(missing_ok=True)
    model.eval()
    return history


def _loss(model: open_clip.CLIP, views: Tensor, text: Tensor, half: bool) -> Tensor:
    with torch.autocast(views.device.type, torch.bfloat16, enabled=half):
        image_features = model.encode_image(views, normalize=True)
    text_features = encode_text(model, text)
    return clip_loss(image_features.float(), text_features.float(), model.logit_scale.exp())


def encode_text(model: open_clip.CLIP, text: Tensor) -> Tensor:
    """Normalised text embeddings of token ids that may be shorter than the context length."""
    length, full = text.shape[1], model.context_length
    if length == full:
        return model.encode_text(text, normalize=True)
    x = model.token_embedding(text) + model.positional_embedding[:length]
    x = model.ln_final(model.transformer(x, attn_mask=model.attn_mask[:length, :length]))
    x = x[torch.arange(len(x), device=x.device), text.argmax(dim=-1)] @ model.text_projection
    return torch.nn.functional.normalize(x, dim=-1)


def _store(path: Path, signature: dict, model, optimizer, epoch: int, loss: list[float]) -> None:
    state = {
        "signature": signature,
        "epoch": epoch,
        "loss": loss,
        "model": model.state_dict(),
        "optimizer": optimizer.state_dict(),
    }
    part = path.with_suffix(path.suffix + ".part")
    torch.save(state, part)
    os.replace(part, path)


def _restore(path: Path, signature: dict, model, optimizer, device: torch.device) -> tuple[int, list[float]]:
    try:
        state = torch.load(path, map_location=device, weights_only=True)
        found = state["signature"]
    except Exception as error:  # torch raises many kinds for a bad file
        raise ValueError(f"{path} cannot be read as the state of a run: {error}; remove it to begin anew") from error
    if found != signature:
        raise ValueError(f"{path} belongs to another run: {found}, this one is {signature}; remove the file")
    model.load_state_dict(state["model"])
    optimizer.load_state_dict(state["optimizer"])
    return state["epoch"], state["loss"]
