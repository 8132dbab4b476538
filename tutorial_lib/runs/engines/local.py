"""The `local` engine: this process, or several that share the store."""

from __future__ import annotations

import contextlib
import math
import os
import time
from collections.abc import Iterator, Sequence

from tutorial_lib.files import FULL, system_error
from tutorial_lib.runs.engines.base import Attempt, Deadline, Report, Sweep
from tutorial_lib.trials import Trial
from tutorial_lib.trials.store import RunStore, StoreError

#: Errors that say what is wrong with a trial or with the machine; of any other, the line says where it arose.
EXPECTED = (ValueError, OSError, MemoryError, RuntimeError)


def work(
    todo: Sequence[Trial],
    store: RunStore,
    deadline: Deadline,
    result: Sweep,
    device: str | None,
    report: Report | None,
) -> None:
    """Run the trials that no other process is running; those come last, and are waited for.

    Raises:
        StoreError: the disk is full, or the store cannot be written any more.

    Example:
        >>> import tempfile
        >>> from pathlib import Path
        >>> from tutorial_lib.trials import Recipe
        >>> trial, result = Trial(classes=16, copies=1, recipe=Recipe(epochs=1, batch_size=16)), Sweep()
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     store = RunStore(Path(folder)).open_for_writing()
        ...     work([trial], store, Deadline(float("inf")), result, "cpu", None)
        ...     result.made, store.read(trial).metrics["steps"]
        (1, 5)
    """
    queue, waited = list(todo), 0.0
    while queue:
        busy = []
        for position, trial in enumerate(queue):
            done = attempt(trial, store, device, until=deadline.at) if deadline.allows(trial) else Attempt()
            if done.busy:
                busy.append(trial)
            result.count(trial, done)
            if report is not None and done.record is not None:
                report(done.record, len(queue) - position - 1 + len(busy))
        queue = [t for t in busy if store.read(t) is None]
        if queue and time.monotonic() + waited < deadline.at:
            waited = min(2.0, waited + 0.1)
            time.sleep(waited)
        elif queue:
            return


def attempt(trial: Trial, store: RunStore, device: str | None, *, until: float = math.inf) -> Attempt:
    """Run a trial, unless another process is running it or has made its record.

    While its model is in training its state lies in the store, and goes when the record is there.

    Args:
        trial: to run.
        store: where its record goes.
        device: by default the GPU if there is one.
        until: time, as `time.monotonic` tells it, at which training stops with its state kept, and without a record.

    Raises:
        StoreError: the disk is full, or the store cannot be written.

    Example:
        >>> import tempfile
        >>> from pathlib import Path
        >>> from tutorial_lib.attacks import Backdoor
        >>> trial = Trial(classes=16, copies=1, attack=Backdoor(4, target="unicorn"))
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     attempt(trial, RunStore(Path(folder)).open_for_writing(), "cpu").failed
        "there is no class 'unicorn' among 16; ..."
    """
    from tutorial_lib.runs.run import run
    from tutorial_lib.training.checkpoint import PausedError

    with store.claim(trial) as mine:
        if not mine:
            return Attempt(busy=True)
        if store.read(trial) is not None:
            return Attempt()
        try:
            record = run(
                trial,
                progress=False,
                device=device,
                keep=store.model_of(trial),
                weights=store.weights_of(trial),
                checkpoint=store.checkpoint_of(trial),
                until=until,
            )
        except PausedError:
            return Attempt()
        except Exception as error:  # whatever it is, a trial that fails must not end the others
            if (said := system_error(error)) is not None and said.errno in FULL:
                raise StoreError(" ".join(str(error).split())) from error
            return Attempt(failed=in_one_line(error))
        store.write(record)
        store.checkpoint_of(trial).unlink(missing_ok=True)
    return Attempt(record=record)


def in_one_line(error: Exception) -> str:
    """An error in one line; of one that nobody expected, the line says where it arose.

    Example:
        >>> in_one_line(ValueError("there is no\\n class")), in_one_line(KeyError("x"))
        ('there is no class', "KeyError: 'x'")
    """
    text = " ".join(str(error).split())
    if isinstance(error, EXPECTED) and text:
        return text
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    place = f" at {os.path.basename(trace.tb_frame.f_code.co_filename)}:{trace.tb_lineno}" if trace else ""
    return f"{type(error).__name__}{f': {text}' if text else ''}{place}"


@contextlib.contextmanager
def threads_for_children(threads: int) -> Iterator[None]:
    """Children read these when they import torch; idle threads that spin would take a core from the other jobs.

    Example:
        >>> with threads_for_children(3):
        ...     os.environ["OMP_NUM_THREADS"]
        '3'
    """
    wanted = {"OMP_NUM_THREADS": str(threads), "MKL_NUM_THREADS": str(threads), "OMP_WAIT_POLICY": "PASSIVE"}
    before = {name: os.environ.get(name) for name in wanted}
    os.environ.update(wanted)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
