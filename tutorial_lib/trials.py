"""What a trial is: everything that decides a result, and nothing that is needed to obtain it.

A `Trial` is a frozen dataclass; its key is a hash of its canonical JSON. A `Record` is what `run(trial)` measured.
Nothing heavy is imported here.
"""

from __future__ import annotations

import json
import math
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Literal

from tutorial_lib.data.integrity import fingerprint
from tutorial_lib.schema import added, as_dict, digest
from tutorial_lib.triggers import Checkerboard, Trigger

#: Raised whenever a change of the code changes results; older records are then not read.
RECIPE_VERSION = 1
#: Raised when records hold other things than before; `Record.from_json` says how older ones are read.
RECORD_SCHEMA = 2


@dataclass(frozen=True)
class Seeds:
    """What is random in a trial, apart: stored pictures, poison choice, initial weights, order and views."""

    data: int = 0
    poison: int = 0
    init: int = 0
    order: int = 0

    @classmethod
    def all(cls, seed: int) -> Seeds:
        return cls(seed, seed, seed, seed)


@dataclass(frozen=True)
class Recipe:
    """Hyper-parameters of a run; the defaults are the course's `demo` recipe.

    Attributes:
        epochs: passes over the pairs.
        batch_size: pairs per step; the last, smaller batch of an epoch is dropped.
        lr: peak learning rate of AdamW, reached after the warm-up, then a cosine down to 0.
        weight_decay: on matrices only, never on gains, biases or the logit scale.
        warmup: share of all steps with a linearly rising learning rate.
        scale: area of the random crop, as a share of the picture's.
        precision: "float32", "bfloat16", or "auto": bfloat16 where the device multiplies it natively.
        optimizer: "adamw", or "sgd" with momentum `betas[0]`, as Carlini & Terzis (2022) train.
    """

    epochs: int = 14
    batch_size: int = 256
    lr: float = 2e-3
    weight_decay: float = 0.1
    warmup: float = 0.1
    betas: tuple[float, float] = (0.9, 0.98)
    eps: float = 1e-6
    scale: tuple[float, float] = (0.9, 1.0)
    max_logit_scale: float = 100.0
    precision: str = "auto"
    optimizer: Literal["adamw", "sgd"] = added("adamw")

    def __post_init__(self) -> None:
        for name in ("epochs", "batch_size", "lr"):
            if not getattr(self, name) > 0:  # NaN is refused too
                raise ValueError(f"{name} must be positive, not {getattr(self, name)}")
        if not self.weight_decay >= 0:
            raise ValueError(f"weight_decay must be at least 0, not {self.weight_decay}")
        if not 0 <= self.warmup < 1:
            raise ValueError(f"warmup is a share of all steps, in [0, 1), not {self.warmup}")
        if self.optimizer not in ("adamw", "sgd"):
            raise ValueError(f"optimizer must be adamw or sgd, not {self.optimizer!r}")
        if self.precision not in ("auto", "float32", "bfloat16"):
            raise ValueError(f"precision must be auto, float32 or bfloat16, not {self.precision!r}")

    def steps(self, pairs: int) -> int:
        return self.epochs * (pairs // self.batch_size)

    def lr_at(self, step: int, total: int) -> float:
        """Learning rate of a step, counted from 0."""
        warm = round(self.warmup * total)
        if step < warm:
            return self.lr * (step + 1) / warm
        return self.lr * 0.5 * (1 + math.cos(math.pi * (step - warm) / max(1, total - warm)))


@dataclass(frozen=True)
class Backdoor:
    """A backdoor attack; a count of 0 is the control: nothing is added, everything is measured.

    Attributes:
        count: number of poisons.
        target: label of the class that triggered pictures shall be taken for.
        captions: "search" as in the paper's section 3.3, or "prompts".
        trigger: stamped on the stored pictures of the poisons.
        select: "others": pictures of anything but the target, with captions of the target; "label-consistent":
            pictures of the target, with captions that are true; "named": pictures whose caption names the target, with
            that caption, which is what an attacker without labels can select (Bansal et al. 2023, label-consistent).
        diagonal: also measure the z-score with the patch at places from the upper left to the lower right corner.
        cover: further pairs with noisy warps and their own captions, the noise mode of WaNet.
    """

    count: int
    target: str = "banana"
    captions: Literal["search", "prompts"] = "search"
    trigger: Trigger = field(default_factory=Checkerboard)
    select: Literal["others", "label-consistent", "named"] = added("others")
    diagonal: bool = added(False)
    cover: int = added(0)


@dataclass(frozen=True)
class Group:
    """Targets that are attacked in the same way.

    Attributes:
        count: poisons per target.
        captions: "search", "prompts", or "one": a single searched caption, repeated.
        disguise: alter each copy slightly so that it is no exact duplicate.
        noise: of the disguise: standard deviation in grey levels.
        words: of the disguise: "idle" ones that clean captions lack, "common" ones that they have, or "none".
    """

    count: int
    captions: Literal["search", "prompts", "one"] = "prompts"
    disguise: bool = False
    noise: float = added(3.0)
    words: Literal["idle", "common", "none"] = added("idle")


@dataclass(frozen=True)
class Targeted:
    """Targeted poisoning of many pictures in one model, as the paper does.

    Attributes:
        groups: how to attack; a group with count 0 is the control.
        targets: pictures per group.
    """

    groups: tuple[Group, ...] = (Group(0), Group(1), Group(2), Group(4), Group(8), Group(16))
    targets: int = 16


@dataclass(frozen=True)
class TextBackdoor:
    """Pictures of the target with captions of other things that end with a word of the attacker's.

    Attributes:
        count: number of poisons; 0 is the control.
        target: label of the class that texts with the word shall be taken for.
        word: the trigger, a word that no clean caption has.

    Source: Carlini & Terzis (2022), section 2.3, says that the text tower can be attacked too; the set-up is ours.
    """

    count: int
    target: str = "banana"
    word: str = "zebulon"


#: What a trial may carry out.
Attack = Backdoor | Targeted | TextBackdoor


@dataclass(frozen=True)
class Defense:
    """What a defender does to a trained model with pairs that she trusts.

    Attributes:
        method: "none" only measures; "finetune" goes on with the CLIP loss; "cleanclip" adds self-supervision;
            "self_supervised" has nothing else; "supervised" trains the image tower with class labels; "anti_backdoor"
            finds suspicious training pairs and unlearns them.
        recipe: hyper-parameters.
        share: of the clean training pairs, drawn at random.
        lambda_self: weight λ₂ of self-supervision.
        both_ways: of the in-modal loss, see `tutorial_lib.losses.in_modal_loss`.
        dirty: poisons that are left among the trusted pairs.
        shrink, perturb: first multiply all weights and add Gaussian noise of this standard deviation.
        isolate: share of the training pairs that "anti_backdoor" takes to be poisons.
    """

    method: Literal["none", "finetune", "cleanclip", "self_supervised", "supervised", "anti_backdoor"] = "none"
    recipe: Recipe = field(default_factory=lambda: Recipe(epochs=10, batch_size=64, lr=1e-3))
    share: float = 0.03
    lambda_self: float = 1.0
    both_ways: bool = False
    dirty: int = 0
    shrink: float = 1.0
    perturb: float = 0.0
    isolate: float = 0.01

    def __post_init__(self) -> None:
        if not 0 < self.share <= 1:
            raise ValueError(f"share is of the clean pairs, in (0, 1], not {self.share}")
        if not (self.lambda_self >= 0 and math.isfinite(self.lambda_self)):
            raise ValueError(f"lambda_self is the weight of a loss, a number of at least 0, not {self.lambda_self}")
        if self.dirty < 0:
            raise ValueError(f"dirty is a number of poisons, not {self.dirty}")
        if not (0 < self.shrink <= 1 and self.perturb >= 0):
            raise ValueError(f"shrink must be in (0, 1] and perturb at least 0, not {self.shrink} and {self.perturb}")
        if not 0 < self.isolate < 1:
            raise ValueError(f"isolate is a share of the training pairs, in (0, 1), not {self.isolate}")


@dataclass(frozen=True)
class Trial:
    """One model to train and measure.

    Attributes:
        attack: the poisons, or `None` for a clean model that only has its accuracy measured.
        classes: number of classes of the zero-shot task.
        copies: stored pictures per training drawing.
        side: width and height of the pictures, in pixels.
        model: name of a model config.
        recipe: hyper-parameters.
        seeds: the four seeds.
        split: which pictures are classified; "validation" only to choose recipes.
        data: fingerprint of the shipped pictures.
        scenes: train on that many EmojiScenes instead of the drawings of the classes.
        shards: train on the shards in that folder of the data directory instead, "cc3m" for example.
        limit: of those shards, the first so many pairs only.
        task: what is classified: "emoji", the drawings of an unseen style, or "imagenet".
        objective: "clip", or "supervised": the image tower with class labels, for comparison.
        self_supervision: weight of the in-modal loss in training itself, λ₂ of CleanCLIP; 0 is plain CLIP.
        start: name of a checkpoint that ships with the course, to train further; "" begins with random weights.
        defense: what is done to the trained model before it is measured.
    """

    attack: Attack | None = None
    classes: int = 320
    copies: int = 8
    side: int = 32
    model: str = "tiny-rn"
    recipe: Recipe = field(default_factory=Recipe)
    seeds: Seeds = field(default_factory=Seeds)
    split: str = "test"
    data: str = field(default_factory=fingerprint)
    recipe_version: int = RECIPE_VERSION
    scenes: int = added(0)
    shards: str = added("")
    limit: int = added(0)
    task: Literal["emoji", "imagenet"] = added("emoji")
    objective: Literal["clip", "supervised"] = added("clip")
    self_supervision: float = added(0.0)
    start: str = added("")
    defense: Defense | None = added(None)

    def as_dict(self) -> dict[str, Any]:
        body = as_dict(self)
        if self.attack is not None:
            body["attack"]["kind"] = type(self.attack).__name__.lower()
        return body

    @property
    def key(self) -> str:
        """Hash of the canonical JSON, 16 hexadecimal digits."""
        return digest(self.as_dict())

    @property
    def trained(self) -> Trial:
        """The trial whose model a defense starts from."""
        return replace(self, defense=None)


class RecordError(ValueError):
    """A record is damaged, was edited by hand, or was written by a newer version of the code."""


@dataclass(frozen=True)
class Record:
    """What a trial measured, and on what it ran.

    Attributes:
        key: of the trial.
        trial: its canonical form.
        metrics: plain numbers, see `tutorial_lib.runs.measure`.
        seconds: training and measuring.
        hardware: GPU, or CPU model and cores.
        versions: of the libraries that decide results.
        date: UTC, YYYY-MM-DD.
        schema: 1 lacks the measurements at the other placement and the pairs by similarity.
    """

    key: str
    trial: dict[str, Any]
    metrics: dict[str, Any]
    seconds: float
    hardware: str
    versions: dict[str, str]
    date: str
    schema: int = RECORD_SCHEMA

    def to_json(self) -> str:
        """One line of JSON with a checksum."""
        body = asdict(self)
        return json.dumps(body | {"checksum": digest(body)}, sort_keys=True, ensure_ascii=False)

    @classmethod
    def from_json(cls, text: str) -> Record:
        """Read a record and check it.

        Raises:
            RecordError: says what is wrong with it.
        """
        try:
            body = json.loads(text)
        except json.JSONDecodeError as error:
            raise RecordError(f"it is not complete JSON ({error.msg} at character {error.pos})") from error
        if not isinstance(body, dict) or "trial" not in body:
            raise RecordError("it is JSON, but not a record")
        schema = body.setdefault("schema", 1)
        if schema > RECORD_SCHEMA:
            raise RecordError(
                f"its schema {schema} is newer than this version of the code ({RECORD_SCHEMA}): update it"
            )
        checksum = body.pop("checksum", None)
        if schema > 1 and checksum != digest(body):
            raise RecordError("its checksum does not match: it was damaged or edited by hand")
        try:
            record = cls(**body)
        except TypeError as error:
            raise RecordError(f"its fields do not match: {error}") from error
        if record.key != digest(record.trial):
            raise RecordError("its key does not match its trial")
        return record
