"""The backdoor: many pictures, one trigger, captions of one class. Introduced in chapter 4."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import Any

import torch
from torch import Tensor

from tutorial_lib import poison
from tutorial_lib.data.pairs import Pairs
from tutorial_lib.evaluate import Reader, accuracy, attack_success_rate, embed_images
from tutorial_lib.poison import Poison, caption_set
from tutorial_lib.tasks import ZeroShotTask
from tutorial_lib.trials import Backdoor
from tutorial_lib.triggers import Patch
from tutorial_lib.zscore import backdoor_z_score, pair_similarity

#: Bins of the histograms of pair similarities, over [-1, 1], and the most pictures that are paired.
BINS, PAIRED = 80, 2500


@dataclass(frozen=True)
class BackdoorPlan:
    """The poisons of a backdoor, and its measurement."""

    attack: Backdoor
    target: int
    unseen: Tensor  # classes never used as poison pictures, (U,)
    poison: Poison | None
    seed: int

    @property
    def poisons(self) -> Pairs | None:
        return None if self.poison is None else self.poison.pairs

    @classmethod
    def of(cls, attack: Backdoor, clean: Pairs, task: ZeroShotTask, *, side: int, seed: int) -> BackdoorPlan:
        target = task.class_of(attack.target)
        attack.trigger.stamp(clean.images[:1])  # says at once if the trigger does not fit
        if attack.diagonal and not isinstance(attack.trigger, Patch):
            raise ValueError(f"only a patch can be moved along the diagonal, and the trigger is {attack.trigger.name}")
        unseen = torch.arange(len(task.labels))
        unseen = unseen[(unseen % 4 == 0) & (unseen != target)]
        made = None
        if attack.count:
            others = attack.select == "others"
            made = poison.backdoor(
                clean,
                caption_set(attack.captions, attack.target, clean.captions) if others else None,
                attack.count,
                trigger=attack.trigger,
                target=attack.target,
                seed=seed,
                exclude=_excluded(attack, clean, task, target, unseen),
                cover=attack.cover,
            )
        return cls(attack, target, unseen, made, seed)

    def measure(
        self, model, tokenizer, task: ZeroShotTask, embeddings: Tensor, readers: dict[str, Reader]
    ) -> dict[str, Any]:
        """Success by downstream reader, with the controls that must stand beside it."""
        trigger = self.attack.trigger
        triggered = embed_images(model, trigger.stamp(task.images, self.seed))
        other = embed_images(model, trigger.control().stamp(task.images, self.seed))

        def success(read: Reader, points: Tensor, keep: Tensor | None = None, **options) -> dict[str, Any]:
            keep = torch.ones(len(task), dtype=torch.bool) if keep is None else keep
            rate = attack_success_rate(read(points[keep]), task.targets[keep], self.target, **options)
            return asdict(rate) | {"target": self.attack.target}

        main = next(iter(readers.values()))
        tested = {}
        for placement in trigger.placements:
            points = triggered
            if isinstance(trigger, Patch) and placement != trigger.placement:
                points = embed_images(model, replace(trigger, placement=placement).stamp(task.images, self.seed))
            tested[placement] = {
                "attack_success": success(main, points),
                "z_score": backdoor_z_score(embeddings, points),
                "similarity_triggered": pair_similarity(points).mean,
            }
        along = {"z_score_by_margin": self._along_diagonal(model, task, embeddings)} if self.attack.diagonal else {}
        return along | {
            "attack_success": {name: success(r, triggered) for name, r in readers.items()},
            "attack_success_with_target": success(main, triggered, include_target=True),
            "attack_success_untriggered": success(main, embeddings),
            "attack_success_other_patch": success(main, other),
            "attack_success_unseen": success(main, triggered, torch.isin(task.targets, self.unseen)),
            "accuracy_on_triggered": {n: asdict(accuracy(r(triggered), task.targets)) for n, r in readers.items()},
            "z_score": backdoor_z_score(embeddings, triggered),
            "z_score_variance": backdoor_z_score(embeddings, triggered, denominator="variance"),
            "z_score_other_patch": backdoor_z_score(embeddings, other),
            "similarity_clean": pair_similarity(embeddings).mean,
            "similarity_clean_std": pair_similarity(embeddings).variance ** 0.5,
            "similarity_triggered": pair_similarity(triggered).mean,
            "embedding_distance": (embeddings - triggered).norm(dim=1).mean().item(),
            "tested": tested,
            "pairs_by_similarity": pairs_by_similarity(embeddings, triggered, task.targets, main(embeddings)),
        }

    def _along_diagonal(self, model, task: ZeroShotTask, embeddings: Tensor) -> dict[str, float]:
        """z-score by distance of the patch from the upper and the left edge, in pixels."""
        trigger = self.attack.trigger
        assert isinstance(trigger, Patch)  # checked in `of`
        room = min(task.images.shape[-2:]) - trigger.size
        found = {}
        for margin in sorted({*range(0, room, max(1, room // 12)), room}):
            stamped = replace(trigger, placement="fixed", margin=margin).stamp(task.images)
            found[str(margin)] = backdoor_z_score(embeddings, embed_images(model, stamped))
        return found


def _excluded(attack: Backdoor, clean: Pairs, task: ZeroShotTask, target: int, unseen: Tensor) -> Tensor:
    """The pairs whose pictures the attacker does not use, shape (len(clean),), bool."""
    if attack.select == "named":
        return torch.tensor([attack.target.lower() not in caption.lower() for caption in clean.captions])
    shown = task.class_of_concept(clean.concept)
    return shown != target if attack.select == "label-consistent" else (shown == target) | torch.isin(shown, unseen)


def pairs_by_similarity(clean: Tensor, triggered: Tensor, labels: Tensor, predictions: Tensor) -> dict[str, list[int]]:
    """How many pairs of pictures lie in each of `BINS` bins of similarity over [-1, 1].

    Args:
        clean: normalised embeddings, shape (N, d).
        triggered: of the same pictures with the trigger, shape (N, d).
        labels: true classes, shape (N,).
        predictions: classes that the model gives to the clean pictures, shape (N,).

    Returns:
        Counts of clean pairs, of those with the same true class, of those with the same predicted class, and of
        triggered pairs; what figure 3 of Carlini & Terzis (2022) is drawn from.
    """
    few = torch.linspace(0, len(clean) - 1, min(len(clean), PAIRED)).long()
    clean, triggered, labels, predictions = clean[few], triggered[few], labels[few], predictions[few]
    i, j = torch.triu_indices(len(few), len(few), offset=1)

    def histogram(values: Tensor) -> list[int]:
        return torch.histc(values.float(), bins=BINS, min=-1, max=1).long().tolist()

    similar = (clean @ clean.T)[i, j].clamp(-1, 1)
    return {
        "clean": histogram(similar),
        "same_label": histogram(similar[labels[i] == labels[j]]),
        "same_prediction": histogram(similar[predictions[i] == predictions[j]]),
        "triggered": histogram((triggered @ triggered.T)[i, j].clamp(-1, 1)),
    }
