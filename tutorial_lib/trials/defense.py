"""What every defense is: settings, what it needs, what it costs, and how it cleans a model."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from tutorial_lib.plugins import Kind
from tutorial_lib.trials.history import History
from tutorial_lib.trials.recipe import Recipe
from tutorial_lib.trials.schema import Settings

if TYPE_CHECKING:
    import open_clip
    import torch
    from torch import Tensor

    from tutorial_lib.data.pairs import Pairs
    from tutorial_lib.models import Model, Tokenizer

#: What a defender may have to give: pairs that they trust, class labels of their pictures, the poisoned training pairs,
#: a trigger that was inverted.
Need = Literal["pairs", "labels", "training", "trigger"]


class DefenseError(ValueError):
    """A defense lacks something that it needs."""


@dataclass(frozen=True)
class Material:
    """What a defender has.

    Attributes:
        pairs: those that are trusted.
        labels: class of each trusted picture, shape (len(pairs),), int64, -1 where unknown; `None` without labels.
        classes: number of classes, where there are labels.
        training: the pairs that the model was trained on, poisons included, where they are at hand.
        fresh: called with `seed`, makes an untrained model of the same kind, where one may begin again.
        trigger: mask, shape (1 or 3, H, W), from 0 to 1, and pattern, shape (3, H, W), from 0 to 1, of what a detector
            of checkpoints has inverted: it makes x (1 - mask) + mask * pattern of a picture x, from 0 to 1.

    Example:
        >>> import torch
        >>> from tutorial_lib.data.pairs import Pairs
        >>> pairs = Pairs(torch.zeros(1, 3, 8, 8, dtype=torch.uint8), ("a dog",), ("1",), torch.tensor([-1]))
        >>> Material(pairs).labels is None
        True
    """

    pairs: Pairs
    labels: Tensor | None = None
    classes: int = 0
    training: Pairs | None = None
    fresh: Callable[..., open_clip.CLIP] | None = None
    trigger: tuple[Tensor, Tensor] | None = None


@dataclass(frozen=True)
class Cleaned:
    """A cleaned model.

    Attributes:
        model: a CLIP model, or a classifier where the defense needs class labels.
        history: what the training did.
        notes: what the defense found, plain numbers.

    Example:
        >>> Cleaned(None, History(steps=10), {"isolated": 3}).notes["isolated"]
        3
    """

    model: Model
    history: History
    notes: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Defense(Settings, Kind, ABC):
    """What is done to a model that may be backdoored. Subclasses are frozen dataclasses, one a file of `defenses/`.

    Attributes:
        title: what figures and tables call it.
        needs: what the defender must have.
        cost: passes of a trusted pair through the model in units of plain finetuning's; 0 trains nothing.

    Example:
        >>> from tutorial_lib.defenses import DEFENSES
        >>> DEFENSES["cleanclip"].title
        'CleanCLIP'
    """

    title: ClassVar[str]
    needs: ClassVar[frozenset[Need]] = frozenset({"pairs"})
    cost: ClassVar[float] = 1.0

    @abstractmethod
    def clean(
        self,
        model: open_clip.CLIP,
        tokenizer: Tokenizer,
        material: Material,
        *,
        seed: int = 0,
        device: str | torch.device | None = None,
        progress: bool | None = False,
    ) -> Cleaned:
        """Clean a model; the given one may be changed.

        Args:
            model: the model that may be backdoored.
            tokenizer: of the model.
            material: what the defender has.
            seed: order of the pairs, augmentation, and whatever else the method draws.
            device: by default the GPU if there is one.
            progress: show a bar; `True` says lines where there is no terminal, `None` nothing.

        Raises:
            DefenseError: the method lacks something, or there are too few trusted pairs.
            TrainingDivergedError: the loss is NaN or infinite.
        """


@dataclass(frozen=True)
class TrainedDefense(Defense):
    """A defense that trains.

    Attributes:
        recipe: hyper-parameters.
        share: of the clean training pairs that the defender trusts, drawn at random.
        dirty: poisons that are left among the trusted pairs.

    Raises:
        ValueError: `share` is not in (0, 1], or `dirty` is negative.

    Example:
        >>> from tutorial_lib.defenses import Finetuning
        >>> Finetuning(share=1.5)
        Traceback (most recent call last):
        ValueError: share is of the clean pairs, in (0, 1], not 1.5
    """

    recipe: Recipe = field(default_factory=lambda: Recipe(epochs=10, batch_size=64, lr=1e-3))
    share: float = 0.03
    dirty: int = 0

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 0 < self.share <= 1:
            raise ValueError(f"share is of the clean pairs, in (0, 1], not {self.share}")
        if self.dirty < 0:
            raise ValueError(f"dirty is a number of poisons, not {self.dirty}")

    def check(self, material: Material) -> None:
        """Whether the defender has what the method needs, before anything is changed.

        Raises:
            DefenseError: something is missing, or there are too few pairs for one batch.
        """
        if "labels" in self.needs and (material.labels is None or not bool((material.labels >= 0).any())):
            raise DefenseError(f"{self.title} needs pictures with class labels, and none of the pairs has one")
        if "training" in self.needs and material.training is None:
            raise DefenseError(f"{self.title} looks for poisons in the training pairs, and these are not given")
        if len(material.pairs) < self.recipe.batch_size:
            raise DefenseError(
                f"{len(material.pairs)} trusted pairs are fewer than one batch of {self.recipe.batch_size}: "
                "give more, or lower `batch_size`"
            )
