"""Detectors of checkpoints: is this model backdoored? Neither trigger nor target has to be known.

One frozen class a file; a class searches a model for a trigger, and torch is imported only where it does. Introduced in
the chapter on auditing a checkpoint.
"""

from __future__ import annotations

from tutorial_lib.detect.checkpoints.base import CheckpointDetector, Finding, Found, Work
from tutorial_lib.detect.checkpoints.class_inversion import ClassInversion
from tutorial_lib.detect.checkpoints.decree import DECREE
from tutorial_lib.detect.checkpoints.neural_cleanse import NeuralCleanse
from tutorial_lib.detect.checkpoints.thresholds import Calibration, Threshold
from tutorial_lib.detect.checkpoints.token_inversion import TokenInversion
from tutorial_lib.detect.checkpoints.trigger_scan import TriggerScan
from tutorial_lib.detect.checkpoints.universal_patch import UniversalPatch
from tutorial_lib.plugins import Kinds

__all__ = [
    "CHECKPOINT_DETECTORS",
    "DECREE",
    "Calibration",
    "CheckpointDetector",
    "ClassInversion",
    "Finding",
    "Found",
    "NeuralCleanse",
    "Threshold",
    "TokenInversion",
    "TriggerScan",
    "UniversalPatch",
    "Work",
]

#: Detectors of checkpoints by kind; those of other packages register as `tutorial_lib.detect.checkpoints`.
CHECKPOINT_DETECTORS: Kinds[CheckpointDetector] = Kinds(
    CheckpointDetector, __name__, "detector of checkpoints", helpers=("base", "thresholds", "search")
)
