"""The `local` engine with several processes: each takes one trial at a time from the one that started them.

They end with it, however it ends. Where one of them dies, its trial is tried again, once; where as many die in a row as
there are, the sweep stops.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import pickle
import signal
import threading
import time
import warnings
from collections import Counter, deque
from collections.abc import Sequence
from multiprocessing import connection
from multiprocessing.connection import Connection
from multiprocessing.context import SpawnProcess

from tutorial_lib import processes
from tutorial_lib.machine import chosen_device, usable_cores
from tutorial_lib.notes import Note
from tutorial_lib.runs.engines.base import Attempt, Deadline, EngineError, Report, Sweep
from tutorial_lib.runs.engines.local import attempt, threads_for_children
from tutorial_lib.trials import Trial
from tutorial_lib.trials.store import RunStore, StoreError

#: Seconds for which a process may end by itself, and the longest pause before a trial of somebody else is looked at.
PATIENCE, PAUSE = 10.0, 2.0
#: How often the process of one trial may die.
DEATHS = 2


def divide(
    todo: Sequence[Trial],
    store: RunStore,
    deadline: Deadline,
    result: Sweep,
    jobs: int,
    device: str | None,
    report: Report | None,
) -> None:
    """Run the trials in several processes, and those that another sweep is running last.

    Raises:
        StoreError: the disk is full, or the store cannot be written any more.
        EngineError: a trial needs a class of the caller's script, which has no main guard.

    Example:
        >>> import tempfile
        >>> from pathlib import Path
        >>> result = Sweep()
        >>> with tempfile.TemporaryDirectory() as folder:  # nothing to do, so no process is started
        ...     divide([], RunStore(Path(folder)), Deadline(float("inf")), result, 2, "cpu", None)
        >>> result == Sweep()
        True
    """
    processes.end_if_unguarded()
    with _Crew(min(jobs, len(todo)), max(1, usable_cores() // jobs), store, device, todo, deadline.at) as crew:
        sweep = _Division(deque(todo), store, deadline, result, crew, report)
        while sweep.give_out():
            for worker in crew.heard(sweep.pause if sweep.busy else None):
                sweep.listen(worker)


class _Worker:
    """A started process, and the trial that it has."""

    def __init__(self, process: SpawnProcess, pipe: Connection) -> None:
        self.process, self.pipe = process, pipe
        self.trial: Trial | None = None

    def take(self, trial: Trial) -> None:
        self.trial = trial
        with contextlib.suppress(OSError):  # it is dead, which the next look at its pipe tells
            self.pipe.send(trial)

    def answer(self) -> Attempt | None:
        """What became of the trial; `None` where the process died."""
        try:
            done: Attempt = self.pipe.recv()
        except (EOFError, OSError, pickle.UnpicklingError):  # nothing, or half an answer
            self.process.join(PATIENCE)
            return None
        self.trial = None
        return done

    @property
    def death(self) -> str:
        """How the process ended."""
        code = self.process.exitcode
        if code is not None and code < 0:
            return f"was killed by {_signal(-code)}"
        return f"ended with code {code}"


class _Crew:
    """The processes of a sweep; all of them have ended after the block."""

    def __init__(
        self,
        size: int,
        threads: int,
        store: RunStore,
        device: str | None,
        needed: Sequence[Trial],
        until: float,
    ) -> None:
        self.size, self.threads, self.store, self.device, self.needed = size, threads, store, device, needed
        self.until = until
        self.workers: list[_Worker] = []
        self._started = 0

    def __enter__(self) -> _Crew:
        try:
            for _ in range(self.size):
                self.start()
        except BaseException:  # Ctrl-C too: those that have started must not stay
            self.__exit__()
            raise
        return self

    def start(self) -> None:
        """One more process."""
        context = multiprocessing.get_context("spawn")
        ours, theirs = context.Pipe()
        packed = pickle.dumps((_work, (self.store, self.device, self.threads, self._started, self.until)))
        # not a daemon: reading shards starts processes of its own
        process = context.Process(target=processes.child, args=(theirs, packed))
        with processes.starting(self.needed), threads_for_children(self.threads):
            process.start()
        theirs.close()  # so that the pipe ends with the process
        self._started += 1
        self.workers.append(_Worker(process, ours))

    def heard(self, timeout: float | None) -> list[_Worker]:
        """The processes at work that have something to say, or are dead."""
        flying = [worker for worker in self.workers if worker.trial is not None]
        if not flying:
            time.sleep(timeout or 0)
            return []
        ready = connection.wait([worker.pipe for worker in flying], timeout)
        return [worker for worker in flying if worker.pipe in ready]

    def __exit__(self, *_: object) -> None:
        for worker in self.workers:
            worker.pipe.close()  # one without a trial ends now
            if worker.trial is not None:
                worker.process.terminate()
        for worker in self.workers:
            worker.process.join(PATIENCE)
            if worker.process.is_alive():
                worker.process.kill()
                worker.process.join()


class _Division:
    """A sweep while it is divided: what is still to do, and what became of the rest."""

    def __init__(
        self,
        queue: deque[Trial],
        store: RunStore,
        deadline: Deadline,
        result: Sweep,
        crew: _Crew,
        report: Report | None,
    ) -> None:
        self.queue, self.store, self.deadline = queue, store, deadline
        self.result, self.crew, self.report = result, crew, report
        self.busy: list[Trial] = []  # with other sweeps on this store
        self.pause, self.again = 0.0, 0.0  # how long they are waited for, and until when
        self.deaths: Counter[str] = Counter()
        self.in_a_row, self.stopped = 0, False

    def give_out(self) -> bool:
        """Give each process that has none a trial; whether there is anything to wait for then."""
        now = time.monotonic()
        if self.busy and not self.queue and now >= self.again:
            self.queue.extend(t for t in self.busy if self.store.read(t) is None)
            self.busy.clear()
            self.pause = min(PAUSE, self.pause + 0.1)
            self.again = now + self.pause
        for worker in self.crew.workers:
            while worker.trial is None and self.queue and not self.stopped:
                trial = self.queue.popleft()
                if self.deadline.allows(trial):
                    worker.take(trial)
        at_work = any(worker.trial is not None for worker in self.crew.workers)
        return not self.stopped and (at_work or (bool(self.busy) and now + self.pause < self.deadline.at))

    def listen(self, worker: _Worker) -> None:
        """Note what became of a process's trial.

        Raises:
            StoreError: the store cannot be written any more.
            EngineError: the caller's script lacks a main guard.
        """
        trial = worker.trial
        assert trial is not None
        done = worker.answer()
        if done is None:
            self._lost(worker, trial)
            return
        self.in_a_row = 0
        if done.fatal:
            raise StoreError(done.fatal)
        self.result.count(trial, done)
        if done.busy:
            self.busy.append(trial)
        if done.record is not None and self.report is not None:
            flying = sum(w.trial is not None for w in self.crew.workers)
            self.report(done.record, len(self.queue) + len(self.busy) + flying)

    def _lost(self, worker: _Worker, trial: Trial) -> None:
        """A process died over its trial: try that again, note that it failed, or stop the sweep."""
        self.crew.workers.remove(worker)
        worker.pipe.close()
        if worker.process.exitcode == processes.UNGUARDED:
            raise EngineError(
                "a trial has a class of your script, which several processes must run again to find it: put what your "
                'script does below `if __name__ == "__main__":`, the class in a module of its own, or take one job'
            )
        self.deaths[trial.key] += 1
        self.in_a_row += 1
        if (record := self.store.read(trial)) is not None:  # it died after its work
            self.result.count(trial, Attempt(record=record))
            self.in_a_row = 0
        self.stopped = self.in_a_row >= self.crew.size
        if self.stopped or (record is None and self.deaths[trial.key] >= DEATHS):
            self.result.failed[trial.key] = f"the process {worker.death}; if memory was short, lower `jobs`"
        elif record is None:
            warnings.warn(f"the process of trial {trial.key} {worker.death}: it is tried again", Note, stacklevel=4)
            self.queue.append(trial)
        if self.stopped:
            many = f"{self.in_a_row} processes died in a row" if self.in_a_row > 1 else "the process died"
            warnings.warn(f"{many}: nothing more is begun", Note, stacklevel=4)
        else:
            self.crew.start()


def _work(pipe: Connection, store: RunStore, device: str | None, threads: int, number: int, until: float) -> None:
    """What each process does; `until` is of a clock that all processes of a machine share."""
    import torch
    from tqdm.auto import tqdm

    tqdm.set_lock(threading.RLock())  # its own is a semaphore of the system, which a process that is killed leaves
    torch.set_num_threads(threads)
    if chosen_device(device) == "cuda":
        device = f"cuda:{number % torch.cuda.device_count()}"  # processes take turns on the GPUs
    with contextlib.suppress(EOFError):  # there is nothing left to do
        while True:
            trial: Trial = pipe.recv()
            try:
                done = attempt(trial, store, device, until=until)
            except StoreError as error:
                done = Attempt(fatal=str(error))
            pipe.send(done)


def _signal(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
