"""What every trigger can do."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Literal

from tutorial_lib.plugins import Kind
from tutorial_lib.trials.schema import Settings

if TYPE_CHECKING:
    from torch import Tensor

Placement = Literal["fixed", "random"]


@dataclass(frozen=True)
class Trigger(Settings, Kind, ABC):
    """A change of stored pictures that an attacker can make again at test time.

    Attributes:
        placements: where it can be put; a trigger of the whole picture knows only "fixed".

    Example:
        >>> from tutorial_lib.triggers import TRIGGERS
        >>> all(issubclass(cls, Trigger) for cls in TRIGGERS.values())
        True
    """

    placements: ClassVar[tuple[Placement, ...]] = ("fixed",)

    @abstractmethod
    def stamp(self, images: Tensor, seed: int = 0) -> Tensor:
        """Copies of the pictures with the trigger: x ⊕ bd.

        Args:
            images: shape (N, 3, H, W), uint8.
            seed: of whatever differs from picture to picture; picture `i` is changed in the same way each time.

        Raises:
            ValueError: the trigger does not fit the pictures.
        """

    @abstractmethod
    def control(self) -> Trigger:
        """A trigger of the same kind, place and strength that is not this one."""
