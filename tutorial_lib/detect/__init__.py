"""Detectors: which pairs of a training set are poisoned. Introduced in the chapter on finding poisons.

One frozen class a file; a class scores pairs, and torch is imported only where it does. Detectors of checkpoints are in
`tutorial_lib.detect.checkpoints`, those of triggered pictures in `tutorial_lib.detect.pictures`.
"""

from __future__ import annotations

from tutorial_lib.detect.activation_clustering import ActivationClustering
from tutorial_lib.detect.caption_disagreement import CaptionDisagreement
from tutorial_lib.detect.cosine_mixture import CosineMixture
from tutorial_lib.detect.dao import DAO
from tutorial_lib.detect.early_loss import EarlyLoss
from tutorial_lib.detect.k_distance import KDistance
from tutorial_lib.detect.near_duplicates import NearDuplicates
from tutorial_lib.detect.pair_similarity import PairSimilarity
from tutorial_lib.detect.points import PointDetector, Points, points_of
from tutorial_lib.detect.ranking import Ranking
from tutorial_lib.detect.slof import SLOF
from tutorial_lib.detect.spectral_signatures import SpectralSignatures
from tutorial_lib.plugins import Kinds
from tutorial_lib.trials import Detector

__all__ = [
    "DAO",
    "DETECTORS",
    "SLOF",
    "ActivationClustering",
    "CaptionDisagreement",
    "CosineMixture",
    "Detector",
    "EarlyLoss",
    "KDistance",
    "NearDuplicates",
    "PairSimilarity",
    "PointDetector",
    "Points",
    "Ranking",
    "SpectralSignatures",
    "points_of",
]

#: Detectors by kind; those of other packages register as `tutorial_lib.detect`.
DETECTORS: Kinds[Detector] = Kinds(
    Detector,
    __name__,
    "detector",
    helpers=(
        "approximate",
        "points",
        "neighbours",
        "caption_groups",
        "ranking",
        "subject",
        "stamping",
        "checkpoints",
        "pictures",
    ),
)
