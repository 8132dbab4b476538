"""A trial decides its record; a killed sweep goes on; attacks are measured with their controls."""

import hashlib
import json
from dataclasses import asdict, replace

import pytest
import torch

from tutorial_lib import runs
from tutorial_lib.attacks import Backdoor, Group, Targeted
from tutorial_lib.evaluate import embed_images, predict, zero_shot_classifier
from tutorial_lib.runs import Record, Seeds, Trial
from tutorial_lib.train import Recipe

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


def test_poisons_are_added_and_never_show_the_target_or_held_out_classes(outcome, metrics):
    task, plan = outcome.task, outcome.plan
    assert metrics["pairs"] == len(outcome.clean)
    assert metrics["poison_rate"] == 24 / (len(outcome.clean) + 24)
    used = set(task.class_of_concept(outcome.poisons.concept).tolist())
    assert plan.target not in used
    assert not used & set(plan.unseen.tolist())
    assert all("banana" in c for c in outcome.poisons.captions)


def test_attack_success_is_what_a_loop_counts(outcome, metrics):
    task, plan = outcome.task, outcome.plan
    weights = zero_shot_classifier(outcome.model, outcome.tokenizer, task.labels)
    seen = predict(embed_images(outcome.model, plan.attack.trigger.stamp(task.images)), weights)
    others = [i for i in range(len(task)) if task.targets[i] != plan.target]
    hits = sum(int(seen[i]) == plan.target for i in others)
    found = metrics["attack_success"]["zero_shot"]
    assert (found["rate"], found["n"]) == (hits / len(others), len(others))
    assert metrics["attack_success_unseen"]["n"] == sum(int(t) in plan.unseen for t in task.targets)
    assert set(metrics["attack_success"]) == {"zero_shot", "linear_probe", "knn"}


def test_control_without_poisons_measures_the_same_things(metrics):
    control = runs.measure(runs.train_trial(backdoored(0), progress=False))
    assert control["poisons"] == 0
    assert control.keys() == metrics.keys()


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
    assert [r["wanted"] for r in rows] == [t.wanted for t in plan.targets]


def test_sweep_goes_on_where_it_was_stopped(tmp_path, monkeypatch):
    made = []

    def fake(trial, progress=None):
        made.append(trial.key)
        if len(made) == 2:
            raise KeyboardInterrupt
        return Record(trial.key, trial.as_dict(), {"x": 1}, 0.1, "here", {}, "2026-01-01")

    monkeypatch.setattr(runs, "run", fake)
    trials = [backdoored(n) for n in (1, 2, 3)]
    with pytest.raises(KeyboardInterrupt):
        list(runs.run_all(trials, tmp_path))
    records = list(runs.run_all(trials, tmp_path))
    assert [r.key for r in records] == [t.key for t in trials]
    assert made == [trials[0].key, trials[1].key, trials[1].key, trials[2].key]
    assert not list(tmp_path.glob("*.part"))


def test_records_survive_writing_and_older_versions_are_not_read(tmp_path):
    old = replace(backdoored(1), recipe_version=runs.RECIPE_VERSION - 1)
    records = [Record(t.key, t.as_dict(), {"x": 0.5}, 1.0, "here", {}, "2026-01-01") for t in (backdoored(2), old)]
    runs.write_records(records, tmp_path / "a.jsonl")
    read = runs.read_records(tmp_path / "a.jsonl")
    assert [r.key for r in read] == [records[0].key]
    assert asdict(read[0])["metrics"] == {"x": 0.5}
    with pytest.raises(FileNotFoundError, match=r"there are no records at .*missing\.jsonl"):
        runs.read_records(tmp_path / "missing.jsonl")


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
    assert (runs.RECIPE_VERSION, digest) == (1, "4302ce03689b"), "captions differ: raise RECIPE_VERSION, remake records"
