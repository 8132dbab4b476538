"""The backdoor: many pictures, one trigger, captions of one class. Introduced in the chapter on backdoors."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, ClassVar, Literal

from tutorial_lib.attacks.base import PairAttack, Seen
from tutorial_lib.attacks.selection import Select, excluded, unseen_classes
from tutorial_lib.trials.schema import setting
from tutorial_lib.triggers import Checkerboard, Patch, Trigger

if TYPE_CHECKING:
    from torch import Tensor

    from tutorial_lib.attacks.poison import Poison
    from tutorial_lib.data.pairs import Pairs
    from tutorial_lib.data.tasks import ZeroShotTask
    from tutorial_lib.evaluate import Reader
    from tutorial_lib.models import Model, Tokenizer
    from tutorial_lib.proportion import Proportion, RateDict
    from tutorial_lib.trials.metrics import Metrics, Tested

#: Bins of the histograms of pair similarities, over [-1, 1], and the most pictures that are paired.
BINS, PAIRED = 80, 2500


@dataclass(frozen=True)
class Backdoor(PairAttack):
    """A backdoor attack; a count of 0 is the control: nothing is added, everything is measured.

    Attributes:
        count: number of poisons.
        target: label of the class that triggered pictures shall be taken for.
        captions: "search" for the label as a substring, as in the paper's section 3.3, for "words", or "prompts".
        trigger: stamped on the stored pictures of the poisons.
        select: "others": pictures of anything but the target, with captions of the target; "label-consistent":
            pictures of the target, with captions that are true; "named": pictures whose caption names the target, with
            that caption, which is what an attacker without labels can select (Bansal et al. 2023, label-consistent).
            Poisons are always added; CleanCLIP's code puts label-consistent ones in the place of their pictures.
        diagonal: also measure the z-score with the patch at places from the upper left to the lower right corner.
        cover: further pairs with noisy warps and their own captions, the noise mode of WaNet.
        rehearsed: poisons have passed the changes of pictures and captions that CleanCLIP makes, as an attacker who
            expects that defense would plan it.

    Raises:
        ValueError: a setting is none of its choices, a number is negative, `trigger` is no trigger, or `diagonal` is
            asked for with a trigger that is no patch.

    Example:
        >>> Backdoor(300, target="banana").trigger
        Checkerboard(size=6, cell=2, placement='fixed', margin=1)
    """

    kind: ClassVar[str] = "backdoor"

    captions: Literal["search", "words", "prompts"] = setting("search", needs={"select": "others"})
    trigger: Trigger = field(default_factory=Checkerboard)
    select: Select = setting("others", added=True)
    diagonal: bool = setting(False, added=True)
    cover: int = setting(0, added=True)
    rehearsed: bool = setting(False, added=True)

    def __post_init__(self) -> None:
        super().__post_init__()
        self.require(cover=0)
        if not isinstance(self.trigger, Trigger):
            raise ValueError(f"trigger of a backdoor must be a trigger, not {self.trigger!r}")
        if self.diagonal and not isinstance(self.trigger, Patch):
            raise ValueError(f"only a patch can be moved along the diagonal, and the trigger is {self.trigger.kind}")

    def plan(self, clean: Pairs, task: ZeroShotTask, *, seed: int) -> BackdoorPlan:
        target = task.class_of(self.target)
        self.trigger.stamp(clean.images[:1])  # says at once if the trigger does not fit
        seen = Seen(clean, task.labels, task.class_of_concept(clean.concept))
        made = self.poison(seen, seed=seed) if self.count else None
        return BackdoorPlan(self, unseen_classes(len(task.labels), target), made, seed)

    def poison(self, seen: Seen, *, seed: int) -> Poison:
        """The poison set and its manifest. Where there are classes, every fourth is left alone, to be tested on.

        Args:
            seen: what the attacker sees.
            seed: draws pictures, captions and random places.

        Raises:
            ValueError: there are too few pictures or captions, the trigger has no cover, or label-consistent poisons
                lack classes.
        """
        from tutorial_lib.attacks import poison

        pairs, number = seen.pairs, seen.class_of(self.target)
        unseen = None if seen.shown is None else unseen_classes(len(seen.labels), number)
        exclude = excluded(self.select, pairs.captions, self.target, shown=seen.shown, target=number, unseen=unseen)
        if self.count > (usable := int((~exclude).sum())):
            does = {"others": "do not show", "label-consistent": "show", "named": "name"}[self.select]
            kept = "" if unseen is None or self.select != "others" else " nor a class that is kept for the test"
            raise ValueError(
                f"{self.count} poisons need {self.count} different pictures, and {usable} of {len(pairs)} {does} "
                f"{self.target!r}{kept}: lower `count`"
            )
        others = self.select == "others"
        found = poison.caption_set(self.captions, self.target, pairs.captions) if others else None
        made = poison.backdoor(
            pairs,
            found,
            self.count,
            trigger=self.trigger,
            target=self.target,
            seed=seed,
            exclude=exclude,
            cover=self.cover,
            rehearsed=self.rehearsed,
        )
        own = made.pairs.captions[: self.count]
        return made.saying(self.captions if found else "own", len(set(own) if found is None else found))


@dataclass(frozen=True)
class BackdoorPlan:
    """The poisons of a backdoor, and its measurement.

    Example:
        >>> from tutorial_lib import profiles
        >>> from tutorial_lib.runs.outcome import prepare
        >>> trial = profiles.get("test").backdoor(4, seed=0)
        >>> plan = trial.attack.plan(*prepare(trial), seed=0)
        >>> len(plan.poisons), len(plan.unseen)
        (4, 4)
    """

    attack: Backdoor
    unseen: Tensor  # classes never used as poison pictures, (U,)
    poison: Poison | None
    seed: int

    @property
    def poisons(self) -> Pairs | None:
        return None if self.poison is None else self.poison.pairs

    def measure(
        self,
        model: Model,
        tokenizer: Tokenizer,
        task: ZeroShotTask,
        embeddings: Tensor,
        readers: Mapping[str, Reader],
    ) -> Metrics:
        """Success by downstream reader, with the controls that must stand beside it."""
        from tutorial_lib.attacks.report import report_on
        from tutorial_lib.evaluate import embed_images
        from tutorial_lib.zscore import backdoor_z_score

        attack, trigger = self.attack, self.attack.trigger
        triggered = embed_images(model, trigger.stamp(task.images, self.seed))
        control = embed_images(model, trigger.control().stamp(task.images, self.seed))
        reports = {
            name: report_on(embeddings, triggered, control, read, task, trigger, attack.target)
            for name, read in readers.items()
        }
        own, main = next(iter(reports.values())), next(iter(readers.values()))

        def rate(found: Proportion) -> RateDict:
            return {**found.as_dict(), "target": attack.target}

        metrics: Metrics = {
            "attack_success": {name: rate(r.attack_success) for name, r in reports.items()},
            "attack_success_with_target": rate(own.attack_success_with_target),
            "attack_success_untriggered": rate(own.attack_success_untriggered),
            "attack_success_other_patch": rate(own.attack_success_control),
            "attack_success_unseen": rate(self._on_unseen(task, main, triggered)),
            "accuracy_on_triggered": {n: r.accuracy_on_triggered.as_dict() for n, r in reports.items()},
            "z_score": own.z_score,
            "z_score_variance": backdoor_z_score(embeddings, triggered, denominator="variance", drawing=task.sprite),
            "z_score_other_patch": backdoor_z_score(embeddings, control, drawing=task.sprite),
            "similarity_clean": own.similarity_clean,
            "similarity_clean_std": own.similarity_clean_std,
            "similarity_triggered": own.similarity_triggered,
            "embedding_distance": own.embedding_distance,
            "tested": self._by_placement(model, task, main, embeddings, triggered),
            "pairs_by_similarity": self._pairs_by_similarity(model, task, main, embeddings, triggered),
        }
        if attack.diagonal:
            metrics["z_score_by_margin"] = self._along_diagonal(model, task, embeddings)
        return metrics

    def _pairs_by_similarity(
        self, model: Model, task: ZeroShotTask, read: Reader, embeddings: Tensor, triggered: Tensor
    ) -> dict[str, list[int]]:
        """Clean pairs of the test pictures and of those in another unseen style, so that classes have two drawings."""
        import torch

        from tutorial_lib.evaluate import embed_images

        points, labels, drawing = embeddings, task.targets, task.sprite
        if (other := task.other) is not None:
            points = torch.cat([points, embed_images(model, other.images)])
            labels, drawing = torch.cat([labels, other.targets]), torch.cat([drawing, other.sprite])
        found = pairs_by_similarity(points, labels, read(points), drawing)
        moved = pairs_by_similarity(triggered, task.targets, task.targets, task.sprite)
        return {"clean": found.pop("all"), **found, "triggered": moved["all"]}

    def _on_unseen(self, task: ZeroShotTask, read: Reader, triggered: Tensor) -> Proportion:
        """Success on pictures of classes that no poison shows."""
        import torch

        from tutorial_lib.evaluate import attack_success_rate

        kept = torch.isin(task.targets, self.unseen)
        target = task.class_of(self.attack.target)
        return attack_success_rate(read(triggered[kept]), task.targets[kept], target, drawing=task.sprite[kept])

    def _by_placement(
        self, model: Model, task: ZeroShotTask, read: Reader, embeddings: Tensor, triggered: Tensor
    ) -> dict[str, Tested]:
        """Success and z-score with the patch at one place and at random places, as far as the trigger knows places."""
        from tutorial_lib.evaluate import attack_success_rate, embed_images
        from tutorial_lib.zscore import backdoor_z_score, pair_similarity

        trigger = self.attack.trigger
        found: dict[str, Tested] = {}
        for placement in trigger.placements:
            points = triggered
            if isinstance(trigger, Patch) and placement != trigger.placement:
                points = embed_images(model, replace(trigger, placement=placement).stamp(task.images, self.seed))
            success = attack_success_rate(
                read(points), task.targets, task.class_of(self.attack.target), drawing=task.sprite
            )
            found[placement] = {
                "attack_success": {**success.as_dict(), "target": self.attack.target},
                "z_score": backdoor_z_score(embeddings, points, drawing=task.sprite),
                "similarity_triggered": pair_similarity(points, drawing=task.sprite).mean,
            }
        return found

    def _along_diagonal(self, model: Model, task: ZeroShotTask, embeddings: Tensor) -> dict[str, float]:
        """z-score by distance of the patch from the upper and the left edge, in pixels."""
        from tutorial_lib.evaluate import embed_images
        from tutorial_lib.zscore import backdoor_z_score

        trigger = self.attack.trigger
        assert isinstance(trigger, Patch)  # checked when the attack was made
        room = min(task.images.shape[-2:]) - trigger.size
        found = {}
        for margin in sorted({*range(0, room, max(1, room // 12)), room}):
            stamped = replace(trigger, placement="fixed", margin=margin).stamp(task.images)
            found[str(margin)] = backdoor_z_score(embeddings, embed_images(model, stamped), drawing=task.sprite)
        return found


def pairs_by_similarity(points: Tensor, labels: Tensor, predictions: Tensor, drawing: Tensor) -> dict[str, list[int]]:
    """How many pairs of pictures of different drawings lie in each of `BINS` bins of similarity over [-1, 1].

    Args:
        points: normalised embeddings, shape (N, d).
        labels: true classes, shape (N,).
        predictions: classes that the model gives to the pictures, shape (N,).
        drawing: what each picture shows one of, shape (N,).

    Returns:
        Counts of "all" pairs, of those with the same true class ("same_label"), and of those with the same predicted
        class ("same_prediction"); what figure 3 of Carlini & Terzis (2022) is drawn from.

    Example:
        >>> import torch
        >>> found = pairs_by_similarity(torch.eye(3), *map(torch.tensor, ([0, 0, 1], [0, 0, 1], [0, 1, 2])))
        >>> sum(found["all"]), sum(found["same_label"])
        (3, 1)
    """
    import torch

    few = torch.linspace(0, len(points) - 1, min(len(points), PAIRED)).long()
    points, labels, predictions, drawing = points[few], labels[few], predictions[few], drawing[few]
    i, j = torch.triu_indices(len(few), len(few), offset=1)
    i, j = (index[drawing[i] != drawing[j]] for index in (i, j))
    similar = (points @ points.T)[i, j].clamp(-1, 1)

    def histogram(values: Tensor) -> list[int]:
        return torch.histc(values.float(), bins=BINS, min=-1, max=1).long().tolist()

    return {
        "all": histogram(similar),
        "same_label": histogram(similar[labels[i] == labels[j]]),
        "same_prediction": histogram(similar[predictions[i] == predictions[j]]),
    }
