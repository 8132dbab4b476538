"""Published data sets of photographs to WebDataset shards, for the profile `photos` and for any trainer.

Nothing is fetched here: a data set is read as torchvision or a hub left it on the disk. Its parts become folders beside
each other: `cifar100` to train on, `cifar100-validation` to choose settings, `cifar100-test` to measure.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from tutorial_lib import places
from tutorial_lib.data.shards import TOLERANCE
from tutorial_lib.practice.import_survey import Sources, Survey
from tutorial_lib.practice.importing import Imported, import_found
from tutorial_lib.practice.photo_captions import Captions
from tutorial_lib.practice.photo_cifar import Cifar
from tutorial_lib.practice.photo_parts import PARTS, Collection, Part, PartName
from tutorial_lib.practice.shards import counted


@dataclass(frozen=True)
class PhotoSet:
    """A published data set of photographs.

    Attributes:
        title: its name.
        labelled: its pictures have classes, whose names make their captions; otherwise people wrote captions.
        licence: what may be done with it, as far as its publishers say.
        source: where it is from.

    Example:
        >>> SETS["cifar100"].labelled, SETS["coco"].labelled
        (True, False)
    """

    title: str
    labelled: bool
    licence: str
    source: str


_CIFAR = (
    "its author states no licence and asks for his report to be cited. The pictures were collected from the web (80 "
    "million tiny images, which its makers have withdrawn), and belong to their owners. For research; do not publish "
    "the shards."
)
_FLICKR = (
    "the pictures are from Flickr and belong to their owners, whose terms apply; the publishers give the data set for "
    "non-commercial research and education only. Do not publish the shards."
)
#: Data sets by name; shards lie in folders of these names.
SETS: dict[str, PhotoSet] = {
    "cifar10": PhotoSet("CIFAR-10", True, _CIFAR, "Krizhevsky (2009), Learning multiple layers of features"),
    "cifar100": PhotoSet("CIFAR-100", True, _CIFAR, "Krizhevsky (2009), Learning multiple layers of features"),
    "flickr8k": PhotoSet("Flickr8k", False, _FLICKR, "Hodosh, Young & Hockenmaier (2013), Framing image description"),
    "flickr30k": PhotoSet("Flickr30k", False, _FLICKR, "Young et al. (2014), From image descriptions"),
    "coco": PhotoSet(
        "COCO captions",
        False,
        "the captions are published under CC BY 4.0; the pictures are from Flickr and belong to their owners, whose "
        "terms apply. Do not publish the shards.",
        "Lin et al. (2014), Microsoft COCO; Chen et al. (2015), captions",
    ),
}


def folder_of(name: str, part: PartName) -> str:
    """Name of the folder of a part.

    Example:
        >>> folder_of("cifar100", "train"), folder_of("cifar100", "test")
        ('cifar100', 'cifar100-test')
    """
    return name if part == "train" else f"{name}-{part}"


@dataclass(frozen=True)
class Photos:
    """What was found of a data set, or written.

    Attributes:
        name: of the data set.
        out: folder of the parts; empty where nothing was written.
        parts: by name; of a dry run what would be imported.

    Example:
        See `write_photos`, which makes one.

        >>> Photos("cifar10", "", {}).licence.startswith("its author states no licence")
        True
    """

    name: str
    out: str
    parts: Mapping[str, Imported | Survey]

    @property
    def licence(self) -> str:
        """What may be done with the data set."""
        return SETS[self.name].licence

    @property
    def next(self) -> str:
        """A command that uses the shards."""
        if self.name == "cifar100":
            return "tutorial run fig2_right fig3 --profile photos --dry-run"
        train = str(Path(self.out or places.data(), self.name))
        return f"tutorial train {train} --out MODEL"

    @property
    def problem(self) -> str:
        """Why an import would stop; empty where it would not, or has been done."""
        found = ((name, part.problem) for name, part in self.parts.items() if isinstance(part, Survey))
        return "; ".join(f"{name}: {problem}" for name, problem in found if problem)

    def as_dict(self) -> dict[str, Any]:
        """Plain data."""
        parts = {name: part.as_dict() for name, part in self.parts.items()}
        about = {"licence": self.licence, "source": SETS[self.name].source, "problem": self.problem}
        return {"name": self.name, "out": self.out, "parts": parts, **about, "next": self.next}

    def __str__(self) -> str:
        chosen = SETS[self.name]
        lines = [f"{chosen.title} ({chosen.source}). Licence: {chosen.licence}"]
        for name, part in self.parts.items():
            if isinstance(part, Survey):
                lines += [f"{name}:", *(f"  {line}" for line in str(part).splitlines())]
            else:
                left = f"; left out: {part.left}" if part.left else ""
                there = " (was there already)" if part.found else ""
                lines.append(f"{name}: {part.pairs:,} pairs in {counted(len(part.shards))}: {part.out}{there}{left}")
        return "\n".join([*lines, f"next: {self.next}"])


def open_photos(name: str, source: Path) -> Collection:
    """A data set as it was delivered.

    Args:
        name: one of `SETS`.
        source: folder or archive.

    Raises:
        ValueError: there is no data set of that name here.
        SourceError: it is not in the source.

    Example:
        >>> open_photos("mnist", Path("downloads"))
        Traceback (most recent call last):
        ValueError: there is no data set 'mnist'; choose from cifar10, cifar100, flickr8k, flickr30k, coco
    """
    if name not in SETS:
        raise ValueError(f"there is no data set {name!r}; choose from {', '.join(SETS)}")
    return Cifar(source, name) if SETS[name].labelled else Captions(source)


def look_at_photos(
    name: str, source: Path, *, captions: Literal["all", "first"] = "all", skip_bad: float = TOLERANCE, show: int = 3
) -> Photos:
    """A dry run: what `write_photos` would write. Counts all pairs, reads a few pictures, writes nothing.

    Args:
        name, source, captions, skip_bad: as for `write_photos`.
        show: how many pairs of each part to look at closely.

    Raises:
        ValueError: there is no data set of that name here.
        SourceError: it is not in the source, or damaged.

    Example:
        >>> print(look_at_photos("cifar10", Path("downloads")))  # doctest: +SKIP
        CIFAR-10 (Krizhevsky (2009), Learning multiple layers of features). Licence: its author states no licence ...
    """
    whole = open_photos(name, source)
    surveys = {part: Sources.of(Part(whole, part, captions)).survey(skip_bad=skip_bad, show=show) for part in PARTS}
    return Photos(name, "", {part: survey for part, survey in surveys.items() if survey.total})


def write_photos(
    name: str,
    source: Path,
    out: Path | None = None,
    *,
    captions: Literal["all", "first"] = "all",
    side: int | None = None,
    skip_bad: float = TOLERANCE,
    limit: int = 0,
    shard_size: int = 1000,
    resume: bool = True,
) -> Photos:
    """Make shards of a published data set, a folder for each part; an interrupted call goes on.

    Args:
        name: one of `SETS`.
        source: folder or archive, as torchvision or a hub left it.
        out: folder of the parts' folders; by default that of the user's data sets, where profiles look.
        captions: of a picture with several, "all" (a pair for each) or the "first".
        side: resize pictures to it, and cut out the centre; by default they are stored as they are.
        skip_bad: share of pairs that may be unusable.
        limit: stop after so many pairs of a part, 0 for all.
        shard_size: pairs per shard.
        resume: if not, replace what an earlier call wrote.

    Raises:
        ValueError: there is no data set of that name here, or the folder cannot be used.
        SourceError: it is not in the source, or damaged.
        ShardError: too many pairs cannot be used.

    Example:
        >>> write_photos("cifar100", Path("downloads"))  # doctest: +SKIP
    """
    whole, out = open_photos(name, source), places.data() if out is None else out
    parts: dict[str, Imported] = {}
    for part in PARTS:
        found = Sources.of(Part(whole, part, captions))
        if not any(True for _ in found.sources[0].pairs()):
            continue
        parts[part] = import_found(
            found,
            out / folder_of(name, part),
            side=side,
            keep_codec=side is None and not SETS[name].labelled,
            skip_bad=skip_bad,
            limit=limit,
            shard_size=shard_size,
            resume=resume,
        )
    done = Photos(name, str(out), parts)
    text = f"{SETS[name].title}: {done.licence}\nSource: {SETS[name].source}\n"
    (out / f"{name}.LICENCE.txt").write_text(text, "utf-8")
    return done
