"""From a trial to a trained model: interrupted or not, and what is refused before training."""

import gc
import hashlib
import weakref
from dataclasses import replace

import pytest
import torch

from tests.runs.small import TINY, backdoored
from tutorial_lib import models, runs
from tutorial_lib.attacks import Backdoor, Targeted
from tutorial_lib.defenses import Untouched
from tutorial_lib.runs import sources
from tutorial_lib.trials import RECIPE_VERSION, Seeds, Trial
from tutorial_lib.trials.store import RunStore
from tutorial_lib.triggers import NoisePatch


def test_an_interrupted_trial_goes_on_from_its_last_epoch(tmp_path):
    state = tmp_path / "states" / "trial.pt"
    trial = backdoored(recipe=replace(TINY.recipe, epochs=2))
    whole = runs.train_trial(trial, progress=False).history.loss

    def stop(epoch, _):
        if epoch == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        runs.train_trial(trial, progress=False, checkpoint=state, on_epoch=stop)
    assert torch.load(state, weights_only=True)["epoch"] == 1
    with pytest.raises(ValueError, match="belongs to another run"):
        runs.train_trial(replace(trial, seeds=Seeds(order=1)), progress=False, checkpoint=state)
    assert runs.train_trial(trial, progress=False, checkpoint=state).history.loss == whole
    assert not state.exists()


@pytest.mark.parametrize("select", ["others", "label-consistent"])
def test_supervised_classifier_learns_what_its_labels_say(select):
    trial = replace(
        TINY,
        classes=12,
        attack=Backdoor(8, target="banana", select=select),
        objective="supervised",
        recipe=replace(TINY.recipe, epochs=30, batch_size=32),
    )
    with pytest.raises(ValueError, match="there is no class 'banana'"):
        runs.train_trial(trial, progress=False)
    trial = replace(trial, attack=replace(trial.attack, target="foggy"))
    outcome = runs.train_trial(trial, progress=False)
    metrics = runs.measure(outcome)
    assert set(metrics["attack_success"]) == {"classifier", "linear_probe", "knn", "linear_probe_unseen", "knn_unseen"}
    assert metrics["clean_accuracy"]["classifier"]["rate"] > 2 / 12


def test_the_triplet_loss_trains_another_model_and_leaves_the_logit_scale():
    clip = replace(TINY, recipe=replace(TINY.recipe, epochs=3))
    found, usual = (runs.train_trial(t, progress=False) for t in (replace(clip, objective="triplet"), clip))
    assert found.history.loss[-1] < found.history.loss[0]
    assert found.history.loss != usual.history.loss
    start = models.build(TINY.model, found.tokenizer).logit_scale
    assert torch.equal(found.model.logit_scale, start)
    assert not torch.equal(usual.model.logit_scale, start)


def test_controls_of_one_seed_share_their_weights_and_are_measured_apart(tmp_path, monkeypatch):
    """What a control would have added changes nothing of the training."""
    store = RunStore(tmp_path)
    controls = [
        replace(TINY, attack=attack, defense=Untouched())
        for attack in (Backdoor(0, target="banana"), Backdoor(0, target="banana", trigger=NoisePatch()))
    ]
    assert len({store.weights_of(t) for t in controls}) == 1
    assert store.weights_of(controls[0]) != store.weights_of(replace(controls[0], attack=Backdoor(4)))
    assert store.checkpoint_of(TINY) != store.checkpoint_of(replace(TINY, attack=Backdoor(0)))
    first, second = (runs.run(t, progress=False, weights=store.weights_of(t)) for t in controls)
    assert first.key != second.key
    assert first.metrics["clean_accuracy"] == second.metrics["clean_accuracy"]
    assert first.metrics["loss"] == second.metrics["loss"]
    apart = runs.run(controls[1], progress=False)
    for name in second.metrics.keys() - {"samples_per_second"}:
        assert apart.metrics[name] == second.metrics[name], name


def test_data_are_kept_for_the_next_trial_and_go_before_others_are_made(monkeypatch):
    first = runs.prepare(TINY)[0]
    assert runs.prepare(backdoored())[0] is first
    alive, made = weakref.ref(first), sources.training_pairs
    del first

    def watched(trial):
        gc.collect()
        assert alive() is None, "two data sets are in memory at once"
        return made(trial)

    monkeypatch.setattr(sources, "training_pairs", watched)
    assert len(runs.prepare(replace(TINY, copies=TINY.copies + 1))[0]) > 0


def test_bad_input_is_refused_before_training():
    with pytest.raises(ValueError, match=r"tiny-rn takes pictures of 32 x 32 pixels, and the trial has side 64"):
        runs.train_trial(replace(TINY, side=64))
    with pytest.raises(ValueError, match=r"there is no class 'bananas'.*did you mean banana"):
        runs.train_trial(replace(TINY, attack=Backdoor(4, target="bananas")))
    with pytest.raises(ValueError, match=r"\d+ poisons need \d+ different pictures"):
        runs.train_trial(replace(TINY, attack=Backdoor(10_000)))
    big = Backdoor(4, trigger=replace(Backdoor(4).trigger, size=40))
    with pytest.raises(ValueError, match=r"40x40 patch .* does not fit into 32x32"):
        runs.train_trial(replace(TINY, attack=big))
    with pytest.raises(ValueError, match="targets were asked for"):
        runs.train_trial(replace(TINY, attack=Targeted(targets=1000)))


def test_a_change_of_the_training_captions_needs_a_new_recipe_version():
    """Records are found by the key of their trial: whatever changes results must change the key."""
    clean, _ = runs.prepare(Trial())
    digest = hashlib.sha256("\n".join(clean.captions).encode()).hexdigest()[:12]
    assert (RECIPE_VERSION, digest) == (2, "4302ce03689b"), "captions differ: raise RECIPE_VERSION, remake records"
