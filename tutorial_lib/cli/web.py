"""`tutorial web`: a page in which one moves a trigger over pictures and sees what models say."""

from __future__ import annotations

import argparse
import re
from pathlib import Path

from tutorial_lib.cli import _common, _pictures
from tutorial_lib.cli._common import Result

SHOWN = 8  # pictures, each of another class


def add(subparsers) -> None:
    parser = _common.command(
        subparsers,
        "web",
        run,
        help="write a page in which one moves a patch over pictures and sees what your models say",
        example="tutorial web model --target banana --size 6 --cell 2 --out page",
    )
    parser.add_argument("checkpoints", type=Path, nargs="+", metavar="CHECKPOINT", help="model directories of ResNets")
    parser.add_argument("--target", required=True, metavar="LABEL", help="the attacker's class")
    parser.add_argument("--out", type=Path, required=True, metavar="FOLDER", help="where index.html and its scripts go")
    _pictures.add(parser)
    _common.add_trigger(parser)


def run(args: argparse.Namespace) -> Result:
    from tutorial_lib import models
    from tutorial_lib.course import live
    from tutorial_lib.course.live import data, page

    _pictures.check(args)
    trigger = _common.trigger(args)
    names = _names(args.checkpoints)
    opened = {name: models.load(path) for name, path in names.items()}
    sides = {_pictures.side_of(model) for model, _ in opened.values()}
    if len(sides) > 1:
        raise ValueError(f"the models take pictures of different sizes ({', '.join(map(str, sorted(sides)))} pixels)")
    pictures = _pictures.load(args, sides.pop())
    _pictures.class_of(args.target, pictures.labels)
    first: dict[str, int] = {}
    for position, target in enumerate(pictures.targets.tolist()):
        if pictures.labels[target] != args.target:
            first.setdefault(pictures.labels[target], position)
    if not first:
        raise ValueError(f"there is no picture of another class than {args.target!r} to put the trigger on")
    spread = list(first.items())[:: max(1, len(first) // SHOWN)][:SHOWN]
    shown = {label: pictures.images[position] for label, position in spread}
    figure = data.movable(trigger, shown, {name: name for name in names}, args.target)
    scripts = {name: live.model_script(name, *both, pictures.labels) for name, both in opened.items()}
    who = "a model says" if len(names) == 1 else "models say"
    title = f"A trigger, and what {who}"
    where = page.write(args.out, title, "backdoor", figure, scripts)
    sizes = {name: len(script) for name, script in scripts.items()}
    text = [f"{where}: open it in a browser", *(f"  {name}: {size / 1e6:.1f} MB" for name, size in sizes.items())]
    return {"page": str(where), "models": sizes, "classes": len(pictures.labels)}, "\n".join(text), 0


def _names(checkpoints: list[Path]) -> dict[str, Path]:
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
