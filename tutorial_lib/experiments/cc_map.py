"""CleanCLIP's budget as a map: trusted pairs, steps and learning rate, each method at equal loss of accuracy.

The papers' 100,000 pairs, ten epochs and batches of 64 are 15,600 steps. A budget has two axes, how many pairs are
trusted and how long the model is trained on them; here both vary, and plain finetuning is given CleanCLIP's steps and,
since a step of CleanCLIP costs more, as many steps as cost the same.

What is compared is attack success *at equal loss of clean accuracy*: of the settings that cost at most so many points
the one that leaves least, chosen by somebody who sees the attack. The defender's rule, who sees validation pictures
only, stands beside it.
"""

from __future__ import annotations

import functools
import itertools
import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import plotly.graph_objects as go

from tutorial_lib import plots
from tutorial_lib.attacks import Backdoor
from tutorial_lib.defenses import DEFENSES
from tutorial_lib.evidence.results import Results, differences, stamp
from tutorial_lib.evidence.table import Table
from tutorial_lib.experiments._defended import accuracy, before, percent, success, validation, with_before
from tutorial_lib.experiments._series import SMALL_PRINT, curve
from tutorial_lib.profiles import ByProfile, Profile
from tutorial_lib.trials import Recipe, Record, Seeds, TrainedDefense, Trial
from tutorial_lib.triggers import NoisePatch

GROUP, ORDER = "cleanclip", 25
TITLE = "A map of the budget: trusted pairs, steps and learning rate"
PAPER = (
    "100,000 trusted pairs of 3,000,000 (3.3 %), ten epochs of batches of 64, 15,600 steps; CleanCLIP reduces attack "
    "success while downstream performance is maintained, and outperforms other baselines (slides)"
)
#: The methods, and how many steps of plain finetuning cost as much as one of CleanCLIP: two pictures and two captions
#: of each pair pass through the towers, and both are augmented (24 and 44 steps a second on one core).
METHODS, COST = ("cleanclip", "finetune", "finetune for as long"), 1.8
#: Points of clean accuracy that a defense may cost, as shares.
LOSSES = (0.01, 0.03, 0.05, 0.10)
#: What a defender may lose of the validation accuracy: the rule's sensitivity.
MARGINS = (0.03, 0.05, 0.07, 0.10)


@dataclass(frozen=True)
class Grid:
    """The cells of the map.

    Attributes:
        base: the models before the attack.
        count: poisons.
        cells: by share of the clean pairs, ascending: CleanCLIP's epochs, each with its learning rates.
        ample: the share at which a defender has plenty.
        few: models of the shares that no claim is about: neither published nor ample nor the largest.
    """

    base: Trial
    count: int
    cells: dict[float, dict[int, tuple[float, ...]]]
    ample: float
    few: int = 4


#: Learning rates of short trainings, and the published ratio to that of pre-training (1/50) for the longest.
SHORT, PUBLISHED = (3e-4, 1e-3), (3e-5,)
#: 100,000 scenes; about 500, 1,500, 5,000 and, at the published share, 15,600 steps of 64 pairs. Cells were chosen by a
#: model with seed 100, which is judged nowhere: 5,000 steps at 3e-4 with 3 % of the pairs cost it half of its accuracy.
GRID = ByProfile(
    test=Grid(
        Trial(classes=16, copies=4, recipe=Recipe(epochs=1, batch_size=64)),
        8,
        {0.2: {1: SHORT}, 0.5: {1: (1e-3,)}},
        ample=0.5,
        few=1,
    ),
    laptop=Grid(
        Trial(classes=100, scenes=20_000, recipe=Recipe(epochs=10)),
        200,
        {0.03: {10: SHORT}, 0.2: {5: SHORT}, 1.0: {1: SHORT}},
        ample=0.2,
    ),
    cpu=Grid(
        Trial(classes=100, scenes=100_000, recipe=Recipe(epochs=10, batch_size=512)),
        300,
        {
            0.03: {10: SHORT, 33: SHORT, 107: (1e-4,), 333: PUBLISHED},
            0.1: {10: SHORT, 32: (3e-4,)},
            0.2: {5: SHORT, 16: SHORT},
            1.0: {1: SHORT, 3: SHORT},
        },
        ample=0.2,
    ),
    photos=Grid(
        Trial(shards="cifar100", task="cifar100", recipe=Recipe(epochs=20, batch_size=512)),
        300,
        {0.03: {10: SHORT}, 0.2: {5: SHORT}, 1.0: {1: SHORT}},
        ample=0.2,
    ),
    gpu=Grid(
        Trial(classes=320, scenes=3_000_000, recipe=Recipe(epochs=10, batch_size=1024)),
        1500,
        {
            0.003: {10: SHORT, 100: (1e-4, 3e-4)},
            0.033: {1: SHORT, 3: SHORT, 10: (1e-4, 3e-4)},
            0.1: {1: SHORT, 3: (1e-4, 3e-4)},
            1.0: {1: (1e-4, 3e-4)},
        },
        ample=0.1,
    ),
    paper=Grid(
        Trial(
            shards="cc3m", task="imagenet", side=224, model="RN50", recipe=Recipe(epochs=64, batch_size=128, lr=5e-4)
        ),
        1500,
        {0.0339: {3: (1e-5, 1e-4), 10: (1e-6, 1e-5, 1e-4)}, 0.0678: {5: (1e-6, 1e-5, 1e-4)}},
        ample=0.0678,
    ),
)


def poisoned(p: Profile, seed: int) -> Trial:
    """A backdoored model before it is cleaned."""
    grid = GRID[p]
    attack = Backdoor(grid.count, target=p.cleaning.models.target(seed), trigger=NoisePatch())
    return replace(grid.base, attack=attack, seeds=Seeds.all(seed))


def setting(p: Profile, method: str, share: float, epochs: int, lr: float) -> TrainedDefense:
    """One cell of the map; "finetune for as long" trains for as many epochs as cost what CleanCLIP's cost."""
    for_as_long = method == METHODS[2]
    return p.cleaning.defense(
        "finetune" if for_as_long else method,
        lr,
        share=share,
        recipe_epochs=round(COST * epochs) if for_as_long else epochs,
    )


def settings(p: Profile, method: str, share: float | None = None) -> list[TrainedDefense]:
    """The cells of a method, of one share or of all, from weak to strong: by learning rate times steps."""
    grid = GRID[p]
    cells = [
        (lr * at * epochs, setting(p, method, at, epochs, lr))
        for at, several in grid.cells.items()
        if share in (None, at)
        for epochs, rates in several.items()
        for lr in rates
    ]
    return [defense for _, defense in sorted(cells, key=lambda cell: cell[0])]


def trials(p: Profile) -> list[Trial]:
    """What the claims compare first, of all models; none where the records are those of an earlier recipe."""
    if p.past:
        return []
    grid, seeds = GRID[p], p.cleaning.models.of(__name__)
    judged = dict.fromkeys((grid.ample, published_share(p), max(grid.cells)))
    first = [(seed, share) for seed in seeds for share in judged]
    others = [(seed, share) for seed in seeds[: grid.few] for share in grid.cells if share not in judged]
    found = []
    for seed, share in first + others:
        found += with_before(poisoned(p, seed), [d for method in METHODS for d in settings(p, method, share)])
    return list(dict.fromkeys(found))


Pick = Callable[[Record, list[Record], float], Record]


def at_equal_loss(start: Record, found: list[Record], loss: float) -> Record:
    """Of the settings that cost at most so much clean accuracy the one that leaves least; the model itself is one."""
    return min((r for r in (start, *found) if accuracy(r) >= accuracy(start) - loss), key=success)


def by_the_rule(start: Record, found: list[Record], margin: float) -> Record:
    """The strongest setting within a margin on validation pictures; the model as it is where there is none."""
    kept = [r for r in found if validation(r) >= validation(start) - margin]
    return kept[-1] if kept else start


def picked(
    results: Results,
    method: str,
    allowed: float,
    *,
    share: float | None = None,
    pick: Pick = at_equal_loss,
    value: Callable[[Record], float] = success,
) -> dict[int, float]:
    """A number of each seed's model after the setting of a method that is picked, of one share or of all."""
    if results.profile.past:
        return {}
    return picked_of(results, settings(results.profile, method, share), allowed, pick=pick, value=value)


def picked_of(
    results: Results,
    wanted: list[TrainedDefense],
    allowed: float,
    *,
    pick: Pick = at_equal_loss,
    value: Callable[[Record], float] = success,
) -> dict[int, float]:
    """A number of each seed's model after the one of these cells that is picked; seeds that lack one are left out."""
    p, found = results.profile, {}
    for seed in results.seeds:
        base = poisoned(p, seed)
        start, there = results.get(before(base)), results.of(replace(base, defense=d) for d in wanted)
        if start is not None and len(there) == len(wanted):
            found[seed] = float(value(pick(start, there, allowed)))
    return found


def works(results: Results) -> list[float]:
    """Attack success before cleaning."""
    p = results.profile
    return [] if p.past else list(results.per_seed(lambda s: before(poisoned(p, s)), success).values())


def published_share(p: Profile) -> float:
    """The share nearest to the published one."""
    return min(GRID[p].cells, key=lambda share: abs(share - 0.033))


def ample_share(p: Profile) -> float:
    """The share at which a defender has plenty."""
    return GRID[p].ample


Share = Callable[[Profile], float]


def _less_left(results: Results, other: str, share: Share, loss: float = 0.05) -> list[float]:
    found = (picked(results, method, loss, share=share(results.profile)) for method in (other, "cleanclip"))
    return differences(*found)


#: What is left for at most five points of accuracy: the other method's less CleanCLIP's, at the published share ...
better_at_equal_steps = functools.partial(_less_left, other="finetune", share=published_share)
better_at_equal_cost = functools.partial(_less_left, other="finetune for as long", share=published_share)
#: ... and where pairs are ample.
better_with_ample_pairs = functools.partial(_less_left, other="finetune", share=ample_share)
better_for_as_long_with_ample_pairs = functools.partial(_less_left, other="finetune for as long", share=ample_share)


def left(results: Results, loss: float = 0.05, share: Share = published_share) -> list[float]:
    """Attack success that CleanCLIP leaves for at most so many points, at the published share by default."""
    return list(picked(results, "cleanclip", loss, share=share(results.profile)).values())


#: The same where pairs are ample.
left_with_ample_pairs = functools.partial(left, share=ample_share)


def of_equal_steps(p: Profile) -> dict[float, int]:
    """The published and the ample share with the epochs that come nearest to equal numbers of steps, at equal rates."""
    cells = GRID[p].cells
    few, ample = published_share(p), ample_share(p)
    both = [(n, m) for n in cells[few] for m in cells[ample] if cells[few][n] == cells[ample][m]]
    n, m = min(both, key=lambda pair: abs(math.log(few * pair[0] / (ample * pair[1]))))
    return {few: n, ample: m}


def more_pairs_help(results: Results) -> list[float]:
    """Attack success that CleanCLIP leaves for at most five points, at the published share less with ample pairs.

    At equal numbers of steps, with equal learning rates.
    """
    p, left = results.profile, []
    if p.past:
        return []
    for share, epochs in of_equal_steps(p).items():
        wanted = [setting(p, "cleanclip", share, epochs, lr) for lr in GRID[p].cells[share][epochs]]
        left.append(picked_of(results, wanted, 0.05))
    return differences(*left)


def left_by_finetuning(results: Results) -> list[float]:
    """Attack success that plain finetuning leaves for at most five points, at the published share."""
    return list(picked(results, "finetune", 0.05, share=published_share(results.profile)).values())


def _title(method: str) -> str:
    return DEFENSES.find("finetune").title + ", as long" if method == METHODS[2] else DEFENSES.find(method).title


def table(results: Results) -> Table:
    """Attack success at equal loss of clean accuracy, by share of trusted pairs and method."""
    rows = []
    for share in GRID[results.profile].cells:
        for method in METHODS:
            cells = (percent(picked(results, method, loss, share=share).values()) for loss in LOSSES)
            rows.append((f"{100 * share:.3g} %", _title(method), *cells))
    return Table(("trusted pairs", "method", *(f"at most {100 * loss:g} points" for loss in LOSSES)), tuple(rows))


def rule_table(results: Results) -> Table:
    """What the defender's rule leaves and costs, by its margin, over all settings of a method."""
    rows = []
    for method in METHODS:
        for margin in MARGINS:
            cells = (
                percent(picked(results, method, margin, pick=by_the_rule, value=v).values())
                for v in (success, accuracy)
            )
            rows.append((_title(method), f"{100 * margin:g} points", *cells))
    return Table(("method", "margin", "attack success (%)", "clean accuracy (%)"), tuple(rows))


def plot(results: Results) -> go.Figure:
    """Attack success that is left, against the loss of accuracy that is allowed, for two shares of trusted pairs."""
    p = results.profile
    fig = plots.figure(
        "Attack success after CleanCLIP, after plain finetuning with as many steps, and after plain finetuning for as "
        "long, against the clean accuracy that the cleaning may cost.",
        x="clean accuracy that it may cost (points)",
        y="attack success that is left (%)",
        stamp=stamp(p, results.of(trials(p))) + SMALL_PRINT,
        height=420,
    )
    losses = (0.0, *LOSSES)
    for k, (share, method) in enumerate(
        itertools.product(dict.fromkeys((ample_share(p), published_share(p))), METHODS)
    ):
        values = [list(picked(results, method, loss, share=share).values()) for loss in losses]
        name, like = f"{_title(method)}, {100 * share:.3g} % of the pairs", _title(method).split(",")[0]
        curve(fig, [100 * loss for loss in losses], values, name, number=k, like=like, scale=100, bounds=(0, 1))
    return fig
