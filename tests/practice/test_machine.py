"""The machine in detail is the machine."""

import os
import platform
from importlib.metadata import version

import pytest
import torch

from tutorial_lib.machine import memory_bytes
from tutorial_lib.practice import machine as module
from tutorial_lib.practice.machine import machine


def test_each_field_is_what_the_system_says() -> None:
    found = machine()
    assert found["cpu"].endswith(f"{os.cpu_count()} cores")
    assert (found["cores"], found["threads"]) == (os.cpu_count(), torch.get_num_threads())
    assert found["memory_gib"] == pytest.approx(memory_bytes() / 2**30, abs=0.05)
    assert (found["gpu"] is not None) == torch.cuda.is_available()
    assert (found["system"], found["python"]) == (
        f"{platform.system()} {platform.machine()}",
        platform.python_version(),
    )
    assert found["versions"]["torch"] == version("torch")


def test_what_is_not_installed_has_no_version(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LIBRARIES", ("numpy", "no-such-library"))
    assert machine()["versions"] == {"numpy": version("numpy")}
