"""The machine of a record in words."""

import os
import re
from pathlib import Path

import pytest
import torch

from tutorial_lib.runs.hardware import hardware
from tutorial_lib.training import distributed


def test_a_cpu_is_named_with_its_cores() -> None:
    model, _, cores = hardware("cpu").rpartition(", ")
    assert cores == f"{os.cpu_count()} cores"
    info = Path("/proc/cpuinfo")
    if info.is_file() and (named := re.search(r"^model name\s*:\s*(.*?)\s*$", info.read_text(), re.M)):
        assert model == named[1]
    assert model


def test_gpus_are_named_and_counted_where_they_are_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda *which: " ".join(("GPU of a test", *which)))
    assert hardware() == hardware("cuda") == "GPU of a test"
    assert hardware("cpu").endswith("cores")
    assert hardware("cuda:1") == "GPU of a test cuda:1"
    assert hardware("mps") == f"{hardware('cpu')}, MPS"
    monkeypatch.setattr(distributed, "size", lambda: 4)
    assert hardware() == "4 x GPU of a test"
