"""Sphinx extension: what figures cost, and how fast the library is, from records and plans.

```{what-it-costs}```     every figure: hours of a CPU that were measured, GPU hours that are planned
```{benchmarks}```        a table per file in book/results/bench, which `tutorial bench --json` wrote
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from docutils import nodes
from records import source, table
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment
from sphinx.util.docutils import SphinxDirective

from tutorial_lib import places, profiles
from tutorial_lib.costs import rented
from tutorial_lib.costs.gpus import GPUS
from tutorial_lib.costs.seconds import duration
from tutorial_lib.evidence import registry

BENCH = places.results() / "bench"
#: Profiles whose records say how long a model took.
MEASURED = ("pilot", "cpu")
#: GPU of each profile's plan, and how many of them share a model.
PLANNED = {"gpu": ("H100", 1), "paper": ("A100", 8)}

Row = list[list[nodes.Node] | str]


class WhatItCosts(SphinxDirective):
    """A row per figure, and the sum."""

    def run(self) -> list[nodes.Node]:
        rows: list[Row] = []
        sums = [0.0] * 7
        for name in registry.names():
            module = registry.load(name)
            numbers = [seconds(name, profile) for profile in MEASURED]
            cells = [_time(measured) for measured in numbers]
            for profile, (gpu, together) in PLANNED.items():
                trials = registry.planned(name, profiles.get(profile))
                if not trials:
                    cells += ["–", "–"]
                    numbers += [0.0, 0.0]
                    continue
                cost = rented.estimate(trials, [GPUS[gpu]], together=together)["gpus"][gpu]
                cells += [_time(cost["gpu_hours"] * 3600), _price(cost["usd"])]
                numbers += [cost["gpu_hours"] * 3600, cost["usd"]]
            trials = module.trials(profiles.get("paper"))
            v100 = rented.estimate(trials, [GPUS["V100"]])["gpus"]["V100"]["gpu_hours"] if trials else 0.0
            numbers.append(v100 * 3600)
            cells.append(_time(v100 * 3600))
            sums = [a + b for a, b in zip(sums, numbers, strict=True)]
            rows.append([module.TITLE, *cells])
        of_gpu, of_paper = (_time(sums[2]), _price(sums[3])), (_time(sums[4]), _price(sums[5]))
        everything = [_time(sums[0]), _time(sums[1]), *of_gpu, *of_paper, _time(sums[6])]
        rows.append(["all; models that figures share are in each", *everything])
        head = [
            "figure",
            "pilot: measured, one core",
            "cpu: measured, one core",
            "gpu: H100 time",
            "price",
            "paper: A100 time",
            "price",
            "V100 time",
        ]
        return [table(head, rows, [30, 12, 12, 12, 10, 12, 10, 12])]


def seconds(name: str, profile: str) -> float:
    """What the committed records of an experiment took, one after the other."""
    found = source(profile).behind(name)
    return sum(record.seconds for record in found.of(registry.load(name).trials(found.profile)))


def _time(seconds: float) -> str:
    """In hours where they are many: a column in days, hours and minutes cannot be compared; in one line."""
    if not seconds:
        return "–"
    said = duration(seconds) if seconds < 10 * 3600 else f"{seconds / 3600:,.0f} h"
    return said.replace(" ", "\N{NO-BREAK SPACE}")


def _price(dollars: float) -> str:
    return f"${dollars:,.0f}" if dollars >= 1 else "under\N{NO-BREAK SPACE}$1"


def _number(value: float | None, form: str = ",.0f") -> str:
    return "–" if value is None else format(value, form)


def benchmark_rows(body: dict[str, Any]) -> list[Row]:
    """The numbers of one run of `tutorial bench --json`, each with its peer and their ratio."""
    rows: list[Row] = []
    if (t := body.get("train")) is not None:
        peer, plain = t["open_clip_train"], t["plain_loop"]["samples_per_second"]
        what = f"training {t['model']}, batch {t['batch_size']}, samples/s"
        ours = _number(t["samples_per_second"])
        rate, factor = _number(peer["samples_per_second"]), _number(t["ratio_to_open_clip_train"], ".2f")
        rows.append([what, ours, f"open_clip_train ({peer['setting']}): {rate}", factor])
        rows.append([what, ours, f"a plain PyTorch loop: {_number(plain)}", _number(t["ratio_to_plain_loop"], ".2f")])
        peak = t["peak"]
        most = f"a large matrix product: {_number(peak['matrix_product'] / 1e9)}"
        rows.append(["the same, GFLOP/s", _number(peak["flops_per_second"] / 1e9), most, _number(peak["share"], ".2f")])
        rows += [[f"a step without: {name}", "–", "–", _number(f, ".2f")] for name, f in t["shortcuts"].items()]
        if (race := t.get("time_to_accuracy")) is not None:
            a, b = race["seconds"], race["open_clip_train_seconds"]
            ratio = b / a if a and b else None
            what = f"seconds to {race['goal']:.0%} zero-shot over 320 classes"
            rows.append([what, _number(a), f"open_clip_train: {_number(b)}", _number(ratio, ".2f")])
    if (z := body.get("zscore")) is not None:
        rows.append(_z_score(z))
    if (c := body.get("clean")) is not None:
        for name, ratio in c["ratio_to_finetuning"].items():
            step, plain = _number(c["step_ms"][name]), _number(c["step_ms"]["finetune"])
            rows.append([f"cleaning, {name}: ms a step", step, f"finetune: {plain}", _number(ratio, ".2f")])
    if (n := body.get("detect")) is not None:
        rows += _neighbours(n)
    if (b := body.get("company")) is not None:
        rate = b["samples_per_second"]
        what = f"training beside {b['busy']} busy core, samples/s; ratio: to alone"
        other = f"with a thread on every core: {_number(rate['all beside'])} ({b['kept_with_all_threads']:.2f})"
        rows.append([what, _number(rate["fit beside"]), other, _number(b["kept"], ".2f")])
    if (s := body.get("scaling")) is not None:
        m = s["models"]
        one_by_one = f"one by one: {_number(m['one_by_one'])}"
        what = f"{m['models']} small models, {m['at_once']} at a time, seconds"
        rows.append([what, _number(m["together"]), one_by_one, _number(m["ratio"], ".2f")])
        k = s["stacked"]
        what = f"{k['models']} models with stacked parameters (torch.func), ms a model's pass"
        peer = f"one by one: {_number(k['one_by_one_ms'])}"
        rows.append([what, _number(k["stacked_ms"]), peer, _number(k["ratio"], ".2f")])
        for pairs, rate in s["samples_per_second_by_pairs"].items():
            rows.append([f"training on {int(pairs):,} pairs, samples/s", _number(rate), "–", "–"])
        rows.append(["scenes rendered at 32 x 32, a second", _number(s["scenes_per_second"]), "–", "–"])
        peak = s["memory"]
        what = f"peak memory of a run on {peak['scenes']:,} scenes, GiB"
        rows.append([what, _number(peak["bytes"] / 2**30, ".2f"), "–", "–"])
    return rows


def _z_score(z: dict[str, Any]) -> Row:
    what = f"z-score of {z['n']:,} × {z['d']} embeddings, seconds"
    peer = f"pairwise, in blocks: {_number(z['seconds']['blocks'], '.1f')}"
    return [what, _number(z["seconds"]["fast"], ".2f"), peer, _number(z["speedup"], ".1f")]


def _neighbours(n: dict[str, Any]) -> list[Row]:
    seconds, peak, size = n["seconds"], n["peak_gib"], f"{n['n']:,} × {n['d']} embeddings"
    what = f"{n['k']} nearest of {n['reference']:,} for {size}, seconds"
    ours, index = _number(seconds["ours"], ".1f"), _number(seconds["index"])
    faiss, scikit = (f"{name}: {_number(seconds[name], '.1f')}" for name in ("faiss", "scikit-learn"))
    every = f"every distance, by faiss: about {_number(seconds['all'])}"
    return [
        [what, ours, faiss, _number(n["ratio_to_faiss"], ".2f")],
        [what, ours, scikit, _number(n["ratio_to_scikit_learn"], ".2f")],
        ["the same, most memory, GiB", _number(peak["ours"], ".1f"), f"faiss: {_number(peak['faiss'], '.1f')}", "–"],
        [f"{n['k']} nearest of all of {size}, seconds", index, every, _number(n["ratio_to_all"], ".1f")],
        ["the same, most memory, GiB", _number(peak["index"], ".1f"), "–", "–"],
    ]


class Benchmarks(SphinxDirective):
    """A heading with the machine, and a table, for each committed run."""

    def run(self) -> list[nodes.Node]:
        out: list[nodes.Node] = []
        for path in sorted(BENCH.glob("*.json")):
            self.env.note_dependency(str(path))
            body = json.loads(path.read_text())
            machine = body["machine"]
            said = (
                f"{machine['gpu'] or machine['cpu']}, {machine['threads']} threads, {machine['memory_gib']} GiB, torch "
                f"{machine['versions']['torch']}, Python {machine['python']}; medians of {body['repeats']} runs."
            )
            out.append(nodes.paragraph("", said))
            out.append(table(["what", "ours", "peer", "ratio"], benchmark_rows(body), [46, 14, 40, 12]))
        return out or [nodes.paragraph("", "No benchmark has been committed yet.")]


def outdated(app: Sphinx, env: BuildEnvironment, added: set[str], changed: set[str], removed: set[str]) -> list[str]:
    """Costs change with records, profiles and the table of GPUs: that page is read anew each time."""
    return [name for name in env.found_docs if "{what-it-costs}" in Path(env.doc2path(name)).read_text()]


def setup(app: Sphinx) -> dict[str, Any]:
    app.add_directive("what-it-costs", WhatItCosts)
    app.add_directive("benchmarks", Benchmarks)
    app.connect("env-get-outdated", outdated)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
