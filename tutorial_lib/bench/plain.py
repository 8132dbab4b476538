"""What one would write first: a data set that decodes a picture at a time, a data loader, a model and an optimizer."""

from __future__ import annotations

import io
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import open_clip
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor
from torch.utils.data import DataLoader, Dataset
from torchvision import transforms

from tutorial_lib import models
from tutorial_lib.data.shards import samples
from tutorial_lib.models.inputs import MEAN, STD
from tutorial_lib.trials import Recipe


class Pictures(Dataset[tuple[Tensor, Tensor]]):
    """Encoded pictures and token ids in memory; each picture is decoded and cropped when it is asked for."""

    def __init__(self, shards: Sequence[Path], side: int, context_length: int, scale: tuple[float, float]) -> None:
        found = list(samples(shards))
        self.files = [sample.picture for sample in found]
        self.tokens = open_clip.tokenize([sample.caption for sample in found], context_length)
        self.views = transforms.Compose(
            [
                transforms.RandomResizedCrop(side, scale, interpolation=transforms.InterpolationMode.BICUBIC),
                transforms.ToTensor(),
                transforms.Normalize(MEAN, STD),
            ]
        )

    def __len__(self) -> int:
        return len(self.files)

    def __getitem__(self, i: int) -> tuple[torch.Tensor, torch.Tensor]:
        return self.views(Image.open(io.BytesIO(self.files[i])).convert("RGB")), self.tokens[i]


def plain_loop(
    shards: Sequence[Path], config: dict[str, Any], recipe: Recipe, *, seed: int = 0, workers: int = 1
) -> float:
    """Samples per second, from the second step on, on the CPU.

    Args:
        shards: training data.
        config: the model, with CLIP's whole vocabulary.
        recipe: epochs, batch and optimizer.
        seed: of the weights and the order.
        workers: data loading processes, as `open_clip_train` has them.
    """
    side, length = config["vision_cfg"]["image_size"], config["text_cfg"]["context_length"]
    model = models.build(config, seed=seed).train()
    optimizer = torch.optim.AdamW(model.parameters(), recipe.lr, recipe.betas, recipe.eps, recipe.weight_decay)
    generator = torch.Generator().manual_seed(seed)
    data = Pictures(shards, side, length, recipe.scale)
    loader = DataLoader(data, recipe.batch_size, shuffle=True, num_workers=workers, drop_last=True, generator=generator)
    started, steps = 0.0, 0
    for _ in range(recipe.epochs):
        for pictures, text in loader:
            optimizer.zero_grad()
            image = F.normalize(model.encode_image(pictures), dim=-1)
            words = F.normalize(model.encode_text(text), dim=-1)
            logits = model.logit_scale.exp() * image @ words.T
            target = torch.arange(len(logits))
            loss = (F.cross_entropy(logits, target) + F.cross_entropy(logits.T, target)) / 2
            loss.backward()
            optimizer.step()
            if steps == 0:
                started = time.perf_counter()
            steps += 1
    return (steps - 1) * recipe.batch_size / (time.perf_counter() - started)
