"""What an oracle is."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from tests.evidence.worlds import Rule

Rules = dict[str, Rule]


@dataclass(frozen=True)
class Oracle:
    """Worlds in which it is plain what a claim's verdict must be.

    Attributes:
        right: rules of a world in which the sentence of the paper is plainly true: *holds*.
        mirror: the same the other way round: *fails*.
        also_right: further worlds in which it is true.
        also_wrong: further worlds in which it is false, for example on the other side of a number.
        profile: whose trials the rules speak of.
    """

    right: Rules
    mirror: Rules
    also_right: tuple[Rules, ...] = ()
    also_wrong: tuple[Rules, ...] = ()
    profile: str = "cpu"

    @property
    def worlds(self) -> list[tuple[Rules, Literal["holds", "fails"]]]:
        right: list[tuple[Rules, Literal["holds", "fails"]]] = [(r, "holds") for r in (self.right, *self.also_right)]
        return right + [(r, "fails") for r in (self.mirror, *self.also_wrong)]


@dataclass(frozen=True)
class Misread:
    """A world on which the library's verdict is not what the sentence of the source says.

    Attributes:
        claim: its id.
        rules: of the world.
        verdict: what the sentence says of it.
        why: what the library looks at instead.
        profile: whose trials the rules speak of.
    """

    claim: str
    rules: Rules = field(repr=False)
    verdict: Literal["holds", "fails"]
    why: str
    profile: str = "cpu"
