"""What is measured of a trained trial: against counts by hand, with its control."""

import pytest
import torch

from tests.runs.small import backdoored
from tutorial_lib import runs
from tutorial_lib.evaluate import embed_images, predict, zero_shot_classifier


@pytest.fixture(scope="module")
def outcome():
    return runs.train_trial(backdoored(), progress=False)


@pytest.fixture(scope="module")
def metrics(outcome):
    return runs.measure(outcome)


def test_same_trial_same_metrics(metrics):
    again = runs.measure(runs.train_trial(backdoored(), progress=False))
    for name in metrics.keys() - {"samples_per_second"}:
        assert again[name] == metrics[name], name


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
    assert set(metrics["attack_success"]) == {"zero_shot", "linear_probe", "knn", "linear_probe_unseen", "knn_unseen"}


def test_accuracy_on_training_pictures_is_of_pictures_that_were_trained_on(outcome, metrics):
    labels = outcome.task.class_of_concept(outcome.clean.concept)
    chosen = torch.arange(len(labels)) % 4 == 0
    weights = zero_shot_classifier(outcome.model, outcome.tokenizer, outcome.task.labels)
    seen = predict(embed_images(outcome.model, outcome.clean.images[chosen]), weights)
    found = metrics["training_accuracy"]
    assert found["n"] == int(chosen.sum())
    assert found["rate"] == pytest.approx(float((seen == labels[chosen]).float().mean()))


def test_control_without_poisons_measures_the_same_things(metrics):
    control = runs.measure(runs.train_trial(backdoored(0), progress=False))
    assert control["poisons"] == 0
    assert control.keys() == metrics.keys()


def test_other_placements_and_pairs_are_measured_too(outcome, metrics):
    assert metrics["tested"]["fixed"]["attack_success"] == metrics["attack_success"]["zero_shot"]
    assert metrics["tested"]["fixed"]["z_score"] == metrics["z_score"]
    assert metrics["tested"]["random"]["z_score"] != metrics["z_score"]
    task, other, counts = outcome.task, outcome.task.other, metrics["pairs_by_similarity"]
    seen = [(int(s), int(t)) for p in (task, other) for s, t in zip(p.sprite, p.targets, strict=True)]
    of_two = [(a, b) for i, a in enumerate(seen) for b in seen[:i] if a[0] != b[0]]  # pairs of different drawings
    assert sum(counts["clean"]) == len(of_two)
    assert sum(counts["same_label"]) == sum(a[1] == b[1] for a, b in of_two) > 0
    each = torch.unique(task.sprite, return_counts=True)[1]
    assert sum(counts["triggered"]) == (len(task) ** 2 - int(each.square().sum())) // 2
    assert metrics["pairs_fingerprint"] == (outcome.clean + outcome.poisons).fingerprint()
