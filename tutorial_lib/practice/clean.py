"""Finetune a model that may be backdoored, and say what that did."""

from __future__ import annotations

import functools
import json
import math
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from torch import Tensor

from tutorial_lib import costs, models
from tutorial_lib.attacks.poison import count_poisons
from tutorial_lib.attacks.report import measure_backdoor, reader_of
from tutorial_lib.data.loading import read_pairs
from tutorial_lib.data.pairs import Pairs
from tutorial_lib.data.shards import TOLERANCE, expand
from tutorial_lib.data.tasks import LabelledPictures, ZeroShotTask
from tutorial_lib.data.text import Names
from tutorial_lib.evaluate import accuracy, embed_images
from tutorial_lib.machine import chosen_device
from tutorial_lib.notes import Note
from tutorial_lib.practice.defense import OF_TRIALS
from tutorial_lib.practice.inverted import read_inverted
from tutorial_lib.practice.output import staged
from tutorial_lib.practice.pictures import SPLIT, pictures_for, require_alone, resizing_of, true_class
from tutorial_lib.practice.provenance import marked, origins_of
from tutorial_lib.practice.vocabulary import CLASSES, classes_of, require_readable
from tutorial_lib.training import memory
from tutorial_lib.trials import DefenseError, Material, TrainedDefense
from tutorial_lib.trials.schema import as_dict
from tutorial_lib.triggers import Trigger

#: What is measured of a trigger before and after.
RATES = ("clean_accuracy", "attack_success", "attack_success_untriggered", "accuracy_on_triggered")
DISTANCES = ("z_score", "embedding_distance")
#: Clean accuracy that a cleaning may cost without a word.
LOST = 0.1


@dataclass(frozen=True)
class BeforeAndAfter:
    """A model before and after.

    Attributes:
        checkpoint: that was cleaned.
        out: the model directory of the result.
        files: in it.
        defense: method and settings.
        pairs: that were trusted.
        poisons: among them, as far as manifests tell.
        target, trigger: that success was measured of, `None` without.
        before, after: rates and distances by name.
        steps, seconds: of the training.
        notes: what the defense found.
        about: the pictures that were classified.

    Example:
        See `clean`, which makes one.

        >>> "before" in BeforeAndAfter.__dataclass_fields__
        True
    """

    checkpoint: str
    out: str
    files: tuple[str, ...]
    defense: TrainedDefense
    pairs: int
    poisons: int
    target: str | None
    trigger: Trigger | None
    before: Mapping[str, float]
    after: Mapping[str, float]
    steps: int
    seconds: float
    notes: Mapping[str, Any] = field(default_factory=dict)
    about: Mapping[str, Any] = field(default_factory=dict)

    def as_dict(self) -> dict[str, Any]:
        """Plain data."""
        return {
            "checkpoint": self.checkpoint,
            "out": self.out,
            "files": list(self.files),
            "method": self.defense.kind,
            "defense": {name: value for name, value in as_dict(self.defense).items() if name not in OF_TRIALS},
            "pairs": self.pairs,
            "poisons_among_the_pairs": self.poisons,
            "target": self.target,
            "trigger": None if self.trigger is None else as_dict(self.trigger),
            "before": _finite(self.before),
            "after": _finite(self.after),
            "steps": self.steps,
            "seconds": round(self.seconds, 2),
            "notes": dict(self.notes),
            "computed_on": dict(self.about),
        }

    def __str__(self) -> str:
        rows = [("clean accuracy", "clean_accuracy")]
        if self.trigger is not None:
            rows += [
                (f"attack success, {self.target!r}", "attack_success"),
                ("accuracy on triggered", "accuracy_on_triggered"),
            ]
        lines = [
            f"{self.defense.kind} on {self.pairs} pairs, {self.steps} steps, {self.seconds:.0f} s",
            f"{'':32s}{'before':>9s}{'after':>9s}",
            *(f"{name:32s}{self.before[key]:>9.1%}{self.after[key]:>9.1%}" for name, key in rows),
        ]
        if self.trigger is not None:
            z = (f"{v:.2f}" if math.isfinite(v) else "none" for v in (self.before["z_score"], self.after["z_score"]))
            lines.append(f"{'z-score':32s}{next(z):>9s}{next(z):>9s}")
        return "\n".join([*lines, f"model: {self.out}"])


def clean(
    checkpoint: Path,
    out: Path,
    *,
    defense: TrainedDefense,
    pairs: Sequence[str | Path],
    limit: int = 0,
    training: Sequence[str | Path] | None = None,
    inverted: Path | None = None,
    manifests: Sequence[Path] = (),
    model: str | None = None,
    pretrained: str | None = None,
    target: str | None = None,
    trigger: Trigger | None = None,
    shards: Sequence[str | Path] | None = None,
    labels: Path | None = None,
    split: str | None = None,
    classes: int | None = None,
    skip_bad: float = TOLERANCE,
    seed: int = 0,
    yes: bool = False,
    device: str | None = None,
) -> BeforeAndAfter:
    """Clean a checkpoint on pairs that you trust, and measure it before and after.

    Args:
        checkpoint: a model in any form that `tutorial_lib.models.read` knows.
        out: folder of the cleaned model, with `clean.json`.
        defense: method and settings; see `tutorial_lib.defenses`.
        pairs: shards of trusted pairs.
        limit: only the first so many of them, 0 for all.
        training: shards of the training pairs, for a defense that looks for poisons among them.
        inverted: file of a trigger that was inverted, for a defense that unlearns it; see `write_inverted` in
            `tutorial_lib.practice.inverted`.
        manifests: of poisons to look out for, beside a `manifest.json` in the folders of the shards.
        model: the model config, for a file that does not say it.
        pretrained: open_clip's name of weights, for an architecture as `checkpoint`.
        target, trigger: also measure the success of this trigger towards that class.
        shards, labels, split, classes: what is classified, as for `pictures_for`; by default as many classes as the
            model's record says that it was trained on.
        skip_bad: share of any shards' pairs that may be unusable.
        seed: order, augmentation, and whatever the trigger and the defense draw.
        yes: train also where it will take more than an hour.
        device: by default the GPU if there is one.

    Raises:
        ValueError: the defense lacks something, the folder holds a model or cannot be written, a manifest cannot be
            read, there is no such class, the model's vocabulary lacks words of most, or it would take more than an
            hour and `yes` is not said.
        CheckpointError: the checkpoint cannot be read.
        TrainingDivergedError: the loss is NaN or infinite.

    Example:
        >>> from tutorial_lib import models
        >>> from tutorial_lib.defenses import Finetuning
        >>> from tutorial_lib.practice.shards import write_emojicaps
        >>> from tutorial_lib.trials import Recipe
        >>> trusted = write_emojicaps(Path("trusted"), copies=1, classes=16)
        >>> defense = Finetuning(Recipe(epochs=1, batch_size=40))
        >>> checkpoint, out = models.CHECKPOINTS / "unknown-1", Path("cleaned")
        >>> clean(checkpoint, out, defense=defense, pairs=trusted.shards, classes=16).steps
        2
    """
    _check(out, defense, training, inverted, manifests, target, trigger)
    require_alone(shards, split, classes)
    undone = None if inverted is None else read_inverted(inverted)
    device = chosen_device(device)
    with staged(out) as work:
        found = models.read(checkpoint, model, pretrained=pretrained)
        clip, tokenizer = found.model, found.tokenizer
        side = models.picture_side(clip)
        asked = classes or (CLASSES if shards else classes_of(checkpoint))
        how = resizing_of(clip)
        of_task: dict[str, Any] = {"shards": shards, "labels": labels, "skip_bad": skip_bad, "resizing": how}
        pictures = pictures_for(side, split=split or SPLIT, classes=asked, **of_task)
        require_readable(tokenizer, pictures.labels)
        if target is not None:
            pictures.class_of(target)
        trusted, looked_into = expand(pairs), expand(training or [])
        origins = origins_of([*(s.parent / "manifest.json" for s in (*trusted, *looked_into)), *manifests])
        own = (
            None if isinstance(pictures, ZeroShotTask) else functools.partial(true_class, known=Names(pictures.labels))
        )
        found_pairs = read_pairs(trusted, side=side, resizing=how, limit=limit, class_of=own, skip_bad=skip_bad)
        given = marked(found_pairs, origins)
        poisons = _warned(given)
        numbers = _labels(defense, given, pictures) if "labels" in defense.needs else None
        suspected = None
        if looked_into:
            suspected = marked(read_pairs(looked_into, side=side, resizing=how, skip_bad=skip_bad), origins)
        material = Material(given, numbers, len(pictures.labels), suspected, trigger=undone)
        defense.check(material)
        seconds = memory.training_seconds(found.config, defense.recipe, len(given), device=device)
        costs.announce(defense.cost * seconds, yes=yes, what="the cleaning")

        clip = clip.to(device)
        before = _probe(clip, tokenizer, pictures, trigger, target, seed)
        cleaned = defense.clean(clip, tokenizer, material, seed=seed, device=device, progress=True)
        after = _probe(cleaned.model, tokenizer, pictures, trigger, target, seed)
        _warn_of_loss(before["clean_accuracy"], after["clean_accuracy"])
        result = BeforeAndAfter(
            checkpoint=f"{checkpoint} ({pretrained})" if pretrained else str(checkpoint),
            out=str(out),
            files=_save(work, cleaned.model, tokenizer, found.config, pictures.labels),
            defense=defense,
            pairs=len(given),
            poisons=poisons,
            target=target,
            trigger=trigger,
            before=before,
            after=after,
            steps=cleaned.history.steps,
            seconds=cleaned.history.seconds,
            notes=cleaned.notes,
            about={**pictures.about, "pictures": len(pictures), "classes": len(pictures.labels)},
        )
        (work / "clean.json").write_text(json.dumps(result.as_dict(), indent=1, ensure_ascii=False) + "\n", "utf-8")
        return result


def _finite(measured: Mapping[str, float]) -> dict[str, float | None]:
    """For JSON, which knows no nan: a z-score may have no scale."""
    return {name: None if math.isnan(value) else value for name, value in measured.items()}


def _check(
    out: Path,
    defense: TrainedDefense,
    training: Sequence[str | Path] | None,
    inverted: Path | None,
    manifests: Sequence[Path],
    target: str | None,
    trigger: Trigger | None,
) -> None:
    """Everything that can be wrong before anything is read."""
    if "training" in defense.needs and not training:
        raise DefenseError(f"{defense.title} looks for poisons in the training pairs: give their shards as `training`")
    if "training" not in defense.needs and training:
        raise DefenseError(f"{defense.title} does not look into the training pairs: leave `training` out")
    if "trigger" in defense.needs and inverted is None and getattr(defense, "invert", None) is None:
        raise DefenseError(f"{defense.title} needs one: give its file as `inverted`")
    if "trigger" not in defense.needs and inverted is not None:
        raise DefenseError(f"{defense.title} does not unlearn a trigger: leave `inverted` out")
    if absent := [path for path in manifests if not path.is_file()]:
        raise ValueError(f"there is no manifest {absent[0]}")
    if (target is None) != (trigger is None):
        raise ValueError("a trigger and the class that it aims at belong together")
    if out.exists() and not out.is_dir():
        raise ValueError(f"{out} is a file: `out` is the folder of the cleaned model")
    if (out / "model.safetensors").exists():
        raise ValueError(f"{out} holds a model already: choose another `out`")


def _probe(
    model: models.Model,
    tokenizer: models.Tokenizer,
    pictures: LabelledPictures,
    trigger: Trigger | None,
    target: str | None,
    seed: int,
) -> dict[str, float]:
    """What is measured before and after."""
    if trigger is None or target is None:
        said = reader_of(model, tokenizer, pictures.labels)(embed_images(model, pictures.images))
        return {"clean_accuracy": accuracy(said, pictures.targets).rate}
    report = measure_backdoor(model, tokenizer, pictures, trigger, target, seed=seed)
    return {name: getattr(report, name).rate for name in RATES} | {name: getattr(report, name) for name in DISTANCES}


def _warned(pairs: Pairs) -> int:
    """How many of the trusted pairs are poisons; warns if there are some."""
    if found := count_poisons(pairs):
        warnings.warn(
            f"{found} of the {len(pairs)} pairs that you trust are poisons, says a manifest: a handful is enough to "
            "keep a backdoor alive",
            Note,
            stacklevel=3,
        )
    return found


def _warn_of_loss(before: float, after: float) -> None:
    """A backdoor that is gone with the accuracy is no success."""
    if before - after > LOST:
        warnings.warn(
            f"clean accuracy fell by {100 * (before - after):.0f} points, from {before:.1%} to {after:.1%}: so long as "
            "it is so low, a lower attack success says little; give more pairs or epochs, or another `lr`",
            Note,
            stacklevel=3,
        )


def _labels(defense: TrainedDefense, pairs: Pairs, pictures: LabelledPictures) -> Tensor:
    """Class of each trusted picture, as for pictures that are classified; -1 where its shard does not say.

    Raises:
        DefenseError: a class has no labelled picture, so a head could not learn it.
    """
    labels = pairs.concept
    if isinstance(pictures, ZeroShotTask):
        labels = pictures.class_of_concept(labels)
    there = set(labels.tolist())
    missing = [name for k, name in enumerate(pictures.labels) if k not in there]
    if missing:
        raise DefenseError(
            f"{defense.title} needs a labelled picture of every class, and {len(missing)} have none: "
            f"{', '.join(missing[:5])}{', …' if len(missing) > 5 else ''}; give more pairs, fewer classes, or your own "
            "in a file of `labels`"
        )
    return labels


def _save(
    out: Path, model: models.Model, tokenizer: models.Tokenizer, config: dict[str, Any], labels: Sequence[str]
) -> tuple[str, ...]:
    """Write the model directory, or that of a classifier; names of the files."""
    if isinstance(model, models.Classifier):
        models.save_classifier(out, model, config, labels)
    else:
        models.save(out, model.cpu(), config, tokenizer)
    return tuple(sorted(p.name for p in out.iterdir()))
