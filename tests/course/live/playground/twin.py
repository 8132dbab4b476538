"""The playground's model in PyTorch, with the weights that its JavaScript has."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

CHANNELS = (3, 16, 32, 64)
#: Name -> (start, length) in the array of all numbers.
Layout = Mapping[str, Sequence[int]]


class Twin(nn.Module):
    """Three convolutions and a bag of words."""

    def __init__(self, words: int) -> None:
        super().__init__()
        steps = list(itertools.pairwise(CHANNELS))
        self.convolutions = nn.ModuleList(nn.Conv2d(a, b, 3, stride=2, padding=1, bias=False) for a, b in steps)
        self.norms = nn.ModuleList(nn.BatchNorm2d(b) for _, b in steps)
        self.project = nn.Linear(4 * 4 * CHANNELS[-1], 64, bias=False)
        self.words = nn.EmbeddingBag(words, 64, mode="mean")
        self.logit_scale = nn.Parameter(torch.zeros(1))

    def forward(self, pictures: Tensor, captions: Sequence[Sequence[int]]) -> tuple[Tensor, Tensor]:
        """Normalized embeddings of pictures (N, 32, 32, 3), scaled as the scripts do, and of lists of words."""
        x = pictures.permute(0, 3, 1, 2)
        for convolution, norm in zip(self.convolutions, self.norms, strict=True):
            x = F.relu(norm(convolution(x)))
        starts = torch.tensor([0, *(len(c) for c in captions)]).cumsum(0)[:-1]
        text = self.words(torch.tensor([w for c in captions for w in c]), starts)
        return F.normalize(self.project(x.flatten(1)), dim=1), F.normalize(text, dim=1)

    def places(self) -> dict[str, Tensor]:
        """The tensors by the names that the scripts give them."""
        found: dict[str, Tensor] = {"project.weight": self.project.weight, "words.weight": self.words.weight}
        for k, (convolution, norm) in enumerate(zip(self.convolutions, self.norms, strict=True)):
            found |= {f"conv{k}.weight": convolution.weight, f"norm{k}.weight": norm.weight, f"norm{k}.bias": norm.bias}
            found |= {f"norm{k}.running_mean": norm.running_mean, f"norm{k}.running_var": norm.running_var}
        return found | {"logit_scale": self.logit_scale}

    def load(self, state: Tensor, layout: Layout) -> Twin:
        with torch.no_grad():
            for name, tensor in self.places().items():
                tensor.copy_(part(state, layout, name))
        return self


def part(state: Tensor, layout: Layout, name: str) -> Tensor:
    """One tensor of the array of all numbers, or of their gradients, in PyTorch's order of dimensions."""
    start, length = layout[name]
    values = state[start : start + length]
    if name.startswith("conv"):
        inputs, outputs = CHANNELS[int(name[4])], CHANNELS[int(name[4]) + 1]
        taps = values.view(-1, outputs)
        assert not taps[9 * inputs :].any(), "rows that only fill up have become something"
        return taps[: 9 * inputs].view(3, 3, inputs, outputs).permute(3, 2, 0, 1)
    if name == "project.weight":  # (rows, columns, channels) of a picture, not (channels, rows, columns)
        return values.view(4 * 4, CHANNELS[-1], 64).permute(2, 1, 0).reshape(64, -1)
    return values.view(-1, 64) if name == "words.weight" else values
