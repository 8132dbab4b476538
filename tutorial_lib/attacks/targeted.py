"""Targeted poisoning: one picture, many captions of another class. Introduced in chapter 3."""

from __future__ import annotations

from dataclasses import dataclass
from functools import reduce
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from tutorial_lib import poison
from tutorial_lib.data.pairs import Pairs
from tutorial_lib.evaluate import Reader, embed_images, embed_texts
from tutorial_lib.poison import caption_set
from tutorial_lib.tasks import ZeroShotTask
from tutorial_lib.trials import Targeted


@dataclass(frozen=True)
class Target:
    """One picture under attack."""

    group: int
    true: int
    wanted: int
    captions: tuple[str, ...]


@dataclass(frozen=True)
class TargetedPlan:
    """Pictures to be misread, their wanted classes and the poisons that ask for them."""

    attack: Targeted
    images: Tensor
    targets: tuple[Target, ...]
    poisons: Pairs | None

    @classmethod
    def of(cls, attack: Targeted, clean: Pairs, task: ZeroShotTask, *, side: int, seed: int) -> TargetedPlan:
        if task.spare is None:
            raise ValueError("the task has no pictures to aim at: it needs `spare`")
        generator = torch.Generator().manual_seed(seed)
        images, shown = task.spare(len(attack.groups) * attack.targets, seed, generator)
        classes = torch.randperm(len(task.labels), generator=generator).tolist()
        targets, sets = [], []
        for i, true in enumerate(shown.tolist()):
            group = attack.groups[i // attack.targets]
            wanted = next(c for c in classes if c != true)
            classes.remove(wanted)
            classes.append(wanted)  # every target asks for a class of its own while there are enough
            label = task.labels[wanted]
            found = caption_set("prompts" if group.captions == "prompts" else "search", label, clean.captions)
            if group.captions == "one":
                found = found[:1]
            captions: tuple[str, ...] = ()
            if group.count:
                made = poison.targeted(images[i], found, group.count, target=label, seed=seed + i, name=f"{i:03d}")
                pairs = made.pairs
                if group.disguise:
                    pairs = poison.disguise(pairs, noise=group.noise, words=group.words, seed=seed + i)
                captions = pairs.captions
                sets.append(pairs)
            targets.append(Target(i // attack.targets, true, wanted, captions))
        together = reduce(lambda a, b: a + b, sets) if sets else None
        return cls(attack, images, tuple(targets), together)

    def measure(
        self, model, tokenizer, task: ZeroShotTask, embeddings: Tensor, readers: dict[str, Reader]
    ) -> dict[str, Any]:
        """One row per target: group, true and wanted class, what each downstream reader sees, and which tower moved.

        With m_y the mean embedding of the clean test pictures of class y, the picture moved by
        <f(x'), m_wanted - m_true> and the captions by <g(c), m_true - m_wanted>: positive where a tower gave way.
        """
        points = embed_images(model, self.images)
        seen = {name: read(points).tolist() for name, read in readers.items()}
        centre = class_centres(embeddings, task.targets, len(task.labels))
        rows = []
        for i, t in enumerate(self.targets):
            away = centre[t.wanted] - (centre[t.true] if t.true >= 0 else 0)
            moved = {"picture_moved": round(float(points[i] @ away), 4)}
            if t.captions:
                texts = embed_texts(model, tokenizer, t.captions)
                moved["captions_moved"] = round(float((texts @ -away).mean()), 4)
            rows.append(
                {"group": t.group, "count": self.attack.groups[t.group].count, "true": t.true, "wanted": t.wanted}
                | {name: classes[i] for name, classes in seen.items()}
                | moved
            )
        return {"targets": rows}


def class_centres(embeddings: Tensor, labels: Tensor, classes: int) -> Tensor:
    """Normalised mean embedding of each class, shape (classes, d); zeros for a class without pictures."""
    centre = torch.zeros(classes, embeddings.shape[1]).index_add_(0, labels, embeddings)
    return F.normalize(centre, dim=1)
