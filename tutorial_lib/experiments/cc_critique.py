"""Does it hold? Pre-trained models, self-supervised pre-training, dirty cleaning sets, structured triggers."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import plotly.graph_objects as go

from tutorial_lib import plots
from tutorial_lib.defenses import Defense
from tutorial_lib.evidence.results import Results, differences, stamp
from tutorial_lib.evidence.table import Table
from tutorial_lib.experiments._defended import (
    Pick,
    accuracy,
    at,
    by_seed,
    chosen,
    committed,
    numbers,
    percent,
    success,
    with_before,
    word,
)
from tutorial_lib.experiments._series import SMALL_PRINT, curve
from tutorial_lib.profiles import ByProfile, Profile
from tutorial_lib.trials import Recipe, Record, Seeds, TrainedDefense, Trial
from tutorial_lib.triggers import Stripes, Watermark

GROUP, ORDER = "cleanclip", 60
TITLE = "Does it hold? What the field asked after CleanCLIP"
PAPER = (
    "CleanCLIP cleans a CLIP that was pre-trained on 400 million pairs and poisoned later; later work "
    "says that it weakens where the model was pre-trained with a self-supervised term (Verma et al. 2023), that five "
    "poisons among the trusted pairs undo it (the same), and that structured triggers survive it (Singh et al. 2024)"
)
METHODS = ("none", "finetune", "cleanclip")


#: Triggers with structure: settings of `Backdoor` by name.
_STRUCTURED: dict[str, dict[str, Any]] = {
    "stripes": {"trigger": Stripes(pattern_seed=0)},
    "watermark": {"trigger": Watermark()},
}
_PUBLISHED_STRIPES = Stripes(size=16, cell=1, placement="random", margin=0, pattern_seed=0)
STRUCTURED: ByProfile[dict[str, dict[str, Any]]] = ByProfile(
    test=_STRUCTURED,
    cpu=_STRUCTURED,
    gpu=_STRUCTURED,
    paper={"stripes": {"trigger": _PUBLISHED_STRIPES}, "watermark": {"trigger": Watermark()}},
)
#: Poisons left among the trusted pairs, ascending.
DIRTY = ByProfile(test=(1,), pilot=(1, 4, 16), cpu=(1, 5, 25), gpu=(1, 5, 25), paper=(1, 5, 25))
#: Weight of the in-modal loss in pre-training.
SELF_SUPERVISION = ByProfile(test=1.0, cpu=1.0, gpu=1.0, paper=1.0)
#: The config of the clean model that ships; the pilot began with an earlier one, of `tiny-rn` and 320 classes.
_SHIPPED = "rn-0.8m-long"
#: A model that is poisoned by further training, and the poisons of that training; none has learned the photographs'
#: classes.
PRETRAINED: ByProfile[Trial | None] = ByProfile(
    test=Trial(classes=16, copies=4, model=_SHIPPED, recipe=Recipe(epochs=1, batch_size=64, lr=5e-4), start="clean"),
    pilot=Trial(classes=320, copies=2, recipe=Recipe(epochs=10), start="clean"),
    cpu=Trial(classes=100, scenes=50_000, model=_SHIPPED, recipe=Recipe(epochs=5, batch_size=512), start="clean"),
    photos=None,
    gpu=Trial(classes=100, scenes=50_000, model=_SHIPPED, recipe=Recipe(epochs=10, batch_size=1024), start="clean"),
    paper=Trial(
        shards="cc3m",
        limit=500_000,
        task="imagenet",
        side=224,
        model="RN50",
        recipe=Recipe(epochs=5, batch_size=128, lr=1e-6, warmup=0.0026, weight_decay=0.1),
        start="openai",
    ),
)
PRETRAINED_COUNT = ByProfile(test=8, pilot=256, cpu=300, gpu=1500, paper=1500)


def poisoned(p: Profile, seed: int) -> Trial:
    return p.cleaning.attacked("badnets", seed)


def pretrained(p: Profile, seed: int) -> Trial:
    """A clean model that ships with the course, poisoned by further training."""
    c, base = p.cleaning, PRETRAINED[p]
    assert base is not None, p.name
    attack = c.attacked(dict(c.attacks["badnets"]) | {"count": PRETRAINED_COUNT[p]}, seed).attack
    return replace(base, attack=attack, seeds=Seeds.all(seed), recipe_version=p.base.recipe_version)


def self_supervised(p: Profile, seed: int) -> Trial:
    """Pre-trained with the loss of CleanCLIP itself."""
    return p.cleaning.attacked("badnets", seed, self_supervision=SELF_SUPERVISION[p])


def structured(p: Profile, name: str, seed: int) -> Trial:
    return p.cleaning.attacked(STRUCTURED[p][name], seed)


def sweeps(p: Profile) -> list[TrainedDefense]:
    return [d for method in METHODS[1:] for d in p.cleaning.sweep(method, few=True)]


def dirty(p: Profile, count: int) -> list[TrainedDefense]:
    """CleanCLIP with poisons among the trusted pairs."""
    return p.cleaning.sweep("cleanclip", few=True, dirty=count)


def trials(p: Profile) -> list[Trial]:
    c = p.cleaning
    out = []
    for seed in c.models.of(__name__):
        bases = [poisoned(p, seed), *([pretrained(p, seed)] if PRETRAINED[p] else []), self_supervised(p, seed)]
        bases += [structured(p, name, seed) for name in STRUCTURED[p]]
        out += [t for base in bases for t in with_before(base, sweeps(p))]
        out += with_before(poisoned(p, seed), [d for n in DIRTY[p] for d in dirty(p, n)])
    return out


def _settings(results: Results, method: str) -> Sequence[Defense]:
    return [] if method == "none" else numbers(results).sweep(method, few=True)


def _base_of(p: Profile, which: str) -> Callable[[int], Trial]:
    make = {"poisoned": poisoned, "pretrained": pretrained, "self_supervised": self_supervised}.get(which)
    return functools.partial(make, p) if make else functools.partial(structured, p, which)


def measured(
    results: Results, which: str, method: str, value: Callable[[Record], float] = success, pick: Pick = chosen
) -> dict[int, float]:
    """A number by seed. `which` is "poisoned", "pretrained", "self_supervised" or the name of a structured trigger."""
    if which == "pretrained" and PRETRAINED[results.profile] is None:
        return {}
    return by_seed(results, _base_of(results.profile, which), _settings(results, method), value, pick)


def at_one_rate(
    results: Results, which: str, method: str, value: Callable[[Record], float] = success
) -> dict[int, float]:
    """The same after the first setting of the sweep, whether a defender would take it or not."""
    return at(results, _base_of(results.profile, which), numbers(results).sweep(method, few=True)[0], value)


def successes(results: Results, which: str, method: str) -> dict[int, float]:
    return measured(results, which, method)


def accuracies(results: Results, which: str, method: str) -> dict[int, float]:
    return measured(results, which, method, accuracy)


def accuracy_at_one_rate(results: Results, which: str, method: str) -> dict[int, float]:
    return at_one_rate(results, which, method, accuracy)


def with_dirt(results: Results, count: int, pick: Pick = chosen) -> dict[int, float]:
    """Attack success after CleanCLIP with so many poisons among the trusted pairs."""
    p = results.profile
    defenses = dirty(p, count) if count else _settings(results, "cleanclip")
    return by_seed(results, lambda s: poisoned(p, s), defenses, success, pick)


def dirt_at_one_rate(results: Results, count: int) -> dict[int, float]:
    """The same after the first setting of the sweep, whether a defender would take it or not."""
    p = results.profile
    defenses = dirty(p, count) if count else _settings(results, "cleanclip")
    return at(results, functools.partial(poisoned, p), defenses[0])


def pretrained_before(results: Results) -> list[float]:
    """Attack success on the model poisoned by further training, before cleaning."""
    return list(measured(results, "pretrained", "none").values())


def _cleaned(results: Results, which: str) -> dict[int, float]:
    """Attack success after CleanCLIP by one who cleans in any case, by seed."""
    return measured(results, which, "cleanclip", pick=committed)


def pretrained_removed(results: Results) -> list[float]:
    """Attack success before less after CleanCLIP, model poisoned by further training, by one who cleans in any case."""
    return differences(measured(results, "pretrained", "none"), _cleaned(results, "pretrained"))


def _both_work(results: Results, which: str) -> list[float]:
    """Attack success before cleaning, the lower of that of a kind of models and of the plain ones."""
    one, other = (measured(results, kind, "none") for kind in (which, "poisoned"))
    return [min(one[seed], other[seed]) for seed in sorted(one.keys() & other.keys())]


both_pretrainings_work = functools.partial(_both_work, which="self_supervised")
both_structures_work = functools.partial(_both_work, which="stripes")


def undirtied_left(results: Results) -> list[float]:
    """Attack success after CleanCLIP where no poison is among the trusted pairs, by one who cleans in any case."""
    return list(with_dirt(results, 0, committed).values())


def pretrained_left(results: Results) -> list[float]:
    """Attack success on the model poisoned by further training, after CleanCLIP."""
    return list(measured(results, "pretrained", "cleanclip").values())


def self_supervision_protects_backdoor(results: Results) -> list[float]:
    """Success after CleanCLIP, by one who cleans in any case: pre-trained with a self-supervised term less without."""
    return differences(*(_cleaned(results, which) for which in ("self_supervised", "poisoned")))


def dirt_undoes(results: Results) -> list[float]:
    """Success after CleanCLIP with the second number of poisons left less with none, by one who cleans in any case."""
    counts = DIRTY[results.profile]
    few = counts[min(1, len(counts) - 1)]
    return differences(with_dirt(results, few, committed), with_dirt(results, 0, committed))


def structure_survives(results: Results) -> list[float]:
    """Success after CleanCLIP, by one who cleans in any case: the stripes less the noise patch."""
    first = next(iter(STRUCTURED[results.profile]))
    return differences(_cleaned(results, first), _cleaned(results, "poisoned"))


def names(results: Results) -> dict[str, str]:
    """What the figures call each kind of backdoored model."""
    later = {"pretrained": "poisoned later"} if PRETRAINED[results.profile] else {}
    found = {"poisoned": "noise patch", **later, "self_supervised": "pre-trained with views"}
    return found | {name: name for name in STRUCTURED[results.profile]}


def table(results: Results) -> Table:
    """Success and accuracy at one learning rate, whether a defender would take it or not."""
    rate = numbers(results).sweep("cleanclip", few=True)[0].recipe.lr
    rows = []
    for which, name in names(results).items():
        cells = [percent(measured(results, which, "none", v).values()) for v in (success, accuracy)]
        for method in METHODS[1:]:
            cells += [percent(at_one_rate(results, which, method, v).values()) for v in (success, accuracy)]
        rows.append((name, *cells))
    words = ("before", *(f"{word(m)} at {rate:g}" for m in METHODS[1:]))
    head = ("model", *(f"{word}: {what} (%)" for word in words for what in ("success", "accuracy")))
    return Table(head, tuple(rows))


def plot(results: Results) -> go.Figure:
    """Attack success before and after, for each way to make it harder."""
    p = results.profile
    fig = plots.figure(
        "Attack success before, after plain finetuning and after CleanCLIP: for a patch of noise, a "
        "pre-trained model poisoned later, a model pre-trained with self-supervision, and structured triggers.",
        x="backdoored model",
        y="attack success (%)",
        stamp=stamp(p, results.of(trials(p))) + SMALL_PRINT,
        height=420,
    )
    shown = names(results)
    for k, method in enumerate(METHODS):
        values = [list(measured(results, which, method).values()) for which in shown]
        kinds, name = list(shown.values()), word(method)
        curve(fig, kinds, values, name, number=k, scale=100, bounds=(0, 1), points=True, joined=False)
    return fig


def plot_dirty(results: Results) -> go.Figure:
    """Attack success after CleanCLIP by number of poisons among the trusted pairs."""
    p, c = results.profile, numbers(results)
    fig = plots.figure(
        "Attack success after CleanCLIP by the number of poisons that were left among the trusted pairs: with the "
        "setting that a defender chooses, who may keep the model as it is, and at one learning rate.",
        x="poisons among the trusted pairs",
        y="attack success (%)",
        stamp=stamp(p, results.of(trials(p))) + SMALL_PRINT,
    )
    counts = (0, *DIRTY[p])
    rate = c.sweep("cleanclip", few=True)[0].recipe.lr
    chosen, fixed = "CleanCLIP, as a defender chooses", f"CleanCLIP, at a learning rate of {rate:g}"
    for k, (found, name) in enumerate(((with_dirt, chosen), (dirt_at_one_rate, fixed))):
        values = [list(found(results, n).values()) for n in counts]
        names = [str(n) for n in counts]
        curve(fig, names, values, name, number=k, like="CleanCLIP", scale=100, bounds=(0, 1), points=True)
    return fig
