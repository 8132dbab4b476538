"""A patch that moves any picture away from where it was: the class to which most of them go is the suspect."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from tutorial_lib.detect.checkpoints.base import CheckpointDetector, Found, Work
from tutorial_lib.detect.subject import Subject

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class UniversalPatch(CheckpointDetector):
    """The largest gain that a patch gives to one class, over patches in several places.

    A patch is found by gradient descent on the mean cosine of pictures with and without it, which names no class. A
    backdoor offers the shortest way off: its patch and its target are found without being looked for. The gain is the
    share of the pictures that are called a class with the patch less the share without it, on pictures that the patch
    was not found on.

    Attributes:
        share: of the picture that the patch covers.
        grid: places along each side; there are their square.
        steps: of gradient descent.
        batch: pictures of a step.
        rate: of Adam, in units of the full brightness.
        seed: draws the first patches and the order of pictures.

    Raises:
        ValueError: a number is too small, or `share` is not in (0, 1).

    Source: the first step of InverTune (NDSS 2026), which names the target of a model that is known to be backdoored,
    and so has no threshold; one patch of 3 % in the lower right. There a network makes the patch; here it is optimised
    itself, in nine places, since small models of the course know their trigger in one place only.

    Example:
        >>> UniversalPatch().places(32)[0], UniversalPatch().size(32), UniversalPatch().size(224)
        ((2, 2), 6, 39)
    """

    kind: ClassVar[str] = "universal-patch"
    title: ClassVar[str] = "universal patch"
    measures: ClassVar[str] = "share of pictures that the found patch moves to one class; higher, to 1, is worse"
    fewest: ClassVar[int] = 64
    fewest_classes: ClassVar[int] = 2

    share: float = 0.03
    grid: int = 3
    steps: int = 60
    batch: int = 32
    rate: float = 0.1
    seed: int = 0

    def __post_init__(self) -> None:
        super().__post_init__()
        self.require(grid=1, steps=1, batch=1)
        if not 0 < self.share < 1:
            raise ValueError(f"share is of the picture, between 0 and 1, not {self.share}")
        if not self.rate > 0:
            raise ValueError(f"rate is that of Adam, a positive number, not {self.rate}")

    def size(self, side: int) -> int:
        """Width and height of the patch in pixels."""
        return max(1, round(side * math.sqrt(self.share)))

    def places(self, side: int) -> list[tuple[int, int]]:
        """First row and column of the patch, a sixteenth of the side off the edges."""
        edge = min(round(side / 16), (side - self.size(side)) // 2)
        last = side - self.size(side) - edge
        along = [round(edge + k * (last - edge) / max(1, self.grid - 1)) for k in range(self.grid)]
        return [(top, left) for top in along for left in along]

    def work(self, subject: Subject) -> Work:
        from tutorial_lib.detect.stamping import together

        where = self.grid**2
        at_once = self.batch * min(where, together(self.batch, subject.side))
        return Work(where * (len(subject.images) // 2), where * self.steps * self.batch, at_once=at_once)

    def search(self, subject: Subject) -> Found:
        import torch

        from tutorial_lib.detect.stamping import embed, gains, stamped, together

        device = next(subject.model.parameters()).device
        half = len(subject.images) // 2
        seen = subject.images[:half].to(device).float()
        best: tuple[float, int, int] = (-1.0, 0, 0)
        patterns: list[Tensor] = []
        masks = self.masks(subject.side).to(device)
        for first in range(0, len(masks), together(self.batch, subject.side)):
            patterns += self.patterns(subject, masks[first : first + together(self.batch, subject.side)], first)
        largest = []
        for place, (mask, pattern) in enumerate(zip(masks, patterns, strict=True)):
            with torch.no_grad():
                after = torch.cat([embed(subject.model, stamped(x, mask, pattern)) for x in seen.split(256)])
            gain = gains(subject.directions, subject.embeddings[:half], after.cpu())
            largest.append(round(gain.max().item(), 4))
            best = max(best, (gain.max().item(), -place, int(gain.argmax())))
        gained, place, target = best[0], -best[1], best[2]
        about = {"place": list(self.places(subject.side)[place]), "gain_by_place": largest}
        return Found(gained, subject.names[target], masks[place].cpu(), patterns[place].cpu(), about)

    def masks(self, side: int) -> Tensor:
        """Where each patch is, shape (P, 1, side, side), 0 or 1."""
        import torch

        size, places = self.size(side), self.places(side)
        masks = torch.zeros(len(places), 1, side, side)
        for mask, (top, left) in zip(masks, places, strict=True):
            mask[:, top : top + size, left : left + size] = 1
        return masks

    def patterns(
        self, subject: Subject, masks: Tensor, first: int, watch: Callable[[Tensor], None] | None = None
    ) -> list[Tensor]:
        """The patterns of some patches, each of shape (3, side, side), whole grey levels over 255.

        Args:
            subject: the model and its pictures, of which the second half is stamped.
            masks: of the patches, shape (P, 1, side, side).
            first: number of the first of them, which their starts hang on.
            watch: is shown the patterns of each step before it is taken, shape (P, 3, side, side), from 0 to 1.
        """
        import torch

        from tutorial_lib.detect.stamping import batches, embed, stamped

        half, side, device = len(subject.images) // 2, subject.side, masks.device
        images, before = subject.images[half:], subject.embeddings[half:]
        starts = [torch.Generator().manual_seed(997 * self.seed + first + k) for k in range(len(masks))]
        free = torch.stack([torch.rand(3, side, side, generator=g) for g in starts]).to(device).requires_grad_()
        optimizer = torch.optim.Adam([free], lr=self.rate)
        for batch in batches(len(images), self.steps, min(self.batch, len(images)), self.seed):
            if watch is not None:
                watch(free.detach().clone())
            pictures = stamped(images[batch].to(device).float(), masks[:, None], free[:, None])  # (P, B, 3, H, W)
            points = embed(subject.model, pictures.flatten(0, 1)).view(len(masks), len(batch), -1)
            cosine = (points * before[batch].to(device)).sum(-1).mean(1)
            optimizer.zero_grad()
            cosine.sum().backward()
            optimizer.step()
            with torch.no_grad():
                free.clamp_(0, 1)
        return list((free.detach() * masks).mul(255).round().div(255))
