"""What a trial will take: seconds on this machine, from records made on it.

Imports nothing heavy.
"""

from __future__ import annotations

import json
import math
import warnings
from collections.abc import Iterable
from functools import cache
from statistics import median

from tutorial_lib import places
from tutorial_lib.defenses import CleanCLIP, Retraining
from tutorial_lib.notes import Note
from tutorial_lib.trials import Record, TrainedDefense, Trial

#: Training drawings per class of EmojiCaps (five styles), and pairs of the data sets that users bring.
STYLES, SHARD_PAIRS = 5, {"cc3m": 2_950_000, "yfcc15m": 15_000_000, "cifar10": 45_000, "cifar100": 45_000}

#: Operations a second where no record tells, as many as make 3,000 samples of tiny-rn at 32 pixels on two cores of a
#: cloud CPU, and 100,000 on a GPU.
DEFAULT = {"cpu": 3000 * 36.4e6, "gpu": 100_000 * 36.4e6}
#: Measuring and preparing, in seconds; and for each scene beyond the first 100,000, which count as preparing.
OVERHEAD, EACH_SCENE, FREE_SCENES = 4.0, 8e-5, 100_000
#: Seconds of a detector that no record tells of; those of checkpoints took 2 to 7 on a small model, on one core.
DETECTOR = 4.0
#: Seconds above which a time is said before work begins, and above which a single training asks first.
WORTH_SAYING, PATIENCE = 600.0, 3600.0


def pairs(trial: Trial) -> int:
    """About how many clean pairs a trial trains on.

    Example:
        >>> pairs(Trial(classes=100, copies=8))
        4000
    """
    if trial.limit:
        return trial.limit
    if trial.shards:
        return SHARD_PAIRS.get(trial.shards, SHARD_PAIRS["cc3m"])
    return trial.scenes or trial.classes * STYLES * trial.copies


def samples(trial: Trial) -> int:
    """Pairs that pass through the model in all epochs, without poisons.

    Models that a defense cleans are trained once; that is counted where they are measured as they are.

    Example:
        >>> from tutorial_lib.trials import Recipe
        >>> samples(Trial(classes=100, copies=8, recipe=Recipe(epochs=20)))
        80000
    """
    defense = trial.defense
    if isinstance(defense, Retraining):
        return round(pairs(trial) * (1 - defense.drop) * defense.recipe.epochs)
    if isinstance(defense, TrainedDefense):
        return round(pairs(trial) * defense.share * defense.recipe.epochs * defense.cost)
    cost = CleanCLIP.cost if trial.self_supervision else 1.0
    return round(pairs(trial) * trial.recipe.epochs * (cost if trial.method is None else trial.method.cost))


@cache
def operations(model: str, side: int) -> float:
    """Floating-point operations of one sample, forward and backward, as `tutorial_lib.training.memory.flops` counts.

    Counts of the course's configs and of ResNet-50 are kept in a file, so that nothing heavy is imported.

    Raises:
        ValueError: there is no such model.

    Example:
        >>> round(operations("RN50", 224) / operations("tiny-rn", 32))
        1499
    """
    kept: dict[str, dict[str, float]] = json.loads(
        (places.PACKAGE / "models" / "operations.json").read_text(encoding="utf-8")
    )
    if (found := kept.get(model)) and found["side"] == side:
        return found["operations"]
    from tutorial_lib.models import model_config
    from tutorial_lib.training.memory import flops

    config = model_config(model)
    return flops(config | {"vision_cfg": config["vision_cfg"] | {"image_size": side}})


class CostModel:
    """Seconds per trial on one kind of hardware.

    Args:
        records: any; those made on `hardware` calibrate the model.
        hardware: as `tutorial_lib.runs.hardware.hardware` gives it, or its beginning.
        device: "cpu" or "gpu", for the default where no record fits.
        measured: operations a second that were measured of such trials, instead of that default.

    Example:
        >>> duration(CostModel().seconds(Trial(classes=100, copies=8)))
        '23 s'
    """

    def __init__(
        self, records: Iterable[Record] = (), hardware: str = "", device: str = "cpu", measured: float = 0.0
    ) -> None:
        units = []
        looks: dict[str, list[float]] = {}
        for record in records:
            if hardware and not record.hardware.startswith(hardware):
                continue
            body, looked = record.trial, _detectors(record)
            for label, seconds in looked.items():
                looks.setdefault(label, []).append(seconds)
            if body.get("defense"):
                continue
            passed = record.metrics.get("steps", 0) * body["recipe"]["batch_size"]
            if passed:
                work = passed * operations(body["model"], body["side"])
                units.append(max(record.seconds - OVERHEAD - sum(looked.values()), 1e-3) / work)
        self.calibrated_on = len(units)
        self.detectors = {label: median(found) for label, found in looks.items()}
        self.seconds_per_unit = median(units) if units else 1 / (measured or DEFAULT[device])

    def seconds(self, trial: Trial) -> float:
        """Estimated seconds of one trial."""
        share = 0.6 if trial.objective == "supervised" else 1.0  # no text tower
        work = samples(trial) * operations(trial.model, trial.side) * share
        prepared = EACH_SCENE * max(0, trial.scenes - FREE_SCENES)
        looks = sum(self.detectors.get(detector.label, DETECTOR) for detector in trial.detectors)
        return OVERHEAD + prepared + work * self.seconds_per_unit + looks

    def total(self, trials: Iterable[Trial], *, jobs: int = 1) -> float:
        """Estimated seconds of several trials, `jobs` at a time."""
        return math.fsum(self.seconds(t) for t in trials) / jobs


def _detectors(record: Record) -> dict[str, float]:
    metrics = record.metrics
    found = [*metrics.get("detection", {}).items(), *metrics.get("audits", {}).items()]
    return {label: entry["seconds"] for label, entry in found}


def announce(seconds: float, *, yes: bool = False, what: str = "the training") -> None:
    """Say how long something takes where that is more than ten minutes, before it begins; ask beyond an hour.

    Args:
        seconds: that it will take.
        yes: the user has agreed to any time.
        what: is about to begin.

    Raises:
        ValueError: it takes more than an hour, and nobody has agreed.

    Example:
        >>> announce(300)  # five minutes are nothing to speak of
        >>> announce(5 * 3600)
        Traceback (most recent call last):
        ValueError: the training takes about 5.0 h on this machine: begin it with `yes`, or take less
    """
    if seconds > PATIENCE and not yes:
        raise ValueError(f"{what} takes about {duration(seconds)} on this machine: begin it with `yes`, or take less")
    if seconds > WORTH_SAYING:
        warnings.warn(f"{what} takes about {duration(seconds)} on this machine", Note, stacklevel=2)


def duration(seconds: float) -> str:
    """Seconds in words: 48 s, 12 min, 3.4 h, 5.2 days.

    Example:
        >>> duration(48), duration(720), duration(12_240)
        ('48 s', '12 min', '3.4 h')
    """
    for limit, unit, name in ((90, 1, "s"), (90 * 60, 60, "min"), (72 * 3600, 3600, "h")):
        if seconds < limit:
            value = seconds / unit
            return f"{value:.0f} {name}" if name != "h" or value >= 10 else f"{value:.1f} {name}"
    return f"{seconds / 86400:.1f} days"


def parse_duration(text: str) -> float:
    """Seconds of "90m", "2h", "45s" or a number of minutes.

    Raises:
        ValueError: it is none of these, or not positive.

    Example:
        >>> parse_duration("90m"), parse_duration("2h")
        (5400.0, 7200.0)
    """
    unit = {"s": 1, "m": 60, "h": 3600}.get(text[-1:].lower(), 0)
    try:
        value = float(text[:-1] if unit else text) * (unit or 60)
    except ValueError:
        value = -1.0
    if not value > 0 or math.isinf(value):
        raise ValueError(f"a time limit is a positive number with s, m or h, as in 90m; not {text!r}")
    return value
