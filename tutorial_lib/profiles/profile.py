"""What a profile is: one table of numbers, never another code path. Introduced in the chapter on what makes it work."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Generic, TypeVar

from tutorial_lib.attacks import Attack, Backdoor
from tutorial_lib.attacks.together import beside
from tutorial_lib.profiles.cleaning import Cleaning
from tutorial_lib.profiles.numbers import Models
from tutorial_lib.trials import RECIPE_VERSION, Trial
from tutorial_lib.triggers import Checkerboard, Patch, Trigger

T = TypeVar("T")


@dataclass(frozen=True)
class Profile:
    """What the experiments of a profile share; what only one needs stands in its module, see `ByProfile`.

    Attributes:
        name: as on the command line.
        about: one line for people.
        live: the trial that chapters train before the reader's eyes.
        base: what the backdoor trials share.
        models: of each point; model `s` has seed `s` everywhere, and a target class of its own.
        counts: poisons with the patch at one place, ascending, 0 first.
        few, many: stand for the paper's 75 and 300 of 3,000,000.
        cleaning: numbers that the experiments on defenses share.
        trigger: of the backdoor trials.
        memory_gib: of the machine, that a sweep needs; 0 where it was not measured.
        gpu: the profile needs one.
        references: show committed records of these profiles instead of running experiments: of the first that has all
            that an experiment asks, else of the last.
        like: other profiles, whose numbers experiments take where they have none for this one, in that order; claims
            of the last one are judged.
        pilot: its records fixed the numbers of models; they decide nothing, and their verdicts are not corrected.
        experiments: names of those that the profile asks; by default all.
        beside: an attack that shares each backdoored model, where models are dear.
        ladder: changes of the base for figures that try every number of poisons, where that is too much for the base.
        speed: samples of its base that one core was measured to train a second; for plans while there are no records.

    Example:
        >>> from tutorial_lib import profiles
        >>> p = profiles.get("pilot")
        >>> p.backdoor(128, seed=1).attack.target
        'cactus'
    """

    name: str
    about: str
    live: Trial
    base: Trial
    models: Models
    counts: tuple[int, ...]
    few: int
    many: int
    cleaning: Cleaning
    trigger: Patch = field(default_factory=Checkerboard)
    memory_gib: int = 0
    gpu: bool = False
    references: tuple[str, ...] = ()
    like: tuple[str, ...] = ()
    pilot: bool = False
    experiments: tuple[str, ...] = ()
    beside: Attack | None = None
    ladder: Mapping[str, Any] = field(default_factory=dict)
    speed: int = 0

    def asks(self, experiment: str) -> bool:
        """Whether the profile has an experiment, given the name of its module."""
        return not self.experiments or experiment.rpartition(".")[2] in self.experiments

    @property
    def judged_as(self) -> str:
        """The profile whose name claims have, that of a pilot's or a short version's elder."""
        return self.like[-1] if self.like else self.name

    @property
    def past(self) -> bool:
        """Its records were made by an earlier version of the recipe, so that they are read and never made again."""
        return self.base.recipe_version != RECIPE_VERSION

    def backdoor(self, count: int, seed: int, *, trigger: Trigger | None = None, **changes: Any) -> Trial:
        """A backdoor trial of this profile, beside the attack that shares its models if there is one.

        Args:
            count: number of poisons.
            seed: of the model.
            trigger: by default the profile's.
            changes: fields of `Trial` or, as `attack_…`, of `Backdoor`.
        """
        trial = self.alone(count, seed, trigger=trigger, **changes)
        return trial if self.beside is None else beside(trial, self.beside)

    def alone(self, count: int, seed: int, *, trigger: Trigger | None = None, **changes: Any) -> Trial:
        """The same with no other attack on the model."""
        attack = {name.removeprefix("attack_"): changes.pop(name) for name in [*changes] if name.startswith("attack_")}
        plan = Backdoor(count, target=self.models.target(seed), trigger=trigger or self.trigger, **attack)
        return replace(self.base, attack=plan, seeds=self.models.seeds(seed), **changes)

    def dosed(self, count: int, seed: int) -> Trial:
        """A backdoor trial of a figure that tries every number of poisons."""
        return self.backdoor(count, seed, **self.ladder)


class ByProfile(Generic[T]):
    """Numbers of an experiment, one value for each profile.

    Args:
        values: by name of the profile; one that refers to another, or is like it, has that one's.

    Example:
        >>> from tutorial_lib import profiles
        >>> counts = ByProfile(test=(1,), cpu=(1, 2, 4), gpu=(75, 300), paper=(75, 300))
        >>> counts[profiles.get("cpu")]
        (1, 2, 4)
    """

    def __init__(self, **values: T) -> None:
        self.values = values

    def __getitem__(self, profile: Profile) -> T:
        for name in (profile.name, *profile.references[-1:], *profile.like):
            if name in self.values:
                return self.values[name]
        raise ValueError(
            f"an experiment has no numbers for profile {profile.name}; it has some for {', '.join(self.values)}"
        )
