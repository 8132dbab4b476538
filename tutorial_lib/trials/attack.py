"""What every attack is: settings, the poisons that follow from them, and a measurement."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, TypeVar

from tutorial_lib.plugins import Kind
from tutorial_lib.trials.schema import Settings

if TYPE_CHECKING:
    from torch import Tensor

    from tutorial_lib.data.pairs import Pairs
    from tutorial_lib.data.tasks import ZeroShotTask
    from tutorial_lib.models import Model, Tokenizer
    from tutorial_lib.trials.metrics import Metrics


A = TypeVar("A", bound="Attack")


class Plan(Protocol):
    """An attack on given data: the pairs that it adds, and how its success is measured.

    Example:
        >>> class Control:  # adds nothing, and counts the classes that the model sees
        ...     poisons = None
        ...     def measure(self, model, tokenizer, task, embeddings, readers):
        ...         return {f"{name}_classes": len(set(read(embeddings))) for name, read in readers.items()}
        >>> plan: Plan = Control()
        >>> plan.measure(None, None, None, [0.1, 0.2, 0.9], {"zero_shot": lambda points: map(round, points)})
        {'zero_shot_classes': 2}
    """

    @property
    def poisons(self) -> Pairs | None:
        """The pairs to add; `None` for the control, which adds nothing and measures everything."""

    def measure(
        self,
        model: Model,
        tokenizer: Tokenizer,
        task: ZeroShotTask,
        embeddings: Tensor,
        readers: Mapping[str, Callable[[Tensor], Tensor]],
    ) -> Metrics:
        """Success and controls.

        Args:
            model: that was trained on clean pairs and poisons.
            tokenizer: of the model.
            task: the pictures to classify.
            embeddings: of its pictures, normalised, shape (N, d).
            readers: by name, from embeddings to classes; the first one is the model's own.
        """


@dataclass(frozen=True)
class Attack(Settings, Kind, ABC):
    """What an attacker does to a training set. Subclasses are frozen dataclasses, one a file of `attacks/`.

    Example:
        >>> from tutorial_lib.trials import Trial
        >>> @dataclass(frozen=True)
        ... class Swap(Attack):  # captions of some pairs change places
        ...     kind = "swap"
        ...     count: int
        ...     def plan(self, clean, task, *, seed): ...
        >>> Trial(attack=Swap(4)).as_dict()["attack"]
        {'kind': 'swap', 'count': 4}
    """

    @property
    def adds(self) -> bool:
        """Whether it adds pairs; a control adds none and is only measured."""
        return True

    def find(self, kind: type[A]) -> A | None:
        """The attack of that kind: itself, or a part of it; `None` where there is none."""
        return self if isinstance(self, kind) else None

    @abstractmethod
    def plan(self, clean: Pairs, task: ZeroShotTask, *, seed: int) -> Plan:
        """The poisons for some data, and their measurement.

        Args:
            clean: the pairs that the attacker can see and adds to.
            task: its labels are the classes to aim at, its pictures those to measure on.
            seed: poison seed.

        Raises:
            ValueError: the target class does not exist, a trigger does not fit, or there are too few pictures.
        """
