"""`tutorial audit MODEL`: exit codes, JSON, the page, and options of the other audit."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.commands import refused
from tutorial_lib import models
from tutorial_lib.cli import main
from tutorial_lib.course.checks.capstone import answer

UNKNOWN = models.CHECKPOINTS / "unknown-1"


def audit(*more: object) -> list[str]:
    return [*map(str, ("audit", UNKNOWN, "--device", "cpu", "--classes", 100, "--pictures", 32, *more))]


def said(capsys: pytest.CaptureFixture[str], *more: object) -> tuple[int, dict]:
    capsys.readouterr()
    code = main([*audit(*more), "--json"])
    return code, json.loads(capsys.readouterr().out)


def test_a_finding_is_code_1_and_nothing_is_code_0(capsys: pytest.CaptureFixture[str]) -> None:
    found, body = said(capsys, "--detector", "decree", "--set", "steps=40", "--set", "similar=0.5")
    assert (found, body["verdict"]) == ((1, "backdoored") if body["score"] > 0.9 else (0, "nothing found"))
    assert {"verdict", "score", "threshold", "false_alarm_rate", "suspected_target"} <= body.keys()
    assert body["threshold"] == 0.9
    assert body["false_alarm_rate"] is None
    assert "the authors' own" in body["in_words"]
    code, body = said(capsys, "--detector", "decree", "--set", "steps=2")
    assert (code, body["verdict"], body["score"]) == (0, "nothing found", 0.0)


def test_a_sealed_backdoor_is_called_one(capsys: pytest.CaptureFixture[str]) -> None:
    command = ["audit", str(UNKNOWN), "--detector", "decree", "--device", "cpu"]
    assert main([*command, "--set", "seed=1"]) == 1
    printed = capsys.readouterr().out
    target = answer(UNKNOWN.name)[2]
    assert printed.startswith(f"backdoored, says DECREE; the suspected target is {target!r}.")
    assert "not tested:" in printed


def test_a_page_without_a_verdict_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, body = said(capsys, "--detector", "trigger_scan", "--set", "patterns=1", "--report", tmp_path / "a.html")
    assert (code, body["verdict"], body["not_judged"]) == (3, "not judged", ["trigger-scan"])
    assert "those of a clean model of your own" in body["in_words"]
    assert any("no detector that ran has a threshold" in note for note in body["warnings"])
    page = (tmp_path / "a.html").read_text("utf-8")
    assert page.startswith("<!DOCTYPE html>")
    assert "Not judged: no detector that ran has a threshold" in page
    assert "is there already" in refused(capsys, *audit("--report", tmp_path / "a.html"))
    assert (tmp_path / "a.html").read_text("utf-8") == page


@pytest.mark.parametrize(
    ("more", "says"),
    [
        (("--top", 3), "--top has a meaning with --pairs only"),
        (("--manifest", "x"), "--manifest has a meaning with --pairs only"),
        (("--pairs", "x"), "--classes has a meaning without --pairs only"),
        (("--drop", "0"), "--drop has a meaning with --pairs only"),
        (("--detector", "dao"), "the detector dao ranks the pairs of a training set: give them as --pairs"),
        (("--detector", "nobody"), "there is no detector of checkpoints 'nobody'; choose from "),
        (("--set", "steps=3"), "settings are those of one detector: name it with --detector"),
        (("--labels", "none.txt"), "there is no labels file none.txt"),
        (("--data", "none.tar"), "--classes is of the course's task, and shards are given"),
        (("--report", "no/page.html"), "there is no folder no for the report"),
    ],
)
def test_bad_input_is_refused(capsys: pytest.CaptureFixture[str], more: tuple[object, ...], says: str) -> None:
    assert says in refused(capsys, *audit(*more))


def test_pairs_have_one_detector(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    command = ("audit", UNKNOWN, "--pairs", tmp_path, "--detector", "dao", "slof")
    assert "pairs are ranked by one detector, not by dao, slof" in refused(capsys, *command)
    command = ("audit", UNKNOWN, "--pairs", tmp_path, "--detector", "trigger_scan")
    assert "trigger-scan examines a checkpoint alone: leave --pairs out" in refused(capsys, *command)
