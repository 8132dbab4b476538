"""What the machine says of its GPU: none, a CPU build, an old driver, somebody else on it."""

import subprocess
import sys
import time

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


class Told:
    """Counts of a made-up machine: seconds that its cores were busy, that this process ran, and the time."""

    def __init__(self, *steps: tuple[float, float, float]) -> None:
        self.steps = iter(steps)

    def __call__(self) -> tuple[float, float, float]:
        return next(self.steps)


@pytest.mark.parametrize(
    ("busy", "own", "free", "threads"),
    [
        (0.0, 0.0, 4.0, 4),  # an idle machine
        (2.0, 2.0, 4.0, 4),  # its own work keeps it busy
        (3.0, 1.0, 3.0, 3),  # somebody else has one core
        (8.0, 0.0, 0.0, 1),  # others have them all
        (2.8, 2.0, 3.6, 4),  # a little of everything
        (7.0, 0.0, 0.5, 1),
    ],
)
def test_free_cores_are_those_that_others_leave(monkeypatch, busy, own, free, threads) -> None:
    monkeypatch.setattr(machine, "usable_cores", lambda: 4)
    assert machine.Cores(Told((5.0, 1.0, 10.0), (5.0 + busy, 1.0 + own, 12.0))).free() == pytest.approx(free)
    assert machine.Cores(Told((5.0, 1.0, 10.0), (5.0 + busy, 1.0 + own, 12.0))).threads(8) == threads
    assert machine.Cores(Told((5.0, 1.0, 10.0), (5.0 + busy, 1.0 + own, 12.0))).threads(1) == 1


def test_after_too_short_a_time_the_last_answer_stands(monkeypatch) -> None:
    monkeypatch.setattr(machine, "usable_cores", lambda: 2)
    cores = machine.Cores(Told((0.0, 0.0, 0.0), (1.0, 0.0, 1.0), (1.0, 0.0, 1.01), (1.0, 0.0, 2.0)))
    assert [cores.free(), cores.free(), cores.free()] == [1.0, 1.0, 2.0]


def test_a_busy_process_is_seen() -> None:
    if sys.platform != "linux":
        pytest.skip("the kernel's counts are Linux's")
    other = subprocess.Popen([sys.executable, "-c", "while True: pass"])
    try:
        cores = machine.Cores()
        time.sleep(1.0)
        assert cores.free() <= machine.usable_cores() - 0.2
    finally:
        other.kill()
        other.wait()


def test_threads_are_given_back_and_one_thread_is_left_alone(monkeypatch) -> None:
    asked: list[int] = []
    monkeypatch.setattr(torch, "set_num_threads", asked.append)
    monkeypatch.setattr(torch, "get_num_threads", lambda: 4)
    monkeypatch.setattr(machine.Cores, "free", lambda self: 1.2)
    with machine.fitting_threads() as look:
        assert asked == [1]
        look()
    assert asked == [1, 1, 4]
    with machine.fitting_threads(on=False) as look:
        look()
    monkeypatch.setattr(torch, "get_num_threads", lambda: 1)
    with machine.fitting_threads() as look:
        look()
    assert asked == [1, 1, 4]
