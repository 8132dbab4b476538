"""What the book's live figures are given: pictures and trigger of the shipped models, and recorded models as rows."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import starmap
from typing import Any

import numpy as np
from torch import Tensor

from tutorial_lib import evaluate, models, plots
from tutorial_lib.attacks import Backdoor
from tutorial_lib.attacks.report import reader_of
from tutorial_lib.course import live, patients
from tutorial_lib.course.live import way
from tutorial_lib.data.tasks import ZeroShotTask
from tutorial_lib.defenses import ShrinkAndPerturb
from tutorial_lib.evidence.results import Results, stamp
from tutorial_lib.evidence.shown import Source
from tutorial_lib.experiments import cc_frontier, fig4, fig6
from tutorial_lib.experiments._defended import accuracy, before, cleaned, on_triggered, success, validation, word
from tutorial_lib.profiles import Profile
from tutorial_lib.runs import sources
from tutorial_lib.trials import Recipe, Record, TrainedDefense, Trial
from tutorial_lib.triggers import Patch, Trigger

#: The patients as the figure of the chapter on backdoors calls them, and the one that always answers beside another.
MODELS = {"backdoored": "backdoored", "finetuned": "finetuned", "cleaned": "cleaned (CleanCLIP)", "clean": "clean"}
TWIN = "clean"
#: Pictures to choose from.
SHOWN = 8


@functools.cache
def task() -> ZeroShotTask:
    """The classes and test pictures of the patients."""
    return sources.zero_shot_task(patients.TRIALS["backdoored"])


@functools.cache
def suitable() -> list[int]:
    """Test pictures on which nothing but the backdoor goes wrong: by number, in the order of the test set.

    Every patient reads them right without the trigger, the clean one with it too, and the backdoored one then says its
    target.
    """
    attack = patients.TRIALS["backdoored"].attack
    assert isinstance(attack, Backdoor)
    shown, target = task(), task().class_of(attack.target)
    fits = shown.targets != target
    for name in MODELS:
        model, tokenizer = models.load(models.CHECKPOINTS / name)
        read = reader_of(model, tokenizer, shown.labels)
        fits &= read(evaluate.embed_images(model, shown.images)) == shown.targets
        if name in (TWIN, "backdoored"):
            stamped = read(evaluate.embed_images(model, attack.trigger.stamp(shown.images)))
            fits &= stamped == (shown.targets if name == TWIN else target)
    found: list[int] = fits.nonzero()[:, 0].tolist()
    return found


def chosen() -> list[int]:
    """The first suitable picture of each of eight classes, which are spread over the list of those that have one."""
    classes = task().targets
    first = {classes[k].item(): k for k in reversed(suitable())}
    spread = sorted(first)
    return [first[spread[i * len(spread) // SHOWN]] for i in range(SHOWN)]


def backdoor() -> dict[str, Any]:
    """The patients with their trigger, and the chosen pictures."""
    attack, shown = patients.TRIALS["backdoored"].attack, task()
    assert isinstance(attack, Backdoor)
    pictures = {shown.labels[int(shown.targets[k])]: shown.images[k] for k in chosen()}
    return movable(attack.trigger, pictures, MODELS, attack.target, twin=TWIN)


def movable(
    trigger: Trigger, pictures: Mapping[str, Tensor], names: Mapping[str, str], target: str, *, twin: str | None = None
) -> dict[str, Any]:
    """What the figure of a movable trigger is given.

    Args:
        trigger: a patch; the reader may make it smaller, or up to twice as large.
        pictures: by label, shape (3, side, side) each, uint8.
        names: models and how the figure calls them; the first is shown first.
        target: the attacker's class.
        twin: one of the models, which says beside each other one what it sees.

    Raises:
        ValueError: the trigger is not a patch, or does not fit.
    """
    if not isinstance(trigger, Patch):
        raise ValueError(f"only a patch can be moved, and {trigger.kind} is none")
    side = next(iter(pictures.values())).shape[-1]
    if trigger.size + trigger.margin > side:
        raise ValueError(f"a patch of {trigger.size} pixels does not fit into pictures of {side}")
    largest = min(2 * trigger.size, side)
    return {
        "side": side,
        "target": target,
        "names": dict(names),
        "models": list(names),
        "twin": twin,
        "size": trigger.size,
        "margin": trigger.margin,
        "patches": [live.pixels(replace(trigger, size=size).pattern()) for size in range(1, largest + 1)],
        "pictures": [{"label": label, "pixels": live.pixels(image)} for label, image in pictures.items()],
    }


#: Prompts that the reader may choose, and the names that stand there first besides those of the pictures.
TEMPLATES = ("a photo of a {}.", "{}", "a drawing of a {} on a table.", "not a {}.")
OTHERS = ("banana", "fruit", "animal")
#: The model whose text tower a page has, and its script.
READER, WORDS = TWIN, f"{TWIN}-words"


def names() -> dict[str, Any]:
    """The clean patient, its pictures, and class names to begin with."""
    shown = task()
    labels = [shown.labels[int(shown.targets[k])] for k in chosen()]
    pictures = [
        {"label": label, "pixels": live.pixels(shown.images[k])} for label, k in zip(labels, chosen(), strict=True)
    ]
    typed = list(dict.fromkeys((*labels[:4], *OTHERS)))
    side = shown.images.shape[-1]
    return {"model": READER, "words": WORDS, "side": side, "names": typed, "templates": TEMPLATES, "pictures": pictures}


@functools.cache
def path() -> dict[str, Any]:
    """From the backdoored patient to the cleaned one."""
    return way.path(task(), chosen())


def contrast() -> dict[str, Any]:
    """Four pairs at angles, in degrees, that nobody has trained yet."""
    return {
        "names": ["dog", "guitar", "rocket", "banana"],
        "colours": plots.COLOURS[:4],
        "picture": [100, 20, 250, 320],
        "caption": [60, 170, 230, 290],
        "temperature": 0.1,
    }


def similarities(source: Source) -> dict[str, Any]:
    """Mean densities of pair similarity by width of the patch and by number of poisons, and each model's z-score.

    Raises:
        ValueError: there are no records of fig2_right, or none of fig6.
    """
    counted, sized = source.behind("fig2_right"), source.behind("fig6")
    p, q = counted.profile, sized.profile
    series = [
        _series(counted, "number of poisons", p.counts, p.backdoor, "{} poisons"),
        _series(
            sized, "width of the patch", fig6.PATCHES[q], lambda size, s: fig6.patched(q, size, s), "{0} × {0} pixels"
        ),
    ]
    if not all(s["points"] for s in series):
        names = " and ".join(dict.fromkeys((p.name, q.name)))
        raise ValueError(f"profile {names} has no records of fig2_right and fig6 yet: tutorial run fig2_right fig6")
    top = max(max(point[which]) for s in series for point in s["points"] for which in ("clean", "triggered"))
    return {"range": [-1, 1], "top": top, "series": series}


def _series(
    results: Results, name: str, values: Sequence[int], trial_of: Callable[[int, int], Trial], unit: str
) -> dict[str, Any]:
    points = []
    for value in values:
        records = results.of(trial_of(value, s) for s in results.seeds)
        if records:
            z = [round(r.metrics["z_score"], 2) for r in records]
            points.append(
                {"value": unit.format(value), "z": z, "mean": sum(z) / len(z)}
                | {which: _density(records, which) for which in ("clean", "triggered")}
            )
    return {"name": name, "start": len(points) // 2, "points": points}


def _density(records: list[Record], which: str) -> list[float]:
    """Mean over models of the density over [-1, 1]."""
    counts = np.array([r.metrics["pairs_by_similarity"][which] for r in records], dtype=float)  # (models, bins)
    shares = (counts / counts.sum(1, keepdims=True)).mean(0)
    found: list[float] = (shares * len(shares) / 2).round(3).tolist()
    return found


#: Quantities that a row may have, and what an axis calls them.
QUANTITIES = {
    "z": "backdoor z-score (standard deviations)",
    "success": "attack success, zero-shot (%)",
    "accuracy": "clean accuracy (%)",
}


def placement(source: Source) -> dict[str, Any]:
    """Figure 4's models one by one."""
    results = source.behind("fig4")
    p = results.profile
    rows = [row for trained, tested in fig4.PLACEMENTS for row in _placed(results, trained, tested)]
    names = list(starmap(fig4.placement_name, fig4.PLACEMENTS))
    return {
        "x": "poisons",
        "y": "z",
        "xs": {"poisons": "poisons"},
        "ys": {k: QUANTITIES[k] for k in ("z", "success", "accuracy")},
        "groups": _groups(names, lambda name: "at one place" if "trained at one place" in name else "at random places"),
        "rows": rows,
        "stamp": stamp(p, results.of(fig4.trials(p))),
    }


def _placed(results: Results, trained: str, tested: str) -> Iterator[dict[str, Any]]:
    p: Profile = results.profile
    for count in fig4.counts_of(p, trained):
        for seed in results.seeds:
            record = results.get(fig4.placed(p, trained, count, seed))
            if record is not None:
                found = record.metrics["tested"][tested]
                yield _row(record, fig4.placement_name(trained, tested), f"{count} poisons", seed) | {
                    "poisons": count,
                    "z": round(found["z_score"], 3),
                    "success": _percent(found["attack_success"]["rate"]),
                }


def frontier(source: Source) -> dict[str, Any]:
    """Every defense's models one by one, over the settings of its sweep."""
    results = source.behind("cc_frontier")
    p = results.profile
    rows = []
    for seed in results.seeds:
        base = cc_frontier.poisoned(p, seed)
        tried = [("before", "as it is", before(base))]
        for method in cc_frontier.METHODS:
            for k, defense in enumerate(cc_frontier.settings(results.profile, method)):
                tried.append((word(method), f"setting {k + 1}: {_setting(defense)}", cleaned(base, [defense])[0]))
        for group, setting, trial in tried:
            record = results.get(trial)
            if record is not None:
                rows.append(_row(record, group, setting, seed) | _defended(record))
    names = ["before", *(word(m) for m in cc_frontier.METHODS)]
    axes = {k: QUANTITIES[k] for k in ("accuracy", "success")}
    more = {
        "triggered": "accuracy on triggered pictures (%)",
        "neighbours": "attack success, nearest neighbours (%)",
        "distance": "distance between a picture with and without trigger",
        "validation": "accuracy on validation pictures (%)",
    }
    return {
        "x": "accuracy",
        "y": "success",
        "xs": axes | more,
        "ys": axes | more,
        "groups": _groups(names),
        "rows": rows,
        "stamp": stamp(p, results.of(cc_frontier.trials(p))),
        "height": 520,
    }


def _setting(defense: TrainedDefense) -> str:
    """What tells it from the others of its sweep."""
    words = [f"learning rate {defense.recipe.lr:g}"]
    if defense.recipe.weight_decay != Recipe().weight_decay:
        words.append(f"weight decay {defense.recipe.weight_decay:g}")
    if isinstance(defense, ShrinkAndPerturb):
        words.append(f"shrink {defense.shrink:g}")
    return ", ".join(words)


def _defended(record: Record) -> dict[str, float]:
    return {
        "success": _percent(success(record)),
        "triggered": _percent(on_triggered(record)),
        "neighbours": _percent(record.metrics["attack_success"]["knn"]["rate"]),
        "distance": round(record.metrics["embedding_distance"], 3),
        "validation": _percent(validation(record)),
    }


def _row(record: Record, group: str, setting: str, seed: int) -> dict[str, Any]:
    where = {"group": group, "setting": setting, "seed": seed, "key": record.key}
    return where | {"accuracy": _percent(accuracy(record))}


def _percent(rate: float) -> float:
    return round(100 * rate, 2)


def _groups(names: list[str], like: Callable[[str], str] = lambda name: "") -> list[dict[str, str]]:
    drawn = [plots.style(name, k, like(name)) for k, name in enumerate(names)]
    return [
        {"name": name, "colour": s.colour, "dash": s.dash, "marker": s.marker}
        for name, s in zip(names, drawn, strict=True)
    ]


#: Figures by name: their kind, and what gives their data from records.
FIGURES: dict[str, tuple[str, Callable[[Source], dict[str, Any]]]] = {
    "backdoor": ("backdoor", lambda _: backdoor()),
    "names": ("names", lambda _: names()),
    "path": ("path", lambda _: path()),
    "contrast": ("contrast", lambda _: contrast()),
    "similarities": ("similarities", similarities),
    "placement": ("explore", placement),
    "frontier": ("explore", frontier),
    "poisons": ("poisons", lambda _: {}),  # the numbers of these two are scripts: `detection`
    "inversion": ("inversion", lambda _: {}),
    "playground": ("playground", lambda _: {}),
}
