"""Claims of the papers as predicates over records, and their verdicts. Introduced in the chapter on what makes it work.

A claim names a quantity (a function of an experiment's module) and the region [above, below] in which the paper's
statement puts it. The verdict follows from the 95 % interval over trained models: *holds* if the interval lies inside
the region, *fails* if it lies outside, *undecided* if it straddles a bound.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import yaml

from tutorial_lib import profiles
from tutorial_lib.evidence import registry
from tutorial_lib.evidence.results import Results
from tutorial_lib.evidence.statistics import (
    Estimate,
    detectable_difference,
    estimate_mean,
    estimate_share,
    models_needed,
)

PATH = Path(__file__).resolve().parent / "claims.yml"

Word = Literal["holds", "fails", "undecided", "not applicable at this scale", "not run"]
WORDS: tuple[Word, ...] = ("holds", "fails", "undecided", "not applicable at this scale", "not run")


class ClaimError(ValueError):
    """An entry of claims.yml is not well formed."""


@dataclass(frozen=True)
class Claim:
    """A checkable statement of a source.

    Attributes:
        id: name of the claim.
        source: "carlini_terzis" or "cleanclip".
        section: where the source says it.
        says: the statement, in our words.
        experiment: whose records decide.
        quantity: the function of that module that is judged.
        what: the quantity in words, with its unit.
        above, below: the region that the statement allows.
        profiles: where the statement can be judged.
        kind: "mean" of numbers, "share" of models with a property, or a "statistic" with an interval of its own.
        reported: the paper's number for the quantity, if it gives one.
        why: what explains a verdict that is not *holds*, with the experiment that shows it; MyST text.
        changes: later changes of the predicate, each with its reason.

    Raises:
        ClaimError: the region is unbounded or empty, or a profile or the quantity does not exist.
        ValueError: there is no such experiment.

    Example:
        >>> get("backdoor_rises").predicate
        'above 0.3'
    """

    id: str
    source: str
    section: str
    says: str
    experiment: str
    quantity: str
    what: str
    profiles: tuple[str, ...]
    above: float = -math.inf
    below: float = math.inf
    kind: Literal["mean", "share", "statistic"] = "mean"
    reported: float | None = None
    why: str = ""
    changes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not (math.isfinite(self.above) or math.isfinite(self.below)) or self.above >= self.below:
            raise ClaimError(f"claim {self.id!r} cannot fail: its region is [{self.above}, {self.below}]")
        if unknown := set(self.profiles) - set(profiles.NAMES):
            raise ClaimError(f"claim {self.id!r} names unknown profiles: {', '.join(sorted(unknown))}")
        if not hasattr(registry.load(self.experiment), self.quantity):
            raise ClaimError(f"claim {self.id!r}: {self.experiment} has no quantity {self.quantity!r}")

    @property
    def predicate(self) -> str:
        """The region in words."""
        if math.isinf(self.above):
            return f"below {self.below:g}"
        return f"above {self.above:g}" if math.isinf(self.below) else f"between {self.above:g} and {self.below:g}"


@dataclass(frozen=True)
class Verdict:
    """What the records of a profile say about a claim.

    Attributes:
        estimate: of the quantity, `None` where there are too few models.
        needed: models that would decide an undecided claim, `None` where that cannot be said. `as_dict` also tells the
            power: how far from a bound the truth must be for so many models to show it with a chance of 80 %.

    Example:
        >>> from tutorial_lib.evidence.registry import results
        >>> judge(get("backdoor_rises"), results("demo")).as_dict()["verdict"]
        'holds'
    """

    claim: Claim
    profile: str
    verdict: Word
    estimate: Estimate | None = None
    needed: int | None = None

    def as_dict(self) -> dict[str, Any]:
        e = self.estimate
        return {
            "id": self.claim.id,
            "source": self.claim.source,
            "section": self.claim.section,
            "profile": self.profile,
            "verdict": self.verdict,
            "estimate": None if e is None else e.value,
            "low": None if e is None else e.low,
            "high": None if e is None else e.high,
            "n": 0 if e is None else e.n,
            "predicate": self.claim.predicate,
            "reported": self.claim.reported,
            "models_needed": self.needed,
            "detectable": None if e is None else detectable_difference(e),
            "experiment": self.claim.experiment,
            "says": self.claim.says,
        }


@functools.cache
def load(path: Path = PATH) -> tuple[Claim, ...]:
    """All claims, in the order of the file.

    Raises:
        ClaimError: an entry lacks a field, has one too many, occurs twice, or cannot fail.

    Example:
        >>> len(load()) >= 60
        True
    """
    claims = []
    for entry in yaml.safe_load(path.read_text(encoding="utf-8")):
        entry = {k: tuple(v) if isinstance(v, list) else v for k, v in entry.items()}
        try:
            claims.append(Claim(**entry))
        except (TypeError, ValueError) as error:
            raise ClaimError(f"{path.name}, {entry.get('id', 'an entry without id')}: {error}") from error
    ids = [c.id for c in claims]
    if len(set(ids)) < len(ids):
        raise ClaimError(f"{path.name} has a claim twice: {max(ids, key=ids.count)}")
    return tuple(claims)


def get(name: str) -> Claim:
    """The claim with that id.

    Raises:
        ValueError: there is none.

    Example:
        >>> get("backdoor_rises").experiment
        'fig2_right'
    """
    for claim in load():
        if claim.id == name:
            return claim
    raise ValueError(f"there is no claim {name!r} in claims.yml")


def judge(claim: Claim, results: Results) -> Verdict:
    """The verdict of a profile's records.

    Example:
        >>> from tutorial_lib.evidence.registry import results
        >>> judge(get("backdoor_rises"), results("demo")).estimate.n
        4
    """
    profile = results.profile.name
    if (results.profile.like or profile) not in claim.profiles:
        return Verdict(claim, profile, "not applicable at this scale")
    estimate = estimated(claim, getattr(registry.load(claim.experiment), claim.quantity)(results))
    if estimate is None:
        return Verdict(claim, profile, "not run")
    if estimate.low >= claim.above and estimate.high <= claim.below:
        return Verdict(claim, profile, "holds", estimate)
    if estimate.high < claim.above or estimate.low > claim.below:
        return Verdict(claim, profile, "fails", estimate)
    return Verdict(claim, profile, "undecided", estimate, models_needed(estimate, claim.above, claim.below))


def estimated(claim: Claim, found: Sequence[float] | Estimate | None) -> Estimate | None:
    """The interval of what a quantity returned; `None` where there are too few models.

    Example:
        >>> estimated(get("backdoor_rises"), [0.9, 0.95, 1.0]).n
        3
    """
    if found is None or isinstance(found, Estimate):
        return found if found is not None and math.isfinite(found.low + found.high) else None
    found = [v for v in found if math.isfinite(v)]
    if claim.kind == "share":
        return estimate_share([bool(v) for v in found]) if len(found) else None
    return estimate_mean(found) if len(found) > 1 else None


def judge_all(results: Results, *, experiment: str | None = None) -> list[Verdict]:
    """Verdicts on all claims, or on those of one experiment.

    Example:
        >>> from tutorial_lib.evidence.registry import results
        >>> {v.claim.experiment for v in judge_all(results("demo"), experiment="fig6")}
        {'fig6'}
    """
    return [judge(c, results) for c in load() if experiment in (None, c.experiment)]


def summary(verdicts: Sequence[Verdict]) -> dict[str, int]:
    """How many claims have each verdict.

    Example:
        >>> from tutorial_lib.evidence.registry import results
        >>> sum(summary(judge_all(results("demo"))).values()) == len(load())
        True
    """
    return {word: sum(v.verdict == word for v in verdicts) for word in WORDS}
