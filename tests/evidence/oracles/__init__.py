"""For each claim, a world in which the paper is plainly right and one in which it is plainly wrong.

They are written from what the source says, the claim's `says` and `section`, and never from what the quantity computes:
a reader checks them against the sentence. Rules of a world: see `tests.evidence.worlds`.
"""

from tests.evidence.oracles import (
    captions,
    carlini_terzis,
    checkpoints,
    cleanclip,
    critique,
    detection,
    robustness,
    scale,
    sharing,
)
from tests.evidence.oracles.oracle import Oracle

ORACLES: dict[str, Oracle] = (
    carlini_terzis.ORACLES
    | scale.ORACLES
    | captions.ORACLES
    | cleanclip.ORACLES
    | critique.ORACLES
    | detection.ORACLES
    | robustness.ORACLES
    | checkpoints.ORACLES
    | sharing.ORACLES
)
__all__ = ["ORACLES", "Oracle"]
