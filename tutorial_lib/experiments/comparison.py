"""Attacks × defenses and attacks × detectors, from the records of other experiments: the table of the book."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from tutorial_lib import profiles
from tutorial_lib.evidence.comparison import Comparison, Measure, Row, defense_effectiveness
from tutorial_lib.evidence.results import Results
from tutorial_lib.evidence.shown import complete
from tutorial_lib.evidence.statistics import Estimate, estimate_share
from tutorial_lib.evidence.table import Table
from tutorial_lib.experiments import (
    cc_attacks,
    cc_frontier,
    detect_checkpoints,
    detect_pairs,
    detect_removal,
    further_cleaning,
    robust_training,
)
from tutorial_lib.experiments._defended import (
    accuracy,
    attack_name,
    before,
    by_seed,
    cleaned,
    on_triggered,
    success,
    word,
)
from tutorial_lib.experiments._zoo import CLEAN, GROUPS, ZOO
from tutorial_lib.profiles import Profile
from tutorial_lib.training.methods import METHODS
from tutorial_lib.trials import Defense, Record, Trial
from tutorial_lib.trials.store import RunStore

GROUP, ORDER = "others", 20
TITLE = "Attacks × defenses and attacks × detectors"
PAPER = "no figure of the papers: every attack against every defense and detector that has records"
#: Profiles whose records are shown, the newest first.
NEWEST = ("paper", "gpu", "cpu", "laptop", "pilot")
#: Defenses of later work, by their kind, and what the experiment with them calls them.
LATER = {"par": "par", "unlearn-trigger": "found"}
#: What a table may be of.
KINDS = ("defenses", "detectors", "checkpoints")

SUCCESS = Measure("success", "attack success", "%", best="low", bounds=(0, 1))
ACCURACY = Measure("accuracy", "clean accuracy", "%", best="high", bounds=(0, 1))
TRIGGERED = Measure("on_triggered", "accuracy on triggered", "%", best="high", bounds=(0, 1))
RATING = Measure("der", "DER", best="high", bounds=(0, 1), form=".3f")
COST = Measure("cost", "cost", "finetuning steps", best="low", bounds=(0, float("inf")), form=",.0f")
OF_DEFENSES = (SUCCESS, ACCURACY, TRIGGERED, RATING, COST)

AUROC = Measure("auroc", "AUROC", "%", best="high", bounds=(0, 1))
RECALL = Measure(
    "recall", f"poisons in the worst {detect_pairs.WORST:.0%} of the pairs", "%", best="high", bounds=(0, 1)
)
SECONDS = Measure("seconds", "time", "s", best="low", bounds=(0, float("inf")), form=".2f")
OF_DETECTORS = (AUROC, RECALL, SECONDS, SUCCESS)

RANKED = Measure("auroc", "AUROC", "%", best="high", bounds=(0, 1))
FOUND = Measure("found", "called backdoored", "%", best="", bounds=(0, 1))
NAMED = Measure("named", "target named", "%", best="high", bounds=(0, 1))
OF_CHECKPOINTS = (RANKED, FOUND, NAMED, SECONDS, SUCCESS)

DEFENDED = (
    "Each defense at the strongest setting that costs at most five points of accuracy on clean validation pictures, as "
    "a defender would choose it who never sees the attack; where no setting does, the model stays as it is.",
    "DER = (max(0, ΔASR) − max(0, ΔACC) + 1) / 2, ΔASR and ΔACC the drops of attack success and clean accuracy (Zhu et "
    "al. 2023, equation 7): 1/2 is a defense that changes nothing, and none exceeds (1 + success before) / 2.",
    "Cost: one run of the defense in steps of plain finetuning with as many pictures a step; a sweep over settings "
    "runs it several times. Of another way to train, that of the whole training.",
)
DETECTED = (
    "AUROC over the training pairs of a model, 50 % is chance; the time is that of scoring all pairs, without their "
    "embeddings.",
)
JUDGED = (
    "AUROC: the chance that a backdoored model has a higher score than a clean one; 50 % is chance.",
    f"Called backdoored: at the threshold above which at most {detect_checkpoints.ALARMS:.0%} of clean models are "
    "expected; it was chosen on other clean models, and no attack of this table chose anything. In the rows of clean "
    "models this is the rate of false alarms.",
    "All numbers of poisons together, so that weak backdoors are among them.",
)


def trials(p: Profile) -> list[Trial]:
    """None of its own."""
    return []


def settings(p: Profile, method: str) -> Sequence[Defense]:
    """A defense at each of its settings, from weak to strong."""
    if method == "retraining":
        return [detect_removal.defense(p, "dao")]
    if method in LATER:
        return further_cleaning.sweep(p, "badnets", LATER[method])
    return cc_frontier.settings(p, method)


def methods(p: Profile) -> tuple[str, ...]:
    """The defenses that some experiment of the profile tries; another one for the table is added here."""
    return (*cc_frontier.METHODS, *(() if p.past else ("retraining", *LATER)))


def scale(results: Results, records: Iterable[Record]) -> str:
    """What was attacked, in words: models, pictures and pairs."""
    base = results.profile.cleaning.base
    found = next(iter(records), None)
    size = "" if found is None else f" of {found.metrics['parameters'] / 1e6:.1f} million parameters"
    pairs = "no records yet" if found is None else f"{found.metrics['pairs']:,} pairs"
    return f"CLIP models{size}, {base.side}-pixel pictures, {pairs} (profile {results.profile.name})"


def cost(record: Record, defense: Defense, batch: int) -> float:
    """Work of a defense in steps of plain finetuning with so many pictures a step."""
    return record.metrics["cleaning"]["samples"] * defense.cost / batch


def defended(
    results: Results, base_of: Callable[[int], Trial], found: Sequence[Defense]
) -> dict[str, dict[int, float]]:
    """The numbers of a row by seed: of the models as they are without a defense, else after the setting that is chosen.

    Args:
        results: the records.
        base_of: the backdoored model of a seed.
        found: a defense at each of its settings, from weak to strong; empty for none.
    """
    after, accurate, readable = (by_seed(results, base_of, found, v) for v in (success, accuracy, on_triggered))
    numbers = {SUCCESS.key: after, ACCURACY.key: accurate, TRIGGERED.key: readable}
    if not found:
        return numbers
    start, right = (by_seed(results, base_of, [], v) for v in (success, accuracy))
    rating = {s: defense_effectiveness((start[s], after[s]), (right[s], accurate[s])) for s in after}
    batch = results.profile.cleaning.recipe.batch_size
    steps = {}
    for seed in after:
        each = zip(results.of(cleaned(base_of(seed), found)), found, strict=True)
        steps[seed] = sum(cost(r, d, batch) for r, d in each) / len(found)
    return numbers | {RATING.key: rating, COST.key: steps}


def trained_otherwise(results: Results) -> list[Row]:
    """Rows of the ways to train that have records; what is judged is the model, and nothing is cleaned."""
    p, rows = results.profile, []
    for way in ("roclip", "safeclip"):
        after, accurate, readable = (
            robust_training.measured(results, way, value=v) for v in (success, accuracy, on_triggered)
        )
        start, right = (robust_training.measured(results, "", value=v) for v in (success, accuracy))
        both = sorted(after.keys() & start.keys())
        rating = {s: defense_effectiveness((start[s], after[s]), (right[s], accurate[s])) for s in both}
        steps = robust_training.measured(results, way, value=lambda r: training_cost(r, p.cleaning.recipe.batch_size))
        numbers = {SUCCESS.key: after, ACCURACY.key: accurate, TRIGGERED.key: readable, RATING.key: rating}
        made = row((attack_name("badnets"), robust_training.NAMES[way]), numbers | {COST.key: steps}, OF_DEFENSES)
        if made.values[SUCCESS.key] is not None:
            rows.append(made)
    return rows


def training_cost(record: Record, batch: int) -> float:
    """Work of a whole training in steps of plain finetuning with so many pictures a step."""
    method, recipe = record.trial["method"], record.trial["recipe"]
    samples: float = record.metrics["steps"] * recipe["batch_size"]
    return samples * METHODS[method["kind"]].cost / batch


def row(words: tuple[str, ...], numbers: dict[str, dict[int, float]], measures: Sequence[Measure]) -> Row:
    """A row of a table from numbers by seed."""
    return Row(words, {m.key: m.over(numbers[m.key].values()) for m in measures if m.key in numbers})


def of_defenses(results: Results) -> Comparison:
    """Every attack before, and after every defense that has records."""
    p, rows = results.profile, []
    for attack in p.cleaning.attacks:
        base_of = functools.partial(p.cleaning.attacked, attack)
        rows.append(row((attack_name(attack), "none"), defended(results, base_of, []), OF_DEFENSES))
        for method in methods(p):
            made = row(
                (attack_name(attack), word(method)), defended(results, base_of, settings(p, method)), OF_DEFENSES
            )
            if made.values[SUCCESS.key] is not None:
                rows.append(made)
        rows += [] if attack != "badnets" else trained_otherwise(results)
    first = results.of(before(p.cleaning.attacked(a, s)) for a in p.cleaning.attacks for s in results.seeds)
    title = f"Attacks × defenses: {scale(results, first)}"
    notes = (*DEFENDED, *kept(rows))
    return Comparison("defenses", title, ("attack", "defense"), OF_DEFENSES, tuple(rows), p.name, notes)


def kept(rows: Sequence[Row]) -> list[str]:
    """A sentence that names the rows whose numbers are those of the model as it is, if there are any."""
    start = {row.words[0]: row.values for row in rows if row.words[1] == "none"}
    measured = (SUCCESS.key, ACCURACY.key, TRIGGERED.key)
    same = [
        f"{row.words[1]} ({row.words[0]})"
        for row in rows
        if row.words[1] != "none" and all(row.values[k] == start[row.words[0]][k] for k in measured)
    ]
    return [f"No setting was cheap enough, and every model stays as it is: {', '.join(same)}."] if same else []


def of_detectors(results: Results) -> Comparison:
    """Every attack against every detector of poisoned pairs that has records."""
    p, rows = results.profile, []
    for attack in p.cleaning.attacks:
        for name, detector in detect_pairs.NAMED.items():
            numbers = {
                AUROC.key: detect_pairs.aurocs(results, attack, detector.label),
                RECALL.key: detect_pairs.recalls(results, attack, detector.label),
                SECONDS.key: detect_pairs.found(results, attack, detector.label, lambda m: m["seconds"]),
            }
            if numbers[AUROC.key]:
                numbers[SUCCESS.key] = results.per_seed(functools.partial(detect_pairs.looked_at, p, attack), success)
                rows.append(row((attack_name(attack), name), numbers, OF_DETECTORS))
    title = f"Attacks × detectors of poisoned pairs: {scale(results, results.of(detect_pairs.trials(p)))}"
    return Comparison("detectors", title, ("attack", "detector"), OF_DETECTORS, tuple(rows), p.name, DETECTED)


def of_checkpoints(results: Results) -> Comparison:
    """Every held-out attack, and clean models, against every detector of checkpoints that has records."""
    p, rows = results.profile, []
    attacks = [CLEAN, *detect_checkpoints.names_of("test")]
    for attack in attacks if detect_checkpoints.trials(p) else ():
        poisoned = attack in GROUPS
        records = (
            detect_checkpoints.records_of(results, [attack]) if poisoned else detect_checkpoints.clean_records(results)
        )
        for detector in (*ZOO[p].detectors, *ZOO[p].few):
            looked = [a for r in records if (a := detect_checkpoints.said(r, detector.label)) is not None]
            if not looked:
                continue
            limit = detect_checkpoints.threshold(results, detector.label)
            called = detect_checkpoints.above_threshold(results, detector.label, records, limit)
            values = {FOUND.key: shared(called), SECONDS.key: SECONDS.over(a["seconds"] for a in looked)}
            if poisoned:
                values[RANKED.key] = detect_checkpoints.auroc(results, detector.label, [attack])
                values[NAMED.key] = shared([bool(a["named"]) for a in looked])
                values[SUCCESS.key] = SUCCESS.over(map(success, records))
            rows.append(Row((attack, detector.title), values))
    every = results.of(detect_checkpoints.trials(p))
    size = f" of {every[0].metrics['parameters'] / 1e6:.1f} million parameters" if every else ""
    pairs = sorted({r.metrics["pairs"] for r in every})
    data = f"{pairs[0]:,} to {pairs[-1]:,} pairs" if pairs else "no records yet"
    side = ZOO[p].base.side
    title = f"Attacks × detectors of checkpoints: CLIP models{size}, {side}-pixel pictures, {data} (profile {p.name})"
    return Comparison("checkpoints", title, ("attack", "detector"), OF_CHECKPOINTS, tuple(rows), p.name, JUDGED)


def shared(found: Sequence[bool]) -> Estimate | None:
    """A share of models with its exact interval, nothing of none."""
    return estimate_share(found) if found else None


#: By kind: what makes the table, and the experiment whose records it cannot do without.
MADE: dict[str, tuple[Callable[[Results], Comparison], str]] = {
    "defenses": (of_defenses, cc_attacks.__name__.rpartition(".")[2]),
    "detectors": (of_detectors, detect_pairs.__name__.rpartition(".")[2]),
    "checkpoints": (of_checkpoints, detect_checkpoints.__name__.rpartition(".")[2]),
}


def compare(
    kind: str, profile: str | None = None, *, store: Path | None = None, folder: Path | None = None
) -> Comparison:
    """A table of the book.

    Args:
        kind: one of `KINDS`.
        profile: whose records; by default the newest that has all of them.
        store: folder of records, read beside the committed ones; by default those are all.
        folder: of the committed records, by default the book's.

    Raises:
        ValueError: there is no such table or profile.

    Example:
        >>> made = compare("defenses", "pilot")
        >>> (made.rows[0].words, made.rows[2].words)
        (('BadNets', 'none'), ('BadNets', 'CleanCLIP'))
    """
    if kind not in MADE:
        raise ValueError(f"there is no table of {kind!r}; choose from {', '.join(MADE)}")
    make, needed = MADE[kind]

    def known(name: str) -> Results:
        return Results(profiles.get(name), None if store is None else RunStore(store), folder)

    names = NEWEST if profile is None else profiles.get(profile).references or (profile,)
    return make(newest([known(name) for name in names], needed))


def newest(found: Sequence[Results], experiment: str) -> Results:
    """The first of some profiles' records that has all of an experiment, else the last.

    Example:
        >>> pilot, cpu = (Results(profiles.get(name)) for name in ("pilot", "cpu"))
        >>> newest([cpu, pilot], "fig6").profile.name in ("cpu", "pilot")
        True
    """
    return next((results for results in found if complete(experiment, results)), found[-1])


def table(results: Results) -> Table:
    """Attacks × defenses."""
    return of_defenses(results).table


def table_checkpoints(results: Results) -> Table:
    """Attacks × detectors of checkpoints."""
    return of_checkpoints(results).table


def table_detectors(results: Results) -> Table:
    """Attacks × detectors of poisoned pairs."""
    return of_detectors(results).table
