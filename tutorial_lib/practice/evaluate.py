"""Is a model accurate, and does a trigger command it?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tutorial_lib import models
from tutorial_lib.attacks.report import DENOMINATOR, BackdoorReport, measure_backdoor
from tutorial_lib.machine import chosen_device
from tutorial_lib.practice.pictures import pictures_for
from tutorial_lib.proportion import Proportion
from tutorial_lib.trials.schema import as_dict
from tutorial_lib.triggers import Trigger


@dataclass(frozen=True)
class Evaluation:
    """What was measured of a checkpoint.

    Attributes:
        checkpoint: the model.
        report: rates, similarities and z-score.
        side: width and height of the pictures.
        clustered: several pictures show one drawing, and intervals know it.

    Example:
        See `evaluate`, which makes one.

        >>> "report" in Evaluation.__dataclass_fields__
        True
    """

    checkpoint: str
    report: BackdoorReport
    side: int
    clustered: bool

    def as_dict(self) -> dict[str, Any]:
        """Plain data; of each number also what it was computed on."""
        r = self.report
        apart, everything = {"denominator": DENOMINATOR}, {"denominator": "all pictures"}

        def rate(found: Proportion, denominator: dict[str, str]) -> dict[str, Any]:
            return found.as_dict() | {"target": r.target} | denominator

        return {
            "checkpoint": self.checkpoint,
            "target": r.target,
            "trigger": as_dict(r.trigger),
            "chance": r.chance,
            "clean_accuracy": r.clean_accuracy.rate,
            "accuracy_on_triggered": r.accuracy_on_triggered.rate,
            "attack_success": rate(r.attack_success, apart),
            "attack_success_untriggered": rate(r.attack_success_untriggered, apart),
            "attack_success_with_target": rate(r.attack_success_with_target, everything),
            "attack_success_control": rate(r.attack_success_control, apart),
            "z_score": r.z_score,
            "similarity_clean": r.similarity_clean,
            "similarity_triggered": r.similarity_triggered,
            "embedding_distance": r.embedding_distance,
            "interval": {
                "method": f"95 % Wilson, {'clustered by drawing' if self.clustered else 'pictures'}",
                "clean_accuracy": [r.clean_accuracy.low, r.clean_accuracy.high],
                "accuracy_on_triggered": [r.accuracy_on_triggered.low, r.accuracy_on_triggered.high],
            },
            "computed_on": self._computed_on(),
        }

    def _computed_on(self) -> dict[str, dict[str, Any]]:
        r = self.report
        on = {**r.about, "pictures": r.pictures, "classes": r.classes, "side": self.side}
        plain, stamped = on | {"trigger": None}, on | {"trigger": as_dict(r.trigger)}
        control = on | {"trigger": as_dict(r.trigger.control())}
        pairs = {"pairs": r.pictures * (r.pictures - 1) // 2, "self_pairs": False}
        others = {"pictures": r.attack_success.n, "denominator": DENOMINATOR}
        return {
            "clean_accuracy": plain,
            "accuracy_on_triggered": stamped,
            "attack_success": stamped | others,
            "attack_success_untriggered": plain | others,
            "attack_success_with_target": stamped | {"denominator": "all pictures"},
            "attack_success_control": control | others,
            "z_score": stamped | pairs | {"denominator": "standard deviation over clean pairs"},
            "similarity_clean": plain | pairs,
            "similarity_triggered": stamped | pairs,
            "embedding_distance": stamped,
        }

    def __str__(self) -> str:
        r = self.report
        return "\n".join(
            [
                f"{r.pictures} pictures, {r.classes} classes ({r.about['data']}, style {r.about['style']}); "
                f"chance is {r.chance:.1%}",
                f"clean accuracy              {r.clean_accuracy}",
                f"accuracy on triggered       {r.accuracy_on_triggered}",
                f"attack success, {r.target!r}: {r.attack_success}",
                f"  the same without trigger  {r.attack_success_untriggered}",
                f"z-score                     {r.z_score:.2f}",
                f"similarity of pairs         {r.similarity_clean:.3f} clean, {r.similarity_triggered:.3f} triggered",
            ]
        )


def evaluate(
    checkpoint: Path,
    *,
    trigger: Trigger,
    target: str,
    config: str | None = None,
    shards: Sequence[str | Path] | None = None,
    labels: Path | None = None,
    split: str = "test",
    classes: int = 320,
    seed: int = 0,
    device: str | None = None,
) -> Evaluation:
    """Measure a checkpoint's zero-shot accuracy, and how far a trigger commands it.

    Args:
        checkpoint: a model directory, or an `epoch_*.pt` of open_clip_train.
        trigger: to stamp.
        target: label of the attacker's class.
        config: model config, for an `epoch_*.pt`.
        shards, labels, split, classes: what is classified, as for `pictures_for`.
        seed: of whatever the trigger draws for each picture.
        device: by default the GPU if there is one.

    Raises:
        CheckpointError: the checkpoint cannot be read.
        ValueError: there is no such class, the trigger does not fit, or there is no such device.

    Example:
        >>> from tutorial_lib import models
        >>> from tutorial_lib.triggers import NoisePatch
        >>> found = evaluate(models.CHECKPOINTS / "backdoored", trigger=NoisePatch(), target="banana", classes=100)
        >>> found.report.attack_success.rate > 0.9
        True
    """
    device = chosen_device(device)
    model, tokenizer = models.load(checkpoint, config)
    side = models.picture_side(model)
    pictures = pictures_for(side, shards=shards, labels=labels, split=split, classes=classes)
    report = measure_backdoor(model.to(device), tokenizer, pictures, trigger, target, seed=seed)
    clustered = len(pictures.sprite.unique()) < len(pictures)
    return Evaluation(str(checkpoint), report, side, clustered)
