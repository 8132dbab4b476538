"""Claims of the papers as predicates over records, and their verdicts. Introduced in the chapter on what makes it work.

A claim names a quantity (a function of an experiment's module) and the region [above, below] in which the paper's
statement puts it. The verdict follows from tests over trained models: *holds* if the quantity lies inside the region,
*fails* if it lies outside, *undecided* if that is open. Confirmatory claims are corrected for their number (Holm);
exploratory ones are judged at their own 95 % interval. The page on how verdicts are reached explains it.
"""

from __future__ import annotations

import functools
import math
import weakref
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args

import yaml

from tutorial_lib import profiles
from tutorial_lib.evidence import registry
from tutorial_lib.evidence.decide import ALPHA, Kind, PValues, assess, holm_adjusted
from tutorial_lib.evidence.reasons import Role, reason, would_decide
from tutorial_lib.evidence.requirement import Requirement, region
from tutorial_lib.evidence.results import Results
from tutorial_lib.evidence.sample_size import models_to_decide
from tutorial_lib.evidence.shown import Source
from tutorial_lib.evidence.statistics import Estimate, detectable_difference

PATH = Path(__file__).resolve().parent / "claims.yml"

Word = Literal[
    "holds", "fails", "undecided", "not seen", "not applicable here", "not applicable at this scale", "not run"
]
WORDS: tuple[Word, ...] = get_args(Word)


class ClaimError(ValueError):
    """An entry of claims.yml is not well formed."""


@dataclass(frozen=True)
class Claim:
    """A checkable statement of a source.

    Attributes:
        id: name of the claim.
        source: "carlini_terzis", "cleanclip", or the key of another one in the references.
        section: where the source says it.
        says: the statement, in our words.
        quote: the source's own, a few of them; "…" stands for what is left out.
        experiment: whose records decide.
        quantity: the function of that module that is judged.
        what: the quantity in words, with its unit.
        above, below: the region that the statement allows.
        profiles: where the statement can be judged.
        kind: "mean" of numbers, "share" of models with a property, a "statistic" with an interval of its own, or
            "exists": one p-value a model, for a statement of the form "can" or "may", which has no region.
        role: "confirmatory", judged together with the others of its kind, or "exploratory", judged by itself.
        stated_by: "source", or "ours" where the source studies the question and states no direction.
        reported: the paper's number for the quantity, if it gives one.
        margin: where a region with two bounds comes from; needed where no `reported` lies in it.
        requires: what must be shown before the claim can be judged.
        models: how many the power analysis asks for, see `tutorial_lib.evidence.power`; 0 where it says nothing.
        piloted: whether the pilot had the claim's setting, so that its records say how many models there shall be.
        why: what explains a verdict, with the quantity that shows it; MyST text.
        explains: the profile of whose verdict `why` speaks.
        changes: later changes of the predicate, each with its reason.

    Raises:
        ClaimError: the region is unbounded or empty, or comes from nowhere; a word, a profile or the quantity does not
            exist; a direction of ours is called confirmatory.
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
    kind: Kind = "mean"
    role: Role = "exploratory"
    stated_by: Literal["source", "ours"] = "source"
    reported: float | None = None
    margin: str = ""
    requires: tuple[Requirement, ...] = ()
    models: int = 0
    piloted: bool = True
    why: str = ""
    explains: str = "pilot"
    changes: tuple[str, ...] = ()
    quote: str = ""

    def __post_init__(self) -> None:
        if problem := self._problem():
            raise ClaimError(f"claim {self.id!r} {problem}")

    def _problem(self) -> str:
        """What is wrong with the entry; empty if nothing is."""
        bounds = [bound for bound in (self.above, self.below) if math.isfinite(bound)]
        if self.kind not in get_args(Kind) or self.role not in get_args(Role):
            return f"is of no known kind and role: {self.kind}, {self.role}"
        if self.stated_by not in ("source", "ours"):
            return f"is stated by {self.stated_by}, neither source nor ours"
        if self.kind == "exists":
            if bounds:
                return "states that something exists, which has no region"
        elif not bounds or self.above >= self.below or (self.kind == "share" and not all(0 < b < 1 for b in bounds)):
            return f"cannot fail: its region is [{self.above}, {self.below}]"
        explained = self.margin or (self.reported is not None and self.above <= self.reported <= self.below)
        if len(bounds) == 2 and not explained:
            return "has two bounds and does not say where its margin comes from"
        if self.stated_by == "ours" and self.role == "confirmatory":
            return "is confirmatory, though no source states it"
        if unknown := {*self.profiles, self.explains} - set(profiles.NAMES):
            return f"names unknown profiles: {', '.join(sorted(unknown))}"
        named = [(self.experiment, self.quantity), *((r.experiment, r.quantity) for r in self.requires)]
        for experiment, quantity in named:
            if not hasattr(registry.load(experiment), quantity):
                return f"needs a quantity that is not there: {experiment} has no quantity {quantity!r}"
        return ""

    @property
    def predicate(self) -> str:
        """The region in words."""
        return "some models show it" if self.kind == "exists" else region(self.above, self.below)


@dataclass(frozen=True)
class Verdict:
    """What the records of a profile say about a claim.

    Attributes:
        estimate: of the quantity, `None` where there are too few models.
        p: two-sided p-value of the verdict, after the correction where there is one; `nan` where nothing was assess.
        family: confirmatory claims that it was corrected for; 0 where it was not.
        needed: models that would decide an undecided claim with a chance of 80 %, if mean and spread stay as they are;
            `None` where that cannot be said.
        why: how the verdict came about, and what explains it; MyST text.

    Example:
        >>> from tutorial_lib.evidence.registry import results
        >>> judge(get("backdoor_rises"), results("demo")).as_dict()["verdict"]
        'holds'
    """

    claim: Claim
    profile: str
    verdict: Word
    estimate: Estimate | None = None
    p: float = math.nan
    family: int = 0
    needed: int | None = None
    why: str = ""

    @property
    def level(self) -> float:
        """Two-sided level at which the claim is decided whatever the others say: of Holm's first step."""
        return ALPHA / max(1, self.family)

    @property
    def detectable(self) -> float | None:
        """How far from a bound a mean must be for so many models to show it with a chance of 80 %."""
        mean = self.estimate if self.claim.kind == "mean" else None
        return None if mean is None else detectable_difference(mean, alpha=self.level)

    def as_dict(self) -> dict[str, Any]:
        """Plain data."""
        e, c = self.estimate, self.claim
        return {
            "id": c.id,
            "source": c.source,
            "section": c.section,
            "quote": c.quote,
            "role": c.role,
            "stated_by": c.stated_by,
            "profile": self.profile,
            "verdict": self.verdict,
            "estimate": None if e is None else e.value,
            "low": None if e is None else e.low,
            "high": None if e is None else e.high,
            "n": 0 if e is None else e.n,
            "p": None if math.isnan(self.p) else self.p,
            "family": self.family,
            "predicate": c.predicate,
            "margin": c.margin,
            "reported": c.reported,
            "models_needed": self.needed,
            "models_planned": c.models or None,
            "detectable": self.detectable,
            "experiment": c.experiment,
            "says": c.says,
            "why": self.why,
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
            own = {"experiment": entry.get("experiment", "")}
            entry["requires"] = tuple(Requirement(**(own | needed)) for needed in entry.get("requires", ()))
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


def find(claim: Claim, results: Results) -> tuple[Estimate, PValues] | None:
    """The quantity of a claim and its test; `None` where there are too few models.

    Example:
        >>> from tutorial_lib.evidence.registry import results
        >>> find(get("backdoor_rises"), results("demo"))[1].word()
        'holds'
    """
    found = getattr(registry.load(claim.experiment), claim.quantity)(results)
    return assess(found, claim.kind, claim.above, claim.below)


def judge(claim: Claim, source: Source) -> Verdict:
    """The verdict of a profile's records; of a confirmatory claim, within the family of all of them.

    Args:
        claim: what is claimed.
        source: the records of a profile, or those that pages show.

    Example:
        >>> from tutorial_lib.evidence.registry import results
        >>> judge(get("backdoor_rises"), results("demo")).estimate.n
        4
    """
    results = source.behind(claim.experiment)
    profile = results.profile
    explained = f" {claim.why.strip()}" if claim.why and profile.name == claim.explains else ""
    if profile.judged_as not in claim.profiles:
        why = f"A statement about another scale: judged by the records of {', '.join(claim.profiles)}."
        return Verdict(claim, profile.name, "not applicable at this scale", why=why + explained)
    found = find(claim, results)
    if found is None:
        return Verdict(claim, profile.name, "not run")
    estimate, own = found
    for needed in claim.requires:
        shown = needed.estimate(results)
        if shown is None:
            return Verdict(claim, profile.name, "not run", why=f"There are no records of whether {needed.says}.")
        if not needed.met(shown):
            why = f"Not judged, since it is not shown that {needed.says}: {shown}; {needed.predicate} is required."
            return Verdict(claim, profile.name, "not applicable here", estimate, why=why + explained)
    corrected = claim.role == "confirmatory" and not profile.pilot
    together = {**(confirmatory(results) if corrected else {}), claim.id: own.two_sided}
    p, word = holm_adjusted(together)[claim.id], own.word()
    size = len(together) if corrected else 0
    why = reason(estimate, own, kind=claim.kind, role=claim.role, p=p, family=size, pilot=profile.pilot)
    if claim.stated_by == "ours":
        why += " The direction is ours: the source studies the question and states none."
    decided = word != "undecided" and (p <= ALPHA or not corrected)
    if decided:
        return Verdict(claim, profile.name, word, estimate, p, size, why=why + explained)
    if claim.kind == "exists":
        return Verdict(claim, profile.name, "not seen", estimate, p, size, why=why + explained)
    more = models_to_decide(estimate, claim.kind, claim.above, claim.below, alpha=ALPHA / len(together))
    why += f" {would_decide(more, claim.kind)}"
    return Verdict(claim, profile.name, "undecided", estimate, p, size, more, why + explained)


def family(profile: str) -> list[Claim]:
    """The confirmatory claims of a profile, which are judged together: fixed by `claims.yml`, whatever was run.

    Example:
        >>> get("backdoor_rises") in family("cpu")
        True
    """
    name = profiles.get(profile).judged_as
    return [c for c in load() if c.role == "confirmatory" and name in c.profiles]


#: p-values of the confirmatory claims, kept as long as the records that they are of.
_families: weakref.WeakKeyDictionary[Results, dict[str, float]] = weakref.WeakKeyDictionary()


def confirmatory(results: Results) -> Mapping[str, float]:
    """Two-sided p-value of each confirmatory claim of a profile, before the correction.

    A claim that has no records, or whose prerequisite is not met, takes its place with a p-value of 1.

    Example:
        >>> from tutorial_lib.evidence.registry import results
        >>> "backdoor_rises" in confirmatory(results("demo"))
        True
    """
    if results not in _families:
        _families[results] = {c.id: _two_sided(c, results) for c in family(results.profile.name)}
    return _families[results]


def _two_sided(claim: Claim, results: Results) -> float:
    found = find(claim, results)
    shown = [(needed, needed.estimate(results)) for needed in claim.requires]
    judged = found is not None and all(e is not None and needed.met(e) for needed, e in shown)
    return found[1].two_sided if found is not None and judged else 1.0


def judge_all(source: Source, *, experiment: str | None = None) -> list[Verdict]:
    """Verdicts on all claims, or on those of one experiment.

    Example:
        >>> from tutorial_lib.evidence.registry import results
        >>> {v.claim.experiment for v in judge_all(results("demo"), experiment="fig6")}
        {'fig6'}
    """
    return [judge(c, source) for c in load() if experiment in (None, c.experiment)]


def summary(verdicts: Sequence[Verdict]) -> dict[str, int]:
    """How many claims have each verdict.

    Example:
        >>> from tutorial_lib.evidence.registry import results
        >>> sum(summary(judge_all(results("demo"))).values()) == len(load())
        True
    """
    return {word: sum(v.verdict == word for v in verdicts) for word in WORDS}
