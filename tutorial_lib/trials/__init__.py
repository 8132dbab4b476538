"""What a trial is and where its record lies. Imports no torch: `tutorial status` reads thousands of trials at once."""

from tutorial_lib.trials.attack import Attack, Plan
from tutorial_lib.trials.defense import Cleaned, Defense, DefenseError, Material, TrainedDefense
from tutorial_lib.trials.detector import AnyDetector, Detector
from tutorial_lib.trials.history import History
from tutorial_lib.trials.method import Method
from tutorial_lib.trials.metrics import Metrics
from tutorial_lib.trials.recipe import Recipe
from tutorial_lib.trials.record import RECORD_SCHEMA, Record, RecordError
from tutorial_lib.trials.trial import RECIPE_VERSION, Seeds, Trial

__all__ = [
    "RECIPE_VERSION",
    "RECORD_SCHEMA",
    "AnyDetector",
    "Attack",
    "Cleaned",
    "Defense",
    "DefenseError",
    "Detector",
    "History",
    "Material",
    "Method",
    "Metrics",
    "Plan",
    "Recipe",
    "Record",
    "RecordError",
    "Seeds",
    "TrainedDefense",
    "Trial",
]
