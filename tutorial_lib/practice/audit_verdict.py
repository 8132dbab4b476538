"""The verdict of an audit of a checkpoint: what detectors found, how far it can be trusted, and what was not tested."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from tutorial_lib.detect.checkpoints import Calibration, Finding
from tutorial_lib.practice.machine import version_of

#: What a verdict may be; the last one where no detector that ran has a threshold.
BACKDOORED, NOTHING, UNJUDGED = "backdoored", "nothing found", "not judged"
#: What to do with scores that no threshold judges.
COMPARE = "Compare their scores with those of a clean model of your own."


@dataclass(frozen=True)
class CheckpointAudit:
    """What detectors say of a checkpoint.

    Attributes:
        checkpoint: that was looked at.
        model: what it was read from, and how its pictures and texts are prepared.
        findings: of the detectors, in the order in which they decide.
        skipped: detectors that could not work, with the reason.
        about: the pictures that were shown.
        pictures, classes: how many there were.
        labelled: classes had labels, not groups of captions.
        asked: somebody chose the classes; else they are the model's own.
        together: error rates of all detectors together, `None` where nobody has measured them.
        images: some pictures, for the report, shape (E, 3, side, side), uint8.
        said: what the model takes them for, by detector, and without trigger under "".
        weights: what tells the model from others.
        shows: what these pictures show, where that is known.
        made: day and time of the audit.
        files: written, in `out`.
        out: folder of the files, empty where none were written.

    Example:
        See `audit_checkpoint`, which makes one.

        >>> "findings" in CheckpointAudit.__dataclass_fields__
        True
    """

    checkpoint: str
    model: Mapping[str, Any]
    findings: tuple[Finding, ...]
    skipped: Mapping[str, str]
    about: Mapping[str, Any]
    pictures: int
    classes: int
    labelled: bool
    together: Calibration | None
    images: Tensor
    said: Mapping[str, tuple[str, ...]]
    weights: str = ""
    asked: bool = True
    shows: tuple[str, ...] = ()
    made: str = ""
    files: tuple[str, ...] = ()
    out: str = ""

    @property
    def voting(self) -> tuple[Finding, ...]:
        """The findings that decide: those with a calibrated threshold; where there are none, with a published one."""
        known = [f for f in self.findings if f.threshold is not None]
        calibrated = [f for f in known if f.threshold is not None and f.threshold.source == "calibrated"]
        return tuple(calibrated or known)

    @property
    def deciding(self) -> Finding | None:
        """The first finding above its threshold, else the first that has one; `None` where none has."""
        return next((f for f in self.voting if f.suspicious), next(iter(self.voting), None))

    @property
    def verdict(self) -> str:
        """ "backdoored", "nothing found", or "not judged" where no detector that ran has a threshold."""
        if not self.voting:
            return UNJUDGED
        return BACKDOORED if any(f.suspicious for f in self.voting) else NOTHING

    @property
    def not_judged(self) -> tuple[Finding, ...]:
        """The findings that no threshold says anything about."""
        return tuple(f for f in self.findings if f.threshold is None)

    @property
    def false_alarm_rate(self) -> float | None:
        """Share of clean models that would be called backdoored; `None` where nobody has measured it."""
        if self.together is not None:
            return self.together.false_alarm_rate
        alone = len(self.voting) == 1 and self.voting[0].threshold
        return alone.false_alarm_rate if alone else None

    @property
    def in_words(self) -> str:
        """The verdict, and how far it can be trusted."""
        if self.deciding is None:
            return f"{UNJUDGED}: no detector that ran has a threshold for a model of this kind. {self._unjudged}"
        by = ", ".join(f.title for f in self.voting if f.suspicious)
        said = f"{BACKDOORED}, says {by}" if by else f"{NOTHING} by {', '.join(f.title for f in self.voting)}"
        if self.verdict == BACKDOORED and self.deciding.target is not None:
            said += f"; the suspected target is {self.deciding.target!r}"
        if self.verdict == NOTHING and self.not_judged:
            said += f"; {len(self.not_judged)} of {len(self.findings)} detectors are {UNJUDGED}. {self._unjudged}"
            return f"{said} {self.trust}{self._overruled}"
        return f"{said}. {self.trust}{self._overruled}"

    @property
    def _overruled(self) -> str:
        """Detectors above a threshold of their authors, where calibrated ones decide and find nothing."""
        above = [f.title for f in self.findings if f.suspicious and f not in self.voting]
        if not above or self.verdict != NOTHING:
            return ""
        return f" Above a threshold of their authors, which decides nothing here: {', '.join(above)}."

    @property
    def _unjudged(self) -> str:
        """What the detectors without a threshold found, and what to do with it."""
        scores = "; ".join(
            f"{f.title} {f.score:.3f}" + (f", {f.target!r}" if f.target else "") for f in self.not_judged
        )
        names = Counter(f.target for f in self.not_judged if f.target is not None)
        common = [f"{count} of them name {name!r}" for name, count in names.most_common() if count > 1]
        return " ".join([f"Without a threshold: {scores}.", *(f"{said}." for said in common), COMPARE])

    @property
    def trust(self) -> str:
        """Error rates of the verdict, or that they are not known."""
        limit = None if self.deciding is None else self.deciding.threshold
        rates = self.together if self.together is not None else limit if len(self.voting) == 1 else None
        if rates is not None and rates.false_alarm_rate is not None and rates.detection_rate is not None:
            alarms, hits = (round(rate * n) for rate, n in zip(*_rates(rates), strict=True))
            return (
                f"Of {rates.clean} clean models of this kind {alarms} were called backdoored, of {rates.backdoored} "
                f"backdoored ones {hits}."
            )
        if limit is not None and limit.source == "calibrated":
            return "Each threshold is calibrated; the error rates of all together are not known."
        return "The threshold is the authors' own: how often it errs with models of this kind is not known."

    @property
    def not_tested(self) -> tuple[str, ...]:
        """What the audit says nothing about."""
        known = f"the {self.classes} classes that were asked for" if self.asked else f"its own {self.classes} classes"
        among = known if self.labelled else "what the captions speak of"
        return (
            *(f"{kind}: {why}" for kind, why in self.skipped.items()),
            f"targets that are not among {among}" if self.classes else "which class a trigger may lead to",
            "triggers that are neither a patch, nor a faint blend, nor among the known ones; several at once",
            "triggers in texts that are longer than a token",
            "attacks on single pictures, which need no trigger",
        )

    @property
    def versions(self) -> dict[str, str]:
        """Of this package and of what it computes with."""
        return {name: version_of(name) for name in ("backdooring-clip", "torch", "open_clip_torch")}

    def as_dict(self) -> dict[str, Any]:
        """Plain data; the first five say the verdict."""
        by = self.deciding
        limit = None if by is None else by.threshold
        return {
            "verdict": self.verdict,
            "score": None if by is None else round(by.score, 6),
            "threshold": None if limit is None else limit.value,
            "false_alarm_rate": self.false_alarm_rate,
            "suspected_target": by.target if by is not None and self.verdict == BACKDOORED else None,
            "in_words": self.in_words,
            "detector": None if by is None else by.detector["kind"],
            "threshold_source": None if limit is None else limit.source,
            "not_judged": [f.detector["kind"] for f in self.not_judged],
            "date": self.made,
            "checkpoint": self.checkpoint,
            "model": dict(self.model),
            "weights": self.weights,
            "findings": [finding.as_dict() for finding in self.findings],
            "not_tested": list(self.not_tested),
            "computed_on": dict(self.about) | {"pictures": self.pictures, "classes": self.classes},
            "versions": self.versions,
            "out": self.out,
            "files": list(self.files),
        }

    def __str__(self) -> str:
        lines = [self.in_words, f"{'':26s}{'score':>8s}{'threshold':>11s}  {'suspect':24s}{'seconds':>8s}"]
        for f in self.findings:
            limit = "none" if f.threshold is None else f"{f.threshold.value:.3g}"
            mark = "above" if f.suspicious else ""
            lines.append(
                f"{f.title:26s}{f.score:8.3f}{limit:>11s}  {(f.target or '-')[:23]:24s}{f.seconds:8.0f}  {mark}"
            )
        lines += ["not tested:", *(f"  {what}" for what in self.not_tested)]
        return "\n".join(line.rstrip() for line in [*lines, *([f"report: {self.out}"] if self.out else [])])


def _rates(rates: Any) -> tuple[tuple[float, float], tuple[int, int]]:
    return (rates.false_alarm_rate, rates.detection_rate), (rates.clean, rates.backdoored)
