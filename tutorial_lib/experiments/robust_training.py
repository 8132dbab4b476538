"""Training on unchecked pairs in another way: does RoCLIP or SafeCLIP keep the poisons from working?"""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import replace

import plotly.graph_objects as go

from tutorial_lib import plots
from tutorial_lib.evidence.results import Results, differences, stamp
from tutorial_lib.evidence.table import Table
from tutorial_lib.experiments import fig2_left
from tutorial_lib.experiments._defended import accuracy, before, percent, success, validation
from tutorial_lib.experiments._series import SMALL_PRINT, curve
from tutorial_lib.profiles import Profile
from tutorial_lib.training.methods import RoCLIP, SafeCLIP
from tutorial_lib.trials import Method, Record, Trial

GROUP, ORDER = "detection", 50
TITLE = "Training on unchecked pairs in another way"
PAPER = (
    "RoCLIP brings the success of backdoors to 0 % and of targeted poisoning from 93.75 to 12.5 % (Yang et al. 2023), "
    "SafeCLIP both to 0 % (Yang et al. 2024), at the accuracy of CLIP"
)
#: RoCLIP by how many epochs one is matched, ascending; 2 as published.
ROCLIP = {every: RoCLIP(every=every) for every in (1, 2, 3)}
#: SafeCLIP by the learning rate of its slow epoch, a share of the usual one. 0.01 is published for thousands of steps:
#: of the few hundred here it may leave the towers unaligned, so the full rate is tried as well.
SAFECLIP = {rate: SafeCLIP(slow_rate=rate) for rate in (0.01, 1.0)}
#: The control of both: their augmentation of pictures and captions, and every caption its own.
AUGMENTED = RoCLIP(every=1000)
#: What is tried, by the name that figures give it; SafeCLIP at the rate whose model reads validation pictures best.
NAMES = {"": "plain training", "augmented": "augmentation alone", "roclip": "RoCLIP", "safeclip": "SafeCLIP"}


def trained_by(base: Trial, method: Method | None) -> Trial:
    """A trial whose model is trained in another way, measured like a cleaned one.

    SafeCLIP's epochs before the split are added to those of the recipe, so that CLIP's loss has as many.
    """
    if isinstance(method, SafeCLIP):
        longer = base.recipe.epochs + method.warmup + method.slow
        base = replace(base, recipe=replace(base.recipe, epochs=longer))
    return before(replace(base, method=method))


def poisoned(p: Profile, seed: int) -> Trial:
    return p.cleaning.attacked("badnets", seed)


def targeted(p: Profile, seed: int) -> Trial:
    """Many single targets in one model, as in figure 2."""
    return fig2_left.together(p, seed)


def trials(p: Profile) -> list[Trial]:
    """None where models were made before there were these methods."""
    if p.past:
        return []
    found = []
    for seed in p.cleaning.models.of(__name__):
        found += [trained_by(poisoned(p, seed), m) for m in (None, AUGMENTED, *ROCLIP.values(), *SAFECLIP.values())]
    for seed in p.models.of(__name__):
        found += [trained_by(targeted(p, seed), m) for m in (None, AUGMENTED, ROCLIP[2], *SAFECLIP.values())]
    return found


def of(
    results: Results,
    method: Method | None,
    base_of: Callable[[Profile, int], Trial] = poisoned,
    value: Callable[[Record], float] = success,
) -> dict[int, float]:
    """A number of the models of one way to train, by seed."""
    p = results.profile
    return {} if p.past else results.per_seed(lambda s: trained_by(base_of(p, s), method), value)


def by_safeclip(
    results: Results,
    base_of: Callable[[Profile, int], Trial] = poisoned,
    value: Callable[[Record], float] = success,
) -> dict[int, float]:
    """A number of SafeCLIP's models, at the rate of the slow epoch that validation pictures prefer; by seed."""
    p, found = results.profile, {}
    for seed in () if p.past else results.seeds:
        records = results.of(trained_by(base_of(p, seed), m) for m in SAFECLIP.values())
        if len(records) == len(SAFECLIP):
            found[seed] = float(value(max(records, key=validation)))
    return found


def measured(
    results: Results,
    way: str,
    base_of: Callable[[Profile, int], Trial] = poisoned,
    value: Callable[[Record], float] = success,
) -> dict[int, float]:
    """A number of plain training (""), "augmented", "roclip" as published or "safeclip", by seed."""
    if way == "safeclip":
        return by_safeclip(results, base_of, value)
    return of(results, {"": None, "augmented": AUGMENTED, "roclip": ROCLIP[2]}[way], base_of, value)


def plain_works(results: Results) -> list[float]:
    """Attack success under plain training, BadNets."""
    return list(measured(results, "").values())


def _left(results: Results, way: str) -> list[float]:
    """Attack success of another way to train, BadNets."""
    return list(measured(results, way).values())


roclip_left = functools.partial(_left, way="roclip")
safeclip_left = functools.partial(_left, way="safeclip")


def _kept(results: Results, way: str) -> list[float]:
    """Clean accuracy of another way to train less that of plain training, on the same pairs, BadNets."""
    return differences(measured(results, way, value=accuracy), measured(results, "", value=accuracy))


roclip_kept = functools.partial(_kept, way="roclip")
safeclip_kept = functools.partial(_kept, way="safeclip")


def probe_accuracy(record: Record) -> float:
    return record.metrics["clean_accuracy"]["linear_probe_unseen"]["rate"]


def roclip_probe(results: Results) -> list[float]:
    """Clean accuracy of a linear probe on RoCLIP less on plain training, on the same pairs, BadNets."""
    return differences(*(measured(results, way, value=probe_accuracy) for way in ("roclip", "")))


def more_often_safer(results: Results) -> list[float]:
    """Attack success with every second epoch matched less with every third, BadNets.

    With every epoch matched no caption is ever trained on its own picture, which says nothing of how often.
    """
    return differences(of(results, ROCLIP[2]), of(results, ROCLIP[3]))


def more_often_costs(results: Results) -> list[float]:
    """Clean accuracy with every second epoch matched less with every third, BadNets."""
    often, seldom = (of(results, ROCLIP[every], value=accuracy) for every in (2, 3))
    return differences(often, seldom)


def seldom_kept(results: Results) -> list[float]:
    """Clean accuracy with every third epoch matched less that of plain training, on the same pairs, BadNets."""
    return differences(of(results, ROCLIP[3], value=accuracy), measured(results, "", value=accuracy))


def safeclip_over_roclip(results: Results) -> list[float]:
    """Attack success after SafeCLIP less after RoCLIP, BadNets."""
    return differences(measured(results, "safeclip"), measured(results, "roclip"))


def _over_augmentation(results: Results, way: str) -> list[float]:
    """Attack success of another way to train less that of its augmentation alone, BadNets."""
    return differences(measured(results, way), measured(results, "augmented"))


roclip_over_augmentation = functools.partial(_over_augmentation, way="roclip")
safeclip_over_augmentation = functools.partial(_over_augmentation, way="safeclip")


def let_in(record: Record) -> float:
    """Share of the poisons in SafeCLIP's first safe set."""
    m = record.metrics
    return m["method"]["safe_poisons"][0] / m["poisons"]


def excess(record: Record) -> float:
    """Share of the poisons in the first safe set less the share of all pairs in it: 0 where the split knows nothing."""
    m = record.metrics
    return let_in(record) - m["method"]["safe"][0] / (m["pairs"] + m["poisons"])


def safe_poisons(results: Results) -> list[float]:
    """Share of the poisons in the first safe set, as published, BadNets."""
    return list(of(results, SAFECLIP[0.01], value=let_in).values())


def safe_pairs(results: Results) -> list[float]:
    """Share of all pairs in the first safe set, as published, BadNets."""
    return list(of(results, SAFECLIP[0.01], value=lambda record: let_in(record) - excess(record)).values())


def slow_lets_fewer_in(results: Results) -> list[float]:
    """Share of the poisons in the first safe set less that of all pairs: at the full rate less at the published one."""
    fast, slow = (of(results, SAFECLIP[rate], value=excess) for rate in (1.0, 0.01))
    return differences(fast, slow)


def targets(results: Results, way: str = "") -> dict[int, float]:
    """Share of the targets with most poisons that fall, by seed."""
    group = len(fig2_left.counts(results.profile)) - 1
    return measured(results, way, targeted, lambda r: fig2_left.share(r, group))


def targets_fall(results: Results) -> list[float]:
    """Share of the targets with most poisons that fall under plain training."""
    return list(targets(results).values())


def _fall_under(results: Results, way: str) -> list[float]:
    """Share of the targets with most poisons that fall under another way to train."""
    return list(targets(results, way).values())


roclip_targets = functools.partial(_fall_under, way="roclip")
safeclip_targets = functools.partial(_fall_under, way="safeclip")


def _targeted_kept(results: Results, way: str) -> list[float]:
    """Clean accuracy of another way to train less that of plain training, on the same pairs, targeted attacks."""
    return differences(*(measured(results, w, targeted, accuracy) for w in (way, "")))


roclip_targeted_kept = functools.partial(_targeted_kept, way="roclip")
safeclip_targeted_kept = functools.partial(_targeted_kept, way="safeclip")


#: What the figure shows of every way to train.
MEASURED: dict[str, Callable[[Results, str], dict[int, float]]] = {
    "attack success": measured,
    "targets that fall": targets,
    "clean accuracy": functools.partial(measured, value=accuracy),
}


def table(results: Results) -> Table:
    """Every way to train: what is left of both attacks, what it costs, and whom SafeCLIP lets in."""
    ways: dict[str, Method | None] = {"plain training": None, "augmentation alone": AUGMENTED}
    ways |= {f"RoCLIP, every {every}. epoch" if every > 1 else "RoCLIP, every epoch": m for every, m in ROCLIP.items()}
    ways |= {f"SafeCLIP, slow epoch at {100 * rate:g} % of the rate": m for rate, m in SAFECLIP.items()}
    group = len(fig2_left.counts(results.profile)) - 1
    rows = []
    for name, method in ways.items():
        cells = [
            of(results, method),
            of(results, method, value=accuracy),
            of(results, method, targeted, lambda r: fig2_left.share(r, group)),
        ]
        first = of(results, method, value=let_in) if isinstance(method, SafeCLIP) else None
        shown = [percent(c.values()) for c in cells]
        rows.append((name, *shown, "\N{EN DASH}" if first is None else percent(first.values())))
    head = (
        "training",
        "attack success (%)",
        "clean accuracy (%)",
        "targets that fall (%)",
        "poisons in the first safe set (%)",
    )
    return Table(head, tuple(rows))


def plot(results: Results) -> go.Figure:
    """Success of a backdoor and of targeted poisoning, and clean accuracy, by the way to train."""
    p = results.profile
    fig = plots.figure(
        "Attack success, targets that fall and clean accuracy of models under plain training, augmentation alone, "
        "RoCLIP and SafeCLIP.",
        x="model",
        y="share of the test pictures or targets (%)",
        stamp=stamp(p, results.of(trials(p))) + SMALL_PRINT,
    )
    for k, (name, values_of) in enumerate(MEASURED.items()):
        values = [list(values_of(results, way).values()) for way in NAMES]
        curve(fig, list(NAMES.values()), values, name, number=k, scale=100, bounds=(0, 1), points=True, joined=False)
    return fig
