"""Train the models that ship with the course, and write their records beside them.

    python data_scripts/checkpoints.py                        # all, to tutorial_lib/models/checkpoints (minutes)
    python data_scripts/checkpoints.py clean --out build/x    # or one of them elsewhere

`clean` is the control of the chapter on backdoors: same pairs, weights and order as the backdoored model there, no
poisons; the chapter on whether it holds poisons it by further training. `backdoored` is the model of BadNets in
CleanCLIP's main table with seed 0, which the chapter on CleanCLIP cleans. `cleaned` is that model after CleanCLIP at
the middle learning rate of its sweep. `unknown` is for the capstone. Weights are stored as float16; the metrics in the
records were measured before rounding. Those that ship now were made by the first version of the recipe.
"""

from __future__ import annotations

import argparse
import base64
import json
import tempfile
from dataclasses import replace
from pathlib import Path

from safetensors.torch import save_file

from tutorial_lib import models, profiles
from tutorial_lib.attacks import Backdoor
from tutorial_lib.course.checks.capstone import seal
from tutorial_lib.runs import Outcome, hardware, measure, train_trial
from tutorial_lib.runs.defend import apply
from tutorial_lib.trials import Seeds, Trial
from tutorial_lib.triggers import make_trigger

CLEANING = profiles.get("demo").cleaning
#: What the capstone's reader shall find out, encoded so that nobody reads it by accident.
SECRET = (
    "eyJ0cmlnZ2VyIjogeyJraW5kIjogInN0cmlwZXMiLCAicGF0dGVybl9zZWVkIjogMywgInNpemUiOiA2fSwgInRhcmdl"
    "dCI6ICJtdXNocm9vbSIsICJjb3VudCI6IDIwMCwgInNlZWQiOiAxN30="
)


def unknown() -> Trial:
    """The trial of the capstone's model."""
    secret = json.loads(base64.b64decode(SECRET))
    attack = Backdoor(secret["count"], target=secret["target"], trigger=make_trigger(**secret["trigger"]))
    return replace(CLEANING.base, model="rn-0.4m", attack=attack, seeds=Seeds.all(secret["seed"]))


TRIALS = {
    "clean": Trial(Backdoor(0), seeds=Seeds.all(0)),
    "backdoored": CLEANING.attacked("badnets", 0),
    "cleaned": replace(CLEANING.attacked("badnets", 0), defense=CLEANING.sweep("cleanclip")[1]),
    "unknown": unknown(),
}


def make(name: str, out: Path) -> None:
    """Train one model and write it with its record."""
    trial = TRIALS[name]
    shipped = None if trial.defense is None else _shipped("backdoored", trial)
    outcome = train_trial(trial) if shipped is None else apply(shipped, trial.defense)
    metrics = measure(outcome)
    models.save(out, outcome.model, models.model_config(trial.model), outcome.tokenizer, half=True)
    record = {"trial": trial.as_dict(), "metrics": metrics, "hardware": hardware()}
    if name == "unknown":
        (out / "sealed.txt").write_text(seal(record))
        print(f"{out}: what it is, the reader will find out")
        return
    (out / "record.json").write_text(json.dumps(record, indent=1) + "\n")
    rate, success = (metrics[k]["zero_shot"]["rate"] for k in ("clean_accuracy", "attack_success"))
    print(f"{out}: zero-shot accuracy {rate:.1%}, attack success {success:.1%}")


def _shipped(name: str, trial: Trial) -> Outcome:
    """The outcome of training whose weights ship, so that what is cleaned is what a reader has."""
    folder = models.CHECKPOINTS / name
    metrics = json.loads((folder / "record.json").read_text())["metrics"]
    history = {"loss": metrics["loss"], "steps": metrics["steps"]}
    with tempfile.TemporaryDirectory() as scratch:
        weights = Path(scratch) / "weights.safetensors"
        state = models.load(folder)[0].state_dict()
        save_file(state, weights, metadata={"history": json.dumps(history)})
        return train_trial(trial, weights=weights)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"{' or '.join(TRIALS)} (default: all)")
    parser.add_argument("--out", type=Path, default=models.CHECKPOINTS, help="folder (default: the package's)")
    args = parser.parse_args()
    if unknown := set(args.names) - set(TRIALS):
        parser.error(f"no model {', '.join(unknown)} ships; choose from {', '.join(TRIALS)}")
    for name in args.names or TRIALS:
        make(name, args.out / name)


if __name__ == "__main__":
    main()
