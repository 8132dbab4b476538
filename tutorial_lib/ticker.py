"""Progress on standard error: a bar in a terminal, a line every some seconds where it is none."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable, Iterator
from types import TracebackType
from typing import Any, TypeVar

from tqdm.auto import tqdm

T = TypeVar("T")


class Ticker:
    """Counts what is done, and says so now and then. A context manager.

    Args:
        doing: what is done.
        unit: of what.
        total: how many there are, 0 where that is not known.
        done: how many were done before.
        every: seconds between two lines.
        lines: say lines where there is no terminal.
        bar: show a bar where there is one.

    Example:
        >>> with Ticker("importing", "pairs", 2) as ticker:
        ...     ticker.tick()
        >>> ticker.done
        1
    """

    def __init__(
        self,
        doing: str,
        unit: str,
        total: int = 0,
        done: int = 0,
        *,
        every: float = 10,
        lines: bool = True,
        bar: bool = True,
    ) -> None:
        self.doing, self.unit, self.total, self.done, self.every = doing, unit, total, done, every
        self._before, self._lines, self._drawn = done, lines, bar
        self._said = ""

    def __enter__(self) -> Ticker:
        self._start = self._last = time.monotonic()
        self._terminal = sys.stderr is not None and sys.stderr.isatty()
        self._bar = tqdm(
            total=self.total or None,
            initial=self.done,
            unit=self.unit.removesuffix("s"),
            desc=self.doing,
            disable=not (self._terminal and self._drawn),
        )
        return self

    def tick(self, many: int = 1) -> None:
        """One more is done, or many."""
        self.done += many
        self._bar.update(many)
        if self._terminal or not self._lines:
            return
        now = time.monotonic()
        if now - self._last >= self.every:
            self._last = now
            print(self.line(now - self._start), file=sys.stderr, flush=True)

    def over(self, items: Iterable[T]) -> Iterator[T]:
        """The items, each counted when the next one is asked for.

        Example:
            >>> ticker = Ticker("reading", "pairs")
            >>> list(ticker.over("ab")), ticker.done
            (['a', 'b'], 2)
        """
        with self:
            for item in items:
                yield item
                self.tick()

    def note(self, **values: Any) -> None:
        """What the bar and the lines add, such as a loss."""
        self._bar.set_postfix(**values)
        self._said = "".join(f", {name} {value}" for name, value in values.items())

    def line(self, seconds: float) -> str:
        """What is said after so many seconds.

        Example:
            >>> ticker = Ticker("importing", "pairs", 1000)
            >>> ticker.done = 250
            >>> ticker.line(10)
            'importing: 250 of 1,000 pairs, 25/s, about 30 s left'
        """
        rate = (self.done - self._before) / max(seconds, 1e-9)
        of = f" of {self.total:,}" if self.total else ""
        text = f"{self.doing}: {self.done:,}{of} {self.unit}, {rate:,.{0 if rate >= 10 or not rate else 1}f}/s"
        if not self.total or not rate:
            return text + self._said
        left = max(0.0, self.total - self.done) / rate
        return f"{text}, about {f'{left:.0f} s' if left < 120 else f'{left / 60:,.0f} min'} left{self._said}"

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._bar.close()
