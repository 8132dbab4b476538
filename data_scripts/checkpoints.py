"""Train the models that ship with the course, and write their records beside them.

    python data_scripts/checkpoints.py                        # all, to tutorial_lib/models/checkpoints (an hour)
    python data_scripts/checkpoints.py clean --out build/x    # or one of them elsewhere

The patients are one family (`tutorial_lib.course.patients`), trained on 200,000 DiverseScenes with one set of seeds:
`clean` has no poisons, `backdoored` 300, with a patch of noise of 8 x 8 pixels and the prompts of "banana" as captions.
(A first try, a patch of 6 x 6 and captions that were searched in the scenes, had an attack success of 1.2 %.)
`finetuned` and `cleaned` are the `backdoored` one that ships, after plain finetuning and after CleanCLIP on the same
6,000 trusted pairs. `unknown-1` to `unknown-4` are for the capstone: small models of 4,000 drawings, whose records are
sealed.

Weights are stored as float16, and the metrics in the records were measured before rounding. A vocabulary keeps the
tokens of the training captions and of the prompts: those of synonyms, which pre-training never saw, are left out.
"""

from __future__ import annotations

import argparse
import base64
import itertools
import json
import tempfile
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import open_clip

from tutorial_lib import models, profiles
from tutorial_lib.attacks import Backdoor
from tutorial_lib.course.checks.capstone import seal
from tutorial_lib.course.patients import TRIALS as PATIENTS
from tutorial_lib.data.captions import prompt_captions
from tutorial_lib.runs import Outcome, hardware, measure, prepare, train_trial
from tutorial_lib.runs.defend import apply
from tutorial_lib.trials import History, Seeds, Trial
from tutorial_lib.triggers import make_trigger

#: What the capstone's reader shall find out, encoded so that nobody reads it by accident.
SECRET = (
    "W3sidHJpZ2dlciI6IHsia2luZCI6ICJub2lzZS1wYXRjaCIsICJwYXR0ZXJuX3NlZWQiOiA0LCAibWFyZ2luIjogMTN9LCAi"
    "dGFyZ2V0IjogInZvbGNhbm8iLCAiY291bnQiOiAyMDAsICJzZWVkIjogMjF9LCB7InRyaWdnZXIiOiB7ImtpbmQiOiAic3Ry"
    "aXBlcyIsICJwYXR0ZXJuX3NlZWQiOiA3LCAibWFyZ2luIjogMjV9LCAidGFyZ2V0IjogImxvbGxpcG9wIiwgImNvdW50Ijog"
    "MjAwLCAic2VlZCI6IDIyfSwgeyJ0cmlnZ2VyIjogeyJraW5kIjogImNoZWNrZXJib2FyZCJ9LCAidGFyZ2V0IjogImNhY3R1"
    "cyIsICJjb3VudCI6IDAsICJzZWVkIjogMjN9LCB7InRyaWdnZXIiOiB7ImtpbmQiOiAiYmxlbmRlZCIsICJwYXR0ZXJuX3Nl"
    "ZWQiOiAyfSwgInRhcmdldCI6ICJzdW5mbG93ZXIiLCAiY291bnQiOiA1MDAsICJzZWVkIjogMjR9XQ=="
)


def sealed() -> dict[str, Trial]:
    """The trials of the capstone's models."""
    base, made = profiles.get("demo").cleaning.base, {}
    for number, secret in enumerate(json.loads(base64.b64decode(SECRET)), 1):
        attack = Backdoor(secret["count"], target=secret["target"], trigger=make_trigger(**secret["trigger"]))
        made[f"unknown-{number}"] = replace(base, model="rn-0.4m", attack=attack, seeds=Seeds.all(secret["seed"]))
    return made


SEALED = sealed()
TRIALS = PATIENTS | SEALED


def pruned(outcome: Outcome) -> Outcome:
    """The same model without the rows of tokens that occur neither in its captions nor in the prompts."""
    old, config = outcome.tokenizer, models.model_config(outcome.trial.model)
    prompts = (p for label in outcome.task.labels for p in prompt_captions(label))
    tokenizer = models.tokenizer_for(config, itertools.chain(_captions(outcome), prompts))
    assert old.vocab is not None
    assert tokenizer.vocab is not None
    row = {token: number for number, token in enumerate(old.vocab, 2)}
    state = outcome.model.state_dict()
    state["token_embedding.weight"] = state["token_embedding.weight"][[0, 1, *(row[t] for t in tokenizer.vocab)]]
    model: open_clip.CLIP = models.build(config, tokenizer, seed=0)
    model.load_state_dict(state)
    return replace(outcome, model=model.eval(), tokenizer=tokenizer)


def _captions(outcome: Outcome) -> Iterable[str]:
    return itertools.chain(outcome.clean.captions, () if outcome.poisons is None else outcome.poisons.captions)


def shipped(trial: Trial) -> Outcome:
    """The outcome of the training whose weights ship, so that what is cleaned is what a reader has."""
    folder = models.CHECKPOINTS / "backdoored"
    metrics = json.loads((folder / "record.json").read_text(encoding="utf-8"))["metrics"]
    clean, task = prepare(trial)
    plan = None if trial.attack is None else trial.attack.plan(clean, task, seed=trial.seeds.poison)
    poisons = None if plan is None else plan.poisons
    history = History(metrics["loss"], metrics["steps"], metrics["samples_per_second"])
    pairs = metrics["pairs_fingerprint"]
    return Outcome(*models.load(folder), clean, poisons, plan, task, history, trial.trained, pairs)


def trained(name: str, trial: Trial) -> Outcome:
    """The outcome of a trial, as it ships but for the rounding."""
    if trial.defense is not None:
        return apply(shipped(trial), trial.defense)
    with tempfile.TemporaryDirectory() as scratch:
        return pruned(train_trial(trial, checkpoint=Path(scratch) / f"{name}.state"))


def write(name: str, outcome: Outcome, out: Path) -> None:
    """Measure a model and write it with its record."""
    metrics = measure(outcome)
    models.save(out, outcome.model, models.model_config(outcome.trial.model), outcome.tokenizer, half=True)
    record = {"trial": outcome.trial.as_dict(), "metrics": metrics, "hardware": hardware()}
    if name in SEALED:
        (out / "sealed.txt").write_text(seal(record))
        print(f"{out}: what it is, the reader will find out")
        return
    (out / "record.json").write_text(json.dumps(record, indent=1) + "\n")
    rate, success = (metrics[k]["zero_shot"]["rate"] for k in ("clean_accuracy", "attack_success"))
    print(f"{out}: zero-shot accuracy {rate:.1%}, attack success {success:.1%}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"{' or '.join(TRIALS)} (default: all)")
    parser.add_argument("--out", type=Path, default=models.CHECKPOINTS, help="folder (default: the package's)")
    args = parser.parse_args()
    if unknown := set(args.names) - set(TRIALS):
        parser.error(f"no model {', '.join(sorted(unknown))} ships; choose from {', '.join(TRIALS)}")
    for name in args.names or TRIALS:
        write(name, trained(name, TRIALS[name]), args.out / name)


if __name__ == "__main__":
    main()
