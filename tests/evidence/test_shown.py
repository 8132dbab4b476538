"""Of each experiment, a page shows the newest profile that has all of its records."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from tutorial_lib import places, profiles
from tutorial_lib.evidence import claims, quantities, registry
from tutorial_lib.evidence.results import Results
from tutorial_lib.evidence.shown import Shown, complete, shown

CPU, PILOT = (Results(profiles.get(name)) for name in ("cpu", "pilot"))


def made_of(folder: Path, name: str, *, without: int = 0) -> None:
    """Records at `cpu` of an experiment, as if they were made: each has what another one measured."""
    other = next(iter(PILOT.committed()))
    lines = []
    for trial in registry.planned(name, profiles.get("cpu"))[without:]:
        lines.append(replace(other, key=trial.key, trial=trial.as_dict()).to_json() + "\n")
    (folder / "cpu").mkdir(exist_ok=True)
    (folder / "cpu" / f"{name}.jsonl").write_text("".join(lines), "utf-8")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    shutil.copytree(places.results() / "pilot", tmp_path / "pilot")
    return tmp_path


def test_records_under_way_are_not_shown(folder: Path) -> None:
    made_of(folder, "fig3", without=1)
    assert Shown(folder=folder).behind("fig3").profile.name == "pilot"


def test_complete_ones_are_and_only_those(folder: Path) -> None:
    made_of(folder, "fig3")
    found = Shown(folder=folder)
    assert found.behind("fig3").profile.name == "cpu"
    assert found.behind("cc_attacks").profile.name == "pilot"
    wanted = registry.planned("fig3", profiles.get("cpu"))
    assert len(found.behind("fig3").of(wanted)) == len(wanted)
    verdicts = {v.claim.experiment: v.profile for v in claims.judge_all(found)}
    assert (verdicts["fig3"], verdicts["cc_attacks"]) == ("cpu", "pilot")


def test_a_number_is_of_the_records_of_its_experiment(folder: Path) -> None:
    found = Shown(folder=folder)
    asked = "cc_attacks.badnets_before %.1f"
    assert quantities.measured(asked, found) == quantities.measured(asked, PILOT) != quantities.MISSING


def test_what_a_profile_does_not_ask_is_not_complete() -> None:
    assert not complete("fig6", Results(profiles.get("overnight")))


def test_every_profile_but_those_that_show_others_has_its_own() -> None:
    assert shown("fig6", "cpu").profile.name == "cpu"
    with pytest.raises(ValueError, match="profile cpu has records of its own"):
        Shown("cpu")


def test_a_reason_is_told_of_the_verdict_that_it_explains() -> None:
    claim = next(c for c in claims.load() if c.why and c.explains == "pilot" and claims.find(c, PILOT))
    assert " ".join(claim.why.split()) in " ".join(claims.judge(claim, PILOT).why.split())
    assert claim.why.split()[0] not in claims.judge(claim, CPU).why.split() or not claims.find(claim, CPU)
