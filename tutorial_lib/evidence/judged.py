"""The papers' claims and what the records of some profiles say about them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from textwrap import fill
from typing import Any

from tutorial_lib.evidence import claims
from tutorial_lib.evidence.claims import Verdict
from tutorial_lib.evidence.quantities import written
from tutorial_lib.evidence.results import Results
from tutorial_lib.evidence.status import chosen_profiles
from tutorial_lib.trials.store import RunStore

#: Columns of a line of text.
WIDTH = 120


@dataclass(frozen=True)
class Judged:
    """Verdicts by profile.

    Attributes:
        verdicts: on every claim, each with its reason in plain text.
        only: the verdict that is shown; empty for all.
        detailed: the text has each claim with its verdict and why.

    Example:
        >>> one = Verdict(claims.get("backdoor_rises"), "cpu", "holds")
        >>> two = Verdict(claims.get("backdoor_control"), "cpu", "fails")
        >>> judged = Judged({"cpu": (one, two)}, only="fails")
        >>> print(judged)
        cpu: 1 holds, 1 fails
        >>> [verdict.claim.id for verdict in judged.shown("cpu")]
        ['backdoor_control']
    """

    verdicts: dict[str, tuple[Verdict, ...]]
    only: str = ""
    detailed: bool = False

    def shown(self, profile: str) -> list[Verdict]:
        """Those of a profile that are shown."""
        return [v for v in self.verdicts[profile] if self.only in ("", v.verdict)]

    def as_dict(self) -> dict[str, Any]:
        """Plain data."""
        return {"claims": [v.as_dict() for profile in self.verdicts for v in self.shown(profile)]}

    def __str__(self) -> str:
        lines = []
        for profile, verdicts in self.verdicts.items():
            lines.append(f"{profile}: " + ", ".join(f"{n} {w}" for w, n in claims.summary(verdicts).items() if n))
            for v in self.shown(profile) if self.detailed else ():
                number = "" if v.estimate is None else f"{v.estimate}; claimed: {v.claim.predicate}"
                lines.append(f"  {v.verdict:10s} {v.claim.id:32s} {number}".rstrip())
                if v.why:
                    lines.append(fill(v.why, WIDTH, initial_indent=" " * 13, subsequent_indent=" " * 13))
        return "\n".join(lines)


def judge_profiles(profile: str | None = None, *, store: Path | None = None, verdict: str | None = None) -> Judged:
    """Judge every claim on the records of a profile, or of each.

    Args:
        profile: name of one; by default all that have records of their own.
        store: folder of records; by default `tutorial_lib.places.store()`.
        verdict: show only those.

    Raises:
        ValueError: there is no such profile or verdict.

    Example:
        >>> {verdict.verdict for verdict in judge_profiles("test").verdicts["test"]}
        {'not applicable at this scale'}
        >>> judge_profiles("cpu", verdict="hold")
        Traceback (most recent call last):
        ValueError: there is no verdict 'hold'; choose from holds, fails, undecided, ...
    """
    if verdict and verdict not in claims.WORDS:
        raise ValueError(f"there is no verdict {verdict!r}; choose from {', '.join(claims.WORDS)}")
    found = {}
    for chosen in chosen_profiles(profile):
        results = Results(chosen, RunStore(store))
        judged = claims.judge_all(results)
        found[chosen.name] = tuple(replace(v, why=written(v.why, results)) for v in judged)
    return Judged(found, verdict or "", profile is not None)
