"""The doctor says where things lie."""

from pathlib import Path

import pytest

from tutorial_lib import places, profiles
from tutorial_lib.machine import Limits
from tutorial_lib.practice import doctor
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


@pytest.mark.parametrize("gpu", [None, "a GPU"])
def test_which_profiles_can_run_and_what_the_others_lack(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, gpu: str | None
) -> None:
    machine = doctor.machine() | {"memory_gib": 4.0, "gpu": gpu}
    monkeypatch.setattr(doctor, "machine", lambda: machine)
    monkeypatch.setattr(doctor, "gpu_trouble", lambda: "" if gpu else "no driver")
    monkeypatch.setenv("TUTORIAL_DATA", str(tmp_path))
    found = examine()
    assert set(found.profiles) == set(profiles.NAMES)
    assert found.ready == (("test", "demo", "gpu") if gpu else ("test", "demo"))
    assert found.profiles["cpu"] == "needs 6 GiB of memory"
    assert found.profiles["gpu"] == (None if gpu else "no driver")
    assert found.profiles["paper"] == (f"needs cc3m as shards in {tmp_path / 'cc3m'}" if gpu else "no driver")
    assert found.profiles["photos"] == f"needs cifar100 as shards in {tmp_path / 'cifar100'}"
    (tmp_path / "cc3m").mkdir()
    (tmp_path / "cc3m" / "0.tar").touch()
    assert ("paper" in examine().ready) is (gpu is not None)


def test_a_busy_gpu_is_slow_and_can_run(monkeypatch: pytest.MonkeyPatch) -> None:
    machine = doctor.machine() | {"memory_gib": 64.0, "gpu": "a GPU"}
    monkeypatch.setattr(doctor, "machine", lambda: machine)
    monkeypatch.setattr(doctor, "gpu_trouble", lambda: "another program uses it")
    found = examine()
    assert found.ready == ("test", "demo", "laptop", "cpu", "overnight", "gpu", "paper")
    assert found.profiles["gpu"] == "another program uses it"


def test_limits_of_a_container_are_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "container_limits", lambda: Limits(memory=3 << 29, cpus=2.5))
    found = examine()
    assert found.as_dict()["container"] == {"memory_bytes": 3 << 29, "cpus": 2.5}
    assert "limits  this container may use 2.5 of the cores and 1.5 GiB of memory\n" in str(found)
    monkeypatch.setattr(doctor, "container_limits", lambda: Limits(cpus=1.0))
    assert "limits  this container may use 1 of the cores\n" in str(examine())
    monkeypatch.setattr(doctor, "container_limits", Limits)
    assert "limits" not in str(examine())
