"""Processes end with the one that started them, and run nothing of its script."""

import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from pathlib import Path

import pytest

from tutorial_lib import processes

ROOT = Path(__file__).resolve().parents[1]
#: A script without a main guard, that starts two processes and sleeps; each leaves its id in a file.
SCRIPT = textwrap.dedent("""
    import multiprocessing, pickle, sys, time
    from pathlib import Path
    from tutorial_lib import processes
    from tests import processes_at_work as work

    print("the script runs", flush=True)
    context = multiprocessing.get_context("spawn")
    started, pipes = [], []
    for number in range(2):
        ours, theirs = context.Pipe()
        packed = pickle.dumps((work.sleep, (Path(sys.argv[1]) / str(number),)))
        process = context.Process(target=work.child, args=(theirs, packed))
        with processes.starting():
            process.start()
        started.append(process)
        pipes.append(ours)
    for process in started:
        process.join()
""")


def alive(pid: int) -> bool:
    """Whether a process is at work; one that nobody has waited for is not."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text("utf-8").rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state not in "ZX"


def wait_for(what, seconds: float = 30.0) -> bool:
    deadline = time.monotonic() + seconds
    while not what() and time.monotonic() < deadline:
        time.sleep(0.02)
    return what()


def at_work(tmp_path: Path) -> tuple[subprocess.Popen, list[int]]:
    """The script, and the processes that it has started."""
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    script = tmp_path / "script.py"
    script.write_text(SCRIPT)
    parent = subprocess.Popen(
        [sys.executable, script, str(tmp_path)], env=environment, stdout=subprocess.PIPE, text=True, cwd=ROOT
    )
    files = [tmp_path / "0", tmp_path / "1"]
    assert wait_for(lambda: all(f.is_file() and f.read_text() for f in files))
    return parent, [int(f.read_text()) for f in files]


@pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_they_end_with_their_parent(tmp_path: Path, number: int) -> None:
    parent, children = at_work(tmp_path)
    try:
        assert all(map(alive, children))
        parent.send_signal(number)
        said, _ = parent.communicate(timeout=10)
        assert wait_for(lambda: not any(map(alive, children)), 5)
        assert said == "the script runs\n", "and nobody ran it again"
    finally:
        for pid in children:
            if alive(pid):
                os.kill(pid, signal.SIGKILL)


@pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")
def test_they_end_without_the_kernels_help(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TEST_WITHOUT_PRCTL", "1")
    parent, children = at_work(tmp_path)
    parent.kill()
    try:
        parent.communicate(timeout=5)  # ends where nobody holds the other end any more
    finally:
        for pid in filter(alive, children):
            os.kill(pid, signal.SIGKILL)


def test_an_interrupt_is_not_lost_while_processes_start() -> None:
    done = []

    def start() -> None:
        signal.pthread_kill(threading.get_ident(), signal.SIGINT)
        done.append("started")  # and the interrupt is heard later

    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # in the background, a shell has it ignored
    try:
        with pytest.raises(KeyboardInterrupt), processes.starting():
            start()
    finally:
        signal.signal(signal.SIGINT, before)
    assert done == ["started"]


def test_the_script_is_there_again_after_the_start() -> None:
    main = sys.modules["__main__"]
    with processes.starting():
        assert sys.modules["__main__"] is not main
    assert sys.modules["__main__"] is main


def test_a_class_of_the_script_needs_the_script(monkeypatch: pytest.MonkeyPatch) -> None:
    main = sys.modules["__main__"]
    mine = type("Mine", (), {"__module__": "__main__"})
    monkeypatch.setattr(main, "Mine", mine, raising=False)
    with processes.starting(mine()):
        assert sys.modules["__main__"] is main
