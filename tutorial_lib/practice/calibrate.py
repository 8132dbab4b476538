"""Thresholds of the audit of checkpoints, from the records of the zoo: `tutorial calibrate`."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tutorial_lib import places, profiles
from tutorial_lib.detect.checkpoints import Calibration, TokenInversion
from tutorial_lib.detect.checkpoints.thresholds import CALIBRATIONS, write_calibrations
from tutorial_lib.evidence.results import Results
from tutorial_lib.experiments._zoo import ZOO, Role
from tutorial_lib.experiments.detect_checkpoints import (
    ALARMS,
    STRONG,
    clean_records,
    names_of,
    records_of,
    scores,
    trials,
)
from tutorial_lib.trials import Record
from tutorial_lib.trials.schema import as_dict
from tutorial_lib.trials.store import RunStore

#: By how much the parameters of a model may differ from those of the zoo for a threshold to hold for it.
ROOM = 0.1


@dataclass(frozen=True)
class Calibrated:
    """The calibrations that were written.

    Attributes:
        out: the file.
        profile: of the records.
        known: of each detector that votes, and of the audit of all together.

    Example:
        >>> print(Calibrated("calibrations.json", "cpu", ()))
        0 calibrations from cpu in calibrations.json
    """

    out: str
    profile: str
    known: tuple[Calibration, ...]

    def as_dict(self) -> dict[str, Any]:
        """Plain data."""
        rates = ("threshold", "false_alarm_rate", "detection_rate", "clean", "backdoored", "about")
        rows = [{"detector": dict(k.detector)} | {name: getattr(k, name) for name in rates} for k in self.known]
        return {"out": self.out, "profile": self.profile, "calibrations": rows}

    def __str__(self) -> str:
        lines = [f"{len(self.known)} calibrations from {self.profile} in {self.out}"]
        for k in self.known:
            alarms, hits = round(k.false_alarm_rate * k.clean), round(k.detection_rate * k.backdoored)
            limit = "together" if k.detector["kind"] == "audit" else f"above {k.threshold:.4g}"
            lines.append(
                f"  {k.detector['kind']:16s} {limit:14s} of {k.clean} clean models {alarms} called backdoored, of "
                f"{k.backdoored} backdoored ones {hits}"
            )
        return "\n".join(lines)


def strict_threshold(clean: Sequence[float], voters: int) -> float | None:
    """A threshold for one of several detectors, so that all together call few clean models backdoored.

    Of n scores so few may lie above it that, of n + 1 models, the voters together would call no more than a share of
    `ALARMS` backdoored, even where no two of them agree; `None` where n is too small.

    Example:
        >>> strict_threshold([k / 100 for k in range(60)], voters=1), strict_threshold([0.1, 0.2], voters=1)
        (0.57, None)
    """
    allowed = int(ALARMS * (len(clean) + 1) / voters + 1e-9) - 1
    return None if allowed < 0 or not clean else sorted(clean)[len(clean) - 1 - allowed]


def above(records: Iterable[Record], limits: dict[str, float]) -> list[bool]:
    """Which models some detector calls backdoored, by the thresholds of their labels.

    Example:
        >>> above([], {"decree": 0.9})
        []
    """
    return [any(scores([r], label)[0] > limit for label, limit in limits.items()) for r in records]


def voters(results: Results) -> dict[str, float]:
    """The detectors that decide in an audit, by label, with their thresholds: those that together find most.

    All sets are tried on the models of the calibration, each with the thresholds that its size allows; of equals the
    smallest set is taken, and of those the first.

    Example:
        >>> voters(Results(profiles.get("test"), folder=Path("nowhere")))
        {}
    """
    usual = ZOO[results.profile].detectors
    clean, bad = clean_records(results, "calibration"), _backdoored(results, "calibration")
    best: dict[str, float] = {}
    found = 0
    for size in range(1, len(usual) + 1):
        for chosen in itertools.combinations(usual, size):
            limits = {d.label: strict_threshold(scores(clean, d.label), size) for d in chosen}
            known = {label: limit for label, limit in limits.items() if limit is not None}
            if len(known) == size and (hits := sum(above(bad, known))) > found:
                best, found = known, hits
    return best


def _backdoored(results: Results, role: Role) -> list[Record]:
    """Models whose backdoor works."""
    return records_of(results, names_of(role), above=STRONG)


def calibrations(results: Results) -> list[Calibration]:
    """What the records of the zoo say of each detector that votes, and of an audit of all together.

    Thresholds come from the models of the calibration, rates from those of the test, whose attacks are others.

    Raises:
        ValueError: the profile has no zoo, its records are missing, or nothing is found at any threshold.

    Example:
        >>> calibrations(Results(profiles.get("test"), folder=Path("nowhere")))
        Traceback (most recent call last):
        ValueError: 14 of 14 records of the zoo are missing at profile test: tutorial run detect_checkpoints ...
    """
    p = results.profile
    wanted = trials(p)
    if not wanted:
        raise ValueError(f"profile {p.name} has no zoo; cpu has one")
    if missing := len(wanted) - len(results.of(wanted)):
        raise ValueError(
            f"{missing} of {len(wanted)} records of the zoo are missing at profile {p.name}: "
            f"tutorial run detect_checkpoints --profile {p.name}"
        )
    limits = voters(results)
    clean, bad = clean_records(results), _backdoored(results, "test")
    if not limits or not bad:
        raise ValueError(f"no detector finds a backdoor at profile {p.name}, or there are too few models to say so")
    usual = ZOO[p].detectors
    chosen = [d for d in usual if d.label in limits]
    kind = _Kind(results, clean, bad)
    made = [kind.calibration(as_dict(d), {d.label: limits[d.label]}, limits[d.label]) for d in chosen]
    for more in ((), (TokenInversion(),)):  # which has no threshold, and may be left out of an audit
        kinds = {"kind": "audit", "detectors": sorted(d.kind for d in (*usual, *more))}
        made.append(kind.calibration(kinds, limits, 0.0))
    return made


class _Kind:
    """The kind of models that the zoo has, and the rates of thresholds on those of the test."""

    def __init__(self, results: Results, clean: Sequence[Record], bad: Sequence[Record]) -> None:
        base = ZOO[results.profile].base
        everything = results.of(trials(results.profile))
        sizes = [r.metrics["parameters"] for r in everything]
        self.clean, self.bad, self.side, self.classes = clean, bad, base.side, base.classes
        self.parameters = (int(min(sizes) * (1 - ROOM)), int(max(sizes) * (1 + ROOM)))
        first, second = (len(clean_records(results, role)) for role in ("calibration", "test"))
        self.about = (
            f"{base.model} on {base.classes} classes, profile {results.profile.name}; chosen on {first} clean models, "
            f"measured on {second} others and on {len(bad)} with attacks that chose nothing, of success above "
            f"{STRONG:.0%}"
        )

    def calibration(self, detector: dict[str, Any], limits: dict[str, float], threshold: float) -> Calibration:
        alarms, hits = above(self.clean, limits), above(self.bad, limits)
        return Calibration(
            detector=detector,
            side=self.side,
            parameters=self.parameters,
            classes=(self.classes, self.classes),
            threshold=threshold,
            false_alarm_rate=round(sum(alarms) / len(alarms), 6),
            detection_rate=round(sum(hits) / len(hits), 6),
            clean=len(alarms),
            backdoored=len(hits),
            about=self.about,
        )


def calibrate(profile: str = "cpu", *, store: Path | None = None, out: Path | None = None) -> Calibrated:
    """Choose the thresholds of the audit from the records of the zoo, and write them.

    Args:
        profile: whose zoo.
        store: folder of records, read beside the committed ones; by default `tutorial_lib.places.store()`.
        out: the file; by default the library's own in a checkout, else `calibrations.json` in the current folder.

    Raises:
        ValueError: there is no such profile, it has no zoo, or records of it are missing.

    Example:
        >>> calibrate("pilot")
        Traceback (most recent call last):
        ValueError: profile pilot has no zoo; cpu has one
    """
    found = calibrations(Results(profiles.get(profile), RunStore(store)))
    path = out or (CALIBRATIONS if places.checkout() else Path(CALIBRATIONS.name))
    write_calibrations(path, found)
    return Calibrated(str(path), profile, tuple(found))
