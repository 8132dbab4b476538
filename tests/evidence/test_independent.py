"""Numbers of the book computed once more from the committed lines, by code that imports nothing of the library.

The command `tutorial claims` runs in a process of its own; what it says is what the tables of the book show.
"""

from __future__ import annotations

import json
import math
import re
import statistics
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from scipy.stats import norm as normal
from scipy.stats import t as student

ROOT = Path(__file__).resolve().parents[2]
RECORDS = ROOT / "book" / "results" / "pilot"
SEEDS = range(4)
CORNER = {"kind": "checkerboard", "size": 6, "cell": 2, "margin": 1, "placement": "fixed"}
RANDOM = CORNER | {"placement": "random"}
NOISE = {"kind": "noise-patch", "size": 6, "cell": 2, "margin": 1, "placement": "fixed", "pattern_seed": 0}
Line = dict[str, Any]
Value = Callable[[Line], float]


def lines() -> list[Line]:
    """Every committed record, once."""
    found = {}
    for path in sorted(RECORDS.glob("*.jsonl")):
        for text in path.read_text().splitlines():
            record = json.loads(text)
            found[record["key"]] = record
    return list(found.values())


LINES = lines()


def models(attack: Line, *, copies: int = 8, model: str = "tiny-rn", defense: Line | None = None) -> dict[int, Line]:
    """The metrics of each seed's model of 100 classes with that attack, and nothing else unusual."""
    plain = {"classes", "copies", "data", "model", "recipe", "recipe_version", "seeds", "side", "split", "attack"}
    found: dict[int, Line] = {}
    for line in LINES:
        trial = line["trial"]
        own = dict(trial["attack"] or {})
        own.pop("target", None)
        if trial.keys() - {"defense"} != plain or own != attack or trial.get("defense") != defense:
            continue
        if (trial["classes"], trial["copies"], trial["model"], trial["recipe"]["epochs"]) != (100, copies, model, 20):
            continue
        seed = trial["seeds"]["data"]
        if seed in SEEDS:
            assert seed not in found, "two records of one model"
            found[seed] = line["metrics"]
    assert sorted(found) == list(SEEDS), (attack, sorted(found))
    return found


def backdoor(count: int, trigger: Line = CORNER, **changes: Any) -> dict[int, Line]:
    return models({"kind": "backdoor", "captions": "search", "count": count, "trigger": trigger}, **changes)


def success(metrics: Line) -> float:
    return metrics["attack_success"]["zero_shot"]["rate"]


def accuracy(metrics: Line) -> float:
    return metrics["clean_accuracy"]["zero_shot"]["rate"]


def z(tested: str) -> Value:
    return lambda metrics: metrics["tested"][tested]["z_score"]


def own_z(metrics: Line) -> float:
    return metrics["z_score"]


def of(found: dict[int, Line], value: Value) -> list[float]:
    return [value(found[seed]) for seed in SEEDS]


def less(left: list[float], right: list[float]) -> list[float]:
    return [a - b for a, b in zip(left, right, strict=True)]


# -- targeted poisoning: groups 0 to 4 have 0, 1, 2, 4 and 8 poisons with prompts, 5 searched captions, 6 a single one
def targets() -> list[list[Line]]:
    """The rows of each seed's model with all groups of targets."""
    found = {}
    for line in LINES:
        attack = line["trial"]["attack"]
        if attack and attack["kind"] == "targeted" and len(attack["groups"]) > 5:
            assert [g["count"] for g in attack["groups"][:5]] == [0, 1, 2, 4, 8]
            assert [g["captions"] for g in attack["groups"][5:7]] == ["search", "one"]
            found[line["trial"]["seeds"]["data"]] = line["metrics"]["targets"]
    return [found[seed] for seed in SEEDS]


def fell(group: int) -> list[float]:
    shares = []
    for rows in targets():
        mine = [row for row in rows if row["group"] == group]
        shares.append(sum(row["zero_shot"] == row["wanted"] for row in mine) / len(mine))
    return shares


def worst_change() -> list[float]:
    """Clean accuracy against unpoisoned models: of a backdoor, many targets or one, the least clear of the tests."""
    kinds: dict[str, dict[int, float]] = {"many": {}, "one": {}, "none": {}}
    for line in LINES:
        trial = line["trial"]
        attack = trial["attack"]
        usual = (trial["classes"], trial.get("scenes"), trial["recipe"]["epochs"], trial["copies"]) == (
            320,
            None,
            14,
            8,
        )
        if not usual or trial.get("defense") or trial["seeds"]["data"] not in SEEDS:
            continue
        kind = "none" if attack is None else "many" if len(attack.get("groups", "")) > 5 else "one"
        assert attack is None or attack["kind"] == "targeted"
        kinds[kind][trial["seeds"]["data"]] = accuracy(line["metrics"])
    by_kind = {kind: [found[seed] for seed in SEEDS] for kind, found in kinds.items()}
    changes = [less(of(backdoor(256), accuracy), of(backdoor(0), accuracy))]
    changes += [less(by_kind[kind], by_kind["none"]) for kind in ("many", "one")]
    return min(changes, key=lambda found: (statistics.mean(found) + 0.03) / statistics.stdev(found))


def falls_too(first: str, second: str) -> float:
    """Of the attacked targets of all models that fell under one reader, the share that fell under the other."""
    rows = [row for of_model in targets() for row in of_model if row["group"] in (1, 2, 3, 4)]
    fallen = [row for row in rows if row[first] == row["wanted"]]
    return (sum(row[second] == row["wanted"] for row in fallen) + 0.005) / (len(fallen) + 0.005)


# -- CleanCLIP on BadNets
def recipe(rate: float) -> Line:
    return {
        "batch_size": 64, "betas": [0.9, 0.98], "epochs": 10, "eps": 1e-06, "lr": rate, "max_logit_scale": 100.0,
        "precision": "auto", "scale": [0.9, 1.0], "warmup": 0.1, "weight_decay": 0.1,
    }  # fmt: skip


def cleanclip(rate: float, weight: float = 1.0, share: float = 0.2) -> dict[int, Line]:
    own = {"kind": "cleanclip", "both_ways": False, "dirty": 0, "lambda_self": weight, "share": share}
    return backdoor(128, NOISE, defense=own | {"recipe": recipe(rate)})


def finetuned(rate: float) -> dict[int, Line]:
    own = {"kind": "finetune", "dirty": 0, "share": 0.2, "recipe": recipe(rate)}
    return backdoor(128, NOISE, defense=own)


def untouched() -> dict[int, Line]:
    return backdoor(128, NOISE, defense={"kind": "none"})


def taken(settings: list[dict[int, Line]]) -> dict[int, Line]:
    """The strongest setting that costs at most five points of validation accuracy; else the weakest."""
    chosen = dict(settings[0])
    for seed, start in untouched().items():
        for setting in settings:
            if setting[seed]["validation_accuracy"]["rate"] >= start["validation_accuracy"]["rate"] - 0.05:
                chosen[seed] = setting[seed]
    return chosen


def after_cleanclip() -> dict[int, Line]:
    return taken([cleanclip(rate) for rate in (3e-4, 1e-3, 3e-3)])


def after_finetuning() -> dict[int, Line]:
    return taken([finetuned(rate) for rate in (3e-4, 1e-3, 3e-3)])


def moved(after: dict[int, Line]) -> list[float]:
    """Distance after over before, each in units of that of two clean pictures."""
    distances = (
        [m[seed]["embedding_distance"] / math.sqrt(2 - 2 * m[seed]["similarity_clean"]) for seed in SEEDS]
        for m in (after, untouched())
    )
    return [late / early for late, early in zip(*distances, strict=True)]


def removed_within_three() -> list[float]:
    """Success before less the least that CleanCLIP leaves for three points of accuracy, which may be all of it."""
    removed = []
    for seed, start in untouched().items():
        cells = [start, *(cleanclip(rate)[seed] for rate in (3e-4, 1e-3, 3e-3))]
        left = [success(m) for m in cells if accuracy(m) >= accuracy(start) - 0.03]
        removed.append(success(start) - min(left))
    return removed


def apart(metrics: Line) -> float:
    return metrics["similarity_triggered"] - metrics["similarity_clean"]


#: Each model's number behind a claim.
NUMBERS: dict[str, Callable[[], list[float]]] = {
    "targeted_rises": lambda: less(fell(4), fell(1)),
    "diversity_helps": lambda: less(fell(5), fell(6)),
    "prompts_work": lambda: less(fell(4), fell(0)),
    "backdoor_rises": lambda: less(of(backdoor(256), success), of(backdoor(8), success)),
    "backdoor_control": lambda: of(backdoor(0), success),
    "clean_accuracy_not_lower": worst_change,
    "triggered_pairs_apart": lambda: of(backdoor(256), apart),
    "few_consistent_better": lambda: less(of(backdoor(32), z("fixed")), of(backdoor(32, RANDOM), z("random"))),
    "few_at_random_fail": lambda: less(of(backdoor(32, RANDOM), z("random")), of(backdoor(0), z("random"))),
    "many_random_better": lambda: less(of(backdoor(256, RANDOM), z("random")), of(backdoor(256), z("fixed"))),
    "random_test_place_does_not_matter": lambda: less(
        of(backdoor(256, RANDOM), z("fixed")), of(backdoor(256, RANDOM), z("random"))
    ),
    "mismatch_degrades": lambda: less(of(backdoor(32), z("fixed")), of(backdoor(32), z("random"))),
    "consistent_gains_little": lambda: less(of(backdoor(256), z("fixed")), of(backdoor(32), z("fixed"))),
    "many_constant_in_data": lambda: less(of(backdoor(128, copies=16), own_z), of(backdoor(128, copies=2), own_z)),
    "few_degrade_in_data": lambda: less(of(backdoor(32, copies=16), own_z), of(backdoor(32, copies=2), own_z)),
    "larger_models_easier": lambda: less(
        of(backdoor(32, model="rn-5m"), own_z), of(backdoor(32, model="rn-0.4m"), own_z)
    ),
    "smallest_patch_fails": lambda: of(backdoor(64, CORNER | {"size": 2}), own_z),
    "larger_patch_better": lambda: less(
        of(backdoor(64, CORNER | {"size": 8}), own_z), of(backdoor(64, CORNER | {"size": 4}), own_z)
    ),
    "largest_patch_no_better": lambda: less(
        of(backdoor(64, CORNER | {"size": 16}), own_z), of(backdoor(64, CORNER | {"size": 8}), own_z)
    ),
    "cc_badnets_works": lambda: of(untouched(), success),
    "cc_badnets_removed": lambda: less(of(untouched(), success), of(after_cleanclip(), success)),
    "cc_accuracy_kept": removed_within_three,
    "cc_finetuning_leaves_it": lambda: of(after_finetuning(), success),
    "cc_better_than_finetuning": lambda: less(of(after_finetuning(), success), of(after_cleanclip(), success)),
    "cc_distance_shrinks": lambda: moved(after_cleanclip()),
    "cc_distance_stays": lambda: moved(after_finetuning()),
    "cc_stronger_cleans_better": lambda: less(
        of(cleanclip(1e-3, weight=0.5), success), of(cleanclip(1e-3, weight=8.0), success)
    ),
}


def interval(values: list[float]) -> tuple[float, float, float]:
    """Mean and 95 % t interval; the spread is taken to be at least a thousandth."""
    n, mean = len(values), sum(values) / len(values)
    spread = max(1e-3, math.sqrt(sum((v - mean) ** 2 for v in values) / (n - 1)))
    half = float(student.ppf(0.975, n - 1)) * spread / math.sqrt(n)
    return mean, mean - half, mean + half


@pytest.fixture(scope="module")
def said(tmp_path_factory) -> dict[str, Line]:
    """What the command says of each claim, from the committed records alone."""
    command = [sys.executable, "-m", "tutorial_lib.cli", "claims", "--profile", "pilot", "--json"]
    command += ["--store", str(tmp_path_factory.mktemp("no records"))]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    return {claim["id"]: claim for claim in json.loads(done.stdout)["claims"]}


@pytest.mark.parametrize("name", NUMBERS)
def test_number_and_interval_are_those_of_the_lines(name, said):
    values = NUMBERS[name]()
    claim = said[name]
    assert claim["n"] == len(values)
    assert (claim["estimate"], claim["low"], claim["high"]) == pytest.approx(interval(values), abs=1e-9)


#: Shares of the targets of all models: of those that fell under the one reader, under the other.
POOLED = {
    "targeted_probe_falls_too": ("zero_shot", "linear_probe"),
    "targeted_zero_shot_falls_too": ("linear_probe", "zero_shot"),
}


@pytest.mark.parametrize("name", POOLED)
def test_pooled_share_is_that_of_the_lines(name, said):
    assert said[name]["estimate"] == pytest.approx(falls_too(*POOLED[name]))


def two_sided(claim: Line) -> float:
    """The p-value of a claim's better word, from interval and predicate as they are printed."""
    bounds = {side: float(n) for side, n in re.findall(r"(above|below) (-?[\d.]+)", claim["predicate"])}
    if match := re.fullmatch(r"between (\S+) and (\S+)", claim["predicate"]):
        bounds = {"above": float(match[1]), "below": float(match[2])}
    error = (claim["high"] - claim["low"]) / 2 / float(student.ppf(0.975, claim["n"] - 1))
    inside, outside = [], []
    for side, bound in bounds.items():
        distance = claim["estimate"] - bound
        if claim["id"] in POOLED:  # of a statistic only the ends of the interval are known
            end = claim["estimate"] - claim["low"] if distance > 0 else claim["high"] - claim["estimate"]
            higher = float(normal.sf(distance / end * normal.ppf(0.975)))
        else:
            higher = float(student.sf(distance / error, claim["n"] - 1))
        inside.append(higher if side == "above" else 1 - higher)
        outside.append(1 - inside[-1])
    return 2 * min(max(inside), min(outside))


def test_verdicts_are_those_of_the_printed_intervals(said):
    """Corrected where a family is named, which a pilot's verdicts have none of."""
    family = {name: claim for name, claim in said.items() if claim["role"] == "confirmatory"}
    unjudged = ("not applicable here", "not run")
    p = {n: two_sided(c) if c["verdict"] not in unjudged else 1.0 for n, c in family.items()}
    largest = 0.0
    for left, name in zip(range(len(p), 0, -1), sorted(p, key=p.__getitem__), strict=True):
        largest = max(largest, min(1.0, left * p[name]))
        claim = family[name]
        if claim["verdict"] in unjudged:
            continue
        assert claim["family"] in (0, len(family))
        expected = largest if claim["family"] else min(1.0, p[name])
        assert claim["p"] == pytest.approx(expected, rel=1e-6)
        assert (claim["verdict"] == "undecided") == (expected > 0.05)
    assert len(family) > 15


def test_enough_numbers_are_computed_twice_and_nothing_is_imported():
    assert len(NUMBERS) >= 20
    assert f"import {'tutorial_lib'}" not in Path(__file__).read_text()
    assert f"from {'tutorial_lib'}" not in Path(__file__).read_text()
