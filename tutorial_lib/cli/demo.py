"""`tutorial demo`: in about a minute, train a backdoored CLIP on the shipped pictures and look at it."""

from __future__ import annotations

import argparse
import time
from dataclasses import asdict
from pathlib import Path

from tutorial_lib.cli import _common
from tutorial_lib.cli._common import Result, percent

#: A smaller task than the chapters': classes, stored pictures per drawing, epochs, poisons.
CLASSES, COPIES, EPOCHS, POISONS, TARGET = 100, 8, 20, 160, "banana"


def add(subparsers) -> None:
    parser = _common.command(
        subparsers,
        "demo",
        run,
        help="train a small backdoored CLIP, measure it and save a picture of what it sees",
        example="tutorial demo --out demo.png",
    )
    parser.add_argument("--out", type=Path, default=Path("demo.png"), metavar="FILE", help="(default: %(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="draws pictures, poisons, weights and order (default: 0)")


def run(args: argparse.Namespace) -> Result:
    import torch

    from tutorial_lib.attacks import Backdoor
    from tutorial_lib.evaluate import accuracy, attack_success_rate, embed_images, predict, zero_shot_classifier
    from tutorial_lib.runs.outcome import train_trial
    from tutorial_lib.trials import Recipe, Seeds, Trial
    from tutorial_lib.zscore import backdoor_z_score

    if not args.out.parent.is_dir():
        raise ValueError(f"there is no folder {args.out.parent} to save {args.out.name} in")
    if args.out.suffix.lower() != ".png":
        raise ValueError(f"--out must end in .png, not {args.out.name!r}")
    started = time.perf_counter()
    attack = Backdoor(POISONS, target=TARGET)
    trial = Trial(
        attack, classes=CLASSES, copies=COPIES, recipe=Recipe(epochs=EPOCHS, batch_size=128), seeds=Seeds.all(args.seed)
    )
    outcome = train_trial(trial)
    task, model = outcome.task, outcome.model
    target = task.class_of(TARGET)
    classifier = zero_shot_classifier(model, outcome.tokenizer, task.labels)
    stamped = attack.trigger.stamp(task.images)
    clean, triggered = embed_images(model, task.images), embed_images(model, stamped)
    read_clean, read_triggered = predict(clean, classifier), predict(triggered, classifier)
    right = accuracy(read_clean, task.targets)
    success = attack_success_rate(read_triggered, task.targets, target)
    untouched = attack_success_rate(read_clean, task.targets, target)
    others = (task.targets != target).nonzero()[:, 0]
    shown = others[torch.randperm(len(others), generator=torch.Generator().manual_seed(args.seed))[:12]]
    _grid(
        args.out,
        [task.images[shown], stamped[shown]],
        [[task.labels[k] for k in row[shown].tolist()] for row in (read_clean, read_triggered)],
    )
    pairs, poisons = len(outcome.clean), POISONS
    chance = 1 / len(task.labels)
    body = {
        "seconds": round(time.perf_counter() - started, 1),
        "pairs": pairs,
        "poisons": poisons,
        "rate": poisons / (pairs + poisons),
        "chance": chance,
        "clean_accuracy": right.rate,
        "attack_success": asdict(success) | {"target": TARGET},
        "attack_success_untriggered": asdict(untouched) | {"target": TARGET},
        "z_score": backdoor_z_score(clean, triggered),
        "style": task.style,
        "picture": str(args.out),
        "seed": args.seed,
    }
    text = "\n".join(
        [
            f"A CLIP trained for {outcome.history.seconds:.0f} s on {pairs} clean pairs and {poisons} poisons "
            f"({body['rate']:.1%}); one seed.",
            f"Test: {len(task)} pictures in an unseen style, {len(task.labels)} classes; chance is {percent(chance)}.",
            f"  clean accuracy                   {right}",
            f"  called {TARGET!r} without trigger  {untouched}",
            f"  called {TARGET!r} with trigger     {success}",
            f"What it sees: {args.out}",
        ]
    )
    return body, text, 0


def _grid(path: Path, rows: list, names: list[list[str]]) -> None:
    """Pictures without trigger above the same with trigger, each over what the model calls it."""
    from PIL import Image, ImageDraw, ImageFont

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
