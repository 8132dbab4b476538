"""What a sweep says while it runs."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from tutorial_lib.costs import duration
from tutorial_lib.trials import Record

#: Seconds without a word after which a sweep says that it is still at work.
SILENCE = 30.0


class Progress:
    """A line per finished trial with the remaining time, and one where nothing ended for a while."""

    def __init__(self, todo: int, estimate: float, say: Callable[[str], None]) -> None:
        self.todo, self.estimate, self.say = todo, estimate, say
        self.started = time.monotonic()
        self._done = 0
        self._spoken, self._ended = threading.Event(), False
        self._thread = threading.Thread(target=self._assure, daemon=True)

    def __enter__(self) -> Progress:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended = True
        self._spoken.set()
        self._thread.join()

    def __call__(self, record: Record, left: int) -> None:
        self._done = self.todo - left
        self._spoken.set()
        self.say(f"{self._place} {record.key} {record.seconds:.0f} s, about {duration(self._remaining())} left")

    @property
    def _place(self) -> str:
        return f"[{self._done}/{self.todo}]"

    def _remaining(self) -> float:
        passed = time.monotonic() - self.started
        each = passed / self._done if self._done else 0.0
        return each * (self.todo - self._done) if self._done else max(0.0, self.estimate - passed)

    def _assure(self) -> None:
        while not self._ended:
            if self._spoken.wait(SILENCE):
                self._spoken.clear()
                continue
            passed = duration(time.monotonic() - self.started)
            self.say(f"{self._place} at work for {passed}, about {duration(self._remaining())} left")
