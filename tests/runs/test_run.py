"""A trial decides its record, and interrupted it goes on."""

import json
from dataclasses import replace

import pytest
import torch

from tests.runs.small import TINY, backdoored
from tutorial_lib import runs
from tutorial_lib.attacks import Backdoor, Targeted
from tutorial_lib.trials import Seeds


def test_key_depends_on_every_field_and_on_nothing_else():
    base = backdoored()
    others = [
        backdoored(25),
        backdoored(seeds=Seeds(poison=1)),
        backdoored(seeds=Seeds(order=1)),
        backdoored(classes=61),
        backdoored(recipe=replace(TINY.recipe, lr=1e-3)),
        replace(base, attack=None),
        replace(base, attack=Targeted()),
        replace(base, recipe_version=base.recipe_version + 1),
    ]
    keys = [base.key, *(t.key for t in others)]
    assert len(set(keys)) == len(keys)
    assert backdoored().key == base.key
    assert json.loads(json.dumps(base.as_dict()))["attack"]["kind"] == "backdoor"


def test_an_interrupted_supervised_trial_goes_on_from_its_last_epoch(tmp_path):
    """Once such a trial began anew and left its state behind."""
    state = tmp_path / "states" / "trial.pt"
    recipe = replace(TINY.recipe, epochs=4, batch_size=32)
    attack = Backdoor(8, target="foggy")
    trial = replace(TINY, classes=12, attack=attack, objective="supervised", recipe=recipe)
    whole = runs.train_trial(trial, progress=False)

    def stop(epoch, _):
        if epoch == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        runs.train_trial(trial, progress=False, checkpoint=state, on_epoch=stop)
    assert torch.load(state, weights_only=True)["epoch"] == 2
    with pytest.raises(ValueError, match="belongs to another run"):
        runs.train_trial(replace(trial, seeds=Seeds(order=1)), progress=False, checkpoint=state)
    copy = tmp_path / "copy.pt"
    copy.write_bytes(state.read_bytes())
    epochs = []
    resumed = runs.train_trial(trial, progress=False, checkpoint=state, on_epoch=lambda e, _: epochs.append(e))
    assert epochs == [3, 4]
    assert resumed.history.loss == whole.history.loss
    ours, theirs = resumed.model.state_dict(), whole.model.state_dict()
    assert ours.keys() == theirs.keys()
    assert "head.weight" in ours
    assert all(torch.equal(ours[name], theirs[name]) for name in ours)
    assert not state.exists()
    record = runs.run(trial, progress=False, checkpoint=copy)  # the same way from the trial to its record
    assert record.metrics["loss"] == whole.history.loss
    assert record.metrics["attack_success"] == runs.measure(whole)["attack_success"]
    assert copy.exists()  # until the record is written
