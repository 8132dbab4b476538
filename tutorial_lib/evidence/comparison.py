"""Tables that compare methods: words, measured numbers with their intervals over models, and where they are from."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from tutorial_lib.evidence.statistics import Estimate, estimate_mean
from tutorial_lib.evidence.table import Table


@dataclass(frozen=True)
class Measure:
    """A column of numbers.

    Attributes:
        key: its name in files.
        title: what a reader sees.
        unit: "%" shows a share in per cent; else what stands behind the title.
        best: whether "high" or "low" numbers are good; "" where that is no question.
        bounds: what the quantity cannot leave, where intervals are cut.
        form: how a number is written.

    Example:
        >>> rate = Measure("success", "attack success", "%", best="low", bounds=(0, 1))
        >>> rate.head, rate.written(0.125)
        ('attack success (%)', '12.5')
    """

    key: str
    title: str
    unit: str = ""
    best: str = ""
    bounds: tuple[float, float] = (-math.inf, math.inf)
    form: str = ".1f"

    @property
    def head(self) -> str:
        """The title with its unit."""
        return f"{self.title} ({self.unit})" if self.unit else self.title

    @property
    def scale(self) -> float:
        """By what a number is multiplied before it is written."""
        return 100.0 if self.unit == "%" else 1.0

    def written(self, value: float) -> str:
        """A number as it is shown."""
        return format(self.scale * value, self.form)

    def over(self, values: Iterable[float]) -> Estimate | None:
        """The mean over models and its 95 % interval, cut at the bounds; of one model no interval, of none nothing."""
        found = [float(v) for v in values]
        if not found:
            return None
        if len(found) == 1:
            return Estimate(found[0], math.nan, math.nan, 1, math.nan, "one model")
        mean = estimate_mean(found)
        low, high = self.bounds
        return replace(mean, low=max(mean.low, low), high=min(mean.high, high))


@dataclass(frozen=True)
class Row:
    """A row: its words, and what was measured by the key of a column, `None` where nothing was yet.

    Example:
        >>> Row(("badnets", "CleanCLIP"), {"success": None}).words[1]
        'CleanCLIP'
    """

    words: tuple[str, ...]
    values: Mapping[str, Estimate | None]


@dataclass(frozen=True)
class Comparison:
    """A table that compares methods.

    Attributes:
        name: what a command calls it.
        title: with the scale of what was measured.
        columns: titles of the words.
        measures: the columns of numbers.
        rows: in their order.
        profile: of the records.
        notes: what a reader must know, a sentence each.

    Example:
        >>> rate = Measure("success", "attack success", "%", best="low", bounds=(0, 1))
        >>> row = Row(("badnets", "none"), {"success": rate.over([0.75, 0.5])})
        >>> made = Comparison("defenses", "Small models", ("attack", "defense"), (rate,), (row,), "test")
        >>> print(made)
        Small models
         attack  defense      attack success (%)
        badnets     none  62.5 [0.0, 100.0], n=2
        >>> print(made.csv.splitlines()[1])
        badnets,none,0.625,0,1,2
    """

    name: str
    title: str
    columns: tuple[str, ...]
    measures: tuple[Measure, ...]
    rows: tuple[Row, ...]
    profile: str
    notes: tuple[str, ...] = ()

    @property
    def table(self) -> Table:
        """As words, for a terminal or a notebook."""
        head = (*self.columns, *(m.head for m in self.measures))
        return Table(head, tuple((*row.words, *(self.said(row, m) for m in self.measures)) for row in self.rows))

    def said(self, row: Row, measure: Measure) -> str:
        """A cell in words; a dash where there is nothing to measure."""
        return said(measure, row.values[measure.key]) if measure.key in row.values else "–"

    @property
    def csv(self) -> str:
        """Comma-separated values: the mean, both ends of the interval and the number of models of each measure."""
        out = io.StringIO()
        writer = csv.writer(out, lineterminator="\n")
        writer.writerow([*self.columns, *(f"{m.key}{part}" for m in self.measures for part in PARTS)])
        for row in self.rows:
            numbers = [number for m in self.measures for number in _numbers(row.values.get(m.key))]
            writer.writerow([*row.words, *("" if n is None else n for n in numbers)])
        return out.getvalue()

    def as_dict(self) -> dict[str, Any]:
        """Plain data."""
        return {
            "name": self.name,
            "title": self.title,
            "profile": self.profile,
            "rows": [
                dict(zip(self.columns, row.words, strict=True))
                | {
                    m.key: dict(zip(("mean", "low", "high", "models"), _numbers(row.values.get(m.key)), strict=True))
                    for m in self.measures
                }
                for row in self.rows
            ],
            "notes": list(self.notes),
        }

    def __str__(self) -> str:
        return "\n".join([self.title, repr(self.table), *self.notes])


#: What follows the key of a measure in the head of a file.
PARTS = ("", "_low", "_high", "_models")


def _numbers(found: Estimate | None) -> list[float | int | None]:
    """Mean, ends of the interval, models; JSON has no NaN."""
    if found is None:
        return [None, None, None, 0]
    ends = (None if math.isnan(v) else round(v, 6) for v in (found.low, found.high))
    return [round(found.value, 6), *ends, found.n]


def said(measure: Measure, found: Estimate | None) -> str:
    """A number with its interval and the number of models.

    Example:
        >>> said(Measure("z", "z-score"), None), said(Measure("z", "z-score"), Measure("z", "").over([2.5]))
        ('not run', '2.5, n=1')
    """
    if found is None:
        return "not run"
    if math.isnan(found.low):
        return f"{measure.written(found.value)}, n={found.n}"
    return f"{measure.written(found.value)} [{measure.written(found.low)}, {measure.written(found.high)}], n={found.n}"


def defense_effectiveness(success: tuple[float, float], accuracy: tuple[float, float]) -> float:
    """BackdoorBench's defense effectiveness rating (DER): one number for what a defense removes and what it costs.

    DER = (max(0, ΔASR) - max(0, ΔACC) + 1) / 2, where ΔASR and ΔACC are the drops of attack success and of clean
    accuracy. 1 is a perfect attack undone at no cost, 1/2 a defense that does nothing, or one that costs as much as it
    removes. It cannot exceed (1 + ASR) / 2 of the attack before, so that ratings of a weak and of a strong attack are
    not comparable.

    Args:
        success: of the attack, before and after the defense, without pictures of the target.
        accuracy: on clean pictures, before and after.

    Source: Zhu et al. (2023), equation 7; BackdoorBench's leaderboard has it.

    Example:
        >>> defense_effectiveness((1.0, 0.0), (0.5, 0.5)), defense_effectiveness((1.0, 1.0), (0.5, 0.5))
        (1.0, 0.5)
    """
    gained, lost = max(0.0, success[0] - success[1]), max(0.0, accuracy[0] - accuracy[1])
    return (gained - lost + 1) / 2
