"""What the machine says of its GPU: none, a CPU build, an old driver, somebody else on it."""

import os
import subprocess
import sys
import time
from pathlib import Path

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
    monkeypatch.setattr(machine, "allowed_cores", lambda: 4)
    monkeypatch.setattr(machine, "usable_cores", lambda: 4)
    assert machine.Cores(Told((5.0, 1.0, 10.0), (5.0 + busy, 1.0 + own, 12.0))).free() == pytest.approx(free)
    assert machine.Cores(Told((5.0, 1.0, 10.0), (5.0 + busy, 1.0 + own, 12.0))).threads(8) == threads
    assert machine.Cores(Told((5.0, 1.0, 10.0), (5.0 + busy, 1.0 + own, 12.0))).threads(1) == 1


def test_after_too_short_a_time_the_last_answer_stands(monkeypatch) -> None:
    monkeypatch.setattr(machine, "allowed_cores", lambda: 2)
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


def test_a_quota_counts_and_what_runs_outside_it_does_not(monkeypatch) -> None:
    """Three cores are busy with other containers' work, and the quota of this one is two of eight."""
    monkeypatch.setattr(machine, "allowed_cores", lambda: 8)
    monkeypatch.setattr(machine, "usable_cores", lambda: 2)
    assert machine.Cores(Told((0.0, 0.0, 0.0), (3.0, 0.0, 1.0))).free() == 2


# -- containers

#: Lines of /proc/self/mountinfo, as Docker and systemd make them.
MOUNT = "35 31 0:32 {top} {point} rw,relatime - {kind} {kind} rw,{options}\n"


def tree(root: Path, own: str, mounts: list[tuple[str, str, str, str]], files: dict[str, str]) -> Path:
    """A made-up /proc and /sys: the groups of a process, where groups are mounted, and what their files say."""
    proc = root / "proc" / "self"
    proc.mkdir(parents=True)
    (proc / "cgroup").write_text(own)
    text = "22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw\n"
    text += "".join(MOUNT.format(top=t, point=p, kind=k, options=o) for t, p, k, o in mounts)
    (proc / "mountinfo").write_text(text)
    for name, content in files.items():
        path = root / "sys/fs/cgroup" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"{content}\n")
    return root


V2 = [("/", "/sys/fs/cgroup", "cgroup2", "nsdelegate")]
V1 = [
    ("/", "/sys/fs/cgroup/memory", "cgroup", "memory"),
    ("/", "/sys/fs/cgroup/cpu,cpuacct", "cgroup", "cpu,cpuacct"),
    ("/", "/sys/fs/cgroup/unified", "cgroup2", "rw"),
]
DOCKER_V1 = [("/docker/abc", p, k, o) for _, p, k, o in V1]
GIB = 1 << 30
NONE = 9223372036854771712  # how version 1 says that there is no limit


@pytest.mark.parametrize(
    ("own", "mounts", "files", "memory", "cpus"),
    [
        ("0::/\n", V2, {"memory.max": f"{4 * GIB}", "cpu.max": "150000 100000"}, 4 * GIB, 1.5),
        ("0::/\n", V2, {"memory.max": "max", "cpu.max": "max 100000"}, None, None),
        ("0::/\n", V2, {"memory.max": f"{4 * GIB}", "memory.high": f"{3 * GIB}"}, 3 * GIB, None),
        ("0::/\n", V2, {"memory.max": "max", "memory.high": f"{3 * GIB}"}, 3 * GIB, None),
        (  # a limit far above counts
            "0::/a/b/c\n",
            V2,
            {"a/memory.max": f"{2 * GIB}", "a/b/memory.max": f"{9 * GIB}", "a/b/c/cpu.max": "50000 100000"},
            2 * GIB,
            0.5,
        ),
        ("0::/a\n", V2, {"b/memory.max": "5", "a/memory.max": "max"}, None, None),  # that of somebody else does not
        ("0::/../outside\n", V2, {"memory.max": f"{GIB}"}, GIB, None),  # a group beyond what can be seen
        (
            "9:memory:/job\n4:cpu,cpuacct:/job\n0::/\n",
            V1,
            {
                "memory/job/memory.limit_in_bytes": f"{6 * GIB}",
                "memory/memory.limit_in_bytes": f"{NONE}",
                "cpu,cpuacct/job/cpu.cfs_quota_us": "400000",
                "cpu,cpuacct/job/cpu.cfs_period_us": "100000",
            },
            6 * GIB,
            4.0,
        ),
        (
            "9:memory:/docker/abc\n4:cpu,cpuacct:/docker/abc\n",
            DOCKER_V1,  # a container sees its own group at the top
            {
                "memory/memory.limit_in_bytes": f"{GIB}",
                "cpu,cpuacct/cpu.cfs_quota_us": "-1",
                "cpu,cpuacct/cpu.cfs_period_us": "100000",
            },
            GIB,
            None,
        ),
        ("9:memory:/job\n", V1, {"memory/job/memory.limit_in_bytes": f"{NONE}"}, None, None),
        ("0::/\n", V2, {"memory.max": "no number", "cpu.max": "50000 0"}, None, None),
        ("no such line\n", V2, {"memory.max": "5"}, None, None),
        ("0::/\n", [], {"memory.max": "5"}, None, None),  # mounted nowhere
    ],
)
def test_limits_of_a_container(tmp_path, own, mounts, files, memory, cpus) -> None:
    assert machine.container_limits(tree(tmp_path, own, mounts, files)) == machine.Limits(memory, cpus)


def test_a_machine_without_groups_has_no_limits(tmp_path) -> None:
    assert machine.container_limits(tmp_path) == machine.Limits(None, None)


@pytest.mark.parametrize(("cpus", "cores"), [(None, 8), (0.5, 1), (1.9, 1), (2.0, 2), (64.0, 8)])
def test_cores_are_those_of_the_quota(monkeypatch, cpus, cores) -> None:
    monkeypatch.setattr(machine, "allowed_cores", lambda: 8)
    monkeypatch.setattr(machine, "container_limits", lambda: machine.Limits(None, cpus))
    assert machine.usable_cores() == cores


def test_memory_is_that_of_the_container(monkeypatch) -> None:
    monkeypatch.setattr(machine, "container_limits", lambda: machine.Limits())
    there = machine.memory_bytes()
    assert there > GIB
    for limit, said in ((GIB, GIB), (1 << 50, there)):
        monkeypatch.setattr(machine, "container_limits", lambda limit=limit: machine.Limits(memory=limit))
        assert machine.memory_bytes() == said


def test_threads_are_limited_where_a_quota_is_and_nobody_said_otherwise(monkeypatch) -> None:
    monkeypatch.setattr(machine, "allowed_cores", lambda: 8)
    for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS"):
        monkeypatch.setenv(name, "5")  # so that it is put back
    monkeypatch.delenv("MKL_NUM_THREADS")
    monkeypatch.setattr(machine, "usable_cores", lambda: 8)
    machine.limit_threads()
    assert "MKL_NUM_THREADS" not in os.environ
    monkeypatch.setattr(machine, "usable_cores", lambda: 3)
    machine.limit_threads()
    assert (os.environ["OMP_NUM_THREADS"], os.environ["MKL_NUM_THREADS"]) == ("5", "3")


# -- devices


@pytest.fixture
def devices(monkeypatch: pytest.MonkeyPatch):
    def there(*, gpus: int = 0, mps: bool = False, built: bool = False) -> None:
        monkeypatch.setattr(torch.cuda, "is_available", lambda: gpus > 0)
        monkeypatch.setattr(torch.cuda, "device_count", lambda: gpus)
        monkeypatch.setattr(torch.backends.mps, "is_available", lambda: mps)
        monkeypatch.setattr(torch.backends.mps, "is_built", lambda: built or mps)

    return there


def test_devices_that_are_there_are_taken(devices) -> None:
    devices()
    assert (machine.chosen_device(), machine.chosen_device("cpu")) == ("cpu", "cpu")
    devices(gpus=2)
    assert machine.chosen_device() == "cuda"
    assert [machine.chosen_device(d) for d in ("cpu", "cuda", "cuda:0", "cuda:1")] == [
        "cpu",
        "cuda",
        "cuda:0",
        "cuda:1",
    ]
    devices(mps=True)
    assert (machine.chosen_device(), machine.chosen_device("mps")) == ("cpu", "mps"), "a Mac's GPU only when asked for"


def test_the_environment_names_a_device_for_who_names_none(devices, monkeypatch) -> None:
    devices(gpus=2)
    monkeypatch.setenv("TUTORIAL_DEVICE", "cuda:1")
    assert (machine.chosen_device(), machine.chosen_device("cpu")) == ("cuda:1", "cpu")
    monkeypatch.setenv("TUTORIAL_DEVICE", "tpu")
    with pytest.raises(ValueError, match="not 'tpu'"):
        machine.chosen_device()


@pytest.mark.parametrize(
    ("there", "asked", "said"),
    [
        ({}, "cuda", "there is no GPU that PyTorch can use: leave `device` out"),
        ({}, "cuda:0", "there is no GPU that PyTorch can use"),
        ({"gpus": 1}, "cuda:1", "there is no cuda:1: PyTorch sees one GPU, cuda:0; choose another `device`"),
        ({"gpus": 4}, "cuda:7", "there is no cuda:7: PyTorch sees 4 GPUs, cuda:0 to cuda:3"),
        ({}, "mps", r"there is no MPS device \(this PyTorch is built without it\)"),
        ({"built": True}, "mps", r"there is no MPS device \(this macOS or Mac has none\)"),
        ({}, "tpu", "`device` must be cpu, cuda, cuda:N or mps, not 'tpu'"),
        ({"gpus": 1}, "cuda:-1", "`device` must be"),
        ({"gpus": 1}, "cuda:", "`device` must be"),
    ],
)
def test_devices_that_are_not_there_are_refused(devices, there, asked, said) -> None:
    devices(**there)
    with pytest.raises(ValueError, match=said):
        machine.chosen_device(asked)
