"""The script for a short loan of a GPU, at a miniature size on the CPU."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tutorial_lib import places, profiles
from tutorial_lib.evidence import registry
from tutorial_lib.trials.store import read_lines

SCRIPT = Path(places.PACKAGE).parent / "examples" / "gpu_session.sh"


def session(folder: Path, figures: str, minutes: int = 3, profiles: str = "test") -> str:
    command = Path(sys.executable).parent / "tutorial"
    environment = os.environ | {"JOBS": "1", "FIGURES": figures, "TUTORIAL": str(command)}
    return subprocess.run(
        ["bash", str(SCRIPT), str(minutes), str(folder), profiles],
        capture_output=True, text=True, check=True, env=environment, timeout=300,
    ).stdout  # fmt: skip


@pytest.mark.skipif(os.name == "nt", reason="a shell script")
def test_records_come_home_and_a_second_call_goes_on(tmp_path: Path) -> None:
    said = session(tmp_path, "fig6")
    wanted = {t.key for t in registry.load("fig6").trials(profiles.get("test"))}
    found = {r.key for path in (tmp_path / "records" / "test").glob("*.jsonl") for r in read_lines(path)}
    assert found == wanted
    assert said.endswith(f"records: {len(wanted)}\n")
    again = session(tmp_path, "fig6 nosuchfigure")
    assert "nosuchfigure ended with 2" in again
    assert again.endswith(f"records: {len(wanted)}\n")
    log = (tmp_path / "session.log").read_text("utf-8")
    assert "there is no figure 'nosuchfigure'" in log
    assert f"{len(wanted)} trials, {len(wanted)} have records, 0 to run" in log


@pytest.mark.skipif(os.name == "nt", reason="a shell script")
def test_profiles_come_one_after_the_other_and_too_little_time_begins_nothing(tmp_path: Path) -> None:
    said = session(tmp_path, "nosuchfigure", profiles="test gpu")
    assert re.findall(r"nosuchfigure of (\w+)", said) == ["test", "gpu"]
    assert said.endswith("records: 0\n")
    said = session(tmp_path, "fig6", minutes=0)
    assert "fig6 of test" not in said
    assert not list((tmp_path / "store").glob("*.json"))


def test_what_decides_most_comes_first() -> None:
    """Figures of the script are those of its profiles, the largest data first, and all that are asked."""
    named = dict(re.findall(r"^    (\S+)\) echo \"(.+)\" ;;", SCRIPT.read_text("utf-8"), re.M))
    night = profiles.get("overnight")
    first = registry.planned(named["overnight"].split()[0], night)
    assert {t.scenes for t in first} == {3_000_000}
    keys = {t.key for t in registry.trials(named["overnight"].split(), night)}
    assert keys == {t.key for t in registry.trials(night.experiments, night)}
    assert set(named["*"].split()) <= set(registry.names())
