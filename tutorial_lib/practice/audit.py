"""Which pairs of a training set look poisoned: a ranked list, and shards without the worst."""

from __future__ import annotations

import contextlib
import csv
import io
import json
import tarfile
import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from tutorial_lib import costs, models
from tutorial_lib.data.loading import open_pairs
from tutorial_lib.data.members import members, opened, split
from tutorial_lib.data.pairs import POISON, Pairs
from tutorial_lib.data.shards import TOLERANCE, expand
from tutorial_lib.detect import DETECTORS, Detector
from tutorial_lib.detect.points import PointDetector
from tutorial_lib.detect.ranking import Ranking
from tutorial_lib.machine import chosen_device
from tutorial_lib.notes import Note
from tutorial_lib.practice import settings as setting
from tutorial_lib.practice.output import left_over, staged
from tutorial_lib.practice.pictures import resizing_of
from tutorial_lib.practice.provenance import marked, origins_of
from tutorial_lib.practice.vocabulary import unread
from tutorial_lib.practice.watched import TRIED, reading, reading_seconds
from tutorial_lib.ticker import Ticker
from tutorial_lib.trials.schema import as_dict

#: Shares of the pairs at which it is said how many of the known poisons are among them.
SHARES = (0.001, 0.01, 0.05, 0.1)
#: Share of captions with an unknown word from which on the model was hardly trained on them.
STRANGE = 0.02
#: Captions are cut to so many characters where a person reads them.
SHOWN = 60


@dataclass(frozen=True)
class Suspect:
    """A pair of the ranked list.

    Attributes:
        rank: from 1, the most suspicious.
        score: of the detector.
        shard, key: where the pair lies.
        caption: of it.
        poison: what a manifest says, `None` where there is none.

    Example:
        >>> Suspect(1, 2.5, "pairs-00000.tar", "000017", "a banana", None).rank
        1
    """

    rank: int
    score: float
    shard: str
    key: str
    caption: str
    poison: bool | None

    def as_dict(self) -> dict[str, Any]:
        """Plain data."""
        body = {name: getattr(self, name) for name in ("rank", "score", "shard", "key", "caption")}
        return body if self.poison is None else body | {"poison": self.poison}


@dataclass(frozen=True)
class PairAudit:
    """What a detector says of the pairs that a model was trained on.

    Attributes:
        checkpoint: under which they were looked at.
        detector: with its settings.
        pairs: that were scored.
        suspects: the most suspicious, in order.
        poisons: among all pairs, as far as manifests tell; `None` without a manifest.
        recall: share of them among the most suspicious pairs, by share of the pairs.
        auroc: chance that a poison is ranked before a clean pair.
        out: folder of the files, empty where none were written.
        files: in it.
        dropped: pairs that the written shards lack.

    Example:
        See `audit_pairs`, which makes one.

        >>> "recall" in PairAudit.__dataclass_fields__
        True
    """

    checkpoint: str
    detector: Detector
    pairs: int
    suspects: tuple[Suspect, ...]
    poisons: int | None
    recall: Mapping[float, float] = field(default_factory=dict)
    auroc: float | None = None
    out: str = ""
    files: tuple[str, ...] = ()
    dropped: int = 0

    def as_dict(self) -> dict[str, Any]:
        """Plain data."""
        return {
            "checkpoint": self.checkpoint,
            "detector": as_dict(self.detector),
            "pairs": self.pairs,
            "suspects": [suspect.as_dict() for suspect in self.suspects],
            "poisons": self.poisons,
            "recall": {f"{share:g}": round(found, 4) for share, found in self.recall.items()},
            "auroc": self.auroc,
            "out": self.out,
            "files": list(self.files),
            "dropped": self.dropped,
        }

    def __str__(self) -> str:
        lines = [f"{self.pairs:,} pairs by {self.detector.title}, the most suspicious first"]
        known = ("poison",) if self.poisons is not None else ()
        lines.append("  ".join(["  rank", f"{'score':>10s}", f"{'pair':24s}", *known, "caption"]))
        for s in self.suspects[:20]:
            said = () if s.poison is None else (("yes   " if s.poison else "no    "),)
            lines.append(
                "  ".join([f"{s.rank:6d}", f"{s.score:10.4g}", f"{s.key[-24:]:24s}", *said, s.caption[:SHOWN]])
            )
        if self.poisons:
            found = ", ".join(f"{100 * r:.0f} % in the first {100 * share:g} %" for share, r in self.recall.items())
            lines.append(f"manifests name {self.poisons:,} of them as poisons: {found}; AUROC {self.auroc:.3f}")
        else:
            lines.append("a high score is no proof: look at these pairs")
        if self.out:
            without = f", and shards without {self.dropped:,} pairs" if self.dropped else ""
            lines.append(f"list: {self.out}/suspects.jsonl and suspects.csv{without}")
        return "\n".join(lines)


def chosen_detector(kind: str, settings: Mapping[str, Any]) -> Detector:
    """The detector of that kind; "_" and "-" are the same.

    Raises:
        ValueError: there is no such detector, it has no such setting, or a value does not do.

    Example:
        >>> chosen_detector("k_distance", {"k": 8}).k
        8
    """
    cls = DETECTORS.find(next((k for k in DETECTORS if k.replace("_", "-") == kind.replace("_", "-")), kind))
    setting.check(cls, settings, setting.names(cls, without=()))
    return cls(**settings)


def audit_pairs(
    checkpoint: Path,
    pairs: Sequence[str | Path],
    *,
    detector: Detector,
    top: int = 100,
    out: Path | None = None,
    drop: float = 0.0,
    manifests: Sequence[Path] = (),
    model: str | None = None,
    pretrained: str | None = None,
    limit: int = 0,
    skip_bad: float = TOLERANCE,
    yes: bool = False,
    device: str | None = None,
) -> PairAudit:
    """Rank the pairs that a model was trained on by how poisoned they look.

    Args:
        checkpoint: trained on these pairs, in any form that `tutorial_lib.models.read` knows; under another model the
            scores of most detectors mean less.
        pairs: shards of the training set.
        detector: `chosen_detector` makes one by name.
        top: length of the list.
        out: folder of `suspects.jsonl` and `suspects.csv`.
        drop: share of the pairs that shards in `out` shall lack, the most suspicious; 0 writes no shards.
        manifests: of poisons, beside a `manifest.json` in the folders of the shards: the list is scored against them.
        model: the model config, for a file that does not say it.
        pretrained: open_clip's name of weights, for an architecture as `checkpoint`.
        limit: only the first so many pairs, 0 for all.
        skip_bad: share of the pairs that may be unusable.
        yes: go on also where it will take more than an hour.
        device: by default the GPU if there is one.

    Raises:
        ValueError: there are too few pairs for the detector, a manifest cannot be read, `drop` is no share below 1 or
            less than a pair, is asked for without `out` or with a `limit`, the folder holds a list or cannot be
            written, all pairs have the same score, or it would take more than an hour and `yes` is not said.
        CheckpointError: the checkpoint cannot be read.
        ShardError: the shards cannot be used.

    Example:
        >>> from tutorial_lib import models
        >>> from tutorial_lib.practice.shards import write_emojicaps
        >>> shards = write_emojicaps(Path("shards"), copies=1, classes=16).shards
        >>> found = audit_pairs(models.CHECKPOINTS / "unknown-1", shards, detector=chosen_detector("dao", {}), top=3)
        >>> found.pairs, [suspect.rank for suspect in found.suspects]
        (80, [1, 2, 3])
    """
    _check(top, drop, out, limit, manifests)
    shards = expand(pairs)
    if out is not None:
        _check_folder(out, shards)
    with contextlib.ExitStack() as stack:
        work = None if out is None else stack.enter_context(staged(out))  # says before the work if it cannot be written
        found = models.read(checkpoint, model, pretrained=pretrained)
        clip = found.model.to(chosen_device(device))
        identities: list[tuple[Path, str]] = []
        loaded = open_pairs(
            shards,
            side=models.picture_side(clip),
            resizing=resizing_of(clip),
            limit=limit,
            skip_bad=skip_bad,
            identities=identities,
        )
        there = [path for path in (*(s.parent / "manifest.json" for s in shards), *manifests) if path.is_file()]
        if drop and not round(drop * len(loaded)):
            raise ValueError(
                f"{drop:.3%} of {len(loaded):,} pairs is less than one pair: `drop` at least {1 / len(loaded):.2%}"
            )
        given = marked(loaded, origins_of(there))
        _warn(given, found.tokenizer, known=bool(there))
        some = given.images[torch.arange(min(TRIED, len(given)))]
        seconds = reading_seconds(clip, found.tokenizer, some, pictures=len(given), classes=0)
        costs.announce(seconds, yes=yes, what="reading the pictures")
        with reading(clip, len(given)):
            scores = detector.scores(clip, found.tokenizer, given).float().cpu()
        _require_ranked(scores, detector, drop)
        order = scores.argsort(descending=True, stable=True)
        poison = given.origin == POISON if there else None
        listed = tuple(_suspects(order[:top], scores, given, identities, poison))
        recall, auroc = ({}, None) if poison is None else _scored(scores, poison)
        dropped = round(drop * len(given))
        worst = {identities[i] for i in order[:dropped].tolist()}
        return PairAudit(
            checkpoint=f"{checkpoint} ({pretrained})" if pretrained else str(checkpoint),
            detector=detector,
            pairs=len(given),
            suspects=listed,
            poisons=None if poison is None else int(poison.sum()),
            recall=recall,
            auroc=auroc,
            out="" if out is None else str(out),
            files=() if work is None else _write(work, listed, shards, worst),
            dropped=dropped,
        )


def _check(top: int, drop: float, out: Path | None, limit: int, manifests: Sequence[Path]) -> None:
    """Everything that can be wrong before anything is read."""
    if top < 1:
        raise ValueError(f"the list has at least 1 pair, not {top}")
    if not 0 <= drop < 1:
        raise ValueError(f"`drop` is a share of the pairs, from 0 to below 1, not {drop}")
    if drop and out is None:
        raise ValueError("shards without the worst pairs need a folder: name it with `out`")
    if drop and limit:
        raise ValueError("pairs beyond `limit` were not looked at and would be lost: drop from all, or list only")
    if absent := [path for path in manifests if not path.is_file()]:
        raise ValueError(f"there is no manifest {absent[0]}")


def _require_ranked(scores: Tensor, detector: Detector, drop: float) -> None:
    """Scores that are all alike put no pair before another, and what came first would be listed or dropped.

    Raises:
        ValueError: they are where the model's embeddings tell pairs apart, or pairs shall be dropped; or one is no
            number.
    """
    if not scores.isfinite().all():
        raise ValueError("some scores are not finite: the model is damaged or did not converge")
    if len(scores) > 1 and scores.min() < scores.max():
        return
    same = "all pairs have the same score, so none is more suspicious"
    if isinstance(detector, PointDetector):
        raise ValueError(f"{same}: the model is damaged or did not converge")
    if drop:
        raise ValueError(f"{same}, and none can be dropped: leave `drop` out")
    warnings.warn(f"{same}: the order of the list says nothing", Note, stacklevel=3)


def _check_folder(out: Path, shards: Sequence[Path]) -> None:
    if inside := [s for s in shards if out.resolve() in s.resolve().parents]:
        raise ValueError(f"{out} holds {inside[0].name}, one of the shards: choose another `out`")
    old = [] if left_over(out) else [*out.glob("suspects.*"), *out.glob("*.tar")]
    if old:
        raise ValueError(f"{out} already holds {old[0].name}: choose another `out` or remove it")


def _warn(pairs: Pairs, tokenizer: models.Tokenizer, *, known: bool) -> None:
    """What makes the scores mean less."""
    strange = len(unread(tokenizer, pairs.captions)) / max(1, len(pairs))
    if strange > STRANGE:
        warnings.warn(
            f"{strange:.0%} of the captions have a word that the model's vocabulary lacks: was it trained on these "
            "pairs? Under another model the scores mean less",
            Note,
            stacklevel=3,
        )
    if known and not (pairs.origin == POISON).any():
        warnings.warn("no pair is one that a manifest names", Note, stacklevel=3)


def _suspects(
    order: Tensor, scores: Tensor, pairs: Pairs, identities: Sequence[tuple[Path, str]], poison: Tensor | None
) -> Iterator[Suspect]:
    for rank, i in enumerate(order.tolist(), 1):
        shard, key = identities[i]
        known = None if poison is None else bool(poison[i])
        yield Suspect(rank, round(float(scores[i]), 6), shard.name, key, pairs.captions[i], known)


def _scored(scores: Tensor, poison: Tensor) -> tuple[dict[float, float], float | None]:
    """Recall among the most suspicious, and the area under the curve of hits and false alarms."""
    if not poison.any() or poison.all():
        return {}, None
    found = Ranking(scores, poison)
    return found.recalls(SHARES), found.auroc


def _write(
    work: Path, listed: Sequence[Suspect], shards: Sequence[Path], worst: set[tuple[Path, str]]
) -> tuple[str, ...]:
    lines = [json.dumps(suspect.as_dict(), ensure_ascii=False) for suspect in listed]
    (work / "suspects.jsonl").write_text("".join(f"{line}\n" for line in lines), "utf-8")
    with (work / "suspects.csv").open("w", newline="", encoding="utf-8") as file:
        table = csv.DictWriter(file, list(listed[0].as_dict()))
        table.writeheader()
        table.writerows(suspect.as_dict() for suspect in listed)
    if worst:
        _write_without(shards, worst, work)
    return tuple(sorted(p.relative_to(work).as_posix() for p in work.rglob("*") if p.is_file()))


def _write_without(shards: Sequence[Path], worst: set[tuple[Path, str]], out: Path) -> None:
    """Copies of the shards that lack some pairs; their other files are the same byte for byte, pictures included."""
    names = [shard.name for shard in shards]
    for number, shard in enumerate(Ticker("writing shards", "shards", len(shards)).over(shards)):
        name = shard.name if names.count(shard.name) == 1 else f"{number:05d}-{shard.name}"
        with opened(shard) as source, tarfile.open(out / f"{name.partition('.tar')[0]}.tar", "w") as copy:
            for path, body, _ in members(source, shard):
                if (shard, split(path)[0]) not in worst:
                    member = tarfile.TarInfo(path)  # time 0, owner 0: the same bytes at any time
                    member.size, member.mode = len(body), 0o644
                    copy.addfile(member, io.BytesIO(body))
