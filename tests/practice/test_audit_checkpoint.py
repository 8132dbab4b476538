"""An audit of a checkpoint from its file to its page: what is kept, what goes on, and what is refused."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from tests.detect.planted import LABELS, pictures, plant
from tutorial_lib import models
from tutorial_lib.detect.checkpoints import (
    CHECKPOINT_DETECTORS,
    DECREE,
    Calibration,
    TokenInversion,
    TriggerScan,
    trigger_scan,
)
from tutorial_lib.detect.subject import Subject, SubjectError
from tutorial_lib.models import Tokenizer, parameter_count
from tutorial_lib.notes import Note
from tutorial_lib.practice import audit_checkpoint as module
from tutorial_lib.practice.audit_checkpoint import DETECTORS, audit_checkpoint, chosen_detectors
from tutorial_lib.practice.inverted import read_inverted
from tutorial_lib.trials.schema import as_dict
from tutorial_lib.triggers import Checkerboard
from tutorial_lib.triggers.parts import mask_and_pattern

UNKNOWN = models.CHECKPOINTS / "unknown-1"
SCAN, QUICK = TriggerScan(patterns=1), DECREE(steps=3, batch=4, similar=0.2)
FEW = {"pictures": 32, "classes": 100}


def test_findings_are_written_with_the_page_and_the_triggers(tmp_path: Path) -> None:
    out, report = tmp_path / "out", tmp_path / "page.html"
    made = audit_checkpoint(UNKNOWN, detectors=[SCAN, QUICK], out=out, report=report, **FEW)
    assert sorted(p.name for p in out.iterdir()) == list(made.files)
    assert {"audit.json", "report.html", "decree.safetensors"} <= set(made.files)
    body = json.loads((out / "audit.json").read_text("utf-8"))
    assert body == json.loads(json.dumps(made.as_dict()))
    assert body["computed_on"]["pictures"] == 32
    assert body["computed_on"]["classes"] == 100
    mask, pattern = read_inverted(out / "decree.safetensors")
    assert mask.shape == (1, 32, 32)
    assert pattern.shape == (3, 32, 32)
    assert report.read_text("utf-8") == (out / "report.html").read_text("utf-8")
    assert [p for p in tmp_path.iterdir() if "parts" in p.name] == []
    with pytest.raises(ValueError, match=r"already holds audit\.json"):
        audit_checkpoint(UNKNOWN, detectors=[SCAN], out=out, **FEW)


@pytest.mark.parametrize("beside", [True, False], ids=["report", "out"])
def test_an_interrupted_audit_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, beside: bool) -> None:
    asked = {"report": tmp_path / "page.html"} if beside else {"out": tmp_path / "out"}
    searched: list[str] = []
    plain = DECREE.search

    def interrupted(self: DECREE, examined: object) -> object:
        if not searched:
            searched.append("interrupted")
            raise KeyboardInterrupt
        searched.append("decree")
        return plain(self, examined)

    monkeypatch.setattr(DECREE, "search", interrupted)
    with pytest.raises(KeyboardInterrupt):
        audit_checkpoint(UNKNOWN, detectors=[SCAN, QUICK], **asked, **FEW)
    assert not (tmp_path / "page.html").exists()
    assert not (tmp_path / "out" / "audit.json").exists()
    monkeypatch.setattr(TriggerScan, "search", lambda *_: pytest.fail("it was searched again"))
    made = audit_checkpoint(UNKNOWN, detectors=[SCAN, QUICK], **asked, **FEW)
    assert [f.detector["kind"] for f in made.findings] == ["trigger-scan", "decree"]
    assert searched == ["interrupted", "decree"]
    assert [p for p in tmp_path.rglob("*") if "parts" in p.name] == []


def test_a_calibration_decides_with_its_rates() -> None:
    clip, _ = models.load(UNKNOWN)
    count = parameter_count(clip)
    rates = (0.025, 0.9, 40, 80, "a zoo")
    known = [Calibration(as_dict(SCAN), 32, (count, count), (90, 110), 0.3, *rates)]
    made = audit_checkpoint(UNKNOWN, detectors=[SCAN, QUICK], known=known, **FEW)
    assert [f.detector["kind"] for f in made.voting] == ["trigger-scan"]
    assert made.false_alarm_rate == 0.025
    assert made.deciding is not None
    assert made.deciding.threshold is not None
    assert made.deciding.threshold.value == 0.3
    together = Calibration(
        {"kind": "audit", "detectors": ["decree", "trigger-scan"]}, 32, (count, count), (90, 110), 0.0, *rates
    )
    assert audit_checkpoint(UNKNOWN, detectors=[SCAN, QUICK], known=[together], **FEW).together == together


def test_what_cannot_work_is_left_out_and_said() -> None:
    with pytest.warns(Note, match="no detector that ran has a threshold"):
        made = audit_checkpoint(UNKNOWN, detectors=[QUICK, TokenInversion(steps=2)], pictures=8, classes=100)
    assert [f.detector["kind"] for f in made.findings] == ["token-inversion"]
    assert made.skipped == {"decree": "decree needs at least 32 pictures, and there are 8: give more"}
    with pytest.raises(SubjectError, match="decree needs at least 32 pictures"):
        audit_checkpoint(UNKNOWN, detectors=[QUICK], pictures=8, classes=100)


def test_shards_and_captions_are_enough(checkpoint: Path, clean: Path) -> None:
    with pytest.warns(Note, match="groups of captions stand for classes"):
        made = audit_checkpoint(checkpoint, detectors=[SCAN], shards=[clean], pictures=32)
    assert not made.labelled
    assert 8 < made.classes <= 100
    assert made.findings[0].target
    assert made.about["data"] == str(clean)


def test_long_work_is_said_and_wants_an_agreement(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_per_sample", lambda _: (1.0, 1.0, 1.0))
    with pytest.raises(ValueError, match=r"the audit takes about .* h on this machine: begin it with `yes`"):
        audit_checkpoint(UNKNOWN, detectors=[SCAN], **FEW)
    assert audit_checkpoint(UNKNOWN, detectors=[SCAN], yes=True, **FEW).findings
    monkeypatch.setattr(module, "_per_sample", lambda _: (0.001, 1.0, 0.0))
    with pytest.raises(
        ValueError, match=r"\(decree .* h, trigger-scan .* s; within an hour: `detector` trigger-scan\)"
    ):
        audit_checkpoint(UNKNOWN, detectors=[DECREE(), SCAN], **FEW)


def test_too_little_memory_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "memory_bytes", lambda: 1 << 20)
    with pytest.raises(ValueError, match=r"needs about .* GiB of memory, .* smaller batch, as in --set batch=4"):
        audit_checkpoint(UNKNOWN, detectors=[QUICK], **FEW)


def test_a_damaged_model_is_refused(tmp_path: Path) -> None:
    model, tokenizer = models.load(UNKNOWN)
    model.visual.conv1.weight.data.fill_(float("nan"))
    config = json.loads((UNKNOWN / "model.json").read_text("utf-8"))
    models.save(tmp_path / "model", model, config, tokenizer)
    with pytest.raises(models.CheckpointError, match=r"weights that are not all finite \(visual\.conv1\.weight\)"):
        audit_checkpoint(tmp_path / "model", detectors=[SCAN], out=tmp_path / "out", **FEW)
    assert not (tmp_path / "out").exists()


def test_bad_input_is_refused_before_anything_is_read(tmp_path: Path) -> None:
    for asked, says in (
        ({"pictures": 1}, "at least 2 pictures are shown"),
        ({"report": tmp_path}, "is a folder: `report` is an HTML file"),
        ({"report": tmp_path / "no" / "page.html"}, "there is no folder"),
        ({"out": tmp_path / "file"}, "is a file"),
        ({"report": tmp_path / "file"}, "file is there already: choose another `report`"),
        ({"out": tmp_path / "old"}, r"old already holds report\.html"),
        ({"out": tmp_path / "older"}, r"older already holds decree\.safetensors"),
    ):
        (tmp_path / "file").touch()
        for folder, name in (("old", "report.html"), ("older", "decree.safetensors")):
            (tmp_path / folder).mkdir(exist_ok=True)
            (tmp_path / folder / name).touch()
        with pytest.raises(ValueError, match=says):
            audit_checkpoint(tmp_path / "nothing", detectors=[SCAN], **asked)


def test_detectors_are_chosen_by_kind() -> None:
    assert [d.kind for d in chosen_detectors()] == list(DETECTORS)
    assert set(DETECTORS) <= set(CHECKPOINT_DETECTORS)
    assert chosen_detectors(["class_inversion"], {"steps": 3})[0].steps == 3
    for kinds, settings, says in (
        (["nobody"], {}, "there is no detector of checkpoints 'nobody'"),
        (["decree"], {"lambda": 3}, "decree has no setting lambda"),
        (["decree"], {"steps": "many"}, "steps of decree is a whole number"),
        ([], {"steps": 3}, "settings are those of one detector"),
    ):
        with pytest.raises(ValueError, match=says):
            chosen_detectors(kinds, settings)


@pytest.mark.slow
def test_a_stock_rn50_with_a_planted_patch(monkeypatch: pytest.MonkeyPatch) -> None:
    """At 224 pixels: 16 of them, in the upper left, command a model that was never trained."""
    monkeypatch.setattr(trigger_scan, "SEEN", 2)
    images = pictures(32, side=224)
    clip = models.build(models.model_config("RN50"), Tokenizer()).eval()
    examined = Subject(clip, Tokenizer(), images, labels=LABELS)
    patch = trigger_scan.variations(Checkerboard(), 224)[0]
    plant(examined, *mask_and_pattern(patch, images[:2]), target="iron")
    found = SCAN.detect(examined)
    assert found.target == "iron"
    assert found.score == 1
    assert found.mask is not None
    assert torch.equal(found.mask[0, 7:22, 7:22], torch.ones(15, 15))
