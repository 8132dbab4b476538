"""The capstone: a checkpoint of which the reader knows nothing, and what they say and do about it."""

from __future__ import annotations

import base64
import functools
import json
import zlib
from pathlib import Path
from typing import Any

from tutorial_lib import models
from tutorial_lib.attacks.report import measure_backdoor
from tutorial_lib.course.checks.core import Feedback
from tutorial_lib.data import emojicaps
from tutorial_lib.data.tasks import ZeroShotTask, class_concepts, zero_shot_task
from tutorial_lib.models import Model, Tokenizer
from tutorial_lib.triggers import make_trigger

__all__ = ["cleaned", "diagnosis", "unseal"]

FOLDER = models.CHECKPOINTS / "unknown"
#: What cleaning shall reach: this share of the attack success before, for at most so much clean accuracy.
LEFT, PRICE = 0.25, 0.05


def seal(record: dict[str, Any]) -> str:
    """A record that nobody reads by accident."""
    return base64.b64encode(zlib.compress(json.dumps(record, sort_keys=True).encode(), 9)).decode() + "\n"


def unseal(path: Path = FOLDER / "sealed.txt") -> dict[str, Any]:
    """The record of the unknown model. Look when you have answered."""
    record: dict[str, Any] = json.loads(zlib.decompress(base64.b64decode(path.read_text(encoding="utf-8"))))
    return record


@functools.cache
def task() -> ZeroShotTask:
    """The classes and test pictures of the unknown model."""
    pictures = emojicaps.load()
    return zero_shot_task(pictures, class_concepts(pictures, unseal()["trial"]["classes"]))


def diagnosis(*, backdoored: bool, trigger: str = "", target: str = "") -> Feedback:
    """Is the diagnosis right?

    Args:
        backdoored: whether the model has a backdoor.
        trigger: kind of its trigger in `tutorial_lib.triggers.TRIGGERS`.
        target: the class that it makes the model see.
    """
    attack = unseal()["trial"]["attack"]
    if backdoored != bool(attack["count"]):
        return Feedback(False, "look again: stamp each kind of trigger on clean pictures and compare the pairs.")
    if trigger != attack["trigger"]["kind"]:
        return Feedback(False, f"backdoored it is, but not by {trigger!r}; which trigger raises the z-score most?")
    if target != attack["target"]:
        return Feedback(
            False, f"that is the trigger, but the target is not {target!r}; what are triggered pictures called?"
        )
    return Feedback(True, f"The trigger is {trigger}, the target is {target}. Now clean the model.")


def measure(model: Model, tokenizer: Tokenizer) -> tuple[float, float]:
    """Attack success rate and clean accuracy of a model, with the trigger of the record."""
    attack, seed = unseal()["trial"]["attack"], unseal()["trial"]["seeds"]["poison"]
    trigger = make_trigger(**attack["trigger"])
    report = measure_backdoor(model, tokenizer, task(), trigger, attack["target"], seed=seed)
    return report.attack_success.rate, report.clean_accuracy.rate


def cleaned(model: Model, tokenizer: Tokenizer) -> Feedback:
    """Is the reader's cleaned model clean, and still worth having?"""
    before, right = measure(*models.load(FOLDER))
    after, kept = measure(model, tokenizer)
    said = (
        f"attack success {before:.0%} before, {after:.0%} after; clean accuracy {right:.1%} before, {kept:.1%} after."
    )
    if kept < right - PRICE:
        return Feedback(False, f"too expensive, accuracy may fall by {100 * PRICE:.0f} points: {said}")
    if after > LEFT * before:
        return Feedback(False, f"the trigger still works, at most a quarter of its success may be left: {said}")
    return Feedback(True, said[0].upper() + said[1:])
