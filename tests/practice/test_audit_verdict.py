"""Who decides, what is said, and how far it can be trusted."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
import torch

from tutorial_lib.detect.checkpoints import Calibration, Finding, Threshold
from tutorial_lib.practice.audit_verdict import BACKDOORED, NOTHING, UNJUDGED, CheckpointAudit

PUBLISHED = Threshold(0.9, "published", "a paper")
CALIBRATED = Threshold(0.5, "calibrated", "calibrated on a zoo", 0.025, 0.75, 40, 80)


def finding(kind: str, score: float, threshold: Threshold | None, target: str | None = None) -> Finding:
    return Finding(score, target, detector={"kind": kind}, title=kind.upper(), threshold=threshold, seconds=2.0)


def audit(*findings: Finding, together: Calibration | None = None, classes: int = 10) -> CheckpointAudit:
    return CheckpointAudit(
        checkpoint="model",
        model={"form": "a model directory"},
        findings=findings,
        skipped={"token-inversion": "it could not"},
        about={"data": "here"},
        pictures=64,
        classes=classes,
        labelled=True,
        together=together,
        images=torch.zeros(1, 3, 8, 8, dtype=torch.uint8),
        said={},
    )


SILENT = finding("silent", 99.0, None, "drum")


def test_a_published_threshold_decides_where_none_is_calibrated() -> None:
    made = audit(SILENT, finding("decree", 0.95, PUBLISHED, "goat"))
    assert made.verdict == BACKDOORED
    assert made.as_dict()["suspected_target"] == "goat"
    assert made.as_dict()["threshold"] == 0.9
    assert made.as_dict()["threshold_source"] == "published"
    assert made.as_dict()["false_alarm_rate"] is None
    assert made.in_words.startswith("backdoored, says DECREE; the suspected target is 'goat'.")
    assert "the authors' own: how often it errs with models of this kind is not known" in made.in_words


def test_calibrated_thresholds_decide_alone() -> None:
    made = audit(finding("decree", 0.95, PUBLISHED, "goat"), finding("scan", 0.4, CALIBRATED, "hat"))
    assert made.verdict == NOTHING
    assert made.as_dict()["detector"] == "scan"
    assert made.as_dict()["false_alarm_rate"] == 0.025
    assert made.as_dict()["suspected_target"] is None
    assert made.in_words.startswith("nothing found by SCAN. Of 40 clean models of this kind 1 were called backdoored")
    assert "of 80 backdoored ones 60" in made.in_words
    assert made.in_words.endswith(" Above a threshold of their authors, which decides nothing here: DECREE.")


def test_of_several_the_first_above_its_threshold_decides() -> None:
    low, first, second = (finding(*x, CALIBRATED, x[0]) for x in (("a", 0.4), ("b", 0.6), ("c", 0.9)))
    made = audit(low, first, second)
    assert made.deciding is first
    assert "says B, C" in made.in_words
    assert made.false_alarm_rate is None
    assert "the error rates of all together are not known" in made.in_words
    known = Calibration({"kind": "audit"}, 32, (1, 2), (1, 2), 0.0, 0.05, 0.9, 20, 10, "a zoo")
    made = replace(made, together=known)
    assert made.false_alarm_rate == 0.05
    assert "Of 20 clean models of this kind 1 were called backdoored, of 10 backdoored ones 9." in made.in_words


def test_without_any_threshold_nothing_is_judged() -> None:
    made = audit(SILENT)
    assert made.verdict == UNJUDGED
    assert made.deciding is None
    body = made.as_dict()
    assert (body["verdict"], body["score"], body["suspected_target"]) == ("not judged", None, None)
    assert body["not_judged"] == ["silent"]
    assert made.in_words.startswith("not judged: no detector that ran has a threshold")
    assert "SILENT 99.000, 'drum'" in made.in_words
    assert "those of a clean model of your own" in made.in_words


def test_nothing_found_names_what_was_not_judged() -> None:
    """Two detectors without a threshold that name one class are a hint, and nobody may read them as cleared."""
    scan = finding("scan", 0.594, None, "drum")
    made = audit(SILENT, scan, finding("token", 0.9, None), finding("decree", 0.5, PUBLISHED, "goat"))
    assert made.verdict == NOTHING
    assert made.in_words.startswith("nothing found by DECREE; 3 of 4 detectors are not judged. ")
    for words in ("SILENT 99.000, 'drum'; SCAN 0.594, 'drum'; TOKEN 0.900.", "2 of them name 'drum'.", "clean model"):
        assert words in made.in_words
    assert made.as_dict()["not_judged"] == ["silent", "scan", "token"]
    assert "not judged" not in audit(scan, finding("decree", 0.95, PUBLISHED, "goat")).in_words


def test_what_was_not_tested_is_said() -> None:
    assert "token-inversion: it could not" in audit(SILENT).not_tested
    assert any("10 classes that were asked for" in what for what in audit(SILENT).not_tested)
    assert "targets that are not among its own 10 classes" in replace(audit(SILENT), asked=False).not_tested
    assert "which class a trigger may lead to" in audit(SILENT, classes=0).not_tested
    groups = replace(audit(SILENT), labelled=False)
    assert any("what the captions speak of" in what for what in groups.not_tested)


def test_it_prints_and_is_json() -> None:
    made = audit(SILENT, finding("decree", 0.95, PUBLISHED, "goat"))
    text = str(made)
    assert "SILENT" in text
    assert "above" in next(line for line in text.splitlines() if line.startswith("DECREE  "))
    assert "not tested:" in text
    body = json.loads(json.dumps(made.as_dict()))
    assert list(body)[:5] == ["verdict", "score", "threshold", "false_alarm_rate", "suspected_target"]
    assert [f["suspicious"] for f in body["findings"]] == [None, True]


@pytest.mark.parametrize("score", [0.9, 0.91])
def test_a_score_must_lie_above(score: float) -> None:
    assert audit(finding("decree", score, PUBLISHED)).verdict == (BACKDOORED if score > 0.9 else NOTHING)
