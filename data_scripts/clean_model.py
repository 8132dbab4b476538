"""Train the clean model that ships with the course, and write its record beside it.

    python data_scripts/clean_model.py                 # writes tutorial_lib/checkpoints/clean (a minute or two)
    python data_scripts/clean_model.py --out build/x   # or elsewhere

It is the control of chapter 4: same pairs, weights and order as the backdoored model, no poisons. The weights are
stored as float16; the metrics in `record.json` were measured before rounding.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from tutorial_lib import model as models
from tutorial_lib.attacks import Backdoor
from tutorial_lib.runs import Seeds, Trial, hardware, measure, train_trial


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=models.CHECKPOINTS / "clean")
    out = parser.parse_args().out
    trial = Trial(Backdoor(0), seeds=Seeds.all(0))
    outcome = train_trial(trial)
    models.save(out, outcome.model, models.model_config(trial.model), outcome.tokenizer, half=True)
    record = {"trial": trial.as_dict(), "metrics": measure(outcome), "hardware": hardware()}
    (out / "record.json").write_text(json.dumps(record, indent=1) + "\n")
    print(f"{out}: zero-shot accuracy {record['metrics']['clean_accuracy']['zero_shot']['rate']:.1%}")


if __name__ == "__main__":
    main()
