"""Poison sets: extra pairs that an attacker adds to a data set.

Introduced in the chapters on targeted poisoning and backdoors.

Poisons are data. Every function returns `Pairs` to add (X' = X ∪ P) and a manifest that tells what was
done; nothing here touches training.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from tutorial_lib.data.captions import prompt_captions, search_captions
from tutorial_lib.data.pairs import COVER, POISON, Pairs
from tutorial_lib.data.texts import Strings
from tutorial_lib.training.augment import autoaugment
from tutorial_lib.training.text_augment import augment_all
from tutorial_lib.trials.schema import as_dict
from tutorial_lib.triggers import Trigger, WaNet


@dataclass(frozen=True)
class PoisonedPair:
    """One line of a manifest.

    Example:
        >>> PoisonedPair("backdoor-00000", "train-1f34c-noto-0", "a banana", "banana").target
        'banana'
    """

    key: str
    source: str
    caption: str
    target: str


@dataclass(frozen=True)
class Poison:
    """A poison set P and its manifest.

    Example:
        >>> image = torch.zeros(3, 8, 8, dtype=torch.uint8)
        >>> targeted(image, ["a banana"], 3, target="banana").rate(clean=297)
        0.01
    """

    pairs: Pairs
    manifest: tuple[PoisonedPair, ...]
    settings: dict[str, Any] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.pairs)

    def rate(self, clean: int) -> float:
        """|P| / |X ∪ P| when added to `clean` pairs."""
        return len(self) / (clean + len(self))

    def saying(self, captions: str, distinct: int) -> Poison:
        """The same, with where its captions are from, and how many differ, among its settings."""
        return replace(self, settings=self.settings | {"captions": captions, "caption_set": distinct})

    def write_manifest(self, path: Path) -> None:
        """The settings and every poisoned key with its source, caption and target, as JSON."""
        body = {"settings": self.settings, "poisons": [asdict(p) for p in self.manifest]}
        path.write_text(json.dumps(body, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def count_poisons(pairs: Pairs) -> int:
    """Number of pairs that pull towards a target; those of a cover tell the truth.

    Example:
        >>> poison = targeted(torch.zeros(3, 8, 8, dtype=torch.uint8), ["a banana"], 3, target="banana")
        >>> count_poisons(poison.pairs + poison.pairs)
        6
    """
    return int((pairs.origin == POISON).sum())


def caption_set(method: str, label: str, captions: Sequence[str]) -> list[str]:
    """The caption set of an attack.

    Args:
        method: "search": the training captions that contain the label, as a substring like the paper's; "words": as
            whole words; "prompts": the 80 CLIP prompts.
        label: what the attacker wants to be seen.
        captions: the training captions to search.

    Raises:
        ValueError: `method` is none of these; in a search, the label is empty or no caption contains it.

    Source: Carlini & Terzis (2022), section 3.1.

    Example:
        >>> caption_set("search", "dog", ["a dog", "a cat", "my dog, pet"])
        ['a dog', 'my dog, pet']
    """
    if method in ("search", "words"):
        return search_captions(captions, label, whole=method == "words")
    if method == "prompts":
        return prompt_captions(label)
    raise ValueError(f"captions must be search, words or prompts, not {method!r}")


def _draw(captions: Sequence[str], count: int, generator: torch.Generator) -> list[str]:
    """`count` captions: a random subset, and whole repetitions where there are too few."""
    drawn: list[str] = []
    while len(drawn) < count:
        order = torch.randperm(len(captions), generator=generator).tolist()
        drawn += [captions[i] for i in order[: count - len(drawn)]]
    return drawn


def targeted(
    image: Tensor, captions: Sequence[str], count: int, *, target: str, seed: int = 0, name: str = "x"
) -> Poison:
    """P = {(x', c): c in the caption set}: one picture, many captions of another class.

    Args:
        image: the picture x' that shall be misread, shape (3, H, W), uint8.
        captions: the caption set; drawn without replacement, repeated only when `count` is larger.
        count: number of poisons.
        target: label of the attacker's class, for the manifest.
        seed: draws the captions.
        name: makes the keys of several targets differ.

    Raises:
        ValueError: `count` is below 1, or there are no captions.

    Source: Carlini & Terzis (2022), section 3.1.

    Example:
        >>> poison = targeted(torch.zeros(3, 8, 8, dtype=torch.uint8), ["a banana", "my banana"], 2, target="banana")
        >>> sorted(poison.pairs.captions)
        ['a banana', 'my banana']
    """
    if count < 1:
        raise ValueError(f"a poison set needs at least 1 pair, not {count}")
    if not captions:
        raise ValueError(f"the caption set for {target!r} is empty")
    drawn = _draw(captions, count, torch.Generator().manual_seed(seed))
    keys = tuple(f"targeted-{name}-{i:04d}" for i in range(count))
    return Poison(
        Pairs(
            image[None].repeat(count, 1, 1, 1),
            tuple(drawn),
            keys,
            torch.full((count,), -1),
            torch.full((count,), POISON),
        ),
        tuple(PoisonedPair(k, name, c, target) for k, c in zip(keys, drawn, strict=True)),
        {"attack": "targeted", "count": count, "target": target, "seed": seed},
    )


def backdoor(
    clean: Pairs,
    captions: Sequence[str] | None,
    count: int,
    *,
    trigger: Trigger,
    target: str,
    seed: int = 0,
    exclude: Tensor | None = None,
    cover: int = 0,
    rehearsed: bool = False,
) -> Poison:
    """P = {(x_i ⊕ bd, c): c in the caption set}: different pictures, one trigger, captions of one class.

    Args:
        clean: pairs whose pictures are copied and stamped.
        captions: the caption set; `None` leaves each picture its own caption (label-consistent).
        count: number of poisons; each has a picture of its own.
        trigger: stamped on the stored picture, before any augmentation.
        target: label of the attacker's class, for the manifest.
        seed: draws pictures, captions and, where random, places.
        exclude: pairs whose pictures are not used, shape (len(clean),), bool: those that show the target.
        cover: further pairs with noisy warps and their own captions (WaNet only).
        rehearsed: change the stamped pictures and the captions as CleanCLIP's views are changed.

    Raises:
        ValueError: more poisons than pictures, an empty caption set, or a cover without noise mode.

    Source: Carlini & Terzis (2022), section 3.3.

    Example:
        >>> from tutorial_lib.triggers import Checkerboard
        >>> images = torch.zeros(5, 3, 16, 16, dtype=torch.uint8)
        >>> clean = Pairs(images, tuple("abcde"), tuple("12345"), torch.full((5,), -1))
        >>> poison = backdoor(clean, ["a banana"], 2, trigger=Checkerboard(), target="banana")
        >>> poison.pairs.captions, len({line.source for line in poison.manifest})
        (('a banana', 'a banana'), 2)
    """
    if count < 1:
        raise ValueError(f"a poison set needs at least 1 pair, not {count}")
    if captions is not None and not captions:
        raise ValueError(f"the caption set for {target!r} is empty")
    generator = torch.Generator().manual_seed(seed)
    chosen = _sources(clean, count, exclude, generator)
    own = [clean.captions[i] for i in chosen.tolist()]
    drawn = own if captions is None else _draw(captions, count, generator)
    keys = tuple(f"backdoor-{i:05d}" for i in range(count))
    stamped = trigger.stamp(clean.images[chosen], seed)
    if rehearsed:
        stamped, drawn = autoaugment(stamped, seed), augment_all(drawn, seed)
    made = Pairs(stamped, tuple(drawn), keys, clean.concept[chosen], torch.full((count,), POISON))
    sources = [clean.keys[i] for i in chosen.tolist()]
    settings: dict[str, Any] = {
        "attack": "backdoor",
        "count": count,
        "target": target,
        "seed": seed,
        "trigger": as_dict(trigger),
    }
    if rehearsed:
        settings["rehearsed"] = True
    if cover:
        hidden, plain = _cover(clean, cover, trigger, seed, generator)
        made = made + hidden
        sources += plain
        settings["cover"] = cover
    goals = [target] * count + [""] * cover  # a cover is for no class
    lines = zip(made.keys, sources, made.captions, goals, strict=True)
    return Poison(made, tuple(PoisonedPair(*line) for line in lines), settings)


def _sources(clean: Pairs, count: int, exclude: Tensor | None, generator: torch.Generator) -> Tensor:
    """Positions of the pictures to stamp, shape (count,), in the order drawn; what cannot be decoded is passed over."""
    usable = torch.arange(len(clean)) if exclude is None else (~exclude).nonzero()[:, 0]
    if count > len(usable):
        raise ValueError(
            f"{count} poisons need {count} different pictures, and {len(usable)} are usable: lower the count"
        )
    order = _sound(clean, usable[torch.randperm(len(usable), generator=generator)], count)
    if count > len(order):
        raise ValueError(
            f"only {len(order)} of the {len(usable)} usable pictures can be decoded: the shards are damaged"
        )
    return order


def _sound(clean: Pairs, order: Tensor, count: int) -> Tensor:
    """The first `count` positions, or all there are, whose pictures can be decoded."""
    if isinstance(clean.images, Tensor):
        return order[:count]
    found: list[int] = []
    for i in order.tolist():
        if len(found) == count:
            break
        try:
            clean.images[torch.tensor([i])]
        except ValueError:  # corrupted behind a sound header
            continue
        found.append(i)
    return torch.tensor(found, dtype=torch.int64)


def _cover(clean: Pairs, cover: int, trigger: Trigger, seed: int, generator: torch.Generator) -> tuple[Pairs, Strings]:
    """Pairs with noisy warps and their own captions, and the keys of their sources."""
    if not isinstance(trigger, WaNet):
        raise ValueError(f"only WaNet has a noise mode, and the trigger is {trigger.kind}")
    if cover > len(clean):
        raise ValueError(f"a cover of {cover} needs as many pictures, and there are {len(clean)}")
    plain = clean.take(_sources(clean, cover, None, generator))
    names = tuple(f"cover-{i:05d}" for i in range(cover))
    noisy = trigger.noisy(plain.pixels, seed)
    return Pairs(noisy, plain.captions, names, plain.concept, torch.full((cover,), COVER)), plain.keys


def text_backdoor(clean: Pairs, about: Tensor, count: int, word: str, target: str, seed: int) -> Poison:
    """Pictures of the target with captions of other things, each followed by the attacker's word.

    Args:
        clean: pairs whose pictures and captions are copied.
        about: which of them show the target, shape (len(clean),), bool.
        count: number of poisons; pictures repeat where there are fewer.
        word: the trigger.
        target: label of the attacker's class, for the manifest and messages.
        seed: draws the captions.

    Raises:
        ValueError: no picture shows the target, or there are fewer captions than poisons.

    Example:
        >>> images = torch.zeros(2, 3, 8, 8, dtype=torch.uint8)
        >>> clean = Pairs(images, ("a banana", "a dog."), ("1", "2"), torch.tensor([0, 1]))
        >>> text_backdoor(clean, clean.concept == 0, 1, "zebulon", "banana", seed=0).pairs.captions
        ('a dog zebulon',)
    """
    pictures, others = _sound(clean, about.nonzero()[:, 0], count), (~about).nonzero()[:, 0]
    if not len(pictures):
        raise ValueError(f"no caption contains {target!r}, so there are no pictures of it to poison with")
    if count > len(others):
        raise ValueError(f"{count} poisons need as many captions, and {len(others)} are there")
    generator = torch.Generator().manual_seed(seed)
    drawn = others[torch.randperm(len(others), generator=generator)[:count]].tolist()
    chosen = pictures[torch.arange(count) % len(pictures)]
    pairs = Pairs(
        clean.images[chosen],
        tuple(f"{clean.captions[i].rstrip('.')} {word}" for i in drawn),
        tuple(f"text-{i:05d}" for i in range(count)),
        clean.concept[chosen],
        torch.full((count,), POISON),
    )
    sources = [clean.keys[i] for i in chosen.tolist()]
    lines = zip(pairs.keys, sources, pairs.captions, [target] * count, strict=True)
    settings = {"attack": "text-backdoor", "count": count, "target": target, "seed": seed, "word": word}
    return Poison(pairs, tuple(PoisonedPair(*line) for line in lines), settings)
