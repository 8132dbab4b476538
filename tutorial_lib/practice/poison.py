"""Shards in, poisoned pairs out, as extra shards with a manifest. Training is not touched."""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import os
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor
from tqdm.auto import tqdm

from tutorial_lib.attacks import Backdoor, TextBackdoor
from tutorial_lib.attacks import poison as poisoning
from tutorial_lib.attacks.poison import Poison, caption_set
from tutorial_lib.attacks.selection import Select, excluded, showing, unseen_classes
from tutorial_lib.data.index import Glance, glance
from tutorial_lib.data.loading import read_pairs
from tutorial_lib.data.pairs import Pairs
from tutorial_lib.data.pictures import ShardPictures, StoredPictures
from tutorial_lib.data.shard_writer import ShardWriter, write_pairs
from tutorial_lib.data.shards import Sample, SkippedPairsWarning, decode, expand, samples
from tutorial_lib.data.tasks import LabelledPictures
from tutorial_lib.notes import Note
from tutorial_lib.practice.pictures import numbers, read_labels, true_class
from tutorial_lib.triggers import Checkerboard, Trigger

AttackName = Literal["backdoor", "targeted", "text"]
Captions = Literal["search", "prompts"]

#: What only some attacks have.
OPTIONS = {
    "trigger": ("backdoor",),
    "select": ("backdoor",),
    "cover": ("backdoor",),
    "captions": ("backdoor", "targeted"),
    "word": ("text",),
    "image": ("targeted",),
}


@dataclass(frozen=True)
class Poisoning:
    """What was written.

    Attributes:
        attack: how it is called.
        target: label of the attacker's class.
        count: poisons.
        cover: further pairs that tell the truth.
        clean: pairs of the data set that they are added to.
        captions: where those of the poisons are from, and how many differ.
        seed: that drew them.
        shards: of the poisons.
        clean_shards: of the clean pairs, where these were written too.
        manifest: file that names every poison.

    Example:
        See `poison`, which makes one.

        >>> "manifest" in Poisoning.__dataclass_fields__
        True
    """

    attack: str
    target: str
    count: int
    cover: int
    clean: int
    captions: tuple[str, int]
    seed: int
    shards: tuple[str, ...]
    clean_shards: tuple[str, ...]
    manifest: str

    @property
    def rate(self) -> float:
        """|P| / |X ∪ P|, a cover included."""
        added = self.count + self.cover
        return added / (self.clean + added)

    def as_dict(self) -> dict[str, Any]:
        """Plain data."""
        method, distinct = self.captions
        return {
            "attack": self.attack,
            "target": self.target,
            "count": self.count,
            **({"cover": self.cover} if self.cover else {}),
            "clean": self.clean,
            "rate": self.rate,
            "captions": {"method": method, "distinct": distinct},
            "seed": self.seed,
            "shards": list(self.shards),
            "clean_shards": list(self.clean_shards),
            "manifest": self.manifest,
        }

    def __str__(self) -> str:
        method, distinct = self.captions
        cover = f" and {self.cover} pairs of cover" if self.cover else ""
        return (
            f"{self.count} poisons{cover} added to {self.clean} clean pairs: rate {self.rate:.3%}\n"
            f"{self.attack} towards {self.target!r}, {distinct} captions by {method}\n"
            f"{len(self.shards)} shards and {self.manifest}"
        )


def poison(
    shards: Sequence[str | Path],
    out: Path,
    *,
    attack: AttackName,
    target: str,
    count: int,
    trigger: Trigger | None = None,
    select: Select | None = None,
    cover: int | None = None,
    captions: Captions | None = None,
    word: str | None = None,
    image: Path | None = None,
    labels: Path | None = None,
    side: int | None = None,
    with_clean: bool = False,
    codec: str = "webp",
    shard_size: int = 1000,
    seed: int = 0,
) -> Poisoning:
    """Write poisons as extra shards, with a manifest of every one.

    One pass reads the headers of the pictures; only those that an attacker uses are decoded. The same pairs, labels and
    seed give the poisons of a trial.

    Args:
        shards: of the clean pairs.
        out: folder of `poison-*.tar` and `manifest.json`.
        attack: "backdoor" stamps pictures, "targeted" gives one picture many captions, "text" gives captions a word.
        target: label of the class that the attacker wants to be seen.
        count: number of poisons.
        trigger: of a backdoor; by default a checkerboard.
        select: of a backdoor: which pictures it stamps, as `tutorial_lib.attacks.Backdoor` says; by default "others".
        cover: of a backdoor with WaNet: further pairs with noisy warps and their own captions.
        captions: of the data set that contain the target, or the 80 CLIP prompts; by default "search" for a backdoor
            and "prompts" for a targeted attack.
        word: of a text attack: the trigger.
        image: of a targeted attack: the picture that shall be misread.
        labels: file that names the classes of the pictures, one a line; without it, captions tell what pictures show.
            With it, a backdoor also leaves every fourth class alone, so that success can be measured on unseen ones.
        side: resize pictures to it first, as open_clip does.
        with_clean: also write the clean pairs, through the same resizing and codec, to `out/clean`.
        codec: "webp" or "png", both without loss.
        shard_size: pairs per shard.
        seed: draws pictures, captions and random places.

    Raises:
        ValueError: an option belongs to another attack, there are too few pictures or captions, or the trigger does not
            fit.
        ShardError: the shards cannot be used.

    Example:
        >>> from tutorial_lib.practice.shards import write_emojicaps
        >>> from tutorial_lib.triggers import Checkerboard
        >>> clean = write_emojicaps(Path("clean"), copies=2, classes=16)
        >>> settings = {"attack": "backdoor", "target": "rainbow", "count": 4, "trigger": Checkerboard()}
        >>> done = poison(clean.shards, Path("poisons"), **settings)
        >>> done.count, Path("poisons/manifest.json").is_file()
        (4, True)
    """
    own: dict[str, Any] = {
        "trigger": trigger,
        "select": select,
        "cover": cover,
        "captions": captions,
        "word": word,
        "image": image,
    }
    given = {name: value for name, value in own.items() if value is not None}
    _check(out, attack, target, labels, given)
    names = read_labels(labels) if labels else None
    goal = _number(target, names) if names else -1
    found = expand(shards)
    if attack == "backdoor":
        _fits(given.setdefault("trigger", Checkerboard()), found, side)
    seen = glance(found, class_of=_class_of(names), resized=side is not None)
    resized, side = side not in (None, seen.side), side or seen.side
    if attack == "targeted":
        made = _targeted([e.caption for e in seen.entries], target, count, side=side, seed=seed, **given)
    else:
        pairs, shown = _pairs(found, seen, side)
        make = _backdoor if attack == "backdoor" else _text
        made = make(pairs, shown if names else None, goal, len(names or ()), target, count, seed=seed, **given)
    if (seen.lossy or len(seen.sizes) > 1 or resized) and not with_clean:
        warnings.warn(
            "the clean pictures are stored in a lossy codec or in other sizes than the poisons, which a model could "
            "learn to tell apart; --with-clean writes them in the same way",
            Note,
            stacklevel=2,
        )
    total = sum(len(index.entries) for index in seen.indices)
    made = dataclasses.replace(made, settings=made.settings | {"side": side, "clean": total})
    clean_shards: list[Path] = []
    if with_clean:
        kept = {entry.key for entry in seen.entries}
        clean_shards = _write_clean(found, kept, out / "clean", side=side, codec=codec, shard_size=shard_size)
    written = write_pairs(out, made.pairs, prefix="poison", shard_size=shard_size, codec=codec)
    poisons = poisoning.count_poisons(made.pairs)
    return Poisoning(
        attack=attack,
        target=target,
        count=poisons,
        cover=len(made) - poisons,
        clean=total,
        captions=(made.settings["captions"], made.settings["caption_set"]),
        seed=seed,
        shards=tuple(map(str, written)),
        clean_shards=tuple(map(str, clean_shards)),
        manifest=str(_write_manifest(made, out / "manifest.json")),
    )


def _check(out: Path, attack: AttackName, target: str, labels: Path | None, given: dict[str, Any]) -> None:
    """Everything that can be wrong before a shard is read."""
    if not target.strip():
        raise ValueError("the target is empty: give the label of a class")
    for name in given:
        if attack not in OPTIONS[name]:
            raise ValueError(f"--{name} belongs to --attack {' and '.join(OPTIONS[name])}, not to {attack}")
    if attack == "targeted":
        if labels:
            raise ValueError("--labels says what the data set's pictures show, and --attack targeted uses none of them")
        if "image" not in given:
            raise ValueError("a targeted attack needs --image FILE, the picture that shall be misread")
        if not given["image"].is_file():
            raise ValueError(f"there is no picture {given['image']}")
    select = given.get("select", "others")
    if select == "label-consistent" and labels is None:
        raise ValueError(
            "label-consistent poisons need pictures with class labels: name the classes with --labels FILE, or take "
            "--select named, which needs none"
        )
    if select != "others" and "captions" in given:
        raise ValueError(f"{select} poisons keep the captions of their pictures: leave --captions out")
    if old := [*out.glob("poison-*.tar"), *out.glob("manifest.json"), *out.glob("clean/*.tar")]:
        raise ValueError(f"{out} already holds {old[0].name}: choose another --out or remove it")


def _number(target: str, names: Sequence[str]) -> int:
    """Number of the target among the classes."""
    none = torch.empty(0, dtype=torch.int64)
    nothing = torch.empty(0, 3, 1, 1, dtype=torch.uint8)
    return LabelledPictures(labels=tuple(names), images=nothing, targets=none, sprite=none).class_of(target)


def _class_of(names: Sequence[str] | None) -> Callable[[Sample], int] | None:
    return functools.partial(true_class, number=numbers(names)) if names else None


def _fits(trigger: Trigger, shards: Sequence[Path], side: int | None) -> None:
    """Says at once, on the first picture that can be decoded, if the trigger does not fit."""
    for sample in samples(shards):
        try:
            picture = decode(sample.picture, side=side)
        except ValueError:
            continue
        trigger.stamp(torch.from_numpy(picture).permute(2, 0, 1)[None])
        return


def _pairs(shards: Sequence[Path], seen: Glance, side: int | None) -> tuple[Pairs, Tensor]:
    """The pairs, their pictures left in the shards where they can be read in any order, and the class of each."""
    entries = seen.entries
    if side is not None and seen.in_any_order:
        pictures = StoredPictures([ShardPictures(index, side) for index in seen.indices])
        pairs = Pairs(
            pictures,
            tuple(e.caption for e in entries),
            tuple(e.key for e in entries),
            torch.tensor([e.concept for e in entries]),
        )
        return pairs, torch.tensor(seen.classes)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SkippedPairsWarning)  # the first pass has said so
        pairs = read_pairs(shards, side=side)
    shown = dict(zip((e.key for e in entries), seen.classes, strict=True))
    return pairs, torch.tensor([shown[key] for key in pairs.keys])


def _backdoor(
    pairs: Pairs, shown: Tensor | None, goal: int, classes: int, target: str, count: int, *, seed: int, **given: Any
) -> Poison:
    attack = Backdoor(count, target=target, **given)
    unseen = None if shown is None else unseen_classes(classes, goal)
    exclude = excluded(attack.select, pairs.captions, target, shown=shown, target=goal, unseen=unseen)
    if count > (usable := int((~exclude).sum())):
        does = {"others": "do not show", "label-consistent": "show", "named": "name"}[attack.select]
        kept = "" if shown is None or attack.select != "others" else " nor a class that is kept for the test"
        raise ValueError(
            f"{count} poisons need {count} different pictures, and {usable} of {len(pairs)} {does} {target!r}{kept}: "
            "lower --count"
        )
    made = attack.poison(pairs, exclude, seed=seed)
    if attack.select == "others":
        return _said(made, attack.captions, len(caption_set(attack.captions, target, pairs.captions)))
    return _said(made, "own", len(set(made.pairs.captions[:count])))


def _text(
    pairs: Pairs, shown: Tensor | None, goal: int, classes: int, target: str, count: int, *, seed: int, **given: Any
) -> Poison:
    attack = TextBackdoor(count, target=target, **given)
    pairs, about = _sound(pairs, showing(pairs.captions, target, shown=shown, target=goal), count)
    made = attack.poison(pairs, about, seed=seed)
    assert made is not None  # the count is at least 1
    return _said(made, "word", len(set(made.pairs.captions)))


def _sound(pairs: Pairs, about: Tensor, count: int) -> tuple[Pairs, Tensor]:
    """Without the pairs whose picture would be used and cannot be decoded."""
    used, broken = 0, []
    for position in about.nonzero()[:, 0].tolist():
        try:
            pairs.images[torch.tensor([position])]
        except ValueError:  # corrupted behind a sound header
            broken.append(position)
            continue
        used += 1
        if used == count:
            break
    if not broken:
        return pairs, about
    kept = torch.ones(len(pairs), dtype=torch.bool)
    kept[broken] = False
    return pairs.take(kept.nonzero()[:, 0]), about[kept]


def _targeted(
    texts: Sequence[str],
    target: str,
    count: int,
    *,
    side: int | None,
    seed: int,
    image: Path,
    captions: Captions = "prompts",
) -> Poison:
    content = image.read_bytes()
    picture = torch.from_numpy(decode(content, side=side)).permute(2, 0, 1)
    found = caption_set(captions, target, texts)
    made = poisoning.targeted(picture, found, count, target=target, seed=seed, name=image.stem.replace(".", "_"))
    source = {"image": image.name, "image_sha256": hashlib.sha256(content).hexdigest()}
    return _said(dataclasses.replace(made, settings=made.settings | source), captions, len(found))


def _said(made: Poison, captions: str, distinct: int) -> Poison:
    """With the origin of its captions in the settings."""
    return dataclasses.replace(made, settings=made.settings | {"captions": captions, "caption_set": distinct})


def _write_clean(
    shards: Sequence[Path], kept: set[str], out: Path, *, side: int | None, codec: str, shard_size: int
) -> list[Path]:
    """The clean pairs through the same resizing and codec, with their JSON and class number."""
    with ShardWriter(out, prefix="clean", shard_size=shard_size, codec=codec) as writer:
        for sample in tqdm(samples(shards), total=len(kept), unit="pair", desc="clean", disable=None):
            if sample.key not in kept:
                continue
            try:
                picture = decode(sample.picture, side=side)
            except ValueError:
                continue  # corrupted behind a sound header: a trainer skips it as well
            writer.add(sample.key, picture, sample.caption, sample.meta, sample.label)
    return writer.paths


def _write_manifest(made: Poison, path: Path) -> Path:
    part = path.with_suffix(".json.part")
    made.write_manifest(part)
    os.replace(part, path)
    return path
