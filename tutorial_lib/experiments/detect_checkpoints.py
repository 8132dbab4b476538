"""Is a checkpoint backdoored? A zoo of small models, clean and attacked, before detectors that know neither trigger nor
target.

All rates are of models and attacks that chose no threshold; see `tutorial_lib.experiments._zoo`.
"""

from __future__ import annotations

import functools
import statistics
from collections.abc import Iterable, Sequence
from typing import Literal

import plotly.graph_objects as go

from tutorial_lib import plots
from tutorial_lib.detect import KDistance
from tutorial_lib.detect.checkpoints import DECREE, CheckpointDetector, ClassInversion, UniversalPatch
from tutorial_lib.detect.checkpoints.thresholds import threshold_for
from tutorial_lib.evidence.results import Results, stamp
from tutorial_lib.evidence.statistics import Estimate, estimate_auroc, estimate_share
from tutorial_lib.evidence.table import Table
from tutorial_lib.experiments._defended import success
from tutorial_lib.experiments._zoo import FEW, GROUPS, ZOO, Role, attacked, clean_models
from tutorial_lib.profiles import Profile
from tutorial_lib.trials import Record, Trial
from tutorial_lib.trials.metrics import AuditMetrics

GROUP, ORDER = "detection", 40
TITLE = "Is this checkpoint backdoored?"
PAPER = (
    "a search for a small mask tells backdoored encoders from clean ones without labels (Feng et al. 2023, DECREE); of "
    "prompt-tuned models, inversion per class has an AUROC of .973 where Neural Cleanse has .495 (Jindal et al. 2026, "
    "CLIP-Inspector); the class that gains most from a universal patch is the target (Sun et al. 2026, InverTune)"
)

#: Share of clean models that a calibrated threshold may call backdoored.
ALARMS = 0.05
#: Attack success from which on a backdoor counts as strong, and the range of a weak one.
STRONG, WEAK = 0.5, (0.2, 0.8)


def trials(p: Profile) -> list[Trial]:
    """None where models were made before there were such detectors, or are too dear for a zoo."""
    if p.past or not ZOO[p].detectors:
        return []
    poisoned = [t for name in GROUPS for t in attacked(p, name)]
    return [*clean_models(p, "calibration"), *clean_models(p, "test"), *poisoned]


def _records(results: Results, found: Iterable[Trial]) -> list[Record]:
    return [] if results.profile.past else results.of(found)


def said(record: Record, detector: str) -> AuditMetrics | None:
    """What a detector says of a model, by its label; `None` where it did not look."""
    return record.metrics["audits"].get(detector)


def scores(records: Iterable[Record], detector: str) -> list[float]:
    """The scores of a detector, by its label, of the models that it looked at."""
    return [found["score"] for record in records if (found := said(record, detector)) is not None]


def clean_records(results: Results, role: Role = "test") -> list[Record]:
    return _records(results, clean_models(results.profile, role))


def records_of(results: Results, names: Iterable[str], *, above: float = 0.0, below: float = 1.0) -> list[Record]:
    """The models of some attacks whose success lies in a range."""
    found = [r for name in names for r in _records(results, attacked(results.profile, name))]
    return [r for r in found if above <= success(r) <= below]


def names_of(role: Role, *, patch: bool | None = None) -> list[str]:
    """The attacks of a role; with `patch`, those with an opaque patch at one place, or those with something else."""
    return [name for name, g in GROUPS.items() if g.role == role and patch in (None, g.patch)]


def threshold(results: Results, detector: str) -> float | None:
    """The calibrated threshold: of n clean models of the calibration so few lie above it that of n + 1 models not more
    than a share of `ALARMS` would; `None` where there are too few models for that."""
    found = scores(clean_records(results, "calibration"), detector)
    allowed = (len(found) + 1) * ALARMS - 1
    return threshold_for(found, false_alarms=allowed / len(found)) if found and allowed >= 0 else None


def auroc(results: Results, detector: str, names: Sequence[str], *, above: float = 0.0) -> Estimate | None:
    """AUROC of a detector on the backdoors of some attacks against the clean models of the test."""
    clean = scores(clean_records(results), detector)
    bad = scores(records_of(results, names, above=above), detector)
    return estimate_auroc(clean, bad) if min(len(clean), len(bad)) > 1 else None


def above_threshold(results: Results, detector: str, records: Iterable[Record], limit: float | None) -> list[bool]:
    """Which models have a score above a threshold; none where there is no threshold."""
    return [] if limit is None else [score > limit for score in scores(records, detector)]


# -- quantities of claims


def patches_work(results: Results) -> list[float]:
    """Attack success of the models of the test with the most poisons with an opaque patch."""
    p = results.profile
    named = [(name, GROUPS[name].counts[-1]) for name in names_of("test", patch=True)]
    most = [t for name, count in named for t in attacked(p, name) if getattr(t.attack, "count", 0) == count]
    return [success(r) for r in _records(results, most)]


def _held_out(results: Results, detector: str) -> Estimate | None:
    """AUROC on strong backdoors with a patch that no threshold has seen."""
    return auroc(results, detector, names_of("test", patch=True), above=STRONG)


decree_auroc = functools.partial(_held_out, detector=DECREE().label)
inversion_auroc = functools.partial(_held_out, detector=ClassInversion().label)
cleanse_auroc = functools.partial(_held_out, detector=FEW[0].label)
universal_auroc = functools.partial(_held_out, detector=UniversalPatch().label)


def _alarms(results: Results, detector: str, limit: float) -> list[bool]:
    """Which clean models of the test lie above a published threshold."""
    return above_threshold(results, detector, clean_records(results), limit)


def _hits(results: Results, detector: str, limit: float) -> list[bool]:
    """Which strong backdoors with a patch lie above a published threshold."""
    found = records_of(results, names_of("test", patch=True), above=STRONG)
    return above_threshold(results, detector, found, limit)


#: Thresholds of the authors: a mask of a tenth of the picture, and two deviations for an index of outliers.
AUTHORS = {DECREE().label: 0.9, ClassInversion().label: 2.0, FEW[0].label: 2.0}
decree_alarms = functools.partial(_alarms, detector=DECREE().label, limit=0.9)
decree_hits = functools.partial(_hits, detector=DECREE().label, limit=0.9)
inversion_alarms = functools.partial(_alarms, detector=ClassInversion().label, limit=2.0)
inversion_hits = functools.partial(_hits, detector=ClassInversion().label, limit=2.0)


def named(results: Results, detector: str) -> list[bool]:
    """Whether a detector, by its label, names the target, strong backdoors with a patch."""
    found = records_of(results, names_of("test", patch=True), above=STRONG)
    return [bool(a["named"]) for r in found if (a := said(r, detector)) is not None]


target_named = functools.partial(named, detector=UniversalPatch().label)


def smaller_masks(results: Results) -> list[float]:
    """By how many deviations of clean models DECREE's score of strong backdoors with a patch lies above their mean."""
    clean = scores(clean_records(results), DECREE().label)
    bad = scores(records_of(results, names_of("test", patch=True), above=STRONG), DECREE().label)
    if len(clean) < 2:
        return []
    mean, spread = statistics.fmean(clean), max(statistics.stdev(clean), 1e-3)
    return [(x - mean) / spread for x in bad]


def calibrated(results: Results, detector: str, models: Literal["clean", "strong"]) -> list[bool]:
    """Which clean models of the test, or strong backdoors with a patch, lie above a detector's calibrated threshold."""
    strong = records_of(results, names_of("test", patch=True), above=STRONG)
    found = clean_records(results) if models == "clean" else strong
    return above_threshold(results, detector, found, threshold(results, detector))


calibrated_alarms = functools.partial(calibrated, detector=UniversalPatch().label, models="clean")
calibrated_hits = functools.partial(calibrated, detector=UniversalPatch().label, models="strong")


def spread_works(results: Results) -> list[float]:
    """Attack success of the models with poisons that spread."""
    return [success(r) for r in records_of(results, ["spread poisons"])]


def spread_hides(results: Results) -> list[float]:
    """AUROC of k-distance on poisons that spread, one number a model."""
    found = records_of(results, ["spread poisons"])
    return [r.metrics["detection"][KDistance().label]["auroc"] for r in found]


# -- figures


def detectors(p: Profile) -> tuple[CheckpointDetector, ...]:
    """Those that look at any model of the profile."""
    return ZOO[p].detectors + ZOO[p].few


def f1(results: Results, detector: str, names: Sequence[str], limit: float | None) -> float | None:
    """F1 of "backdoored" at a threshold, strong backdoors of some attacks among the clean models of the test."""
    alarms = above_threshold(results, detector, clean_records(results), limit)
    hits = above_threshold(results, detector, records_of(results, names, above=STRONG), limit)
    if not alarms or not hits:
        return None
    wrong = sum(alarms) + len(hits) - sum(hits)
    return 2 * sum(hits) / (2 * sum(hits) + wrong)


def share(found: Sequence[bool]) -> str:
    """How many of how many, with the interval in per cent."""
    if not found:
        return "not run"
    e = estimate_share(found)
    return f"{sum(found)} of {len(found)} ({100 * e.low:.0f} to {100 * e.high:.0f} %)"


def area(found: Estimate | None) -> str:
    """An AUROC with its interval, in per cent."""
    return "not run" if found is None else f"{100 * found.value:.0f} ({100 * found.low:.0f} to {100 * found.high:.0f})"


def number(found: float | None) -> str:
    """A number, or a dash."""
    return "–" if found is None else f"{found:.3g}"


def table(results: Results) -> Table:
    """Each detector on held-out attacks: how it ranks, and what its calibrated threshold does."""
    test, patches = names_of("test"), names_of("test", patch=True)
    rows = []
    for d in detectors(results.profile):
        limit = threshold(results, d.label)
        of = functools.partial(above_threshold, results, d.label, limit=limit)
        weak = records_of(results, test, above=WEAK[0], below=WEAK[1])
        rows.append(
            (
                d.title,
                area(auroc(results, d.label, patches, above=STRONG)),
                area(auroc(results, d.label, names_of("test", patch=False), above=STRONG)),
                number(limit),
                share(of(clean_records(results))),
                share(of(records_of(results, patches, above=STRONG))),
                share(of(weak)),
            )
        )
    head = ("detector", "AUROC, patches (%)", "AUROC, others (%)", "calibrated threshold", "clean models above")
    return Table((*head, "strong patches above", "weak backdoors above"), tuple(rows))


def table_thresholds(results: Results) -> Table:
    """F1 at the authors' threshold and at the calibrated one, strong backdoors with a patch among clean models."""
    patches, rows = names_of("test", patch=True), []
    for d in detectors(results.profile):
        own, limit = AUTHORS.get(d.label), threshold(results, d.label)
        cells = (own, f1(results, d.label, patches, own), limit, f1(results, d.label, patches, limit))
        rows.append((d.title, *map(number, cells)))
    return Table(("detector", "authors' threshold", "F1", "calibrated threshold", "F1"), tuple(rows))


def table_attacks(results: Results) -> Table:
    """AUROC of each detector on each attack, whatever its success, with that of the models."""
    found = [d for d in detectors(results.profile) if d in ZOO[results.profile].detectors]
    rows = []
    for name, group in GROUPS.items():
        values = [100 * success(r) for r in records_of(results, [name])]
        works = f"{min(values):.0f} to {max(values):.0f}" if values else "not run"
        rows.append((name, group.role, works, *(area(auroc(results, d.label, [name])) for d in found)))
    return Table(("attack", "models", "success (%)", *(f"{d.title}: AUROC (%)" for d in found)), tuple(rows))


def roc(clean: Sequence[float], bad: Sequence[float]) -> tuple[list[float], list[float]]:
    """False alarms and hits at every threshold, both from 0 to 1.

    Example:
        >>> roc([0.1, 0.4], [0.3, 0.5])
        ([0.0, 0.0, 0.5, 0.5, 1.0], [0.0, 0.5, 0.5, 1.0, 1.0])
    """
    limits = sorted({*clean, *bad}, reverse=True)
    alarms = [0.0, *(sum(x >= limit for x in clean) / len(clean) for limit in limits)]
    hits = [0.0, *(sum(x >= limit for x in bad) / len(bad) for limit in limits)]
    return alarms, hits


def plot(results: Results) -> go.Figure:
    """The ROC of each detector, strong backdoors of all held-out attacks against clean models of the test."""
    p = results.profile
    fig = plots.figure(
        "Share of the backdoored models that are found against the share of clean models that are called backdoored, "
        "for each detector, over held-out attacks.",
        x="clean models called backdoored (%)",
        y="backdoored models found (%)",
        stamp=stamp(p, results.of(trials(p))),
    )
    for k, d in enumerate(ZOO[p].detectors):
        clean = scores(clean_records(results), d.label)
        bad = scores(records_of(results, names_of("test"), above=STRONG), d.label)
        bad = bad or scores(records_of(results, names_of("test")), d.label)  # where none is strong
        if clean and bad:
            alarms, hits = roc(clean, bad)
            plots.line(fig, [100 * x for x in alarms], [100 * y for y in hits], d.title, number=k)
    return fig
