"""The checks are found in the modules of their package."""

import sys
from pathlib import Path

import pytest

from tutorial_lib.course import checks


def test_the_modules_offer_their_checks_in_the_order_of_the_alphabet() -> None:
    assert checks.__all__ == sorted(checks.__all__)
    assert {"Feedback", "clip_loss", "diagnosis", "unseal", "wilson", "z_score"} <= set(checks.__all__)
    for name, found in checks._offered().items():
        assert getattr(checks, name) is found


def test_what_a_module_keeps_to_itself_is_not_offered() -> None:
    assert not {"checked", "same", "seal", "task", "measure", "torch"} & set(checks.__all__)


def test_two_checks_of_one_name_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "zz_second.py").write_text('__all__ = ["stamp"]\n\n\ndef stamp(answer):\n    pass\n')
    monkeypatch.setattr(checks, "__path__", [*checks.__path__, str(tmp_path)])
    with pytest.raises(ValueError, match=r"checks/zz_second\.py and checks/attacks\.py both have 'stamp'"):
        checks._offered()
    sys.modules.pop(f"{checks.__name__}.zz_second")
