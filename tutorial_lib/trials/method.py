"""What every training method is: settings, what it costs, and how it trains on pairs that may be poisoned."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from tutorial_lib.plugins import Kind
from tutorial_lib.trials.history import History
from tutorial_lib.trials.recipe import Recipe
from tutorial_lib.trials.schema import Settings, as_dict

if TYPE_CHECKING:
    import open_clip
    import torch

    from tutorial_lib.data.pairs import Pairs
    from tutorial_lib.models import Tokenizer


@dataclass(frozen=True)
class Method(Settings, Kind, ABC):
    """Another way to train a CLIP model. Subclasses are frozen dataclasses, one a file of `training/methods/`.

    Attributes:
        title: what figures and tables call it.
        cost: seconds of an epoch, in units of plain training's.

    Example:
        >>> from tutorial_lib.training.methods import METHODS
        >>> METHODS["safeclip"].title
        'SafeCLIP'
    """

    title: ClassVar[str]
    cost: ClassVar[float] = 1.0

    def check(self, recipe: Recipe) -> None:
        """Whether the method can follow a recipe, before any long work.

        Raises:
            ValueError: says which setting is wrong.
        """

    @abstractmethod
    def train(
        self,
        model: open_clip.CLIP,
        tokenizer: Tokenizer,
        pairs: Pairs,
        recipe: Recipe,
        *,
        seed: int = 0,
        device: str | torch.device | None = None,
        progress: bool | None = None,
        **options: Any,
    ) -> History:
        """Train a model in place; nothing but `notes` depends on where a pair comes from.

        Args:
            model: moved to `device` and left there in evaluation mode.
            tokenizer: of the model.
            pairs: clean or poisoned.
            recipe: hyper-parameters.
            seed: order of the pairs, augmentation, and whatever else the method draws.
            device: by default the GPU if there is one.
            progress: as for `tutorial_lib.training.loop.train`.
            options: of a checkpoint, as for `tutorial_lib.training.loop.follow`; a run that goes on from one ends with
                the weights of an uninterrupted one.

        Raises:
            ValueError: fewer pairs than one batch, a recipe that the method cannot follow, or a checkpoint of another
                run.
            TrainingDivergedError: the loss is NaN or infinite.
        """

    def identity(self, recipe: Recipe, seed: int, pairs: Pairs) -> dict[str, Any]:
        """What a checkpoint must agree with where nothing else is said."""
        return {"method": as_dict(self), "recipe": as_dict(recipe), "seed": seed, "pairs": pairs.fingerprint()}
