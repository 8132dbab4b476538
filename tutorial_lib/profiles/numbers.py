"""How many models an experiment has, and what tells them apart."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Models:
    """The models of each point: how many, with which seeds and target classes.

    Attributes:
        number: of models, where an experiment does not say.
        targets: target classes; each model has the next one, in turn.
        first: seed of the first model, the others count up; seeds that a pilot had judge nothing.
        more: numbers of single experiments, by name of their module.

    Example:
        >>> models = Models(2, ("banana", "cactus"), first=100, more={"fig4": 3})
        >>> list(models.of("tutorial_lib.experiments.fig4")), models.target(102)
        ([100, 101, 102], 'banana')
    """

    number: int
    targets: tuple[str, ...]
    first: int = 0
    more: Mapping[str, int] = field(default_factory=dict)

    def of(self, experiment: str) -> range:
        """Seeds of the models of an experiment, given the name of its module."""
        return range(self.first, self.first + self.more.get(experiment.rpartition(".")[2], self.number))

    @property
    def base(self) -> range:
        """Seeds of the models of any point; only those that a claim hangs on have more."""
        return range(self.first, self.first + self.number)

    @property
    def all(self) -> range:
        """Seeds of the models of any experiment."""
        return range(self.first, self.first + max(self.number, *self.more.values(), 0))

    def target(self, seed: int) -> str:
        """The target class of the model with that seed."""
        return self.targets[(seed - self.first) % len(self.targets)]
