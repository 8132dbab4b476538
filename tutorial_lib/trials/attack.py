"""What every attack is: settings, the poisons that follow from them, and a measurement."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from tutorial_lib.plugins import Kind
from tutorial_lib.trials.schema import Settings

if TYPE_CHECKING:
    from torch import Tensor

    from tutorial_lib.data.pairs import Pairs
    from tutorial_lib.data.tasks import ZeroShotTask
    from tutorial_lib.models import Model, Tokenizer
    from tutorial_lib.trials.metrics import Metrics


class Plan(Protocol):
    """An attack on given data: the pairs that it adds, and how its success is measured."""

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
    """What an attacker does to a training set. Subclasses are frozen dataclasses, one a file of `attacks/`."""

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
