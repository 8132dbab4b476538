"""The doctor says where things lie."""

from pathlib import Path

import pytest

from tutorial_lib import places
from tutorial_lib.practice.doctor import examine


def test_a_checkout_and_its_places(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("TUTORIAL_STORE", str(tmp_path))
    found = examine()
    where = found.as_dict()["places"]
    assert where["checkout"] is True
    assert (where["results"], where["store"]) == (str(places.results()), str(tmp_path))
    assert where["record_files"] > 10
    text = str(found)
    assert f"library a checkout, {places.PACKAGE}" in text
    assert f"records {places.results()}" in text
    assert f"runs    {tmp_path}" in text


def test_an_installed_package(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(places, "checkout", lambda: None)
    monkeypatch.setattr(places, "PACKAGE", tmp_path / "site-packages" / "tutorial_lib")
    monkeypatch.delenv("TUTORIAL_STORE", raising=False)
    monkeypatch.chdir(tmp_path)
    found = examine()
    where = found.as_dict()["places"]
    assert where["checkout"] is False
    assert where["store"] == str(tmp_path / "build" / "runs")
    assert where["record_files"] == 0
    assert f"records none at {places.results()}: reinstall the package" in str(found)
    assert "library an installed package" in str(found)
