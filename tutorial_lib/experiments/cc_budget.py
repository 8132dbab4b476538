"""How much finetuning: the share of clean pairs, for each method (Bansal et al. 2023, finetuning size)."""

from __future__ import annotations

from collections.abc import Callable

import plotly.graph_objects as go

from tutorial_lib import plots
from tutorial_lib.evidence.results import Results, differences, stamp
from tutorial_lib.evidence.table import Table
from tutorial_lib.experiments._defended import accuracy, by_seed, cleaned, percent, success, with_before, word
from tutorial_lib.experiments._series import SMALL_PRINT, curve
from tutorial_lib.profiles import ByProfile, Profile
from tutorial_lib.trials import Record, TrainedDefense, Trial

GROUP, ORDER = "cleanclip", 30
TITLE = "The budget: how many trusted pairs?"
PAPER = "more pairs for finetuning clean better; the published recipe has 100,000 of 3,000,000, for 10 epochs"
METHODS = ("finetune", "cleanclip")


#: Shares of the clean pairs, ascending; the profile's own among them.
SHARES = ByProfile(
    test=(0.2, 0.5),
    cpu=(0.03, 0.1, 0.2, 1.0),
    gpu=(0.003, 0.01, 0.03, 0.1, 1.0),
    paper=(0.0034, 0.0169, 0.0339, 0.0678),
)
#: Learning rates at the largest share.
LARGE_RATES: ByProfile[tuple[float, ...]] = ByProfile(test=(1e-3,), cpu=(1e-3,), gpu=(3e-4, 1e-3), paper=(1e-5, 1e-4))


def poisoned(p: Profile, seed: int) -> Trial:
    return p.cleaning.attacked("badnets", seed)


def sweep(p: Profile, method: str, share: float) -> list[TrainedDefense]:
    c = p.cleaning
    if share == SHARES[p][-1]:
        return [c.defense(method, lr, share=share) for lr in LARGE_RATES[p]]
    return c.sweep(method, share=share)


def trials(p: Profile) -> list[Trial]:
    if not p.past:
        return []  # the map has it, with steps and learning rates apart
    c = p.cleaning
    sweeps = [d for share in SHARES[p] for method in METHODS for d in sweep(p, method, share)]
    return [t for seed in c.models.of(__name__) for t in with_before(poisoned(p, seed), sweeps)]


def measured(
    results: Results, method: str, share: float, value: Callable[[Record], float] = success
) -> dict[int, float]:
    p = results.profile
    return by_seed(results, lambda s: poisoned(p, s), sweep(p, method, share), value)


def successes(results: Results, method: str, share: float) -> dict[int, float]:
    return measured(results, method, share)


def accuracies(results: Results, method: str, share: float) -> dict[int, float]:
    return measured(results, method, share, accuracy)


def more_pairs_help(results: Results) -> list[float]:
    """Attack success after CleanCLIP: the smallest share less the largest."""
    shares = SHARES[results.profile]
    return differences(measured(results, "cleanclip", shares[0]), measured(results, "cleanclip", shares[-1]))


def left_by_finetuning(results: Results) -> list[float]:
    """Attack success after plain finetuning on the largest share."""
    return list(measured(results, "finetune", SHARES[results.profile][-1]).values())


def finetuning_catches_up(results: Results) -> list[float]:
    """Attack success at the largest share: plain finetuning less CleanCLIP."""
    share = SHARES[results.profile][-1]
    return differences(measured(results, "finetune", share), measured(results, "cleanclip", share))


def table(results: Results) -> Table:
    """Success and accuracy of each method at each share, with the samples as a share of the pre-training."""
    p = results.profile
    rows = []
    for share in SHARES[p]:
        for method in METHODS:
            budget = by_seed(
                results,
                lambda s: poisoned(p, s),
                sweep(p, method, share)[:1],
                lambda r: r.metrics.get("cleaning", {}).get("share_of_pretraining", 0.0),
                lambda r, base, d: next(iter(r.of(cleaned(base, d))), None),
            )
            cells = [percent(measured(results, method, share, v).values()) for v in (success, accuracy)]
            seen = f"{100 * sum(budget.values()) / len(budget):.1f}" if budget else "not run"
            rows.append((f"{100 * share:.3g} %", seen, word(method), *cells))
    head = ("pairs of the training set", "samples of the pre-training (%)", "method", "success (%)", "accuracy (%)")
    return Table(head, tuple(rows))


def plot(results: Results) -> go.Figure:
    """Attack success of the chosen setting by share of the pairs."""
    p = results.profile
    fig = plots.figure(
        "Attack success after plain finetuning and after CleanCLIP, by the share of clean pairs that the defender has; "
        "settings chosen on clean validation pictures.",
        x="trusted pairs, as a share of the clean training pairs (%)",
        y="attack success (%)",
        stamp=stamp(p, results.of(trials(p))) + SMALL_PRINT,
    )
    for k, method in enumerate(METHODS):
        values = [list(measured(results, method, s).values()) for s in SHARES[p]]
        curve(fig, [100 * s for s in SHARES[p]], values, word(method), number=k, scale=100, bounds=(0, 1), points=True)
    return plots.log_axis(fig, [100 * s for s in SHARES[p]])
