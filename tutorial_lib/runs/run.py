"""`run(trial) -> Record`: one model from data to metrics. Every figure of the course is made of these."""

from __future__ import annotations

import math
import time
from importlib.metadata import version
from pathlib import Path
from typing import Any

from tutorial_lib import models
from tutorial_lib.detect.checkpoints import CheckpointDetector
from tutorial_lib.runs.defend import apply
from tutorial_lib.runs.detect import audit, look
from tutorial_lib.runs.hardware import hardware
from tutorial_lib.runs.measure import measure
from tutorial_lib.runs.outcome import Outcome, train_trial
from tutorial_lib.trials import Detector, Record, Trial


def run(
    trial: Trial,
    *,
    progress: bool | None = None,
    device: str | None = None,
    keep: Path | None = None,
    weights: Path | None = None,
    checkpoint: Path | None = None,
    until: float = math.inf,
) -> Record:
    """Train, clean where a defense is given, let detectors look where there are some, and measure one trial.

    It is a pure function of the trial on the same hardware and versions.

    Args:
        trial: what to train.
        progress: show a bar; by default only on a terminal.
        device: by default the GPU if there is one.
        keep: also save the model there, as a directory that `tutorial evaluate` reads (CLIP models only).
        weights: of the model before the defense, see `train_trial`.
        checkpoint: state of the model in training, see `train_trial`; who calls removes it when the record is written.
        until: time, as `time.monotonic` tells it, at which training with a checkpoint stops.

    Raises:
        PausedError: `until` has come; the next call goes on.

    Example:
        >>> from tutorial_lib import profiles
        >>> trial = profiles.get("test").backdoor(4, seed=0)
        >>> run(trial, progress=False).key == trial.key
        True
    """
    started = time.perf_counter()
    options: dict[str, Any] = {"progress": progress, "device": device}
    outcome = fit(trial, weights=weights, checkpoint=checkpoint, until=until, **options)
    metrics = measure(outcome)
    if pairs := [d for d in trial.detectors if isinstance(d, Detector)]:
        metrics["detection"] = look(outcome, pairs)
    if checkpoints := [d for d in trial.detectors if isinstance(d, CheckpointDetector)]:
        metrics["audits"] = audit(outcome, checkpoints)
    if keep is not None and not isinstance(outcome.model, models.Classifier):
        models.save(keep, outcome.model, models.model_config(trial.model), outcome.tokenizer, half=True)
    return Record(
        key=trial.key,
        trial=trial.as_dict(),
        metrics=metrics,
        seconds=round(time.perf_counter() - started, 1),
        hardware=hardware(device),
        versions={name: version(name) for name in ("torch", "open_clip_torch")},
        date=time.strftime("%Y-%m-%d", time.gmtime()),
    )


def fit(
    trial: Trial,
    *,
    progress: bool | None = None,
    device: str | None = None,
    weights: Path | None = None,
    checkpoint: Path | None = None,
    until: float = math.inf,
) -> Outcome:
    """Train and clean, but measure nothing: what every process of a group does; the arguments are those of `run`.

    Example:
        >>> from tutorial_lib import profiles
        >>> fit(profiles.get("test").base, progress=False).history.steps
        5
    """
    states: dict[str, Any] = {"checkpoint": checkpoint, "keep_checkpoint": checkpoint is not None, "until": until}
    outcome = train_trial(trial, progress=progress, device=device, weights=weights, **states)
    if trial.defense is not None:
        outcome = apply(outcome, trial.defense, device=device, progress=progress)
    return outcome
