"""A row of the table for a class of one's own: measured against the table's attacks, within some minutes."""

from __future__ import annotations

import importlib
import math
import sys
import time
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields, replace
from inspect import isabstract
from pathlib import Path
from typing import Any

from tutorial_lib import profiles
from tutorial_lib.costs import CostModel, duration
from tutorial_lib.detect.checkpoints import CHECKPOINT_DETECTORS, CheckpointDetector
from tutorial_lib.evidence.comparison import Comparison, Measure, Row
from tutorial_lib.evidence.results import Results
from tutorial_lib.evidence.statistics import estimate_auroc
from tutorial_lib.experiments import comparison, detect_pairs
from tutorial_lib.experiments._defended import attack_name, before, cleaned, success
from tutorial_lib.machine import usable_cores
from tutorial_lib.profiles import Profile
from tutorial_lib.runs import engines
from tutorial_lib.runs.engines import Sweep
from tutorial_lib.trials import Defense, Detector, Record, TrainedDefense, Trial
from tutorial_lib.trials.store import RunStore

#: The profile whose models are attacked, and seconds that a detector of pairs and one of checkpoints are allowed for in
#: the estimate.
PROFILE, DETECTING, AUDITING = "demo", 10.0, 60.0
#: Models of each attack that an interval needs.
FEWEST = 2

Yours = Defense | Detector | CheckpointDetector
#: What one model of an attack tells of a detector of checkpoints.
OF_CHECKPOINTS = (comparison.RANKED, comparison.NAMED, comparison.SECONDS, comparison.SUCCESS)
ON_CHECKPOINTS = (
    "AUROC: the chance that a backdoored model has a higher score than a clean one, over models; 50 % is chance.",
)


@dataclass(frozen=True)
class Added:
    """What became of a class in the table.

    Attributes:
        kind: of the class.
        comparison: its rows, with those of the models as they are.
        trials, found: how many its rows ask for, and of them with a record.
        models: of each attack that the minutes allow.
        estimated_seconds: that was said before.
        sweep: what was run.

    Example:
        >>> "comparison" in Added.__dataclass_fields__
        True
    """

    kind: str
    comparison: Comparison
    trials: int
    found: int
    models: int
    estimated_seconds: float
    sweep: Sweep

    @property
    def whole(self) -> bool:
        """Whether every trial of the rows has a record."""
        return self.found == self.trials

    def as_dict(self) -> dict[str, Any]:
        """Plain data."""
        return self.comparison.as_dict() | {
            "kind": self.kind,
            "trials": self.trials,
            "found": self.found,
            "models": self.models,
            "estimated_seconds": round(self.estimated_seconds),
            "seconds": round(self.sweep.seconds, 1),
            "failed": dict(self.sweep.failed),
        }

    def __str__(self) -> str:
        lines = [str(self.comparison)]
        lines += [f"failed: {why}" for why in dict.fromkeys(self.sweep.failed.values())]
        if not self.whole:
            lines.append(f"{self.trials - self.found} of {self.trials} trials are left: repeat the command to go on")
        if self.models < FEWEST:
            lines.append("one model of each attack has no error bar: give more minutes")
        return "\n".join(lines)


def load_yours(name: str) -> type[Yours]:
    """A defense or a detector by `package.module:Class`; modules of the current folder are found too.

    Args:
        name: where the class is.

    Raises:
        ValueError: there is no such class, it is no defense and no detector, or its kind is taken.

    Example:
        >>> load_yours("tutorial_lib.detect:KDistance").kind
        'k-distance'
        >>> load_yours("KDistance")
        Traceback (most recent call last):
        ValueError: a class is named as package.module:Class, not 'KDistance'
    """
    from tutorial_lib.defenses import DEFENSES
    from tutorial_lib.detect import DETECTORS

    module, _, attribute = name.partition(":")
    if not (module and attribute):
        raise ValueError(f"a class is named as package.module:Class, not {name!r}")
    if (here := str(Path.cwd())) not in sys.path:
        sys.path.append(here)  # as `python -m` does; processes that are started see it too
    try:
        found = importlib.import_module(module)
    except ImportError as error:
        raise ValueError(f"{module} cannot be imported: {error}") from error
    except Exception as error:  # whatever somebody's module raises while it is run
        raise ValueError(f"{module} cannot be imported: {type(error).__name__}: {error}{_where(error)}") from error
    if (cls := getattr(found, attribute, None)) is None:
        raise ValueError(f"{module} has no {attribute}")
    families: dict[type[Any], Any] = {
        Defense: DEFENSES,
        Detector: DETECTORS,
        CheckpointDetector: CHECKPOINT_DETECTORS,
    }
    family = next((f for f in families if isinstance(cls, type) and issubclass(cls, f)), None)
    if family is None or isabstract(cls) or not (getattr(cls, "kind", "") and getattr(cls, "title", "")):
        raise ValueError(
            f"{name} is neither a defense nor a detector, with a kind and a title: extend "
            "tutorial_lib.defenses.TrainedDefense, tutorial_lib.detect.Detector or "
            "tutorial_lib.detect.checkpoints.CheckpointDetector"
        )
    known = families[family].get(cls.kind)
    if known is not None and known is not cls:
        raise ValueError(f"the kind {cls.kind!r} of {name} is that of {known.__name__}: choose another")
    return cls  # type: ignore[no-any-return]


def _where(error: Exception) -> str:
    """The line of somebody's module that raised an error; a syntax error names its own."""
    last = traceback.extract_tb(error.__traceback__)[-1]
    return "" if isinstance(error, SyntaxError) else f" ({Path(last.filename).name}, line {last.lineno})"


def settings_of(cls: type[Yours], p: Profile) -> list[Yours]:
    """The class as it is tried: a defense that trains with the profile's recipe at each of few learning rates.

    Raises:
        ValueError: it cannot be made with its defaults.

    Example:
        >>> from tutorial_lib.defenses import Finetuning
        >>> [found.recipe.lr for found in settings_of(Finetuning, profiles.get("demo"))]
        [0.001, 0.003]
    """
    c = p.cleaning
    try:
        if issubclass(cls, TrainedDefense):
            return [cls(recipe=replace(c.recipe, lr=lr), share=c.share) for lr in c.few_rates]
        return [cls()]
    except TypeError as error:
        needed = ", ".join(f.name for f in fields(cls))
        raise ValueError(f"{cls.kind} cannot be made with its defaults ({needed}): {error}") from error


def trials_of(cls: type[Yours], p: Profile, seed: int) -> list[Trial]:
    """What one model of each attack needs; models are measured as they are before any is cleaned. A detector of
    checkpoints looks at a clean model besides.

    Example:
        >>> from tutorial_lib.defenses import Finetuning
        >>> len(trials_of(Finetuning, profiles.get("demo"), 0))  # four attacks, as it is and at two learning rates
        12
    """
    bases = [p.cleaning.attacked(attack, seed) for attack in p.cleaning.attacks]
    made = settings_of(cls, p)
    defenses = [d for d in made if isinstance(d, Defense)]
    if defenses:
        return [before(base) for base in bases] + [t for base in bases for t in cleaned(base, defenses)]
    looks = tuple(d for d in made if not isinstance(d, Defense))
    clean = [replace(bases[0], attack=None)] if issubclass(cls, CheckpointDetector) else []
    return [replace(base, detectors=looks) for base in (*clean, *bases)]


def add_yours(
    name: str,
    *,
    minutes: float = 10,
    profile: str = PROFILE,
    store: Path | None = None,
    jobs: int | None = None,
    device: str | None = None,
    say: Callable[[str], None] | None = None,
) -> Added:
    """Measure a defense or a detector against the attacks of the table; a repeated call goes on.

    As many models of each attack are taken as the minutes allow by the estimate, two at least for an interval if they
    do. No trial is begun that would end later.

    Args:
        name: `package.module:Class`, see `load_yours`; it is tried with its defaults.
        minutes: that it may take.
        profile: whose models are attacked, and how many there are at most.
        store: folder of records; by default `tutorial_lib.places.store()`.
        jobs: trials at a time, by default one a core.
        device: by default the GPU if there is one.
        say: is told what will run and how long it takes, before it does.

    Raises:
        ValueError: there is no such class, profile or device, or the minutes do not suffice for a single trial.
        StoreError: the store cannot be written.

    Example:
        >>> add_yours("tutorial_lib.detect:KDistance", minutes=0)
        Traceback (most recent call last):
        ValueError: minutes must be positive, not 0
    """
    if not minutes > 0:
        raise ValueError(f"minutes must be positive, not {minutes:g}")
    started = time.monotonic()
    cls, p = load_yours(name), profiles.get(profile)
    records, jobs = RunStore(store), jobs or usable_cores()
    known = Results(p, records)
    budget = 60.0 * minutes
    seconds = _estimates(known)
    planned = {seed: trials_of(cls, p, seed) for seed in p.cleaning.models.of("add_yours")}
    models = _allowed(planned, known, seconds, budget * jobs)
    trials = [t for seed in list(planned)[:models] for t in planned[seed]]
    missing = [t for t in trials if known.get(t) is None]
    needed = sum(map(seconds, missing)) / jobs
    if missing and min(map(seconds, missing)) > budget:
        raise ValueError(
            f"the shortest trial takes about {duration(min(map(seconds, missing)))}, and {duration(budget)} are given: "
            "give more `minutes`"
        )
    if say is not None:
        say(
            f"{cls.kind}: {len(p.cleaning.attacks)} attacks, {models} model{'s' * (models > 1)} of each, "
            f"{len(trials)} trials, {len(trials) - len(missing)} have records; about {duration(needed)}, "
            f"{duration(budget)} are given"
        )
    left = max(0.0, budget - (time.monotonic() - started))
    sweep = engines.sweep(trials, records, jobs=jobs, device=device, time_limit=left, estimate=seconds)
    results = Results(p, records).with_seeds(list(planned)[:models])
    return Added(
        kind=cls.kind,
        comparison=rows_of(cls, results),
        trials=len(trials),
        found=len(results.of(trials)),
        models=models,
        estimated_seconds=needed,
        sweep=sweep,
    )


def _estimates(known: Results) -> Callable[[Trial], float]:
    """Seconds of a trial: from records of these models on this machine, else of the pilot."""
    from tutorial_lib.runs.hardware import hardware

    mine = [r for seed in known.profile.cleaning.models.all for r in _plain(known, seed)]
    here = [r for r in mine if r.hardware == hardware(None)]
    model = CostModel(here or Results(profiles.get("pilot")).committed())

    def seconds(trial: Trial) -> float:
        looks = (AUDITING if isinstance(d, CheckpointDetector) else DETECTING for d in trial.detectors)
        return model.seconds(trial) + sum(looks)

    return seconds


def _plain(known: Results, seed: int) -> list[Record]:
    c = known.profile.cleaning
    return known.of(c.attacked(attack, seed) for attack in c.attacks)


def _allowed(planned: dict[int, list[Trial]], known: Results, seconds: Callable[[Trial], float], budget: float) -> int:
    """Models of each attack that fit into so many seconds of one core, at least one."""
    spent, models = 0.0, 0
    for trials in planned.values():
        spent += math.fsum(seconds(t) for t in trials if known.get(t) is None)
        if models and spent > budget:
            break
        models += 1
    return models


def rows_of(cls: type[Yours], results: Results) -> Comparison:
    """The rows of a class, beside the models as they are.

    Args:
        cls: a defense or a detector.
        results: with the records of its trials; its seeds are those of the models.

    Example:
        >>> from tutorial_lib.defenses import Finetuning
        >>> made = rows_of(Finetuning, Results(profiles.get("test")))
        >>> made.rows[1].words
        ('BadNets', 'plain finetuning')
    """
    p, title = results.profile, cls.title
    made = settings_of(cls, p)
    found = [t for seed in results.seeds for t in trials_of(cls, p, seed)]
    defenses = [d for d in made if isinstance(d, Defense)]
    rows: list[Row] = []
    for attack in p.cleaning.attacks:
        if defenses:
            rows += [_defended(results, attack, words, d) for words, d in (("none", []), (title, defenses))]
        rows += [_detected(results, attack, d) for d in made if isinstance(d, Detector)]
        rows += [_audited(results, attack, d) for d in made if isinstance(d, CheckpointDetector)]
    name, measures, notes = _kind_of(cls)
    head = ("attack", "defense" if defenses else "detector")
    return Comparison(
        name, f"{title}: {comparison.scale(results, results.of(found))}", head, measures, tuple(rows), p.name, notes
    )


def _kind_of(cls: type[Yours]) -> tuple[str, tuple[Measure, ...], tuple[str, ...]]:
    """The table that a class belongs to, its columns, and what a reader must know."""
    if issubclass(cls, Defense):
        return "defenses", comparison.OF_DEFENSES, comparison.DEFENDED
    if issubclass(cls, Detector):
        return "detectors", comparison.OF_DETECTORS, comparison.DETECTED
    return "checkpoints", OF_CHECKPOINTS, ON_CHECKPOINTS


def _defended(results: Results, attack: str, words: str, defenses: Sequence[Defense]) -> Row:
    def base_of(seed: int) -> Trial:
        return results.profile.cleaning.attacked(attack, seed)

    return comparison.row(
        (attack_name(attack), words), comparison.defended(results, base_of, defenses), comparison.OF_DEFENSES
    )


def _detected(results: Results, attack: str, detector: Detector) -> Row:
    def trial(seed: int) -> Trial:
        return replace(results.profile.cleaning.attacked(attack, seed), detectors=(detector,))

    def number(value: Callable[[Any], float]) -> dict[int, float]:
        return results.per_seed(trial, lambda r: value(r.metrics["detection"][detector.label]))

    numbers = {
        comparison.AUROC.key: number(lambda m: m["auroc"]),
        comparison.RECALL.key: number(lambda m: m["recall"][f"{detect_pairs.WORST:g}"]),
        comparison.SECONDS.key: number(lambda m: m["seconds"]),
        comparison.SUCCESS.key: results.per_seed(trial, success),
    }
    return comparison.row((attack_name(attack), detector.title), numbers, comparison.OF_DETECTORS)


def _audited(results: Results, attack: str, detector: CheckpointDetector) -> Row:
    def trial(seed: int, clean: bool = False) -> Trial:
        base = results.profile.cleaning.attacked(attack, seed)
        return replace(base, attack=None if clean else base.attack, detectors=(detector,))

    clean = results.of(trial(seed, clean=True) for seed in results.seeds)
    bad = results.of(map(trial, results.seeds))
    scores = [[r.metrics["audits"][detector.label]["score"] for r in records] for records in (clean, bad)]
    looked = [r.metrics["audits"][detector.label] for r in bad]
    values = {
        comparison.RANKED.key: estimate_auroc(*scores) if min(map(len, scores)) > 1 else None,
        comparison.NAMED.key: comparison.shared([bool(a["named"]) for a in looked]),
        comparison.SECONDS.key: comparison.SECONDS.over(a["seconds"] for a in looked),
        comparison.SUCCESS.key: comparison.SUCCESS.over(map(success, bad)),
    }
    return Row((attack_name(attack), detector.title), values)
