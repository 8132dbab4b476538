"""From a trial to its record: `run(trial) -> Record`, and the engines that run many."""

from tutorial_lib.runs.hardware import hardware
from tutorial_lib.runs.measure import measure
from tutorial_lib.runs.outcome import Outcome, prepare, train_trial
from tutorial_lib.runs.run import fit, run

__all__ = ["Outcome", "fit", "hardware", "measure", "prepare", "run", "train_trial"]
