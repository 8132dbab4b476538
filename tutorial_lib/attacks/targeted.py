"""Targeted poisoning: one picture, many captions of another class. Introduced in the chapter on targeted poisoning."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import reduce
from typing import TYPE_CHECKING, ClassVar, Literal

from tutorial_lib.trials.attack import Attack
from tutorial_lib.trials.schema import Settings, setting

if TYPE_CHECKING:
    from torch import Tensor

    from tutorial_lib.data.pairs import Pairs
    from tutorial_lib.data.tasks import ZeroShotTask
    from tutorial_lib.evaluate import Reader
    from tutorial_lib.models import Model, Tokenizer
    from tutorial_lib.trials.metrics import Metrics, TargetRow


@dataclass(frozen=True)
class Group(Settings):
    """Targets that are attacked in the same way.

    Attributes:
        count: poisons per target.
        captions: "search", "prompts", or "one": a single searched caption, repeated.
        disguise: alter each copy slightly so that it is no exact duplicate.
        noise: of the disguise: standard deviation in grey levels; with "hash" the most that one changes.
        words: of the disguise: "idle" ones that clean captions lack, "common" ones that they have, "synonyms" in
            place of words, of which "familiar" are made of words of clean captions and "strange" not, or "none".
        pixels: of the disguise: "noise", or "hash", what a perceptual hash takes for another picture.

    Example:
        >>> Group(8, disguise=True).words
        'idle'
        >>> Group(8, captions="guess")
        Traceback (most recent call last):
        ValueError: captions of a group must be search, prompts or one, not 'guess'
    """

    count: int
    captions: Literal["search", "prompts", "one"] = "prompts"
    disguise: bool = False
    noise: float = setting(3.0, added=True, needs={"disguise": True})
    words: Literal["idle", "common", "synonyms", "familiar", "strange", "none"] = setting(
        "idle", added=True, needs={"disguise": True}
    )
    pixels: Literal["noise", "hash"] = setting("noise", added=True, needs={"disguise": True})

    def __post_init__(self) -> None:
        super().__post_init__()
        self.require(count=0, noise=0)


@dataclass(frozen=True)
class Targeted(Attack):
    """Targeted poisoning of many pictures in one model, as the paper does.

    Attributes:
        groups: how to attack; a group with count 0 is the control.
        targets: pictures per group.
        planted: if not, the control: the same pictures and captions are looked at, and no poison is added. What moved
            under the attack is the difference from there.

    Raises:
        ValueError: `targets` is below 1, or there is no group.

    Example:
        >>> sum(group.count for group in Targeted().groups)
        31
    """

    kind: ClassVar[str] = "targeted"

    groups: tuple[Group, ...] = (Group(0), Group(1), Group(2), Group(4), Group(8), Group(16))
    targets: int = 16
    planted: bool = setting(True, added=True)

    def __post_init__(self) -> None:
        super().__post_init__()
        self.require(targets=1)
        if not self.groups:
            raise ValueError("a targeted attack needs at least one group of targets")

    @property
    def adds(self) -> bool:
        return self.planted and any(group.count for group in self.groups)

    def plan(self, clean: Pairs, task: ZeroShotTask, *, seed: int) -> TargetedPlan:
        import torch

        from tutorial_lib.data.hashes import distinct

        if task.spare is None:
            raise ValueError("the task has no pictures to aim at: it needs `spare`")
        generator = torch.Generator().manual_seed(seed)
        images, shown = task.spare(len(self.groups) * self.targets, seed, generator)
        classes = torch.randperm(len(task.labels), generator=generator).tolist()
        known = self._words_of(clean)
        targets, sets = [], []
        for i, true in enumerate(shown.tolist()):
            group = self.groups[i // self.targets]
            wanted = next(c for c in classes if c != true)
            classes.remove(wanted)
            classes.append(wanted)  # every target asks for a class of its own while there are enough
            pairs = _poisons(group, images[i], task.labels[wanted], clean, known, seed + i, f"{i:03d}")
            if pairs is not None:
                sets.append(pairs)
            targets.append(
                Target(i // self.targets, true, wanted, tuple(pairs.captions), distinct(pairs.pixels))
                if pairs is not None
                else Target(i // self.targets, true, wanted, ())
            )
        together = reduce(lambda a, b: a + b, sets) if sets and self.planted else None
        return TargetedPlan(self, images, tuple(targets), together)

    def _words_of(self, clean: Pairs) -> Collection[str]:
        """Words of the clean captions, where a disguise asks for them."""
        from tutorial_lib.training import text_augment

        asked = any(group.words in ("familiar", "strange") for group in self.groups)
        return text_augment.bare_words(clean.captions) if asked else ()


def _poisons(
    group: Group, image: Tensor, label: str, clean: Pairs, known: Collection[str], seed: int, name: str
) -> Pairs | None:
    """What a group adds for one picture."""
    from tutorial_lib.attacks import evasion, poison

    found = poison.caption_set("prompts" if group.captions == "prompts" else "search", label, clean.captions)
    if group.captions == "one":
        found = found[:1]
    if not group.count:
        return None
    pairs = poison.targeted(image, found, group.count, target=label, seed=seed, name=name).pairs
    if not group.disguise:
        return pairs
    return evasion.disguise(
        pairs, noise=group.noise, words=group.words, pixels=group.pixels, keep=label, known=known, seed=seed
    )


@dataclass(frozen=True)
class Target:
    """One picture under attack.

    Attributes:
        group: of the attack, by position.
        true, wanted: its class, and that which the attacker wants.
        captions: of its poisons.
        distinct: perceptual hashes among its poisons, which a filter of duplicates would leave.

    Example:
        >>> Target(group=1, true=3, wanted=7, captions=("a banana",)).wanted
        7
    """

    group: int
    true: int
    wanted: int
    captions: tuple[str, ...]
    distinct: int = 0


@dataclass(frozen=True)
class TargetedPlan:
    """Pictures to be misread, their wanted classes and the poisons that ask for them.

    Example:
        >>> from tutorial_lib import profiles
        >>> from tutorial_lib.runs.outcome import prepare
        >>> plan = Targeted((Group(2),), targets=1).plan(*prepare(profiles.get("test").base), seed=0)
        >>> len(plan.targets), len(plan.poisons)
        (1, 2)
    """

    attack: Targeted
    images: Tensor
    targets: tuple[Target, ...]
    poisons: Pairs | None

    def measure(
        self,
        model: Model,
        tokenizer: Tokenizer,
        task: ZeroShotTask,
        embeddings: Tensor,
        readers: Mapping[str, Reader],
    ) -> Metrics:
        """One row per target: group, true and wanted class, what each reader sees, which tower moved, hashes.

        With m_y the mean embedding of the clean test pictures of class y, the picture lies at
        <f(x'), m_wanted - m_true> and the captions at <g(c), m_true - m_wanted>: the larger, the more a tower has given
        way. A movement is the difference from a model of the same seeds without the poisons (`planted=False`).
        """
        from tutorial_lib.evaluate import class_centres, embed_images, embed_texts

        points = embed_images(model, self.images)
        seen = {name: read(points).tolist() for name, read in readers.items()}
        centre = class_centres(embeddings, task.targets, len(task.labels))
        rows: list[TargetRow] = []
        for i, t in enumerate(self.targets):
            away = centre[t.wanted] - (centre[t.true] if t.true >= 0 else 0)
            row: TargetRow = {
                "group": t.group,
                "count": self.attack.groups[t.group].count,
                "true": t.true,
                "wanted": t.wanted,
                "picture_at": round(float(points[i] @ away), 4),
            }
            row |= {name: classes[i] for name, classes in seen.items()}  # type: ignore[typeddict-item]
            if t.captions:
                texts = embed_texts(model, tokenizer, t.captions)
                row["captions_at"] = round(float((texts @ -away).mean()), 4)
                row["distinct"] = t.distinct
            rows.append(row)
        return {"targets": rows}
