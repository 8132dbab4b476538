"""The `local` engine: this process, or several that share the store."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import time
from collections.abc import Iterator, Sequence
from multiprocessing.queues import Queue
from queue import Empty

from tutorial_lib.runs.engines.base import Deadline, Report, Sweep
from tutorial_lib.trials import Trial
from tutorial_lib.trials.store import RunStore


def work(
    todo: Sequence[Trial],
    store: RunStore,
    deadline: Deadline,
    result: Sweep,
    device: str | None,
    report: Report | None,
) -> None:
    """Run the trials that no other process is running; those come last, and are waited for.

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
    from tutorial_lib.runs.run import run

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
                    record = run(
                        trial,
                        progress=False,
                        device=device,
                        keep=store.model_of(trial),
                        weights=store.weights_of(trial),
                        checkpoint=store.checkpoint_of(trial),
                    )
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


def _worker(
    todo: Sequence[Trial],
    store: RunStore,
    deadline: Deadline,
    device: str | None,
    threads: int,
    number: int,
    queue: Queue[str | Sweep],
) -> None:
    import torch

    torch.set_num_threads(threads)
    if device in (None, "cuda") and torch.cuda.is_available():
        device = f"cuda:{number % torch.cuda.device_count()}"  # processes take turns on the GPUs
    result = Sweep()
    with contextlib.suppress(KeyboardInterrupt):  # the parent says what there is to say
        work(todo, store, deadline, result, device, lambda record, _: queue.put(record.key))
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


def divide(
    todo: Sequence[Trial],
    store: RunStore,
    deadline: Deadline,
    result: Sweep,
    jobs: int,
    device: str | None,
    report: Report | None,
) -> None:
    """Several processes with the same list; the store's locks divide it.

    Example:
        >>> import tempfile
        >>> from pathlib import Path
        >>> result = Sweep()
        >>> with tempfile.TemporaryDirectory() as folder:  # nothing to do, so no process is started
        ...     divide([], RunStore(Path(folder)), Deadline(float("inf")), result, 2, "cpu", None)
        >>> result == Sweep()
        True
    """
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
