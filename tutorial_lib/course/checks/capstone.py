"""The capstone: checkpoints of which the reader knows nothing, and what they say and do about them."""

from __future__ import annotations

import base64
import functools
import json
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from tutorial_lib import models
from tutorial_lib.attacks.report import measure_backdoor
from tutorial_lib.course.checks.core import Feedback
from tutorial_lib.data import emojicaps
from tutorial_lib.data.tasks import ZeroShotTask, class_concepts, zero_shot_task
from tutorial_lib.models import Model, Tokenizer
from tutorial_lib.triggers import Patch, Trigger, make_trigger

__all__ = ["cleaned", "diagnosis", "unseal"]

#: The sealed models.
NAMES = ("unknown-1", "unknown-2", "unknown-3", "unknown-4")
#: Where a patch of six pixels may lie, by its margin in pixels, and where a trigger of the whole picture does.
PLACES, WHOLE = {1: "upper left", 13: "middle", 25: "lower right"}, "everywhere"
#: What cleaning shall reach: this share of the attack success before, for at most so much clean accuracy.
LEFT, PRICE = 0.25, 0.05


def seal(record: dict[str, Any]) -> str:
    """A record that nobody reads by accident."""
    return base64.b64encode(zlib.compress(json.dumps(record, sort_keys=True).encode(), 9)).decode() + "\n"


def unseal(name: str, folder: Path = models.CHECKPOINTS) -> dict[str, Any]:
    """The record of an unknown model. Look when you have answered.

    Raises:
        ValueError: no sealed model has that name.
    """
    if name not in NAMES:
        raise ValueError(f"there is no sealed model {name!r}; there are {', '.join(NAMES)}")
    text = (folder / name / "sealed.txt").read_text(encoding="utf-8")
    record: dict[str, Any] = json.loads(zlib.decompress(base64.b64decode(text)))
    return record


def place_of(trigger: Trigger) -> str:
    """Where a trigger lies: "upper left", "middle", "lower right", or "everywhere" for one of the whole picture."""
    return PLACES.get(trigger.margin, "elsewhere") if isinstance(trigger, Patch) else WHOLE


def answer(name: str) -> tuple[str, str, str] | None:
    """Kind and place of the trigger and the target of an unknown model, `None` for a clean one."""
    attack = unseal(name)["trial"]["attack"]
    if not attack["count"]:
        return None
    return attack["trigger"]["kind"], place_of(make_trigger(**attack["trigger"])), attack["target"]


@functools.cache
def task() -> ZeroShotTask:
    """The classes and test pictures of the unknown models."""
    pictures = emojicaps.load()
    return zero_shot_task(pictures, class_concepts(pictures, unseal(NAMES[0])["trial"]["classes"]))


def diagnosis(said: Mapping[str, tuple[str, str, str] | None]) -> Feedback:
    """Are the diagnoses right? First the verdicts are counted; once all are right, what is wrong of each is told.

    Args:
        said: by the model's name, `None` for a clean one; else the kind of its trigger in
            `tutorial_lib.triggers.TRIGGERS`, its place as `place_of` has it, and the class that it makes the model see.
    """
    if said.keys() != set(NAMES):
        return Feedback(False, f"replace the three dots: a diagnosis for each of {', '.join(NAMES)} is asked for.")
    if not any(said.values()):
        return Feedback(False, "replace the three dots: None calls a model clean, and not all of these are.")
    right = [(said[name] is None) == (answer(name) is None) for name in NAMES]
    if not all(right):
        return Feedback(
            False,
            f"of {len(NAMES)} verdicts, backdoored or clean, {sum(right)} are right; look again: what does the same "
            "trigger do to the other models?",
        )
    wrong = [sentence for name in NAMES if (sentence := _wrong(name, said[name]))]
    if wrong:
        return Feedback(False, f"the verdicts are right, but {'; '.join(wrong)}.")
    return Feedback(True, "Every verdict, trigger, place and target. Now clean those that need it.")


def _wrong(name: str, said: tuple[str, str, str] | None) -> str:
    """What is wrong with a diagnosis whose verdict is right."""
    asks = (
        "the trigger of {} is not {!r}: which one raises the z-score most?",
        "the trigger of {} does not lie {!r}: move it",
        "the target of {} is not {!r}: what are its triggered pictures called?",
    )
    if said is None:
        return ""
    for asked, given, meant in zip(asks, said, answer(name) or (), strict=True):
        if given != meant:
            return asked.format(name, given)
    return ""


def measure(name: str, model: Model, tokenizer: Tokenizer) -> tuple[float, float]:
    """Attack success rate and clean accuracy of a model, with the trigger of the record of that name."""
    trial = unseal(name)["trial"]
    attack, seed = trial["attack"], trial["seeds"]["poison"]
    trigger = make_trigger(**attack["trigger"])
    report = measure_backdoor(model, tokenizer, task(), trigger, attack["target"], seed=seed)
    return report.attack_success.rate, report.clean_accuracy.rate


def cleaned(given: Mapping[str, tuple[Model, Tokenizer]]) -> Feedback:
    """Are the backdoored models clean, and still worth having?

    Args:
        given: by its name, each model that was cleaned, with its tokenizer; clean ones are left as they are.
    """
    needed = [name for name in NAMES if answer(name) is not None]
    if set(given) - set(needed):
        return Feedback(False, "one of these was clean: what did the cleaning cost, and for what?")
    if len(given) < len(needed):
        return Feedback(False, "there is more to clean: not every backdoored model is among yours.")
    shipped = {name: models.load(models.CHECKPOINTS / name) for name in needed}
    if all(_same(given[name][0], shipped[name][0]) for name in needed):
        return Feedback(False, "replace the three dots: the models are as they were.")
    told = []
    for name in needed:
        before, right = measure(name, *shipped[name])
        after, kept = measure(name, *given[name])
        said = f"{name}: attack success {before:.0%} before, {after:.0%} after; accuracy {right:.1%} and {kept:.1%}"
        if kept < right - PRICE:
            return Feedback(False, f"too expensive, accuracy may fall by {100 * PRICE:.0f} points; {said}.")
        if after > LEFT * before:
            return Feedback(False, f"a trigger still works, at most a quarter of its success may be left; {said}.")
        told.append(said)
    return Feedback(True, f"{'; '.join(told)}.")


def _same(model: Model, shipped: Model) -> bool:
    """Whether the weights are those that ship."""
    own, other = model.state_dict(), shipped.state_dict()
    return own.keys() == other.keys() and all(torch.equal(own[k].cpu(), other[k]) for k in own)
