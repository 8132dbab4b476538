"""What the experiments on defenses share at one profile. Introduced in the chapter on CleanCLIP."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from tutorial_lib.attacks import Backdoor
from tutorial_lib.defenses import DEFENSES
from tutorial_lib.profiles.numbers import Models
from tutorial_lib.trials import Recipe, TrainedDefense, Trial
from tutorial_lib.triggers import Blended, NoisePatch, WaNet

#: The attacks of CleanCLIP's main table as published: settings of `Backdoor`.
ATTACKS: dict[str, dict[str, Any]] = {
    "badnets": {"trigger": NoisePatch()},
    "blended": {"trigger": Blended()},
    "wanet": {"trigger": WaNet()},
    "label-consistent": {"trigger": NoisePatch(), "select": "named"},
}


@dataclass(frozen=True)
class Cleaning:
    """What the experiments on defenses share, at one profile.

    Attributes:
        base: what the backdoored models share.
        models: of each point, as for the profile.
        count: poisons, where an attack does not say.
        recipe: of every defense; its learning rate is swept.
        share: of the clean pairs that the defender trusts.
        rates: learning rates of a defense, ascending.
        few_rates: a shorter sweep, where many models are cleaned.
        own_rates: rates of single defenses by kind, where they are others.
        own_epochs: of single defenses by kind, where they are others: labelled pictures are fewer than trusted pairs.
        attacks: of the main table, settings of `Backdoor` by name.

    Example:
        >>> from tutorial_lib import profiles
        >>> [d.recipe.lr for d in profiles.get("cpu").cleaning.sweep("cleanclip")]
        [0.0003, 0.001, 0.002]
    """

    base: Trial
    models: Models
    count: int
    recipe: Recipe
    share: float
    rates: tuple[float, ...]
    few_rates: tuple[float, ...]
    own_rates: Mapping[str, tuple[float, ...]] = field(default_factory=dict)
    own_epochs: Mapping[str, int] = field(default_factory=dict)
    attacks: Mapping[str, Mapping[str, Any]] = field(default_factory=lambda: ATTACKS)

    def attacked(self, attack: str | Mapping[str, Any], seed: int, **changes: Any) -> Trial:
        """A backdoored model: an attack of the main table, or settings of `Backdoor`; changes are fields of `Trial`."""
        settings = {"count": self.count} | dict(self.attacks[attack] if isinstance(attack, str) else attack)
        plan = Backdoor(target=self.models.target(seed), **settings)
        return replace(self.base, **changes, attack=plan, seeds=self.models.seeds(seed))

    def defense(self, kind: str, lr: float | None = None, **changes: Any) -> TrainedDefense:
        """A defense with the profile's recipe and share; changes are its fields, `recipe_…` those of its recipe."""
        recipe = {k.removeprefix("recipe_"): changes.pop(k) for k in [*changes] if k.startswith("recipe_")}
        if lr is not None:
            recipe["lr"] = lr
        if kind in self.own_epochs:
            recipe.setdefault("epochs", self.own_epochs[kind])
        made = DEFENSES.find(kind)(**{"recipe": replace(self.recipe, **recipe), "share": self.share} | changes)
        assert isinstance(made, TrainedDefense)
        return made

    def sweep(self, kind: str, *, few: bool = False, **changes: Any) -> list[TrainedDefense]:
        """A defense at each of its learning rates, from weak to strong."""
        rates = self.few_rates if few else self.own_rates.get(kind, self.rates)
        return [self.defense(kind, lr, **changes) for lr in rates]

    @property
    def middle_rate(self) -> float:
        """The learning rate at which another setting is swept."""
        return self.few_rates[(len(self.few_rates) - 1) // 2]
