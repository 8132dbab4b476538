"""A page in which one moves a trigger over pictures and sees what models say."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from torch import Tensor

from tutorial_lib import models
from tutorial_lib.course import live
from tutorial_lib.course.live import data, page
from tutorial_lib.data.shards import TOLERANCE
from tutorial_lib.data.tasks import LabelledPictures
from tutorial_lib.practice.pictures import SPLIT, pictures_for, require_alone
from tutorial_lib.practice.vocabulary import CLASSES, classes_of, require_readable
from tutorial_lib.triggers import Trigger

#: Pictures on the page, each of another class.
SHOWN = 8


@dataclass(frozen=True)
class WrittenPage:
    """A page, the sizes of its models in bytes, and how many classes they choose from.

    Example:
        See `write_page`, which makes one.

        >>> "page" in WrittenPage.__dataclass_fields__
        True
    """

    page: str
    models: Mapping[str, int]
    classes: int

    def as_dict(self) -> dict[str, Any]:
        """Plain data."""
        return asdict(self)

    def __str__(self) -> str:
        sizes = (f"  {name}: {size / 1e6:.1f} MB" for name, size in self.models.items())
        return "\n".join([f"{self.page}: open it in a browser", *sizes])


def write_page(
    checkpoints: Sequence[Path],
    out: Path,
    *,
    trigger: Trigger,
    target: str,
    model: str | None = None,
    shards: Sequence[str | Path] | None = None,
    labels: Path | None = None,
    split: str | None = None,
    classes: int | None = None,
    skip_bad: float = TOLERANCE,
) -> WrittenPage:
    """Write a folder with a page that computes models in the browser.

    Args:
        checkpoints: ResNets in any form that `tutorial_lib.models.read` knows.
        out: folder of `index.html` and its scripts.
        trigger: a patch that the reader moves.
        target: label of the attacker's class.
        model: the model config of files that do not say it.
        shards, labels, split, classes, skip_bad: what is classified, as for `pictures_for`; by default as many classes
            as the first model's record says that it was trained on.

    Raises:
        ValueError: `out` holds a page of somebody else, the models take pictures of different sizes, two have one name,
            one is no ResNet or a classifier, the trigger is no patch, there is no such class, or a vocabulary lacks
            words of most.
        CheckpointError: a checkpoint cannot be read.

    Example:
        >>> from tutorial_lib import models
        >>> from tutorial_lib.triggers import Checkerboard
        >>> shown = [models.CHECKPOINTS / "unknown-1"]
        >>> made = write_page(shown, Path("page"), trigger=Checkerboard(), target="banana", classes=100)
        >>> Path("page/index.html").is_file()
        True
    """
    require_alone(shards, split, classes)
    names = _names(checkpoints)
    there = out / "index.html"
    if there.exists() and page.MARK not in there.read_text("utf-8", errors="replace"):
        raise ValueError(f"{there} is a page of somebody else: choose another `out` or remove it")
    if heads := [path for path in checkpoints if models.is_classifier(path)]:
        raise ValueError(f"{heads[0]} is a classifier that `clean --method supervised` saved, and a page shows CLIPs")
    if model is not None and any(path.is_dir() for path in checkpoints):
        folder = next(path for path in checkpoints if path.is_dir())
        raise ValueError(f"{folder} says which model it is: leave `model` out, or make a page of files alone")
    opened = {name: models.load(path, model) for name, path in names.items()}
    sides = {models.picture_side(clip) for clip, _ in opened.values()}
    if len(sides) > 1:
        raise ValueError(f"the models take pictures of different sizes ({', '.join(map(str, sorted(sides)))} pixels)")
    asked = classes or (CLASSES if shards else classes_of(checkpoints[0]))
    given: dict[str, Any] = {"shards": shards, "labels": labels, "skip_bad": skip_bad}
    pictures = pictures_for(sides.pop(), split=split or SPLIT, classes=asked, **given)
    for _, tokenizer in opened.values():
        require_readable(tokenizer, pictures.labels)
    figure = data.movable(trigger, _shown(pictures, target), {name: name for name in names}, target)
    scripts = {name: live.model_script(name, *both, pictures.labels) for name, both in opened.items()}
    title = f"A trigger, and what {'a model says' if len(names) == 1 else 'models say'}"
    where = page.write(out, title, "backdoor", figure, scripts)
    return WrittenPage(str(where), {name: len(script) for name, script in scripts.items()}, len(pictures.labels))


def _shown(pictures: LabelledPictures, target: str) -> dict[str, Tensor]:
    """A picture of some classes, not of the target's."""
    goal = pictures.class_of(target)
    first: dict[str, int] = {}
    for position, true in enumerate(pictures.targets.tolist()):
        if true != goal:
            first.setdefault(pictures.labels[true], position)
    if not first:
        raise ValueError(f"there is no picture of another class than {target!r} to put the trigger on")
    spread = list(first.items())[:: max(1, len(first) // SHOWN)][:SHOWN]
    return {label: pictures.images[position] for label, position in spread}


def _names(checkpoints: Sequence[Path]) -> dict[str, Path]:
    """Names of the models in the page: those of their folders.

    Raises:
        ValueError: two folders have one name.
    """
    names: dict[str, Path] = {}
    for path in checkpoints:
        name = re.sub(r"[^\w.-]+", "-", path.resolve().name)
        if name in names:
            raise ValueError(f"two models are called {name!r}: rename one of the folders")
        names[name] = path
    return names
