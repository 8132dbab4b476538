"""The demo draws its picture."""

from pathlib import Path

import pytest
from PIL import Image

from tests.cli.commands import CLASSES, refused, tutorial


def test_demo(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    from tutorial_lib.practice import demo

    for name, value in (("CLASSES", CLASSES), ("COPIES", 2), ("EPOCHS", 1), ("POISONS", 10)):
        monkeypatch.setattr(demo, name, value)
    body = tutorial(capsys, "demo", "--out", tmp_path / "demo.png")
    assert body["chance"] == 1 / CLASSES
    assert Image.open(tmp_path / "demo.png").size[0] > 300
    assert "there is no folder" in refused(capsys, "demo", "--out", tmp_path / "none" / "demo.png")
    assert "must end in .png" in refused(capsys, "demo", "--out", tmp_path / "demo.jpg")
