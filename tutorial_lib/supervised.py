"""A supervised classifier on the same pictures, for comparison. Introduced in chapter 6.

The image tower, the augmentation, the optimizer and the schedule are those of `train`; the loss is the cross entropy
of a linear head over the class labels, and captions play no part.
"""

from __future__ import annotations

import copy
import math
import time

import torch
import torch.nn.functional as F
from torch import Tensor

from tutorial_lib.augment import normalize, random_resized_crop
from tutorial_lib.train import History, Recipe, TrainingDivergedError, native_bfloat16, optimizer_for, seeded


class Classifier(torch.nn.Module):
    """An image tower with a linear head over classes.

    Args:
        visual: the image tower of a CLIP model, pictures to embeddings of size `width`.
        width: embedding size.
        classes: number of classes.
        seed: initialisation of the head.
    """

    def __init__(self, visual: torch.nn.Module, width: int, classes: int, *, seed: int = 0) -> None:
        super().__init__()
        self.visual = visual
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self.head = torch.nn.Linear(width, classes)

    def encode_image(self, images: Tensor, normalize: bool = False) -> Tensor:
        """Embeddings, as a CLIP model gives them, shape (N, width)."""
        points = self.visual(images)
        return F.normalize(points, dim=-1) if normalize else points

    def forward(self, images: Tensor) -> Tensor:
        """Scores of each class, shape (N, C); the head sees normalised embeddings, scaled as CLIP's are."""
        return self.head(10 * self.encode_image(images, normalize=True))


def train_classifier(
    model: Classifier,
    images: Tensor,
    labels: Tensor,
    recipe: Recipe,
    *,
    seed: int = 0,
    device: str | torch.device | None = None,
) -> History:
    """Train a classifier in place.

    Args:
        model: moved to `device` and left there in evaluation mode.
        images: shape (N, 3, H, W), uint8.
        labels: what the data set says they are, shape (N,), int64.
        recipe: hyper-parameters, as for CLIP.
        seed: order of the pictures and augmentation.
        device: by default the GPU if there is one.

    Raises:
        ValueError: fewer pictures than one batch.
        TrainingDivergedError: the loss is NaN or infinite.
    """
    if len(images) < recipe.batch_size:
        raise ValueError(f"{len(images)} pictures are fewer than one batch of {recipe.batch_size}: lower batch_size")
    device = torch.device(device or ("cuda" if torch.cuda.is_available() else "cpu"))
    model.to(device).to(memory_format=torch.channels_last).train()
    images, labels = images.to(device), labels.to(device)
    optimizer = optimizer_for(model, recipe)
    half = recipe.precision == "bfloat16" or (recipe.precision == "auto" and native_bfloat16(device))
    steps = len(images) // recipe.batch_size
    total = recipe.steps(len(images))
    history = History(steps=total)
    started = time.perf_counter()
    for epoch in range(recipe.epochs):
        good = copy.deepcopy(model.state_dict())
        order = torch.randperm(len(images), generator=seeded(seed, epoch)).to(device)
        running = torch.zeros((), device=device)
        for k in range(steps):
            step = epoch * steps + k
            batch = order[k * recipe.batch_size : (k + 1) * recipe.batch_size]
            views = random_resized_crop(normalize(images[batch]), seeded(seed, step, 1), scale=recipe.scale)
            for group in optimizer.param_groups:
                group["lr"] = recipe.lr_at(step, total)
            optimizer.zero_grad(set_to_none=True)
            with torch.autocast(device.type, torch.bfloat16, enabled=half):
                scores = model(views.contiguous(memory_format=torch.channels_last))
            loss = F.cross_entropy(scores.float(), labels[batch])
            loss.backward()
            optimizer.step()
            running += loss.detach()
        mean = running.item() / steps
        if not math.isfinite(mean):
            model.load_state_dict(good)
            model.eval()
            raise TrainingDivergedError(f"the loss became {mean} in epoch {epoch + 1}: lower lr")
        history.loss.append(mean)
    history.seconds = time.perf_counter() - started
    history.samples_per_second = total * recipe.batch_size / history.seconds
    model.eval()
    return history


@torch.no_grad()
def read_with_head(model: Classifier, embeddings: Tensor) -> Tensor:
    """Predicted class of each normalised embedding, shape (N,), int64, on the CPU."""
    device = model.head.weight.device
    return model.head(10 * embeddings.to(device)).argmax(dim=1).cpu()
