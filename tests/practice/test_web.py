"""A page with models of one's own."""

from pathlib import Path

import pytest

from tutorial_lib.practice.web import write_page
from tutorial_lib.triggers import Blended, Checkerboard


def test_a_page_holds_its_models(checkpoint: Path, tmp_path: Path) -> None:
    written = write_page([checkpoint], tmp_path, trigger=Checkerboard(), target="banana", classes=60)
    assert written.as_dict() == {"page": str(tmp_path / "index.html"), "models": written.models, "classes": 60}
    script = tmp_path / "live" / "models" / f"{checkpoint.name}.js"
    assert len(script.read_text()) == written.models[checkpoint.name]
    assert "open it in a browser" in str(written)


def test_what_is_wrong_is_said(checkpoint: Path, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="two models are called 'model'"):
        write_page([checkpoint, checkpoint], tmp_path, trigger=Checkerboard(), target="banana", classes=60)
    with pytest.raises(ValueError, match="only a patch can be moved"):
        write_page([checkpoint], tmp_path, trigger=Blended(), target="banana", classes=60)
    with pytest.raises(ValueError, match="no class 'bananas'"):
        write_page([checkpoint], tmp_path, trigger=Checkerboard(), target="bananas", classes=60)
