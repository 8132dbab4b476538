"""What an attacker sees, and the attacks whose poisons follow from that alone."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tutorial_lib.trials.attack import Attack

if TYPE_CHECKING:
    from torch import Tensor

    from tutorial_lib.attacks.poison import Poison
    from tutorial_lib.data.pairs import Pairs


@dataclass(frozen=True)
class Seen:
    """What an attacker sees of a data set.

    Attributes:
        pairs: the clean pairs.
        labels: names of the classes, empty where there are none.
        shown: class of each picture, shape (len(pairs),), int64, -1 where unknown; `None` where captions must tell.

    Example:
        >>> import torch
        >>> from tutorial_lib.data.pairs import Pairs
        >>> pairs = Pairs(torch.zeros(1, 3, 8, 8, dtype=torch.uint8), ("a dog",), ("1",), torch.tensor([-1]))
        >>> Seen(pairs).class_of("dog"), Seen(pairs, ("cat", "dog")).class_of("dog")
        (-1, 1)
    """

    pairs: Pairs
    labels: tuple[str, ...] = ()
    shown: Tensor | None = None

    def class_of(self, label: str) -> int:
        """Number of the class with that label, -1 where there are no classes.

        Raises:
            ValueError: it is none of the classes; names the nearest labels.
        """
        from tutorial_lib.data.tasks import class_number

        return class_number(label, self.labels) if self.labels else -1


@dataclass(frozen=True)
class PairAttack(Attack):
    """An attack that needs only the pairs: `tutorial poison` makes it on anybody's shards.

    Attributes:
        count: number of poisons; 0 is the control.
        target: label of the class that the attacker wants to be seen.

    Raises:
        ValueError: `count` is negative, or a setting is none of its choices.

    Example:
        >>> from tutorial_lib.attacks import ATTACKS
        >>> [kind for kind, cls in ATTACKS.items() if issubclass(cls, PairAttack)]
        ['backdoor', 'text-backdoor']
    """

    count: int
    target: str = "banana"

    def __post_init__(self) -> None:
        super().__post_init__()
        self.require(count=0)

    @property
    def adds(self) -> bool:
        return self.count > 0

    @abstractmethod
    def poison(self, seen: Seen, *, seed: int) -> Poison:
        """The poison set and its manifest; its settings say where the captions are from, and how many differ.

        Args:
            seen: what the attacker sees.
            seed: draws pictures, captions and random places.

        Raises:
            ValueError: there are too few pictures or captions, or something does not fit.
        """
