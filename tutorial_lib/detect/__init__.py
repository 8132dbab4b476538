"""Detectors: which pairs of a training set are poisoned. Introduced in the chapter on whether it holds.

One frozen class a file; a class scores pairs, and torch is imported only where it does.
"""

from __future__ import annotations

from tutorial_lib.detect.base import Detector
from tutorial_lib.detect.pair_similarity import PairSimilarity
from tutorial_lib.plugins import Kinds

__all__ = ["DETECTORS", "Detector", "PairSimilarity"]

#: Detectors by kind; those of other packages register as `tutorial_lib.detect`.
DETECTORS: Kinds[Detector] = Kinds(Detector, __name__, "detector")
