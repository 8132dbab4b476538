"""What the machine says of its GPU: none, a CPU build, an old driver, somebody else on it."""

import subprocess
import sys

import pytest
import torch

from tutorial_lib import machine


@pytest.fixture
def gpu(monkeypatch: pytest.MonkeyPatch):
    """A machine as described: PyTorch sees its GPU or not, of some driver, CUDA build and free memory."""

    def made(
        *, available: bool, driver: str = "", cuda: str | None = "13.0", free: float = 70, total: float = 80
    ) -> str:
        monkeypatch.setattr(torch.cuda, "is_available", lambda: available)
        monkeypatch.setattr(torch.cuda, "mem_get_info", lambda *_: (int(free * 2**30), int(total * 2**30)))
        monkeypatch.setattr(torch.version, "cuda", cuda)
        monkeypatch.setattr(torch.version, "hip", None)
        monkeypatch.setattr(machine, "driver", lambda: driver)
        return machine.gpu_trouble()

    return made


def test_peak_memory_is_not_that_of_the_parent() -> None:
    held = bytearray(600_000_000)
    held[::4096] = b"1" * len(held[::4096])
    code = """
from tutorial_lib.machine import peak_memory
print(peak_memory())
held = b"1" * 200_000_000
print(peak_memory())
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    before, after = map(int, done.stdout.split())
    assert before < 100_000_000
    assert 190_000_000 < after - before < 250_000_000
    assert machine.peak_memory() > len(held)


def test_all_is_well(gpu) -> None:
    assert gpu(available=True) == ""


def test_no_gpu(gpu) -> None:
    assert gpu(available=False) == "needs a GPU that PyTorch can use"
    assert gpu(available=False, cuda=None) == "needs a GPU that PyTorch can use"


def test_a_cpu_build_beside_a_gpu(gpu) -> None:
    assert gpu(available=False, cuda=None, driver="580.1") == "this PyTorch is a CPU build"


def test_a_driver_that_is_too_old(gpu) -> None:
    assert "driver 450.80 is too old for PyTorch's CUDA 13.0" in gpu(available=False, driver="450.80")


def test_a_gpu_that_is_busy(gpu) -> None:
    assert "other processes hold 60 of 80 GiB" in gpu(available=True, free=20)


def test_the_driver_is_asked_for(tmp_path, monkeypatch: pytest.MonkeyPatch) -> None:
    tool = tmp_path / "nvidia-smi"
    monkeypatch.setenv("PATH", str(tmp_path))
    assert machine.driver() == ""
    tool.write_text("#!/bin/sh\necho 570.12\necho 570.12\n")
    tool.chmod(0o755)
    assert machine.driver() == "570.12"
    tool.write_text("#!/bin/sh\nexit 9\n")
    assert machine.driver() == ""
