"""Shards in, poisoned pairs out, as extra shards with a manifest. Training is not touched."""

from __future__ import annotations

import dataclasses
import functools
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from tutorial_lib.attacks import PairAttack, Seen
from tutorial_lib.attacks.poison import Poison, count_poisons
from tutorial_lib.data.decoding import NotAPictureError, decode
from tutorial_lib.data.index import Glance, glance
from tutorial_lib.data.loading import read_pairs
from tutorial_lib.data.pairs import POISON, Pairs
from tutorial_lib.data.pictures import ShardPictures, StoredPictures
from tutorial_lib.data.shard_writer import ShardWriter, write_pairs
from tutorial_lib.data.shards import TOLERANCE, Sample, SkippedPairsWarning, expand, samples
from tutorial_lib.data.tasks import class_number
from tutorial_lib.data.text import Names
from tutorial_lib.machine import memory_bytes
from tutorial_lib.notes import Note
from tutorial_lib.practice.attack import OnePicture, trigger_of
from tutorial_lib.practice.output import left_over, staged
from tutorial_lib.practice.pictures import read_labels, true_class
from tutorial_lib.practice.provenance import origins_of
from tutorial_lib.practice.shards import counted
from tutorial_lib.ticker import Ticker
from tutorial_lib.triggers import Trigger

#: Poisons a caption beyond which a note says that it repeats.
FEW = 10
#: Width and height that a codec can store, in pixels.
LARGEST = {"webp": 16_383, "png": 2**31 - 1}


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
        lines = [
            f"{self.count} poisons{cover} added to {self.clean} clean pairs: rate {self.rate:.3%}",
            f"{self.attack} towards {self.target!r}, {distinct} captions by {method}",
            f"{counted(len(self.shards))} and {self.manifest}",
        ]
        if self.clean_shards:
            lines.append(f"clean pairs: {counted(len(self.clean_shards))} in {Path(self.clean_shards[0]).parent}")
        return "\n".join(lines)


def poison(
    shards: Sequence[str | Path],
    out: Path,
    attack: PairAttack | OnePicture,
    *,
    labels: Path | None = None,
    side: int | None = None,
    skip_bad: float = TOLERANCE,
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
        attack: what is done; `tutorial_lib.practice.attack.chosen_attack` makes one by name.
        labels: file that names the classes of the pictures, one a line; without it, captions tell what pictures show.
            With it, a backdoor also leaves every fourth class alone, so that success can be measured on unseen ones.
        side: resize pictures to it first, as open_clip does.
        skip_bad: share of the pairs that may be unusable.
        with_clean: also write the clean pairs, through the same resizing and codec, to `out/clean`.
        codec: "webp" or "png", both without loss.
        shard_size: pairs per shard.
        seed: draws pictures, captions and random places.

    Raises:
        ValueError: there are too few pictures or captions, the trigger does not fit, labels are missing or not needed,
            the codec cannot store pictures of that side, or `out` holds poisons already.
        MemoryError: the poisons do not fit into memory.
        ShardError: the shards cannot be used.

    Example:
        >>> from tutorial_lib.attacks import Backdoor
        >>> from tutorial_lib.practice.shards import write_emojicaps
        >>> clean = write_emojicaps(Path("clean"), copies=2, classes=16)
        >>> done = poison(clean.shards, Path("poisons"), Backdoor(4, target="rainbow"))
        >>> done.count, Path("poisons/manifest.json").is_file()
        (4, True)
    """
    _check(out, attack, labels)
    _require_size(attack, side, codec)
    names = read_labels(labels) if labels else ()
    if names:
        class_number(attack.target, names)
    found = expand(shards)
    if inside := [shard for shard in found if out.resolve() in shard.resolve().parents]:
        raise ValueError(f"{out} holds {inside[0].name}, one of the clean shards: choose another `out`")
    if trigger := trigger_of(attack):
        _fits(trigger, found, side)
    with staged(out, first=["manifest.json"]) as work:
        glanced = glance(found, class_of=_class_of(names), resized=side is not None, skip_bad=skip_bad)
        _note_poisons(glanced)
        resized, side = side not in (None, glanced.side), side or glanced.side
        _require_size(attack, side, codec)
        seen = _seen(found, glanced, names, side, skip_bad, whole=not isinstance(attack, OnePicture))
        made = attack.poison(seen, seed=seed)
        _warn_of_few(made, attack.count)
        if (glanced.lossy or len(glanced.sizes) > 1 or resized) and not with_clean:
            warnings.warn(
                "the clean pictures are stored in a lossy codec or in other sizes than the poisons, which a model "
                "could learn to tell apart; `with_clean` writes them in the same way",
                Note,
                stacklevel=2,
            )
        total = sum(len(index.entries) for index in glanced.indices)
        made = dataclasses.replace(made, settings=made.settings | {"side": side, "clean": total})
        clean_shards: list[Path] = []
        if with_clean:
            kept = dict(zip(_identities(glanced), glanced.keys, strict=True))
            clean_shards = _write_clean(found, kept, work / "clean", side=side, codec=codec, shard_size=shard_size)
        written = write_pairs(work, made.pairs, prefix="poison", shard_size=shard_size, codec=codec)
        made.write_manifest(work / "manifest.json")
        poisons = count_poisons(made.pairs)
        return Poisoning(
            attack=attack.kind,
            target=attack.target,
            count=poisons,
            cover=len(made) - poisons,
            clean=total,
            captions=(made.settings["captions"], made.settings["caption_set"]),
            seed=seed,
            shards=tuple(str(out / p.relative_to(work)) for p in written),
            clean_shards=tuple(str(out / p.relative_to(work)) for p in clean_shards),
            manifest=str(out / "manifest.json"),
        )


def _identities(glanced: Glance) -> list[tuple[Path, str]]:
    return [(index.shard, entry.key) for index in glanced.indices for entry in index.entries]


def _warn_of_few(made: Poison, count: int) -> None:
    """Many poisons that share few captions are easy to find, and teach little."""
    captions = list(dict.fromkeys(made.pairs.captions[:count]))
    if count > FEW * len(captions):
        some = ", ".join(repr(caption) for caption in captions[:3])
        more = ", …" if len(captions) > 3 else ""
        warnings.warn(
            f"{count} poisons share {len(captions)} captions ({some}{more}): such repetition is easy to find; "
            "`captions` from prompts are 80",
            Note,
            stacklevel=4,
        )


def _check(out: Path, attack: PairAttack | OnePicture, labels: Path | None) -> None:
    """Everything that can be wrong before a shard is read."""
    if isinstance(attack, OnePicture) and labels:
        raise ValueError("`labels` say what the data set's pictures show, and a targeted attack uses none of them")
    if getattr(attack, "select", "") == "label-consistent" and labels is None:
        raise ValueError(
            "label-consistent poisons need pictures with class labels: name the classes in a file of `labels`, or "
            "`select` named ones, which need none"
        )
    old = [*out.glob("poison-*.tar"), *out.glob("manifest.json"), *out.glob("clean/*.tar")]
    if old and not left_over(out):
        raise ValueError(f"{out} already holds {old[0].name}: choose another `out` or remove it")


def _require_size(attack: PairAttack | OnePicture, side: int | None, codec: str) -> None:
    """Check that pictures of a side can be stored, and all poisons kept in memory, before one is decoded.

    Raises:
        ValueError: the codec has no pictures of that side.
        MemoryError: the poisons do not fit.
    """
    if side is None:
        return
    if side > LARGEST[codec]:
        raise ValueError(f"`codec` {codec} stores pictures of up to {LARGEST[codec]:,} pixels a side, not {side:,}")
    count = 1 if isinstance(attack, OnePicture) else attack.count + getattr(attack, "cover", 0)
    needed, there = 3 * side**2 * count, memory_bytes()
    if there and needed > there:
        raise MemoryError(
            f"{count:,} pictures of {side:,} x {side:,} pixels take {needed / 2**30:,.1f} GiB of memory, and this "
            f"machine has {there / 2**30:,.1f}: lower `side` or `count`"
        )


def _note_poisons(glanced: Glance) -> None:
    """Say how many of the pairs that count as clean a manifest beside their shards names."""
    origins = origins_of(index.shard.parent / "manifest.json" for index in glanced.indices)
    there = [origins.get(entry.key) for entry in glanced.entries].count(POISON)
    if there:
        warnings.warn(
            f"{there} of the {len(glanced.entries):,} pairs are poisons already, says a manifest beside their shards: "
            "they count as clean here, and may be stamped again",
            Note,
            stacklevel=3,
        )


def _class_of(names: Sequence[str]) -> Callable[[Sample], int] | None:
    return functools.partial(true_class, known=Names(names)) if names else None


def _fits(trigger: Trigger, shards: Sequence[Path], side: int | None) -> None:
    """Says at once, on the first picture that can be decoded, if the trigger does not fit."""
    for sample in samples(shards):
        try:
            picture = decode(sample.picture, side=side)
        except NotAPictureError:
            continue
        trigger.stamp(torch.from_numpy(picture).permute(2, 0, 1)[None])
        return


def _seen(
    shards: Sequence[Path], glanced: Glance, names: Sequence[str], side: int | None, skip_bad: float, *, whole: bool
) -> Seen:
    """The pairs, and the class of each where classes have names.

    Pictures stay in the shards where they can be read in any order; without `whole` none is ever decoded.
    """
    entries = glanced.entries
    captions, keys = tuple(e.caption for e in entries), tuple(glanced.keys)
    concept, shown = torch.tensor([e.concept for e in entries]), list(glanced.classes)
    if side is not None and (glanced.in_any_order or not whole):
        pictures = StoredPictures([ShardPictures(index, side) for index in glanced.indices])
        pairs = Pairs(pictures, captions, keys, concept)
    else:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", SkippedPairsWarning)  # the first pass has said so
            pairs = read_pairs(shards, side=side, skip_bad=skip_bad)
        rest = iter(zip((e.key for e in entries), keys, shown, strict=True))  # some are corrupted behind their headers
        told = [next((name, number) for key, name, number in rest if key == there) for there in pairs.keys]
        pairs = dataclasses.replace(pairs, keys=tuple(name for name, _ in told))
        shown = [number for _, number in told]
    return Seen(pairs, tuple(names), torch.tensor(shown) if names else None)


def _write_clean(
    shards: Sequence[Path],
    kept: Mapping[tuple[Path, str], str],
    out: Path,
    *,
    side: int | None,
    codec: str,
    shard_size: int,
) -> list[Path]:
    """The clean pairs through the same resizing and codec, with their JSON and class number."""
    with ShardWriter(out, prefix="clean", shard_size=shard_size, codec=codec) as writer:
        for sample in Ticker("writing clean", "pairs", len(kept)).over(samples(shards)):
            if (key := kept.get(sample.identity)) is None:
                continue
            try:
                picture = decode(sample.picture, side=side)
            except NotAPictureError:
                continue  # corrupted behind a sound header: a trainer skips it as well
            writer.add(key, picture, sample.caption, sample.meta, sample.label)
    return writer.paths
