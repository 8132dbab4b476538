"""What must be shown before a claim can be judged: a defense is not judged where the attack does not work."""

from __future__ import annotations

import math
from dataclasses import dataclass

from tutorial_lib.evidence import registry
from tutorial_lib.evidence.decide import estimated
from tutorial_lib.evidence.results import Results
from tutorial_lib.evidence.statistics import Estimate


def region(above: float, below: float) -> str:
    """The region between two bounds in words.

    Example:
        >>> region(0.3, math.inf), region(-1.0, 1.0)
        ('above 0.3', 'between -1 and 1')
    """
    if math.isinf(above):
        return f"below {below:g}"
    return f"above {above:g}" if math.isinf(below) else f"between {above:g} and {below:g}"


@dataclass(frozen=True)
class Requirement:
    """A prerequisite of a claim.

    Attributes:
        experiment: whose records tell.
        quantity: the function of that module.
        says: what has to be shown, in words.
        above, below: the region in which the 95 % interval of the quantity has to lie.

    Raises:
        ValueError: no bound is finite.

    Example:
        >>> works = Requirement("cc_attacks", "badnets_before", "BadNets succeeds before cleaning", above=0.7)
        >>> from tutorial_lib.evidence.registry import results
        >>> works.met(works.estimate(results("demo")))
        True
    """

    experiment: str
    quantity: str
    says: str
    above: float = -math.inf
    below: float = math.inf

    def __post_init__(self) -> None:
        if not (math.isfinite(self.above) or math.isfinite(self.below)):
            raise ValueError(f"the requirement that {self.says} has no bound, so that nothing could fail it")

    @property
    def predicate(self) -> str:
        """The region in words."""
        return region(self.above, self.below)

    def estimate(self, results: Results) -> Estimate | None:
        """The quantity; `None` where there are too few models."""
        return estimated(getattr(registry.load(self.experiment), self.quantity)(results), "mean")

    def met(self, estimate: Estimate) -> bool:
        """Whether the interval lies in the region."""
        return self.above <= estimate.low and estimate.high <= self.below
