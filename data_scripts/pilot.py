"""Make the records of the pilot that chose the grids of the profiles: book/results/pilot/pilot.jsonl.

    python data_scripts/pilot.py --jobs 2

About twenty minutes on two CPU cores; stop it whenever you like, the next call goes on. The chapter on what makes it
work shows what came out. The store is one of its own: some of these trials are trials of `cpu` too, whose records were
to come after the claims.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from tutorial_lib import places
from tutorial_lib.experiments import pilot
from tutorial_lib.runs.engines import sweep
from tutorial_lib.trials.store import RunStore, write_lines


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--store", type=Path, default=places.built() / "pilot", help="default: build/pilot")
    args = parser.parse_args()
    store = RunStore(args.store).open_for_writing()
    store.take(pilot.recorded().values())
    sweep(pilot.trials(), store, jobs=args.jobs, report=lambda r, left: print(f"{r.key}: {left} left", flush=True))
    write_lines((r for r in map(store.read, pilot.trials()) if r is not None), pilot.path())


if __name__ == "__main__":
    main()
