"""How many models an experiment has, and what tells them apart."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from tutorial_lib.trials import Seeds


@dataclass(frozen=True)
class Models:
    """The models of each point: how many, with which seeds and target classes.

    Attributes:
        number: of models, where an experiment does not say.
        targets: target classes; each model has the next one, in turn.
        first: seed of the first model, the others count up; seeds that a pilot had judge nothing.
        more: numbers of single experiments, by name of their module.
        fewer: where models are dear: for some numbers of pairs, the seeds of the models with each number of poisons;
            with other numbers of poisons there are none.
        data: seed of the clean pairs of every model; by default each model has its own.

    Example:
        >>> models = Models(2, ("banana", "cactus"), first=100, more={"fig4": 3})
        >>> list(models.of("tutorial_lib.experiments.fig4")), models.target(102)
        ([100, 101, 102], 'banana')
    """

    number: int
    targets: tuple[str, ...]
    first: int = 0
    more: Mapping[str, int] = field(default_factory=dict)
    fewer: Mapping[int, Mapping[int, Sequence[int]]] = field(default_factory=dict)
    data: int | None = None

    def seeds(self, seed: int) -> Seeds:
        """The four seeds of the model with that seed."""
        return Seeds(seed if self.data is None else self.data, seed, seed, seed)

    def at(self, experiment: str, pairs: int, poisons: int) -> Sequence[int]:
        """Seeds of the models of an experiment with so many clean pairs and poisons."""
        return self.fewer[pairs].get(poisons, ()) if pairs in self.fewer else self.of(experiment)

    def poisons(self, pairs: int, seed: int) -> int:
        """How many poisons the model with that seed has where models are dear; 0 where there is no such model."""
        return next((count for count, seeds in self.fewer.get(pairs, {}).items() if seed in seeds), 0)

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
        few = [seed for models in self.fewer.values() for seeds in models.values() for seed in seeds]
        return range(self.first, max(self.first + max(self.number, *self.more.values(), 0), *(s + 1 for s in few), 0))

    def target(self, seed: int) -> str:
        """The target class of the model with that seed."""
        return self.targets[(seed - self.first) % len(self.targets)]
