"""Training beside a process that keeps a core busy: with threads that fit the free cores, and with all threads."""

from __future__ import annotations

import contextlib
import json
import statistics
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

#: Passes over the pairs of a run; the first is left out, since PyTorch starts its threads in it.
EPOCHS = 4
#: Other work: how many processes.
BUSY = 1

_CHILD = """
import contextlib, json, sys, time
from dataclasses import replace
import torch
from tutorial_lib import profiles
from tutorial_lib.runs import train_trial
from tutorial_lib.training import loop
fit, epochs, seed = sys.argv[1] == "fit", int(sys.argv[2]), int(sys.argv[3])
if not fit:
    @contextlib.contextmanager
    def fitting_threads(*, on=True):
        yield lambda: None
    loop.fitting_threads = fitting_threads
trial = profiles.get("cpu").backdoor(0, seed)
trial = replace(trial, recipe=replace(trial.recipe, epochs=epochs))
times, threads = [], []
def on_epoch(number, model):
    times.append(time.perf_counter()); threads.append(torch.get_num_threads())
outcome = train_trial(trial, progress=False, device="cpu", on_epoch=on_epoch)
pairs = len(outcome.clean) // trial.recipe.batch_size * trial.recipe.batch_size
print(json.dumps({"samples_per_second": pairs * (epochs - 1) / (times[-1] - times[0]), "threads": threads[-1]}))
"""


@contextlib.contextmanager
def _company(processes: int) -> Iterator[None]:
    """Processes that do nothing but keep a core busy, for the time of the block."""
    others = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(processes)]
    try:
        yield
    finally:
        for other in others:
            other.kill()
            other.wait()


def _run(how: str, seed: int) -> dict[str, Any]:
    command = [sys.executable, "-c", _CHILD, how, str(EPOCHS), str(seed)]
    done = subprocess.run(command, capture_output=True, encoding="utf-8", check=True)
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def compare(*, repeats: int = 3, seed: int = 0) -> dict[str, Any]:
    """Median samples a second alone and beside `BUSY` busy processes; each way in turn, in processes of their own."""
    rates: dict[str, list[float]] = {f"{how} {where}": [] for how in ("fit", "all") for where in ("alone", "beside")}
    threads = {}
    for _ in range(repeats):
        for where, others in (("alone", 0), ("beside", BUSY)):
            with _company(others):
                for how in ("fit", "all"):
                    found = _run(how, seed)
                    rates[f"{how} {where}"].append(found["samples_per_second"])
                    threads[f"{how} {where}"] = found["threads"]
    median = {name: statistics.median(found) for name, found in rates.items()}
    return {
        "busy": BUSY,
        "samples_per_second": median,
        "threads": threads,
        "kept": median["fit beside"] / median["fit alone"],
        "kept_with_all_threads": median["all beside"] / median["all alone"],
    }


def describe(body: dict[str, Any]) -> list[str]:
    """The numbers for people."""
    rate = body["samples_per_second"]
    return [
        f"beside {body['busy']} busy core: {rate['fit beside']:,.0f} samples/s of {rate['fit alone']:,.0f} alone "
        f"({body['kept']:.2f}); with all threads {rate['all beside']:,.0f} of {rate['all alone']:,.0f} "
        f"({body['kept_with_all_threads']:.2f})"
    ]
