"""Make the committed records of the book: several trained models behind each figure.

    python data_scripts/records.py                        # what is missing, then book/results/cpu/*.jsonl
    python data_scripts/records.py backdoor_count         # one experiment
    python data_scripts/records.py --time-limit 90        # stop between two trials after 90 minutes

One trial takes about a minute and a half on two CPU cores. Stop it whenever you like: finished trials are kept in
build/runs and in the committed files, and the next call goes on.
"""

from __future__ import annotations

import argparse
import itertools
import time
from pathlib import Path

from tutorial_lib import experiments
from tutorial_lib.experiments import backdoor_count, targeted_count
from tutorial_lib.runs import Trial, read_records, run_all, write_records

EXPERIMENTS = {"backdoor_count": backdoor_count.trials, "targeted_count": targeted_count.trials}
STORE = Path(__file__).resolve().parents[1] / "build" / "runs"


def take_committed(path: Path, store: Path) -> None:
    """Put committed records into the store, so that they are not made again."""
    if path.is_file():
        store.mkdir(parents=True, exist_ok=True)
        for record in read_records(path):
            (store / f"{record.key}.json").write_text(record.to_json() + "\n")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("experiments", nargs="*", metavar="EXPERIMENT", help=f"{', '.join(EXPERIMENTS)} (default: all)")
    parser.add_argument("--time-limit", type=float, default=float("inf"), metavar="MINUTES")
    args = parser.parse_args()
    if unknown := set(args.experiments) - set(EXPERIMENTS):
        parser.error(f"there is no experiment {', '.join(sorted(unknown))}; choose from {', '.join(EXPERIMENTS)}")
    end = time.monotonic() + 60 * args.time_limit
    for name in args.experiments or EXPERIMENTS:
        path = experiments.RESULTS / f"{name}.jsonl"
        take_committed(path, STORE)
        trials: list[Trial] = EXPERIMENTS[name]()
        done = [t for t in trials if (STORE / f"{t.key}.json").is_file()]
        left = [t for t in trials if t not in done]
        records = list(run_all(done, STORE))
        for trial in itertools.takewhile(lambda _: time.monotonic() < end, left):
            records += run_all([trial], STORE)
            print(f"{name}: {len(records)} of {len(trials)}", flush=True)
        if records:
            write_records(records, path)
        if len(records) < len(trials):
            print(f"{name}: {len(trials) - len(records)} trials are left; call again to go on")


if __name__ == "__main__":
    main()
