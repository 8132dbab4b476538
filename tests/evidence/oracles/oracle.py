"""What an oracle is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

#: Arguments of a `World`.
Rules = dict[str, Any]
Word = Literal["holds", "fails", "not seen", "not applicable here", "not run"]


@dataclass(frozen=True)
class Oracle:
    """Worlds in which it is plain what a claim's verdict must be.

    Attributes:
        right: rules of a world in which the sentence of the paper is plainly true: *holds*.
        mirror: the same the other way round: *fails*.
        also_right: further worlds in which it is true.
        also_wrong: further worlds in which it is false, for example on the other side of a number.
        inapplicable: worlds in which its prerequisite is not met, so that it cannot be judged.
        unfinished: worlds in which too little was run to say anything.
        profile: whose trials the rules speak of, where they do not name one themselves.
        wrong: the verdict where the sentence is false: of something that can happen, it was *not seen*.
    """

    right: Rules
    mirror: Rules
    also_right: tuple[Rules, ...] = ()
    also_wrong: tuple[Rules, ...] = ()
    inapplicable: tuple[Rules, ...] = ()
    unfinished: tuple[Rules, ...] = ()
    profile: str = "cpu"
    wrong: Word = "fails"

    @property
    def worlds(self) -> list[tuple[Rules, Word]]:
        """The arguments of each world with its verdict."""
        words: tuple[Word, ...] = ("holds", self.wrong, "not applicable here", "not run")
        of = ((self.right, *self.also_right), (self.mirror, *self.also_wrong), self.inapplicable, self.unfinished)
        return [
            ({"profile": self.profile} | rules, word) for word, found in zip(words, of, strict=True) for rules in found
        ]
