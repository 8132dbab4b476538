"""The `group` engine: the processes that `torchrun` started train each trial together. For models that want many GPUs.

The first process chooses, measures and writes; the others train along. Where a worker dies, `torchrun` starts all of
them again, and the trial goes on from its last epoch.
"""

from __future__ import annotations

from collections.abc import Sequence

from tutorial_lib.data.shards import ShardError
from tutorial_lib.runs.engines.base import Deadline, Report, Sweep
from tutorial_lib.runs.engines.local import in_one_line
from tutorial_lib.training import distributed
from tutorial_lib.trials import Trial
from tutorial_lib.trials.store import RunStore

#: Errors that every process of a group raises alike.
ALIKE = (ValueError, FileNotFoundError, ShardError)


def work(
    todo: Sequence[Trial],
    store: RunStore,
    deadline: Deadline,
    result: Sweep,
    device: str | None,
    report: Report | None,
) -> None:
    """Run the trials one after another; one that another group is running is left to it.

    A trial that does not fit its data, or has none, fails in every process alike and is noted; any other error ends the
    process, and with it the group.

    Example:
        >>> import tempfile
        >>> from pathlib import Path
        >>> from tutorial_lib.attacks import Backdoor
        >>> trial, result = Trial(classes=16, copies=1, attack=Backdoor(4, target="unicorn")), Sweep()
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     work([trial], RunStore(Path(folder)).open_for_writing(), Deadline(float("inf")), result, "cpu", None)
        >>> result.failed[trial.key]
        "there is no class 'unicorn' among 16; ..."
    """
    from tutorial_lib.runs.run import fit, run

    first = distributed.rank() == 0
    for position, trial in enumerate(todo):
        weights, checkpoint = store.weights_of(trial), store.checkpoint_of(trial)
        if not first:
            if distributed.agreed(False):
                try:
                    fit(trial, device=device, weights=weights, checkpoint=checkpoint)
                except ALIKE as error:
                    result.failed[trial.key] = in_one_line(error)
            continue
        with store.claim(trial) as mine:
            if not distributed.agreed(mine and store.read(trial) is None and deadline.allows(trial)):
                continue
            try:
                keep = store.model_of(trial)
                record = run(trial, device=device, keep=keep, weights=weights, checkpoint=checkpoint)
            except ALIKE as error:
                result.failed[trial.key] = in_one_line(error)
                continue
            store.write(record)
            checkpoint.unlink(missing_ok=True)
        result.made += 1
        if report is not None:
            report(record, len(todo) - position - 1)
