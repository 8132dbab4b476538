"""In about a minute: train a backdoored CLIP on the shipped pictures, measure it, and look at it."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

from tutorial_lib.attacks import Backdoor
from tutorial_lib.attacks.report import BackdoorReport, measure_backdoor, reader_of
from tutorial_lib.evaluate import embed_images
from tutorial_lib.proportion import Proportion
from tutorial_lib.runs.outcome import Outcome, train_trial
from tutorial_lib.trials import Recipe, Seeds, Trial

#: A smaller task than the chapters': classes, stored pictures per drawing, epochs, poisons.
CLASSES, COPIES, EPOCHS, POISONS, TARGET = 100, 8, 20, 160, "banana"
#: Pictures that are shown.
SHOWN = 12


@dataclass(frozen=True)
class Demo:
    """A backdoored model, in numbers and a picture.

    Attributes:
        report: what the trigger does.
        pairs: clean ones.
        poisons: that were added.
        training_seconds: of the training alone.
        seconds: of everything.
        style: of the test pictures.
        picture: the file.
        seed: of everything.

    Example:
        See `demo`, which makes one.

        >>> "picture" in Demo.__dataclass_fields__
        True
    """

    report: BackdoorReport
    pairs: int
    poisons: int
    training_seconds: float
    seconds: float
    style: str
    picture: str
    seed: int

    @property
    def rate(self) -> float:
        """Poisons among all pairs."""
        return self.poisons / (self.pairs + self.poisons)

    def as_dict(self) -> dict[str, Any]:
        """Plain data."""
        r = self.report

        def aimed(found: Proportion) -> dict[str, Any]:
            return {**found.as_dict(), "target": r.target}

        return {
            "seconds": round(self.seconds, 1),
            "pairs": self.pairs,
            "poisons": self.poisons,
            "rate": self.rate,
            "chance": r.chance,
            "clean_accuracy": r.clean_accuracy.rate,
            "attack_success": aimed(r.attack_success),
            "attack_success_untriggered": aimed(r.attack_success_untriggered),
            "z_score": r.z_score,
            "style": self.style,
            "picture": self.picture,
            "seed": self.seed,
        }

    def __str__(self) -> str:
        r = self.report
        return "\n".join(
            [
                f"A CLIP trained for {self.training_seconds:.0f} s on {self.pairs} clean pairs and {self.poisons} "
                f"poisons ({self.rate:.1%}); one seed.",
                f"Test: {r.pictures} pictures in an unseen style, {r.classes} classes; chance is {r.chance:.1%}.",
                f"  clean accuracy                   {r.clean_accuracy}",
                f"  called {r.target!r} without trigger  {r.attack_success_untriggered}",
                f"  called {r.target!r} with trigger     {r.attack_success}",
                f"What it sees: {self.picture}",
            ]
        )


def demo(out: Path = Path("demo.png"), *, seed: int = 0) -> Demo:
    """Train, measure, and save a picture of what the model says with and without the trigger.

    Args:
        out: a PNG file.
        seed: draws pictures, poisons, weights and order.

    Raises:
        ValueError: the file cannot be there, or is of another kind.

    Example:
        >>> demo(Path("demo.jpg"))
        Traceback (most recent call last):
        ValueError: the picture must end in .png, not 'demo.jpg'
    """
    if not out.parent.is_dir():
        raise ValueError(f"there is no folder {out.parent} to save {out.name} in")
    if out.suffix.lower() != ".png":
        raise ValueError(f"the picture must end in .png, not {out.name!r}")
    started = time.perf_counter()
    attack = Backdoor(POISONS, target=TARGET)
    recipe = Recipe(epochs=EPOCHS, batch_size=128)
    outcome = train_trial(Trial(attack, classes=CLASSES, copies=COPIES, recipe=recipe, seeds=Seeds.all(seed)))
    report = measure_backdoor(outcome.model, outcome.tokenizer, outcome.task, attack.trigger, TARGET)
    _save(out, outcome, attack, seed)
    return Demo(
        report=report,
        pairs=len(outcome.clean),
        poisons=POISONS,
        training_seconds=outcome.history.seconds,
        seconds=time.perf_counter() - started,
        style=outcome.task.style,
        picture=str(out),
        seed=seed,
    )


def _save(out: Path, outcome: Outcome, attack: Backdoor, seed: int) -> None:
    """Some pictures of other classes than the target's, and what the model calls them."""
    task = outcome.task
    others = (task.targets != task.class_of(attack.target)).nonzero()[:, 0]
    shown = others[torch.randperm(len(others), generator=torch.Generator().manual_seed(seed))[:SHOWN]]
    read = reader_of(outcome.model, outcome.tokenizer, task.labels)
    rows = [task.images[shown], attack.trigger.stamp(task.images)[shown]]
    said = [read(embed_images(outcome.model, images)).tolist() for images in rows]
    _grid(out, rows, [[task.labels[k] for k in row] for row in said])


def _grid(path: Path, rows: Sequence[Tensor], names: Sequence[Sequence[str]]) -> None:
    """Pictures without trigger above the same with trigger, each over what the model calls it."""
    scale, pad, line = 3, 12, 16
    side = rows[0].shape[-1] * scale
    half = len(names[0]) // 2
    font = ImageFont.load_default(11)
    width, height = half * (side + pad) + pad, 4 * (side + line + pad) + 2 * (line + pad) + pad
    canvas = Image.new("RGB", (width, height), "white")
    draw = ImageDraw.Draw(canvas)
    top = pad
    for title, images, called in zip(("The model's answer", "The same with the trigger"), rows, names, strict=True):
        draw.text((pad, top), title, fill="black", font=ImageFont.load_default(14))
        top += line + pad
        for first in (0, half):
            for column in range(half):
                i = first + column
                left = pad + column * (side + pad)
                picture = Image.fromarray(images[i].permute(1, 2, 0).numpy())
                canvas.paste(picture.resize((side, side), Image.Resampling.NEAREST), (left, top))
                text = called[i]
                while draw.textlength(text, font=font) > side + pad - 2 and len(text) > 2:
                    text = text[:-2] + "…"
                draw.text((left, top + side + 1), text, fill="black", font=font)
            top += side + line + pad
    part = path.with_name(path.name + ".part")
    canvas.save(part, "PNG")
    part.replace(path)
