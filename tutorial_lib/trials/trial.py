"""What a trial is: everything that decides a result, and nothing that is needed to obtain it."""

from __future__ import annotations

from dataclasses import dataclass, field, fields, replace
from typing import Any, Literal

from tutorial_lib.data.integrity import fingerprint
from tutorial_lib.trials.attack import Attack
from tutorial_lib.trials.defense import Defense
from tutorial_lib.trials.detector import AnyDetector
from tutorial_lib.trials.method import Method
from tutorial_lib.trials.recipe import Recipe
from tutorial_lib.trials.schema import Settings, as_dict, digest, setting

#: Raised whenever a change of the code changes results; older records are then the answers to other questions.
RECIPE_VERSION = 2


@dataclass(frozen=True)
class Seeds:
    """What is random in a trial, apart: stored pictures, poison choice, initial weights, order and views.

    Example:
        >>> Seeds.all(3)
        Seeds(data=3, poison=3, init=3, order=3)
    """

    data: int = 0
    poison: int = 0
    init: int = 0
    order: int = 0

    @classmethod
    def all(cls, seed: int) -> Seeds:
        """The same seed for everything."""
        return cls(seed, seed, seed, seed)


@dataclass(frozen=True)
class Trial(Settings):
    """One model to train and measure; its key is a hash of its canonical JSON.

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
        scenes: train on that many composed scenes instead of the drawings of the classes.
        scenery: which scenes: "plain" for EmojiScenes, "diverse" for DiverseScenes.
        shards: train on the shards in that folder of the data directory instead, "cc3m" for example.
        limit: of those shards, the first so many pairs only.
        task: what is classified: "emoji", the drawings of an unseen style, "imagenet", or the photographs of "cifar10"
            or "cifar100".
        objective: "clip", "triplet", the hinge loss of earlier work, or "supervised": the image tower with labels.
        self_supervision: weight of the in-modal loss in training itself, λ₂ of CleanCLIP; 0 is plain CLIP.
        method: another way to train, of `tutorial_lib.training.methods`; `None` is plain training.
        start: name of a checkpoint that ships with the course, to train further; "" begins with random weights.
        defense: what is done to the trained model before it is measured.
        detectors: of poisoned pairs, which look at the trained model and at the pairs that it was trained on, and of
            backdoored checkpoints, which look at the model alone.

    Raises:
        ValueError: a setting is none of its choices, out of range, or without effect beside the others.

    Example:
        >>> Trial(classes=16).key == Trial(classes=16).key
        True
        >>> Trial(task="imagent")
        Traceback (most recent call last):
        ValueError: task of a trial must be emoji, imagenet, cifar10 or cifar100, not 'imagent'
    """

    attack: Attack | None = None
    classes: int = setting(320, data=True, needs={"task": "emoji"})
    copies: int = setting(8, data=True, needs={"scenes": 0, "shards": ""})
    side: int = setting(32, data=True)
    model: str = "tiny-rn"
    recipe: Recipe = field(default_factory=Recipe)
    seeds: Seeds = field(default_factory=Seeds)
    split: Literal["test", "validation"] = setting("test", data=True, needs={"task": "emoji"})
    data: str = field(default_factory=fingerprint, metadata={"data": True})
    recipe_version: int = RECIPE_VERSION
    scenes: int = setting(0, added=True, data=True, needs={"shards": ""})
    shards: str = setting("", added=True, data=True)
    limit: int = setting(0, added=True, data=True, needs={"shards": ...})
    scenery: Literal["plain", "diverse"] = setting("plain", added=True, data=True, needs={"scenes": ...})
    task: Literal["emoji", "imagenet", "cifar10", "cifar100"] = setting("emoji", added=True, data=True)
    objective: Literal["clip", "triplet", "supervised"] = setting("clip", added=True)
    self_supervision: float = setting(0.0, added=True, needs={"objective": "clip"})
    method: Method | None = setting(None, added=True, needs={"objective": "clip", "self_supervision": 0.0})
    start: str = setting("", added=True)
    defense: Defense | None = setting(None, added=True)
    detectors: tuple[AnyDetector, ...] = setting((), added=True, needs={"defense": None, "objective": "clip"})

    def __post_init__(self) -> None:
        super().__post_init__()
        self.require(classes=2, copies=1, side=1, scenes=0, limit=0, self_supervision=0)
        kinds: tuple[tuple[str, type[Settings]], ...] = (("attack", Attack), ("method", Method), ("defense", Defense))
        for name, base in kinds:
            value = getattr(self, name)
            if value is not None and not isinstance(value, base):
                raise ValueError(f"{name} of a trial must be {base.__name__.lower()} settings or None, not {value!r}")
        if self.method is not None:
            self.method.check(self.recipe)
        for value in self.detectors:
            if not isinstance(value, AnyDetector):
                raise ValueError(f"detectors of a trial must be detector settings, not {value!r}")
        if twice := {d.label for d in self.detectors if self.detectors.count(d) > 1}:
            raise ValueError(f"detectors of a trial differ from each other, and {min(twice)} is there twice")

    def as_dict(self) -> dict[str, Any]:
        """The canonical form, plain data."""
        body: dict[str, Any] = as_dict(self)
        return body

    @property
    def key(self) -> str:
        """Hash of the canonical JSON, 16 hexadecimal digits."""
        return digest(self.as_dict())

    @property
    def trained(self) -> Trial:
        """The trial of the model alone: what a defense starts from, and what detectors look at."""
        return replace(self, defense=None, detectors=())

    @property
    def shares(self) -> bool:
        """Whether other trials may want the same weights: where a defense or detectors look at the model."""
        return self.defense is not None or bool(self.detectors)

    @property
    def weights(self) -> Trial:
        """The trial that trains the same weights: what a control would have added does not count."""
        trained = self.trained
        return trained if self.attack is None or self.attack.adds else replace(trained, attack=None)

    @property
    def dataset(self) -> Trial:
        """The trial without what decides neither its clean pairs nor its pictures to classify; data is cached by it."""
        kept = {f.name: getattr(self, f.name) for f in fields(self) if f.metadata.get("data")}
        return Trial(**kept, seeds=Seeds(data=self.seeds.data))
