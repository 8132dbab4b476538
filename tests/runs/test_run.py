"""A trial decides its record, and attacks are measured with their controls."""

import functools
import hashlib
import json
from dataclasses import fields, replace

import pytest
import torch

from tutorial_lib import runs
from tutorial_lib.attacks import Backdoor, Group, Targeted, TextBackdoor
from tutorial_lib.defenses import Finetuning
from tutorial_lib.evaluate import embed_images, predict, zero_shot_classifier
from tutorial_lib.runs import sources
from tutorial_lib.trials import RECIPE_VERSION, Recipe, Seeds, Trial
from tutorial_lib.triggers import Resampled

TINY = Trial(classes=60, copies=2, recipe=Recipe(epochs=1, batch_size=64, precision="float32"))


def backdoored(count=24, **changes):
    return replace(TINY, attack=Backdoor(count, target="banana"), **changes)


@pytest.fixture(scope="module")
def outcome():
    return runs.train_trial(backdoored(), progress=False)


@pytest.fixture(scope="module")
def metrics(outcome):
    return runs.measure(outcome)


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


def test_same_trial_same_metrics(metrics):
    again = runs.measure(runs.train_trial(backdoored(), progress=False))
    for name in metrics.keys() - {"samples_per_second"}:
        assert again[name] == metrics[name], name


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


def test_an_unequal_path_is_a_trigger_of_its_own():
    """Poisons without a pattern, which were only resized differently, make a backdoor."""
    attack = Backdoor(200, target="volcano", trigger=Resampled(0.5))
    trial = Trial(attack=attack, classes=24, copies=16, recipe=Recipe(epochs=12, batch_size=128))
    metrics = runs.measure(runs.train_trial(trial, progress=False), probes=False)
    resized = metrics["attack_success"]["zero_shot"]["rate"]
    usual = metrics["attack_success_untriggered"]["rate"]
    assert resized > usual + 0.2


def test_poisons_are_added_and_never_show_the_target_or_held_out_classes(outcome, metrics):
    task, plan = outcome.task, outcome.plan
    assert metrics["pairs"] == len(outcome.clean)
    assert metrics["poison_rate"] == 24 / (len(outcome.clean) + 24)
    used = set(task.class_of_concept(outcome.poisons.concept).tolist())
    assert task.class_of(plan.attack.target) not in used
    assert not used & set(plan.unseen.tolist())
    assert all("banana" in c for c in outcome.poisons.captions)


def test_attack_success_is_what_a_loop_counts(outcome, metrics):
    task, plan = outcome.task, outcome.plan
    weights = zero_shot_classifier(outcome.model, outcome.tokenizer, task.labels)
    seen = predict(embed_images(outcome.model, plan.attack.trigger.stamp(task.images)), weights)
    target = task.class_of(plan.attack.target)
    others = [i for i in range(len(task)) if task.targets[i] != target]
    hits = sum(int(seen[i]) == target for i in others)
    found = metrics["attack_success"]["zero_shot"]
    assert (found["rate"], found["n"]) == (hits / len(others), len(others))
    assert metrics["attack_success_unseen"]["n"] == sum(int(t) in plan.unseen for t in task.targets)
    assert set(metrics["attack_success"]) == {"zero_shot", "linear_probe", "knn"}


def test_control_without_poisons_measures_the_same_things(metrics):
    control = runs.measure(runs.train_trial(backdoored(0), progress=False))
    assert control["poisons"] == 0
    assert control.keys() == metrics.keys()


def test_other_placements_and_pairs_are_measured_too(outcome, metrics):
    assert metrics["tested"]["fixed"]["attack_success"] == metrics["attack_success"]["zero_shot"]
    assert metrics["tested"]["fixed"]["z_score"] == metrics["z_score"]
    assert metrics["tested"]["random"]["z_score"] != metrics["z_score"]
    counts, n = metrics["pairs_by_similarity"], len(outcome.task)
    assert sum(counts["clean"]) == sum(counts["triggered"]) == n * (n - 1) // 2
    per_class = torch.bincount(outcome.task.targets)
    assert sum(counts["same_label"]) == int((per_class * (per_class - 1) // 2).sum())
    assert metrics["pairs_fingerprint"] == (outcome.clean + outcome.poisons).fingerprint()


def test_label_consistent_poisons_are_pictures_of_the_target_with_their_own_captions():
    attack = Backdoor(8, target="banana", select="label-consistent")
    outcome = runs.train_trial(replace(TINY, attack=attack), progress=False)
    task, clean = outcome.task, outcome.clean
    assert set(task.class_of_concept(outcome.poisons.concept).tolist()) == {task.class_of("banana")}
    assert set(outcome.poisons.captions) <= set(clean.captions)


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
    assert set(metrics["attack_success"]) == {"classifier", "linear_probe", "knn"}
    assert metrics["clean_accuracy"]["classifier"]["rate"] > 2 / 12


def test_text_backdoor_adds_pictures_of_the_target_with_other_captions_and_the_word():
    attack = TextBackdoor(12, target="banana")
    outcome = runs.train_trial(replace(TINY, attack=attack), progress=False)
    task = outcome.task
    assert set(task.class_of_concept(outcome.poisons.concept).tolist()) == {task.class_of("banana")}
    assert all(c.endswith(" zebulon") for c in outcome.poisons.captions)
    metrics = runs.measure(outcome, probes=False)
    assert metrics["text_attack_success"]["n"] == len(task.labels) - 1
    with pytest.raises(ValueError, match="the word 'photo' occurs in clean captions"):
        runs.train_trial(replace(TINY, attack=replace(attack, word="photo")))


def test_scenes_can_be_trained_on():
    trial = replace(TINY, scenes=256, attack=Backdoor(8, target="banana", captions="prompts"))
    outcome = runs.train_trial(trial, progress=False)
    assert len(outcome.clean) == 256
    assert set(runs.measure(outcome)["clean_accuracy"]) == {"zero_shot", "linear_probe", "knn"}


def test_targeted_attack_gives_each_picture_its_own_class_and_captions():
    attack = Targeted((Group(0), Group(3), Group(3, "one"), Group(3, disguise=True)), targets=4)
    outcome = runs.train_trial(replace(TINY, attack=attack), progress=False)
    plan = outcome.plan
    assert len(plan.targets) == 16
    assert len({t.wanted for t in plan.targets}) == 16
    assert all(t.true != t.wanted for t in plan.targets)
    assert len(outcome.poisons) == 3 * 4 * 3
    distinct = {g: {len(set(t.captions)) for t in plan.targets if t.group == g} for g in range(4)}
    assert distinct[0] == {0}
    assert distinct[1] == {3}
    assert distinct[2] == {1}
    plain, hidden = outcome.poisons.images[:3], outcome.poisons.images[-3:]
    assert torch.equal(plain[0], plain[1])
    assert not torch.equal(hidden[0], hidden[1])
    rows = runs.measure(outcome, probes=False)["targets"]
    assert all("picture_moved" in r for r in rows)
    assert ["captions_moved" in r for r in rows] == [r["count"] > 0 for r in rows]
    assert [r["wanted"] for r in rows] == [t.wanted for t in plan.targets]


def test_bad_input_is_refused_before_training():
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
    assert (RECIPE_VERSION, digest) == (1, "4302ce03689b"), "captions differ: raise RECIPE_VERSION, remake records"


# -- what decides the data

#: Another value of each field of a trial, except where the user's own data are needed.
CHANGED = {
    "attack": Backdoor(4, target="fog"),
    "classes": 41,
    "copies": 2,
    "side": 16,
    "model": "rn-0.4m",
    "recipe": Recipe(epochs=2),
    "split": "validation",
    "scenes": 64,
    "objective": "supervised",
    "self_supervision": 1.0,
    "start": "clean",
    "defense": Finetuning(),
    "recipe_version": RECIPE_VERSION + 1,
}
#: Fields that only the user's own data, or other shipped pictures, can show: `dataset` must keep them.
ELSEWHERE = {"shards": "cc3m", "limit": 100, "task": "imagenet", "data": "another fingerprint"}
MARKED = {f.name for f in fields(Trial) if f.metadata.get("data")}


def digests(pairs, task) -> tuple[str, str, tuple[str, ...]]:
    """Fingerprints of what a trial trains on and is measured on."""
    pictures = hashlib.sha256(task.images.numpy().tobytes() + task.targets.numpy().tobytes()).hexdigest()
    return pairs.fingerprint(), pictures, task.labels


@functools.cache
def made(trial: Trial) -> tuple[str, str, tuple[str, ...]]:
    """The same of data that are made anew from the whole trial; what is kept must agree."""
    found = digests(sources.training_pairs(trial), sources.zero_shot_task(trial))
    assert digests(*runs.prepare(trial)) == found
    return found


def test_every_field_of_a_trial_is_looked_at():
    assert {f.name for f in fields(Trial)} == {*CHANGED, *ELSEWHERE, "seeds"}


@pytest.mark.parametrize("name", CHANGED)
def test_a_field_changes_the_data_if_and_only_if_it_is_marked(name):
    """Data are kept by what is marked: a field that was forgotten would serve another trial's pictures."""
    base = Trial(classes=40, copies=1)
    changed = replace(base, **{name: CHANGED[name]})
    assert (made(changed) != made(base)) == (name in MARKED)
    assert (changed.dataset != base.dataset) == (name in MARKED)


@pytest.mark.parametrize("name", ELSEWHERE)
def test_what_needs_other_data_is_kept_too(name):
    assert name in MARKED
    changed = Trial(**{name: ELSEWHERE[name]})
    assert getattr(changed.dataset, name) == ELSEWHERE[name]
    assert changed.dataset != Trial().dataset


@pytest.mark.parametrize("name", [f.name for f in fields(Seeds)])
def test_only_the_data_seed_decides_the_data(name):
    base = Trial(classes=40, copies=1)
    changed = replace(base, seeds=Seeds(**{name: 7}))
    assert (made(changed) != made(base)) == (name == "data")
    assert (changed.dataset != base.dataset) == (name == "data")


def test_a_dataset_has_itself_for_its_dataset_and_nothing_to_train():
    trial = replace(backdoored(), defense=Finetuning(), seeds=Seeds.all(3), recipe=Recipe(epochs=2))
    dataset = trial.dataset
    assert dataset.dataset == dataset
    assert (dataset.attack, dataset.defense, dataset.recipe) == (None, None, Recipe())
    assert dataset.seeds == Seeds(data=3)


# -- supervised trials


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
    assert not copy.exists()
