"""What the engines share: the outcome of a sweep, its deadline, the one who is told about each trial."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field

from tutorial_lib.trials import Record, Trial

#: Called with the record of each trial that has just ended, and the number of trials still to do.
Report = Callable[[Record, int], None]


#: Seconds above which a trial is begun even where the time limit will cut it, if some time is left: its state is kept,
#: and a later call goes on.
LONG, WORTH_BEGINNING = 900.0, 120.0


class EngineError(RuntimeError):
    """An engine cannot be used here."""


@dataclass(frozen=True)
class Attempt:
    """What became of a trial that an engine took; of one that is there already, nothing.

    Attributes:
        record: that was made.
        failed: why there is none, in one line.
        busy: another process is running the trial.
        fatal: why nothing more can be run.

    Example:
        >>> Attempt(failed="there is no class 'unicorn'").record is None
        True
    """

    record: Record | None = None
    failed: str = ""
    busy: bool = False
    fatal: str = ""


@dataclass
class Sweep:
    """What became of the trials of a call.

    Attributes:
        found: trials that had a record before.
        made: trials that this call ran.
        elsewhere: trials that other processes on the same store finished meanwhile.
        left: trials without a record.
        failed: key and message of trials that raised an error.

    Example:
        >>> result = Sweep(found=20, left=4)
        >>> result.failed["0123456789abcdef"] = "ValueError: there is no class 'bannana'"
        >>> len(result.failed), len(Sweep().failed)
        (1, 0)
    """

    found: int = 0
    made: int = 0
    elsewhere: int = 0
    left: int = 0
    failed: dict[str, str] = field(default_factory=dict)
    seconds: float = 0.0

    def count(self, trial: Trial, done: Attempt) -> None:
        """Add what became of a trial."""
        self.made += done.record is not None
        if done.failed:
            self.failed[trial.key] = done.failed


@dataclass(frozen=True)
class Deadline:
    """When no further trial may begin, and a long one stops.

    Example:
        >>> minute = Deadline(time.monotonic() + 60, estimate=lambda trial: 120.0)  # a trial takes two
        >>> minute.allows(Trial()), Deadline(float("inf")).allows(Trial())
        (False, True)
        >>> Deadline(time.monotonic() + 600, estimate=lambda trial: 3600.0).allows(Trial())  # a sixth of it today
        True
    """

    at: float
    estimate: Callable[[Trial], float] | None = None

    def allows(self, trial: Trial) -> bool:
        left, needed = self.at - time.monotonic(), self.estimate(trial) if self.estimate else 0.0
        return needed < left or (needed > LONG and left > WORTH_BEGINNING)
