"""Several attacks on one model, so that a costly model tells of each of them. Introduced in the chapter on backdoors.

Each attack makes the poisons that it would make alone, from the clean pairs and the same seed; all of them are added,
and each is measured as it is alone. Whether they disturb each other is measured by `tutorial_lib.experiments.sharing`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import reduce
from typing import TYPE_CHECKING, ClassVar, TypeVar, cast

from tutorial_lib.attacks.backdoor import Backdoor
from tutorial_lib.attacks.targeted import Targeted
from tutorial_lib.trials.attack import Attack, Plan
from tutorial_lib.trials.trial import Trial

if TYPE_CHECKING:
    from torch import Tensor

    from tutorial_lib.data.pairs import Pairs
    from tutorial_lib.data.tasks import ZeroShotTask
    from tutorial_lib.evaluate import Reader
    from tutorial_lib.models import Model, Tokenizer
    from tutorial_lib.trials.metrics import Metrics

A = TypeVar("A", bound=Attack)


@dataclass(frozen=True)
class Together(Attack):
    """Attacks that share a model.

    In a record the metrics of each part have their own names; those of a part whose kind an earlier one has begin with
    its position, counted from 0: `1_z_score`.

    Attributes:
        parts: the attacks, two or more.

    Raises:
        ValueError: there are fewer than two parts, or one of them is no attack or several itself.

    Example:
        >>> shared = Together((Backdoor(300, target="cactus"), Targeted(targets=4)))
        >>> shared.find(Backdoor).target, shared.prefixes
        ('cactus', ('', ''))
        >>> Together((Backdoor(300), Backdoor(75, target="cactus"))).prefixes
        ('', '1_')
    """

    kind: ClassVar[str] = "together"

    parts: tuple[Attack, ...] = field(default_factory=lambda: (Backdoor(300), Targeted()))

    def __post_init__(self) -> None:
        super().__post_init__()
        for part in self.parts:
            if not isinstance(part, Attack) or isinstance(part, Together):
                raise ValueError(f"parts of a together must be attacks that are one attack each, not {part!r}")
        if len(self.parts) < 2:
            raise ValueError(f"a together needs at least 2 parts, not {len(self.parts)}")

    @property
    def adds(self) -> bool:
        return any(part.adds for part in self.parts)

    @property
    def prefixes(self) -> tuple[str, ...]:
        """What the names of each part's metrics begin with."""
        kinds = [part.kind for part in self.parts]
        return tuple(f"{k}_" if kind in kinds[:k] else "" for k, kind in enumerate(kinds))

    def find(self, kind: type[A]) -> A | None:
        return next((part for part in self.parts if isinstance(part, kind)), None)

    def plan(self, clean: Pairs, task: ZeroShotTask, *, seed: int) -> TogetherPlan:
        plans = tuple(part.plan(clean, task, seed=seed) for part in self.parts)
        found = [_named(plan.poisons, prefix) for plan, prefix in zip(plans, self.prefixes, strict=True)]
        there = [pairs for pairs in found if pairs is not None]
        return TogetherPlan(self, plans, reduce(lambda a, b: a + b, there) if there else None)


def beside(trial: Trial, other: Attack) -> Trial:
    """The trial with one more attack on its model.

    Raises:
        ValueError: the trial has no attack, or several.

    Example:
        >>> beside(Trial(Backdoor(4)), Targeted(targets=1)).attack.prefixes
        ('', '')
    """
    if trial.attack is None:
        raise ValueError("the trial has no attack that another one could stand beside")
    return replace(trial, attack=Together((trial.attack, other)))


def _named(pairs: Pairs | None, prefix: str) -> Pairs | None:
    """The same pairs, with keys that no other part of that kind has."""
    if pairs is None or not prefix:
        return pairs
    return replace(pairs, keys=tuple(f"{prefix}{key}" for key in pairs.keys))


@dataclass(frozen=True)
class TogetherPlan:
    """The poisons of all parts, and their measurements.

    Example:
        >>> from tutorial_lib import profiles
        >>> from tutorial_lib.runs.outcome import prepare
        >>> p = profiles.get("test")
        >>> shared = Together((p.backdoor(4, seed=0).attack, Targeted(targets=2)))
        >>> plan = shared.plan(*prepare(p.base), seed=0)
        >>> [len(part.poisons) for part in plan.parts], len(plan.poisons)
        ([4, 62], 66)
    """

    attack: Together
    parts: tuple[Plan, ...]
    poisons: Pairs | None

    def measure(
        self,
        model: Model,
        tokenizer: Tokenizer,
        task: ZeroShotTask,
        embeddings: Tensor,
        readers: Mapping[str, Reader],
    ) -> Metrics:
        """What each part measures alone, and how many poisons each added."""
        from tutorial_lib.attacks.poison import count_poisons

        found: dict[str, object] = {
            "poisons_by_part": [0 if p.poisons is None else count_poisons(p.poisons) for p in self.parts]
        }
        for plan, prefix in zip(self.parts, self.attack.prefixes, strict=True):
            own = plan.measure(model, tokenizer, task, embeddings, readers)
            found |= {f"{prefix}{name}": value for name, value in own.items()}
        return cast("Metrics", found)
