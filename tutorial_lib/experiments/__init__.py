"""Experiments over several models: which trials, where their records are, how they are reduced."""

from __future__ import annotations

from pathlib import Path

from tutorial_lib.runs import Record, Trial, read_records

#: Committed records, one JSON-lines file per experiment.
RESULTS = Path(__file__).resolve().parents[2] / "book" / "results" / "cpu"


def recorded(name: str, trials: list[Trial]) -> list[Record]:
    """The committed records of the given trials, in their order; trials without a record are left out."""
    by_key = {record.key: record for record in read_records(RESULTS / f"{name}.jsonl")}
    return [by_key[trial.key] for trial in trials if trial.key in by_key]


def stamp(records: list[Record]) -> str:
    """What made a figure, for its small print: profile, models, hardware and date."""
    if not records:
        return "no records yet"
    return f"profile cpu, {len(records)} models, {records[0].hardware}, {max(r.date for r in records)}"
