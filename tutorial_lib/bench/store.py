"""What the run store costs: `tutorial status` beside many records, and bookkeeping beside a trial."""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from tutorial_lib.trials import Metrics, Record, Seeds, Trial
from tutorial_lib.trials.store import RunStore

RECORDS = 10_000
#: A short demo trial, in seconds; the share of the bookkeeping is stated against it.
DEMO_TRIAL = 20.0


def _record(seed: int) -> Record:
    trial = Trial(seeds=Seeds.all(seed))
    metrics: Metrics = {"steps": 100, "pairs_by_similarity": {"clean": list(range(300))}}
    return Record(trial.key, trial.as_dict(), metrics, 20.0, "none", {}, "2026-01-01")


def _status(folder: Path) -> float:
    command = [sys.executable, "-m", "tutorial_lib.cli", "status", "--profile", "cpu", "--store", str(folder), "--json"]
    started = time.perf_counter()
    done = subprocess.run(command, capture_output=True, encoding="utf-8", check=True)
    seconds = time.perf_counter() - started
    if json.loads(done.stdout)["stored_records"] != RECORDS:
        raise RuntimeError("status did not see every record")
    return seconds


def compare(*, repeats: int = 3) -> dict[str, Any]:
    """Median seconds of `tutorial status` with 10,000 records, and of looking up, claiming and writing one."""
    with tempfile.TemporaryDirectory() as name:
        store = RunStore(Path(name)).open_for_writing()
        made = [_record(seed) for seed in range(RECORDS)]
        each = []
        for record in made:
            started = time.perf_counter()
            with store.claim(Trial(seeds=Seeds.all(int(record.trial["seeds"]["data"])))):
                store.read(record.key)
                store.write(record)
            each.append(time.perf_counter() - started)
        status = [_status(store.folder) for _ in range(repeats)]
    return {
        "records": RECORDS,
        "status_seconds": statistics.median(status),
        "bookkeeping_seconds": statistics.median(each),
        "bookkeeping_share": statistics.median(each) / DEMO_TRIAL,
    }


def describe(body: dict[str, Any]) -> list[str]:
    return [
        f"store: status with {body['records']:,} records {body['status_seconds']:.2f} s; looking up, claiming and "
        f"writing a record {1000 * body['bookkeeping_seconds']:.2f} ms, {body['bookkeeping_share']:.3%} of a trial of "
        f"{DEMO_TRIAL:.0f} s"
    ]
