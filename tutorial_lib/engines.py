"""Engines that run trials into a store: `local`, in processes of this machine, and `ray`, on many GPUs or hosts.

Whatever the engine, a trial is looked up before it runs, so each ends with exactly one record, and an interrupted sweep
goes on where it stopped.
"""

from __future__ import annotations

import contextlib
import math
import multiprocessing
import os
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from queue import Empty

from tutorial_lib.store import RunStore
from tutorial_lib.trials import Record, Trial

ENGINES = ("local", "ray")

#: Called with the record of each trial that has just ended, and the number of trials still to do.
Report = Callable[[Record, int], None]


class EngineError(RuntimeError):
    """An engine cannot be used here."""


@dataclass
class Sweep:
    """What became of the trials of a call.

    Attributes:
        found: trials that had a record before.
        made: trials that this call ran.
        elsewhere: trials that other processes on the same store finished meanwhile.
        left: trials without a record.
        failed: key and message of trials that raised an error.
    """

    found: int = 0
    made: int = 0
    elsewhere: int = 0
    left: int = 0
    failed: dict[str, str] = field(default_factory=dict)
    seconds: float = 0.0


def missing(trials: Sequence[Trial], store: RunStore) -> list[Trial]:
    """The trials without a record, each once, in their order."""
    there = store.keys()
    return list({t.key: t for t in trials if t.key not in there}.values())


def sweep(
    trials: Sequence[Trial],
    store: RunStore,
    *,
    engine: str = "local",
    jobs: int = 1,
    device: str | None = None,
    time_limit: float = math.inf,
    estimate: Callable[[Trial], float] | None = None,
    report: Report | None = None,
) -> Sweep:
    """See to it that every trial has a record in the store.

    Args:
        trials: what to run; those with a record are not run again.
        store: where records are and go.
        engine: "local" or "ray".
        jobs: local processes; each gets its share of the CPU's cores. With "ray": trials per GPU.
        device: by default the GPU if there is one.
        time_limit: seconds after which no further trial is begun; running ones end.
        estimate: seconds that a trial will take; one that would pass the limit is not begun.
        report: called after each trial.

    Raises:
        StoreError: the store cannot be written.
        EngineError: the engine does not exist or is not installed.
    """
    if engine not in ENGINES:
        raise EngineError(f"there is no engine {engine!r}; choose from {', '.join(ENGINES)}")
    store.open_for_writing()
    todo = missing(trials, store)
    for trial in trials:  # a damaged record counts as missing
        if trial not in todo and store.read(trial) is None:
            todo.append(trial)
    result = Sweep(found=len({t.key for t in trials}) - len(todo))
    started = time.monotonic()
    deadline = Deadline(started + time_limit, estimate)
    if todo:
        if engine == "ray":
            from tutorial_lib.ray_engine import run_with_ray

            run_with_ray(todo, store, deadline, result, per_gpu=jobs, device=device, report=report)
        elif jobs == 1:
            _work(todo, store, deadline, result, device, report)
        else:
            _share(todo, store, deadline, result, jobs, device, report)
    result.left = len(missing(trials, store))
    result.elsewhere = max(0, len(todo) - result.made - result.left)
    result.seconds = time.monotonic() - started
    return result


@dataclass(frozen=True)
class Deadline:
    """When no further trial may begin."""

    at: float
    estimate: Callable[[Trial], float] | None = None

    def allows(self, trial: Trial) -> bool:
        return time.monotonic() + (self.estimate(trial) if self.estimate else 0.0) < self.at


def _work(
    todo: Sequence[Trial],
    store: RunStore,
    deadline: Deadline,
    result: Sweep,
    device: str | None,
    report: Report | None,
) -> None:
    """Run the trials that no other process is running; those come last, and are waited for."""
    from tutorial_lib.runs import run

    queue, waited = list(todo), 0.0
    while queue:
        busy = []
        for position, trial in enumerate(queue):
            with store.claim(trial) as mine:
                if not mine:
                    busy.append(trial)
                    continue
                if store.path(trial).is_file() and store.read(trial) is not None:
                    continue
                if not deadline.allows(trial):
                    continue
                try:
                    record = run(trial, progress=False, device=device)
                except (ValueError, RuntimeError, MemoryError) as error:
                    result.failed[trial.key] = f"{type(error).__name__}: {' '.join(str(error).split())}"
                    continue
                store.write(record)
            result.made += 1
            if report is not None:
                report(record, len(queue) - position - 1 + len(busy))
        queue = [t for t in busy if not store.path(t).is_file()]
        if queue and time.monotonic() + waited < deadline.at:
            waited = min(2.0, waited + 0.1)
            time.sleep(waited)
        elif queue:
            return


def _worker(todo, store, deadline, device, threads, number, queue) -> None:
    import torch

    torch.set_num_threads(threads)
    if device in (None, "cuda") and torch.cuda.is_available():
        device = f"cuda:{number % torch.cuda.device_count()}"  # processes take turns on the GPUs
    result = Sweep()
    with contextlib.suppress(KeyboardInterrupt):  # the parent says what there is to say
        _work(todo, store, deadline, result, device, lambda record, _: queue.put(record.key))
    queue.put(result)


@contextlib.contextmanager
def _threads_for_children(threads: int) -> Iterator[None]:
    """Children read these when they import torch; idle threads that spin would take a core from the other jobs."""
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


def _share(todo, store: RunStore, deadline: Deadline, result: Sweep, jobs: int, device, report) -> None:
    """Several processes with the same list; the store's locks divide it."""
    context = multiprocessing.get_context("spawn")
    queue = context.Queue()
    threads = max(1, (os.cpu_count() or 1) // jobs)
    with _threads_for_children(threads):
        workers = [
            context.Process(target=_worker, args=(todo, store, deadline, device, threads, k, queue), daemon=True)
            for k in range(min(jobs, len(todo)))
        ]
        for worker in workers:
            worker.start()
    done: set[str] = set()
    ended = 0
    try:
        while ended < len(workers):
            try:
                message = queue.get(timeout=1.0)
            except Empty:
                if not any(w.is_alive() for w in workers) and queue.empty():
                    break
                continue
            if isinstance(message, Sweep):
                ended += 1
                result.failed |= message.failed
                continue
            done.add(message)
            result.made += 1
            record = store.read(message)
            if report is not None and record is not None:
                report(record, len(todo) - len(done))
    finally:
        for worker in workers:
            if worker.is_alive() and ended < len(workers):
                worker.terminate()
            worker.join(timeout=10)
