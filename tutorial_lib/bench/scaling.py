"""How speed and memory grow: with the number of pairs, with models trained at once, and with scenes rendered."""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from tutorial_lib import models
from tutorial_lib.bench import stacked
from tutorial_lib.data.scenes import EmojiScenes
from tutorial_lib.runs import engines
from tutorial_lib.training.loop import train
from tutorial_lib.trials import Recipe, Seeds, Trial
from tutorial_lib.trials.store import RunStore

SIZES = (4_096, 16_384, 65_536)
#: Scenes of the run whose memory is measured, and those rendered at a time.
SCENES, RENDERED = 300_000, 4_096
MODELS = 4
#: A trial of about 20 s on two cores, and one of about a minute on a GPU.
SMALL = Trial(classes=100, copies=8, recipe=Recipe(epochs=10))
LARGER = Trial(recipe=Recipe(epochs=300))

_CHILD = """
import sys, json
import torch
from tutorial_lib import runs
from tutorial_lib.attacks import Backdoor
from tutorial_lib.machine import peak_memory
from tutorial_lib.trials import Recipe, Trial
scenes = int(sys.argv[1])
recipe = Recipe(epochs=1, batch_size=1024)
trial = Trial(Backdoor(max(1, scenes // 10_000)), scenes=scenes, model="rn-0.4m", recipe=recipe)
outcome = runs.train_trial(trial, progress=False, device="cpu")
print(json.dumps({"bytes": peak_memory(), "samples_per_second": outcome.history.samples_per_second}))
"""


def compare(*, repeats: int = 3, seed: int = 0) -> dict[str, Any]:
    """Samples per second by size of the data, of several models at once, scenes per second, and peak memory."""
    return {
        "samples_per_second_by_pairs": {str(n): _by_size(n, seed) for n in SIZES},
        "models": models_at_once(repeats=repeats),
        "stacked": stacked.compare(count=MODELS, repeats=repeats, seed=seed),
        "scenes_per_second": statistics.median(_scenes_per_second(seed) for _ in range(repeats)),
        "memory": memory(SCENES),
    }


def _by_size(pairs: int, seed: int) -> float:
    data = EmojiScenes(pairs, seed=seed).pairs()
    config = models.model_config("tiny-rn")
    tokenizer = models.tokenizer_for(config, list(data.captions))
    model = models.build(config, tokenizer, seed=seed)
    recipe = Recipe(epochs=max(1, SIZES[1] // pairs))
    return train(model, tokenizer, data, recipe, seed=seed, progress=False).samples_per_second


def _scenes_per_second(seed: int) -> float:
    scenes = EmojiScenes(RENDERED, seed=seed)
    scenes.render([0])  # reads the sprites
    started = time.perf_counter()
    scenes.render(torch.arange(RENDERED))
    return RENDERED / (time.perf_counter() - started)


def models_at_once(*, repeats: int, jobs: int = 0, device: str | None = None) -> dict[str, Any]:
    """Seconds of several small models one after another and several at a time, in processes that share the device.

    Args:
        repeats: medians over so many runs, taken in turn.
        jobs: models at a time; by default one a core, or eight on a GPU.
        device: by default the GPU if there is one.

    Raises:
        RuntimeError: a model fails.
    """
    gpu = torch.cuda.is_available() and device != "cpu"
    jobs = jobs or (8 if gpu else 2)
    count = max(MODELS, jobs)
    base = LARGER if gpu else SMALL
    trials = [replace(base, seeds=Seeds.all(s)) for s in range(count)]
    seconds: dict[int, list[float]] = {1: [], jobs: []}
    for _ in range(repeats):
        for at_once, found in seconds.items():
            with tempfile.TemporaryDirectory() as folder:
                result = engines.sweep(trials, RunStore(Path(folder)), jobs=at_once, device=device)
            if result.made != count:
                raise RuntimeError(
                    f"{count - result.made} of {count} models failed: {list(result.failed.values())[:1]}"
                )
            found.append(result.seconds)
    alone, together = (statistics.median(found) for found in seconds.values())
    return {"models": count, "at_once": jobs, "one_by_one": alone, "together": together, "ratio": alone / together}


def memory(scenes: int) -> dict[str, Any]:
    """Peak memory of a process that trains a backdoored model on so many scenes, and its speed."""
    done = subprocess.run(
        [sys.executable, "-c", _CHILD, str(scenes)], capture_output=True, encoding="utf-8", check=True
    )
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return {"scenes": scenes} | found


def describe(body: dict[str, Any]) -> list[str]:
    """The numbers for people."""
    sizes = ", ".join(f"{int(n):,}: {rate:,.0f}" for n, rate in body["samples_per_second_by_pairs"].items())
    m, s, peak = body["models"], body["stacked"], body["memory"]
    return [
        f"samples/s by number of pairs: {sizes}",
        f"{m['models']} small models: {m['one_by_one']:.0f} s one by one, {m['together']:.0f} s {m['at_once']} at a "
        f"time ({m['ratio']:.2f} times as fast)",
        f"{s['models']} models with stacked parameters: {s['stacked_ms']:.0f} ms a model's pass, "
        f"{s['one_by_one_ms']:.0f} ms one by one ({s['ratio']:.2f} times as fast)",
        f"scenes at 32 x 32: {body['scenes_per_second']:,.0f}/s",
        f"{peak['scenes']:,} scenes with poisons, trained: peak memory {peak['bytes'] / 2**30:.2f} GiB",
    ]
