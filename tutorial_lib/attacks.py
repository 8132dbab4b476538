"""Whole attacks on the course's task: which poisons a trial adds, and how their success is measured.

Introduced in chapters 3 (targeted) and 4 (backdoor).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from functools import reduce
from typing import Any, Literal

import torch
from torch import Tensor

from tutorial_lib import poison
from tutorial_lib.data import emojicaps
from tutorial_lib.data.pairs import Pairs, draw_pairs
from tutorial_lib.evaluate import accuracy, attack_success_rate, embed_images
from tutorial_lib.poison import Poison, caption_set
from tutorial_lib.tasks import ZeroShotTask
from tutorial_lib.triggers import Checkerboard
from tutorial_lib.zscore import backdoor_z_score, pair_similarity

Reader = Callable[[Tensor], Tensor]  # embeddings (N, d) to predicted classes (N,)


@dataclass(frozen=True)
class Backdoor:
    """A backdoor attack; a count of 0 is the control: nothing is added, everything is measured.

    Attributes:
        count: number of poisons.
        target: label of the class that triggered pictures shall be taken for.
        captions: "search" as in the paper's section 3.3, or "prompts".
        trigger: stamped on the stored pictures of the poisons.
    """

    count: int
    target: str = "banana"
    captions: Literal["search", "prompts"] = "search"
    trigger: Checkerboard = field(default_factory=Checkerboard)


@dataclass(frozen=True)
class Group:
    """Targets that are attacked in the same way.

    Attributes:
        count: poisons per target.
        captions: "search", "prompts", or "one": a single searched caption, repeated.
        disguise: alter each copy slightly so that it is no exact duplicate.
    """

    count: int
    captions: Literal["search", "prompts", "one"] = "prompts"
    disguise: bool = False


@dataclass(frozen=True)
class Targeted:
    """Targeted poisoning of many pictures in one model, as the paper does.

    Attributes:
        groups: how to attack; a group with count 0 is the control.
        targets: pictures per group.
    """

    groups: tuple[Group, ...] = (Group(0), Group(1), Group(2), Group(4), Group(8), Group(16))
    targets: int = 16


def plan(attack: Backdoor | Targeted, clean: Pairs, task: ZeroShotTask, *, side: int, seed: int):
    """The poisons of an attack and how to measure it.

    Raises:
        ValueError: the target class does not exist, the patch does not fit, or there are too few pictures.
    """
    return (
        _BackdoorPlan.of(attack, clean, task, seed)
        if isinstance(attack, Backdoor)
        else TargetedPlan.of(attack, clean, task, side, seed)
    )


@dataclass(frozen=True)
class _BackdoorPlan:
    attack: Backdoor
    target: int
    unseen: Tensor  # classes never used as poison pictures, (U,)
    poison: Poison | None
    seed: int

    @property
    def poisons(self) -> Pairs | None:
        return None if self.poison is None else self.poison.pairs

    @classmethod
    def of(cls, attack: Backdoor, clean: Pairs, task: ZeroShotTask, seed: int) -> _BackdoorPlan:
        target = task.class_of(attack.target)
        attack.trigger.stamp(clean.images[:1])  # says at once if the patch does not fit
        unseen = torch.arange(len(task.labels))
        unseen = unseen[(unseen % 4 == 0) & (unseen != target)]
        made = None
        if attack.count:
            shown = task.class_of_concept(clean.concept)
            made = poison.backdoor(
                clean,
                caption_set(attack.captions, attack.target, clean.captions),
                attack.count,
                trigger=attack.trigger,
                target=attack.target,
                seed=seed,
                exclude=(shown == target) | torch.isin(shown, unseen),
            )
        return cls(attack, target, unseen, made, seed)

    def measure(self, model, task: ZeroShotTask, embeddings: Tensor, readers: dict[str, Reader]) -> dict[str, Any]:
        """Success by downstream reader, with the controls that must stand beside it."""
        stamped = self.attack.trigger.stamp(task.images, self.seed)
        triggered = embed_images(model, stamped)
        other = embed_images(model, _other_patch(self.attack.trigger).stamp(task.images, self.seed))

        def success(read: Reader, points: Tensor, keep: Tensor | None = None, **options) -> dict[str, Any]:
            keep = torch.ones(len(task), dtype=torch.bool) if keep is None else keep
            rate = attack_success_rate(read(points[keep]), task.targets[keep], self.target, **options)
            return asdict(rate) | {"target": self.attack.target}

        read = readers["zero_shot"]
        return {
            "attack_success": {name: success(r, triggered) for name, r in readers.items()},
            "attack_success_with_target": success(read, triggered, include_target=True),
            "attack_success_untriggered": success(read, embeddings),
            "attack_success_other_patch": success(read, other),
            "attack_success_unseen": success(read, triggered, torch.isin(task.targets, self.unseen)),
            "accuracy_on_triggered": {n: asdict(accuracy(r(triggered), task.targets)) for n, r in readers.items()},
            "z_score": backdoor_z_score(embeddings, triggered),
            "z_score_other_patch": backdoor_z_score(embeddings, other),
            "similarity_clean": pair_similarity(embeddings).mean,
            "similarity_triggered": pair_similarity(triggered).mean,
            "embedding_distance": (embeddings - triggered).norm(dim=1).mean().item(),
        }


@dataclass(frozen=True)
class _Stripes(Checkerboard):
    """The control patch: same place, size, colours and cells, but horizontal stripes."""

    name: str = "stripes"

    def pattern(self) -> Tensor:
        rows = (torch.arange(self.size) // self.cell % 2).to(torch.uint8) * 255
        return rows[:, None].expand(3, self.size, self.size)


def _other_patch(trigger: Checkerboard) -> Checkerboard:
    return _Stripes(trigger.size, trigger.cell, trigger.placement, trigger.margin)


@dataclass(frozen=True)
class Target:
    """One picture under attack."""

    group: int
    true: int
    wanted: int
    captions: tuple[str, ...]


@dataclass(frozen=True)
class TargetedPlan:
    """Pictures of the validation style, their wanted classes and the poisons that ask for them."""

    attack: Targeted
    images: Tensor
    targets: tuple[Target, ...]
    poisons: Pairs | None

    @classmethod
    def of(cls, attack: Targeted, clean: Pairs, task: ZeroShotTask, side: int, seed: int) -> TargetedPlan:
        data = emojicaps.load()
        class_of = {c: k for k, c in enumerate(task.concepts)}
        usable = [p for p in data.of_styles(emojicaps.VALIDATION_STYLE).tolist() if int(data.concept[p]) in class_of]
        needed = len(attack.groups) * attack.targets
        if needed > len(usable):
            raise ValueError(f"{needed} targets were asked for, and {len(usable)} pictures can serve: lower `targets`")
        generator = torch.Generator().manual_seed(seed)
        chosen = torch.tensor(usable)[torch.randperm(len(usable), generator=generator)[:needed]]
        images = draw_pairs(data, chosen, side=side, seed=seed + 7000, name="target").images
        classes = torch.randperm(len(task.labels), generator=generator).tolist()
        targets, sets = [], []
        for i, position in enumerate(chosen.tolist()):
            group = attack.groups[i // attack.targets]
            true = class_of[int(data.concept[position])]
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
                pairs = poison.disguise(made.pairs, seed=seed + i) if group.disguise else made.pairs
                captions = pairs.captions
                sets.append(pairs)
            targets.append(Target(i // attack.targets, true, wanted, captions))
        together = reduce(lambda a, b: a + b, sets) if sets else None
        return cls(attack, images, tuple(targets), together)

    def measure(self, model, task: ZeroShotTask, embeddings: Tensor, readers: dict[str, Reader]) -> dict[str, Any]:
        """One row per target: group, true and wanted class, and what each downstream reader sees."""
        points = embed_images(model, self.images)
        seen = {name: read(points).tolist() for name, read in readers.items()}
        return {
            "targets": [
                {"group": t.group, "count": self.attack.groups[t.group].count, "true": t.true, "wanted": t.wanted}
                | {name: classes[i] for name, classes in seen.items()}
                for i, t in enumerate(self.targets)
            ]
        }
