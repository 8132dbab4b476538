"""Engines that run trials into a store: `local`, in processes of this machine; `ray`, on many GPUs or hosts, each on a
GPU or part of one; `group`, one after the other on all the GPUs for which `torchrun` started a process.

Whatever the engine, a trial is looked up before it runs, so each ends with exactly one record, and an interrupted sweep
goes on where it stopped.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence

from tutorial_lib.runs.engines import crew, group, local
from tutorial_lib.runs.engines.base import Deadline, EngineError, Report, Sweep
from tutorial_lib.training import distributed
from tutorial_lib.trials import Trial
from tutorial_lib.trials.store import RunStore

__all__ = ["ENGINES", "Deadline", "EngineError", "Report", "Sweep", "missing", "sweep"]

ENGINES = ("local", "ray", "group")


def missing(trials: Sequence[Trial], store: RunStore) -> list[Trial]:
    """The trials without a record, each once, in their order.

    Example:
        >>> import tempfile
        >>> from pathlib import Path
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     len(missing([Trial(), Trial()], RunStore(Path(folder))))
        1
    """
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
        engine: "local", "ray", or "group" under `torchrun`, where each process calls this function alike.
        jobs: local processes; each gets its share of the CPU's cores. With "ray": trials per GPU.
        device: by default the GPU if there is one.
        time_limit: seconds after which no further trial is begun and models in training stop, their states kept;
            local processes only: elsewhere running trials end.
        estimate: seconds that a trial will take; one that would pass the limit is not begun, unless it is a long one,
            which goes on in a later call.
        report: called after each trial.

    Raises:
        StoreError: the store cannot be written; what was made is kept, and a further call goes on.
        EngineError: the engine does not exist or is not installed, or has no way to the trials' classes.

    Example:
        >>> import tempfile
        >>> from pathlib import Path
        >>> from tutorial_lib import profiles
        >>> trial = profiles.get("test").backdoor(0, seed=0)
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     first, again = (sweep([trial], RunStore(Path(folder))) for _ in range(2))
        >>> (first.made, first.found), (again.made, again.found)
        ((1, 0), (0, 1))
    """
    if engine not in ENGINES:
        raise EngineError(f"there is no engine {engine!r}; choose from {', '.join(ENGINES)}")
    store.open_for_writing()
    unique = {t.key: t for t in trials}
    todo = distributed.agreed([t for t in unique.values() if store.read(t) is None])  # a damaged record is missing
    result = Sweep(found=len(unique) - len(todo))
    started = time.monotonic()
    deadline = Deadline(started + time_limit, estimate)
    if todo:
        if engine == "ray":
            from tutorial_lib.runs.engines.ray import run_with_ray

            run_with_ray(todo, store, deadline, result, per_gpu=jobs, device=device, report=report)
        elif engine == "group":
            group.work(todo, store, deadline, result, device, report)
        elif jobs == 1:
            local.work(todo, store, deadline, result, device, report)
        else:
            crew.divide(todo, store, deadline, result, jobs, device, report)
    result.left = len(missing(trials, store))
    result.elsewhere = max(0, len(todo) - result.made - result.left)
    result.seconds = time.monotonic() - started
    return result
