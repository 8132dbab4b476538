"""The `ray` engine: trials spread over the GPUs and hosts of a Ray cluster. Needs the extra `[ray]`.

Only the process that calls writes records, so workers need no shared folder. Ray runs a trial again when its worker or
its node dies.
"""

from __future__ import annotations

import contextlib
import logging
import os
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from tutorial_lib.runs.engines.base import Deadline, EngineError, Report, Sweep
from tutorial_lib.trials import Record, Trial
from tutorial_lib.trials.store import RunStore

#: How often a trial is begun again after its worker or node died.
RETRIES = 3


def _run(trial: Trial, device: str | None) -> str:
    """What a worker does; its node keeps, for the job, weights that several trials clean and models in training."""
    import ray

    from tutorial_lib.runs.run import run

    job = ray.get_runtime_context().get_job_id()
    node = RunStore(Path(tempfile.gettempdir()) / f"tutorial-weights-{os.getuid()}-{job}")
    weights, checkpoint = node.weights_of(trial), node.checkpoint_of(trial)
    record = run(trial, progress=False, device=device, weights=weights, checkpoint=checkpoint)
    checkpoint.unlink(missing_ok=True)
    return record.to_json()


def run_with_ray(
    todo: Sequence[Trial],
    store: RunStore,
    deadline: Deadline,
    result: Sweep,
    *,
    per_gpu: int = 1,
    device: str | None = None,
    report: Report | None = None,
    runner: Callable[[Trial, str | None], str] = _run,
) -> None:
    """Run trials on a Ray cluster: the one at `$RAY_ADDRESS`, the one that is connected, or a new one on this machine.

    Args:
        todo: trials without a record.
        store: where this process writes the records.
        deadline: when no further trial may begin.
        result: counts are added here.
        per_gpu: trials that share a GPU.
        device: as for `run`.
        report: called after each trial.
        runner: what a worker does with a trial; gives the record as JSON.

    Raises:
        EngineError: Ray is not installed, or no cluster answers.

    Example:
        >>> import sys
        >>> from unittest import mock
        >>> with mock.patch.dict(sys.modules, ray=None):  # as where it is not installed
        ...     run_with_ray([], RunStore("nowhere"), Deadline(0), Sweep())
        Traceback (most recent call last):
        tutorial_lib.runs.engines.base.EngineError: Ray is not installed: pip install -e '.[ray]' ...
    """
    try:
        import ray
        from ray.exceptions import RayError, RayTaskError
    except ImportError as error:
        raise EngineError(
            "Ray is not installed: pip install -e '.[ray]' in the course's folder, or take the `engine` local"
        ) from error
    started_here = not ray.is_initialized()
    if started_here:
        try:
            ray.init(address=os.environ.get("RAY_ADDRESS"), logging_level=logging.ERROR, include_dashboard=False)
        except (ConnectionError, RuntimeError, ValueError) as error:
            raise EngineError(f"no Ray cluster could be reached or started: {error}") from error
    try:
        resources = ray.cluster_resources()
        gpus = resources.get("GPU", 0) if device != "cpu" else 0
        need: dict[str, Any] = {"num_gpus": 1 / per_gpu} if gpus else {"num_cpus": 1}
        places = max(1, int(gpus * per_gpu if gpus else resources.get("CPU", 1)))
        task = ray.remote(max_retries=RETRIES, **need)(runner)
        queue = list(todo)
        flying: dict[Any, tuple[Trial, contextlib.ExitStack]] = {}
        with contextlib.ExitStack() as locks:
            while queue or flying:
                while queue and len(flying) < places + 1 and deadline.allows(queue[0]):
                    trial = queue.pop(0)
                    claim = locks.enter_context(contextlib.ExitStack())
                    if claim.enter_context(store.claim(trial)) and store.read(trial) is None:
                        flying[task.remote(trial, device)] = (trial, claim)
                    else:
                        claim.close()
                if not flying:
                    break
                (done,), _ = ray.wait(list(flying), num_returns=1)
                trial, claim = flying.pop(done)
                try:
                    record = Record.from_json(ray.get(done))
                except (RayError, RayTaskError) as error:
                    result.failed[trial.key] = " ".join(str(getattr(error, "cause", None) or error).split())[-300:]
                    claim.close()
                    continue
                store.write(record)
                claim.close()
                result.made += 1
                if report is not None:
                    report(record, len(queue) + len(flying))
    finally:
        if started_here:
            ray.shutdown()
