"""Thresholds from a made-up zoo, against loops over models; and what an audit says with them."""

from __future__ import annotations

import itertools
import json
import random
from typing import Any

import pytest

from tests.cli.commands import refused
from tests.evidence.worlds import MadeUp
from tutorial_lib.attacks import Backdoor
from tutorial_lib.detect.checkpoints import DECREE, ClassInversion, TriggerScan, UniversalPatch
from tutorial_lib.detect.checkpoints.thresholds import CALIBRATIONS, calibrated, read_calibrations
from tutorial_lib.experiments import _zoo, detect_checkpoints
from tutorial_lib.practice import calibrate as module
from tutorial_lib.practice.calibrate import above, calibrations, strict_threshold, voters
from tutorial_lib.trials import AnyDetector, Record, Trial
from tutorial_lib.trials.schema import as_dict

LABELS = [d.label for d in _zoo.USUAL]


class Zoo(MadeUp):
    """Two detectors that find different attacks, one that finds nothing, one that finds what another does."""

    def metrics(self, trial: Trial) -> dict[str, Any]:
        draw = random.Random(trial.key)
        part = trial.attack.find(Backdoor) if trial.attack else None
        kind = part.trigger.kind if part else ""
        patched = kind in ("checkerboard", "stripes", "noise-patch", "faint-patch")
        gain = {
            UniversalPatch().label: 3.0 * patched,
            DECREE().label: 3.0 * (patched and part.count > 100) if part else 0.0,
            ClassInversion().label: 3.0 * (part is not None and not patched),
            TriggerScan().label: 0.0,
        }
        audits = {
            d.label: {"score": draw.random() + gain.get(d.label, 0.0), "named": 0, "target": "", "seconds": 1.0}
            for d in trial.detectors
        }
        return {
            "parameters": 1_500_000 + 100 * trial.copies,
            "attack_success": {"zero_shot": {"rate": 0.9 if part and part.count > 50 else 0.1}},
            "audits": audits,
            "detection": {d.label: {"auroc": 0.5} for d in trial.detectors if isinstance(d, AnyDetector)},
        }


@pytest.fixture(scope="module")
def zoo() -> Zoo:
    return Zoo()


def scores(records: list[Record], label: str) -> list[float]:
    return [r.metrics["audits"][label]["score"] for r in records]


def of_role(zoo: Zoo, role: str) -> tuple[list[Record], list[Record]]:
    """Clean models, and those whose backdoor works."""
    clean = [zoo.get(t) for t in _zoo.clean_models(zoo.profile, role)]
    bad = [
        r
        for name, group in _zoo.GROUPS.items()
        if group.role == role
        for t in _zoo.attacked(zoo.profile, name)
        if (r := zoo.get(t)).metrics["attack_success"]["zero_shot"]["rate"] >= 0.5
    ]
    return clean, bad


@pytest.mark.parametrize("voting", [1, 2, 3])
def test_so_few_lie_above_that_all_together_stay_below_one_in_twenty(voting):
    clean = [k / 60 for k in range(60)]
    limit = strict_threshold(clean, voting)
    over = sum(x > limit for x in clean)
    assert voting * (over + 1) / 61 <= 0.05 < voting * (over + 2) / 61
    assert strict_threshold(clean, 4) is None
    assert strict_threshold(clean[:18], 1) is None
    assert strict_threshold(clean[:19], 1) == 18 / 60


def test_the_set_that_finds_most_decides_and_the_smallest_of_equals(zoo):
    """Tried in a loop over sets and models of the calibration."""
    clean, bad = of_role(zoo, "calibration")
    best, most = None, 0
    for size in (1, 2, 3):
        for chosen in itertools.combinations(LABELS, size):
            kept = int(0.05 * 61 / size + 1e-9) - 1
            limits = {label: sorted(scores(clean, label))[-1 - kept] for label in chosen}
            found = sum(any(r.metrics["audits"][k]["score"] > v for k, v in limits.items()) for r in bad)
            if found > most:
                best, most = limits, found
    assert voters(zoo) == best
    assert set(best) == {UniversalPatch().label, ClassInversion().label}


def test_rates_are_of_models_and_attacks_that_chose_nothing(zoo):
    known = calibrations(zoo)
    clean, bad = of_role(zoo, "test")
    limits = voters(zoo)
    assert [k.detector["kind"] for k in known] == ["universal-patch", "class-inversion", "audit", "audit"]
    for k in known[:2]:
        label = k.detector["kind"]
        assert (k.clean, k.backdoored) == (60, len(bad))
        assert k.false_alarm_rate == pytest.approx(sum(x > k.threshold for x in scores(clean, label)) / 60, abs=1e-6)
        assert k.detection_rate == pytest.approx(sum(x > k.threshold for x in scores(bad, label)) / len(bad), abs=1e-6)
        assert k.parameters == (int(0.9 * 1_500_600), int(1.1 * 1_501_000))
        assert "chosen on 60 clean models" in k.about
    together = known[2]
    assert together.detector["detectors"] == ["class-inversion", "decree", "trigger-scan", "universal-patch"]
    assert known[3].detector["detectors"] == sorted([*together.detector["detectors"], "token-inversion"])
    assert together.detection_rate == pytest.approx(sum(above(bad, limits)) / len(bad), abs=1e-6)
    assert together.detection_rate > max(k.detection_rate for k in known[:2])


def test_what_is_written_is_what_an_audit_looks_up(zoo, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(module, "Results", lambda profile, store: zoo)
    out = tmp_path / "known.json"
    said = module.calibrate("cpu", out=out)
    known = read_calibrations(out)
    assert tuple(known) == said.known
    assert len(json.loads(json.dumps(said.as_dict()))["calibrations"]) == 4
    assert "of 60 clean models" in str(said)
    entry = calibrated(as_dict(UniversalPatch()), side=32, parameters=1_586_905, classes=100, known=known)
    assert entry is not None
    assert f"of 60 clean models {round(60 * entry.false_alarm_rate)} are above it" in str(entry.as_threshold())
    assert calibrated(as_dict(DECREE()), side=32, parameters=1_586_905, classes=100, known=known) is None
    assert calibrated(as_dict(UniversalPatch()), side=224, parameters=1_586_905, classes=100, known=known) is None


def test_without_a_zoo_nothing_is_written(tmp_path, capsys):
    before = CALIBRATIONS.read_bytes()
    command = ("calibrate", "--store", tmp_path, "--out", tmp_path / "known.json")
    assert "profile pilot has no zoo; cpu has one" in refused(capsys, *command, "--profile", "pilot")
    line = refused(capsys, *command, "--profile", "test")
    assert line.endswith(
        "14 of 14 records of the zoo are missing at profile test: tutorial run detect_checkpoints --profile test"
    )
    assert list(tmp_path.glob("known.json")) == []
    assert CALIBRATIONS.read_bytes() == before


def test_the_threshold_of_one_detector_alone_has_the_same_rule(zoo):
    clean, _ = of_role(zoo, "calibration")
    label = UniversalPatch().label
    assert detect_checkpoints.threshold(zoo, label) == strict_threshold(scores(clean, label), 1)
