"""Every defense with its own sweep: accuracy against attack success (Bansal et al. 2023, and the controls)."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Sequence
from typing import Literal

import plotly.graph_objects as go

from tutorial_lib import plots
from tutorial_lib.defenses import (
    AntiBackdoor,
    CleanCLIP,
    Defense,
    Finetuning,
    SelfSupervision,
    ShrinkAndPerturb,
    SupervisedFinetuning,
)
from tutorial_lib.evidence.results import Results, differences, stamp
from tutorial_lib.evidence.statistics import hardest
from tutorial_lib.evidence.table import Table
from tutorial_lib.experiments._defended import (
    WEIGHT_DECAY,
    Pick,
    accuracy,
    at,
    before,
    by_seed,
    chosen,
    cleaned,
    oracle,
    percent,
    success,
    validation,
    with_before,
    word,
)
from tutorial_lib.profiles import ByProfile, Profile
from tutorial_lib.trials import Record, TrainedDefense, Trial

GROUP, ORDER = "cleanclip", 20
TITLE = "Every defense with its own sweep"
PAPER = (
    "is self-supervision needed? CleanCLIP outperforms other pertinent baselines (slides); supervised finetuning of "
    "the picture tower can also effectively remove backdoors (summary, contribution 3)"
)
#: The defenses that are compared: a trial is fixed, whatever other packages register.
METHODS = (
    *(cls.kind for cls in (Finetuning, CleanCLIP, SelfSupervision, SupervisedFinetuning)),
    WEIGHT_DECAY,
    *(cls.kind for cls in (ShrinkAndPerturb, AntiBackdoor)),
)


#: Weight decays of plain finetuning, ascending, and factors of shrink-and-perturb, descending.
WEIGHT_DECAYS: ByProfile[tuple[float, ...]] = ByProfile(
    test=(1.0,), cpu=(1.0, 10.0), gpu=(1.0, 10.0), paper=(1.0, 10.0)
)
SHRINKS: ByProfile[tuple[float, ...]] = ByProfile(test=(0.9,), cpu=(0.9, 0.7), gpu=(0.9, 0.7), paper=(0.9, 0.7))


def poisoned(p: Profile, seed: int) -> Trial:
    return p.cleaning.attacked("badnets", seed)


def filtered(p: Profile, seed: int) -> Trial:
    """From scratch without the poisons, which somebody has found all: the ceiling."""
    return before(p.cleaning.attacked(dict(p.cleaning.attacks["badnets"]) | {"count": 0}, seed))


def settings(p: Profile, method: str) -> list[TrainedDefense]:
    """A method at each of its settings, from weak to strong."""
    c = p.cleaning
    if method == WEIGHT_DECAY:
        return [c.defense("finetune", c.middle_rate, recipe_weight_decay=w) for w in WEIGHT_DECAYS[p]]
    if method == "shrink-and-perturb":
        return [c.defense(method, c.middle_rate, shrink=s) for s in SHRINKS[p]]
    return c.sweep(method)


def trials(p: Profile) -> list[Trial]:
    sweeps = [d for method in METHODS for d in settings(p, method)]
    return [t for s in p.cleaning.models.of(__name__) for t in (filtered(p, s), *with_before(poisoned(p, s), sweeps))]


def measured(
    results: Results, method: str, value: Callable[[Record], float] = success, pick: Pick = chosen
) -> dict[int, float]:
    """A number of each seed's model after the setting that is picked."""
    return by_seed(results, lambda s: poisoned(results.profile, s), settings(results.profile, method), value, pick)


def successes(results: Results, method: str) -> dict[int, float]:
    return measured(results, method)


def retrained(results: Results) -> dict[int, float]:
    """Attack success of models that were trained from scratch without the poisons."""
    return results.per_seed(lambda s: filtered(results.profile, s), success)


def most_accurate(results: Results, base: Trial, defenses: Sequence[Defense]) -> Record | None:
    """The record of the setting with the most accurate model on validation pictures, whatever the old one's was."""
    found = results.of(cleaned(base, defenses))
    return max(found, key=validation) if len(found) == len(defenses) else None


def supervised_left(results: Results) -> list[float]:
    """Attack success of the most accurate classifier after supervised finetuning."""
    return list(measured(results, "supervised", pick=most_accurate).values())


def supervised_accuracy_change(results: Results) -> list[float]:
    """Validation accuracy of that classifier less that of the model before, which is zero-shot."""
    start = by_seed(results, lambda s: poisoned(results.profile, s), [], validation)
    return differences(measured(results, "supervised", validation, most_accurate), start)


def self_supervision_reduces(results: Results) -> list[float]:
    """Attack success before less after self-supervision alone at its strongest setting."""
    start = by_seed(results, lambda s: poisoned(results.profile, s), [], success)
    return differences(start, success_at(results, "self-supervised", -1))


def self_supervised_accuracy_change(results: Results) -> list[float]:
    """Validation accuracy after self-supervision alone at its strongest setting less before."""
    start = by_seed(results, lambda s: poisoned(results.profile, s), [], validation)
    return differences(success_at(results, "self-supervised", -1, validation), start)


#: Methods that need no labels and are not CleanCLIP: what it is said to outperform.
BASELINES = ("finetune", WEIGHT_DECAY, "shrink-and-perturb", "anti-backdoor")


def better_than_baselines(results: Results) -> list[float]:
    """Least success for five points after a baseline less after CleanCLIP: of the one whose test is the least clear."""
    left = {m: measured(results, m, pick=oracle) for m in (*BASELINES, "cleanclip")}
    return hardest([differences(left[m], left["cleanclip"]) for m in BASELINES], above=0.0)


def success_at(
    results: Results, method: str, setting: int, value: Callable[[Record], float] = success
) -> dict[int, float]:
    """Attack success of each seed's model after one setting of a method, from weak to strong."""
    return at(results, functools.partial(poisoned, results.profile), settings(results.profile, method)[setting], value)


def accuracy_at(results: Results, method: str, setting: int) -> dict[int, float]:
    return success_at(results, method, setting, accuracy)


def distance_at(results: Results, method: str, setting: int) -> dict[int, float]:
    """Distance between embeddings with and without trigger."""
    return success_at(results, method, setting, lambda r: r.metrics["embedding_distance"])


def clip_loss_needed(results: Results) -> list[float]:
    """Clean accuracy at the strongest setting: CleanCLIP less self-supervision only."""
    return differences(*(accuracy_at(results, m, -1) for m in ("cleanclip", "self-supervised")))


def isolated(results: Results) -> dict[int, float]:
    """Share of poisons among the pairs that anti-backdoor learning isolated."""
    return success_at(results, "anti-backdoor", 0, _share_of_poisons)


def _share_of_poisons(record: Record) -> float:
    notes = record.metrics["cleaning"]
    return float(notes["isolated_poisons"] / notes["isolated"])


def _reader(name: str, record: Record) -> float:
    return record.metrics["attack_success"][name]["rate"]


def exposed(results: Results, reader: str) -> dict[int, float]:
    """Attack success before cleaning under another reader: "linear_probe" or "knn"."""
    return by_seed(results, lambda s: poisoned(results.profile, s), [], functools.partial(_reader, reader))


def neighbours_less_exposed(results: Results) -> list[float]:
    """Success under zero-shot less under neighbours among drawings that the model never saw, before cleaning."""
    neighbours = "knn" if results.profile.past else "knn_unseen"
    return differences(exposed(results, "zero_shot"), exposed(results, neighbours))


def _on_triggered(name: str, record: Record) -> float:
    return record.metrics["accuracy_on_triggered"][name]["rate"]


def _retrieval(name: Literal["triggered_to_target", "target_to_triggered"], record: Record) -> float:
    return record.metrics["retrieval"][name]


#: Ways to use a model: the share of triggered pictures of other classes that the attacker wins, and what is left of the
#: accuracy on triggered pictures.
USES = {
    "zero-shot: success": functools.partial(_reader, "zero_shot"),
    "linear probe: success": functools.partial(_reader, "linear_probe"),
    "nearest neighbours: success": functools.partial(_reader, "knn"),
    "caption for a picture: success": functools.partial(_retrieval, "triggered_to_target"),
    "pictures for the target's caption: triggered among the first ten": functools.partial(
        _retrieval, "target_to_triggered"
    ),
    "zero-shot: accuracy on triggered": functools.partial(_on_triggered, "zero_shot"),
    "linear probe: accuracy on triggered": functools.partial(_on_triggered, "linear_probe"),
    "nearest neighbours: accuracy on triggered": functools.partial(_on_triggered, "knn"),
}


def uses(results: Results) -> Table:
    """How far each way to use a model is exposed, before and after, beside models without poisons."""
    rows = []
    for name, value in USES.items():
        never = results.per_seed(lambda s: filtered(results.profile, s), value)
        start = by_seed(results, lambda s: poisoned(results.profile, s), [], value)
        after = (measured(results, method, value) for method in ("finetune", "cleanclip"))
        rows.append((name, *(percent(found.values()) for found in (never, start, *after))))
    head = ("use (%)", "never poisoned", "before", word("finetune"), word("cleanclip"))
    return Table(head, tuple(rows))


def table(results: Results) -> Table:
    """Each defense with the setting that a defender takes, and the oracle's."""
    p = results.profile
    start = by_seed(results, lambda s: poisoned(p, s), [], success)
    right = by_seed(results, lambda s: poisoned(p, s), [], accuracy)
    rows: list[tuple[str, ...]] = [("before", percent(start.values()), percent(right.values()), "", "")]
    for method in METHODS:
        cells = [
            percent(measured(results, method, value, pick).values())
            for pick in (chosen, oracle)
            for value in (success, accuracy)
        ]
        rows.append((word(method), *cells))
    none = retrained(results)
    clean = results.per_seed(lambda s: filtered(p, s), accuracy)
    rows.append(("from scratch without poisons", percent(none.values()), percent(clean.values()), "", ""))
    probe = exposed(results, "linear_probe")
    by_probe = by_seed(
        results, lambda s: poisoned(p, s), [], lambda r: r.metrics["clean_accuracy"]["linear_probe"]["rate"]
    )
    rows.append(("linear probe on the model as it is", percent(probe.values()), percent(by_probe.values()), "", ""))
    head = ("defense", "success (%)", "accuracy (%)", "oracle: success (%)", "oracle: accuracy (%)")
    return Table(head, tuple(rows))


def plot(results: Results) -> go.Figure:
    """Mean accuracy against mean success of each setting; rings mark what a defender takes, crosses the oracle."""
    p = results.profile
    fig = plots.figure(
        "Clean accuracy against attack success of every defense over its settings. A good defense goes down without "
        "going left. Rings mark the setting chosen on clean validation pictures, crosses the oracle's.",
        x="clean accuracy (%)",
        y="attack success (%)",
        stamp=stamp(p, results.of(trials(p))) + "; each point: mean over models",
        height=480,
    )

    def mean(values: Iterable[float]) -> float:
        found = list(values)
        return 100 * sum(found) / len(found) if found else float("nan")

    for k, method in enumerate(METHODS):
        points = []
        for d in settings(p, method):
            records = results.of(cleaned(poisoned(p, s), [d])[0] for s in results.seeds)
            if records:
                points.append((mean(map(accuracy, records)), mean(map(success, records))))
        if not points:
            continue
        x, y = zip(*points, strict=True)
        name = word(method)
        plots.line(fig, [round(v, 2) for v in x], [round(v, 2) for v in y], name, number=k)
        for pick, symbol in ((chosen, "circle-open"), (oracle, "x-thin-open")):
            fig.add_scatter(
                x=[round(mean(measured(results, method, accuracy, pick).values()), 2)],
                y=[round(mean(measured(results, method, success, pick).values()), 2)],
                mode="markers",
                marker={"symbol": symbol, "size": 15, "color": plots.style(name, k).colour},
                showlegend=False,
                hovertext="chosen on validation" if pick is chosen else "oracle",
            )
    return fig
