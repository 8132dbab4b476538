"""What is finished of an interrupted audit is kept as it is, and only for the same question."""

from pathlib import Path

import pytest
import torch

from tutorial_lib.detect.checkpoints import Finding
from tutorial_lib.practice.audit_parts import Parts

DETECTOR = {"kind": "decree", "seed": 0}
FOUND = Finding(
    0.1 + 0.2,
    "banana",
    torch.rand(1, 8, 8),
    torch.rand(3, 8, 8),
    {"steps": 3},
    detector=DETECTOR,
    title="DECREE",
    seconds=1.5,
)


def test_a_finding_comes_back_as_it_was(tmp_path: Path) -> None:
    parts = Parts(tmp_path / "parts", {"weights": "a"})
    assert parts.kept(DETECTOR) is None
    parts.keep(FOUND)
    again = parts.kept(DETECTOR)
    assert again is not None
    assert (again.score, again.target, again.about, again.title) == (FOUND.score, "banana", {"steps": 3}, "DECREE")
    assert torch.equal(again.mask, FOUND.mask)
    assert torch.equal(again.pattern, FOUND.pattern)
    assert again.threshold is None


@pytest.mark.parametrize("other", [{"weights": "b"}, {"weights": "a", "shown": 3}])
def test_another_question_has_other_parts(tmp_path: Path, other: dict[str, object]) -> None:
    Parts(tmp_path, {"weights": "a"}).keep(FOUND)
    assert Parts(tmp_path, other).kept(DETECTOR) is None
    assert Parts(tmp_path, {"weights": "a"}).kept(DETECTOR | {"seed": 1}) is None


def test_a_part_without_a_trigger_or_damaged(tmp_path: Path) -> None:
    parts = Parts(tmp_path, {})
    parts.keep(Finding(1.0, detector=DETECTOR, title="DECREE"))
    found = parts.kept(DETECTOR)
    assert found is not None
    assert found.mask is None
    next(tmp_path.glob("*.json")).write_text("{")
    assert parts.kept(DETECTOR) is None


def test_without_a_folder_nothing_is_kept(tmp_path: Path) -> None:
    parts = Parts(None, {})
    parts.keep(FOUND)
    assert parts.kept(DETECTOR) is None
    parts.clear()
    there = Parts(tmp_path / "parts", {})
    there.keep(FOUND)
    there.clear()
    assert not (tmp_path / "parts").exists()
