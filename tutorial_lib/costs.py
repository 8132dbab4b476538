"""What a trial will take: seconds on this machine, from records made on it, and money on a rented GPU.

Imports nothing heavy.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from statistics import median

from tutorial_lib.trials import Record, Trial

#: Training drawings per class of EmojiCaps (five styles), and pairs of the data sets that users bring.
STYLES, SHARD_PAIRS = 5, {"cc3m": 2_950_000, "yfcc15m": 15_000_000}

#: Seconds a sample of tiny-rn at 32 pixels takes where no record tells: two cores of a cloud CPU.
DEFAULT = {"cpu": 1 / 3000, "gpu": 1 / 100_000}
#: A sample with augmented views relative to one without, as `tutorial bench --only clean` measures it on two cores.
VIEWS = 1.7
#: Measuring and preparing, in seconds.
OVERHEAD = 4.0


def pairs(trial: Trial) -> int:
    """About how many clean pairs a trial trains on."""
    if trial.limit:
        return trial.limit
    if trial.shards:
        return SHARD_PAIRS.get(trial.shards, SHARD_PAIRS["cc3m"])
    return trial.scenes or trial.classes * STYLES * trial.copies


def samples(trial: Trial) -> int:
    """Pairs that pass through the model in all epochs, without poisons.

    Models that a defense cleans are trained once; that is counted where they are measured as they are.
    """
    defense = trial.defense
    if defense is None or defense.method == "none":
        return round(pairs(trial) * trial.recipe.epochs * (VIEWS if trial.self_supervision else 1))
    views = VIEWS if defense.method in ("cleanclip", "self_supervised", "anti_backdoor") else 1
    return round(pairs(trial) * defense.share * defense.recipe.epochs * views)


@cache
def relative_cost(model: str, side: int) -> float:
    """Arithmetic of a sample relative to tiny-rn at 32 pixels, roughly: width² x depth x pixels."""
    path = Path(__file__).resolve().parent / "model_configs" / f"{model}.json"
    if not path.is_file():
        return 700 * (side / 224) ** 2  # ResNet-50 at 224 pixels: 6.1 GFLOPs against 9 MFLOPs
    vision = json.loads(path.read_text())["vision_cfg"]
    return (0.35 + 0.65 * (vision["width"] / 16) ** 2 * sum(vision["layers"]) / 4) * (side / 32) ** 2


class CostModel:
    """Seconds per trial on one kind of hardware.

    Args:
        records: any; those made on `hardware` calibrate the model.
        hardware: as `tutorial_lib.runs.hardware` gives it, or its beginning.
        device: "cpu" or "gpu", for the default where no record fits.
    """

    def __init__(self, records: Iterable[Record] = (), hardware: str = "", device: str = "cpu") -> None:
        units = []
        for record in records:
            if hardware and not record.hardware.startswith(hardware):
                continue
            body = record.trial
            if body.get("defense"):
                continue
            passed = record.metrics.get("steps", 0) * body["recipe"]["batch_size"]
            if passed:
                work = passed * relative_cost(body["model"], body["side"])
                units.append(max(record.seconds - OVERHEAD, 1e-3) / work)
        self.calibrated_on = len(units)
        self.seconds_per_unit = median(units) if units else DEFAULT[device]

    def seconds(self, trial: Trial) -> float:
        """Estimated seconds of one trial."""
        share = 0.6 if trial.objective == "supervised" else 1.0  # no text tower
        work = samples(trial) * relative_cost(trial.model, trial.side) * share
        return OVERHEAD + work * self.seconds_per_unit

    def total(self, trials: Iterable[Trial], *, jobs: int = 1) -> float:
        """Estimated seconds of several trials, `jobs` at a time."""
        return math.fsum(self.seconds(t) for t in trials) / jobs


def duration(seconds: float) -> str:
    """Seconds in words: 48 s, 12 min, 3.4 h, 5.2 days."""
    for limit, unit, name in ((90, 1, "s"), (90 * 60, 60, "min"), (72 * 3600, 3600, "h")):
        if seconds < limit:
            value = seconds / unit
            return f"{value:.0f} {name}" if name != "h" or value >= 10 else f"{value:.1f} {name}"
    return f"{seconds / 86400:.1f} days"


def parse_duration(text: str) -> float:
    """Seconds of "90m", "2h", "45s" or a number of minutes.

    Raises:
        ValueError: it is none of these, or not positive.
    """
    unit = {"s": 1, "m": 60, "h": 3600}.get(text[-1:].lower(), 0)
    try:
        value = float(text[:-1] if unit else text) * (unit or 60)
    except ValueError:
        value = -1.0
    if not value > 0 or math.isinf(value):
        raise ValueError(f"a time limit is a positive number with s, m or h, as in 90m; not {text!r}")
    return value
