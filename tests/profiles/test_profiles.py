"""Profiles are tables of numbers that fit together."""

import random
from dataclasses import replace

import pytest

from tutorial_lib import models, profiles
from tutorial_lib.attacks.selection import showing
from tutorial_lib.data import emojicaps, integrity
from tutorial_lib.data.captions import plain_label
from tutorial_lib.data.scenes import EmojiScenes
from tutorial_lib.data.tasks import class_concepts
from tutorial_lib.evidence import registry
from tutorial_lib.evidence.sweeps import run_figures
from tutorial_lib.experiments import cc_critique, cc_stealth, fig2_left, fig4, fig5_right, fig6
from tutorial_lib.profiles import ByProfile
from tutorial_lib.runs.outcome import train_trial

#: Experiments that some profiles leave out: what only data with labels can show, and what another experiment has.
EMPTY = {
    "supervised": {"gpu", "paper"},
    "technique": {"demo", "gpu", "paper"},
    "overfit": {"gpu", "paper"},
    "cc_adaptive": {"demo", "paper"},
    "detect_pairs": {"demo"},
    "detect_dose": {"demo"},
    "detect_removal": {"demo"},
    "cc_budget": {"test", "demo", "laptop", "cpu", "photos", "gpu", "paper"},
}


@pytest.mark.parametrize("name", profiles.NAMES)
def test_numbers_fit_together(name):
    p = profiles.get(name)
    assert list(p.counts) == sorted(set(p.counts))
    assert p.counts[0] == 0
    assert {p.few, p.many} <= set(p.counts)
    doses = fig4.DOSES[p]
    assert {doses.few, doses.most} <= set(doses.fixed) & set(doses.random)
    assert doses.few <= doses.past < doses.most
    assert list(fig6.PATCHES[p]) == sorted(fig6.PATCHES[p])
    for model in {*fig5_right.MODELS[p], p.base.model, fig2_left.base(p).model}:
        assert models.config_side(models.model_config(model)) == p.base.side
    assert models.config_side(models.model_config(fig6.MODEL[p])) == fig6.SIDE[p]
    assert max(fig6.PATCHES[p]) + p.trigger.margin <= fig6.SIDE[p]
    assert len(p.models.all) >= {"cpu": 8, "laptop": 4, "pilot": 4, "demo": 4}.get(name, 2)


@pytest.mark.parametrize("name", ["test", "demo", "pilot", "laptop", "cpu", "gpu"])
def test_target_classes_exist(name):
    p, data = profiles.get(name), emojicaps.load()
    labels = {plain_label(data.concepts[c].label) for c in class_concepts(data, p.base.classes)}
    assert set(p.models.targets) | set(p.cleaning.models.targets) <= labels


@pytest.mark.parametrize("name", profiles.NAMES)
def test_every_experiment_has_trials_on_the_shipped_data(name):
    p = profiles.get(name)
    for experiment in registry.names():
        trials = registry.load(experiment).trials(p)
        assert trials or p.past or name in EMPTY.get(experiment, ())
        assert {t.data for t in trials} <= {integrity.fingerprint()}
    trials = registry.trials(registry.names(), p)
    assert len({t.key for t in trials}) == len(trials)


def test_all_seeds_differ_and_targets_take_turns():
    p = profiles.get("pilot")
    trials = [p.backdoor(8, seed) for seed in range(4)]
    assert len({t.attack.target for t in trials}) == 4
    assert [t.seeds.init for t in trials] == [0, 1, 2, 3]
    assert p.backdoor(8, 0, attack_select="label-consistent").attack.select == "label-consistent"


def test_unknown_profile_lists_what_exists():
    with pytest.raises(
        ValueError,
        match="there is no profile 'cluster'; choose from test, demo, pilot, laptop, cpu, photos, gpu, paper",
    ):
        profiles.get("cluster")


@pytest.mark.parametrize("name", ["cpu", "gpu", "paper"])
def test_model_sizes_ascend_and_reach_the_paper_s(name):
    sizes = [models.parameter_count(models.build(m).visual) for m in fig5_right.MODELS[profiles.get(name)]]
    assert len(sizes) >= 5
    assert sizes == sorted(set(sizes))
    if name != "cpu":
        assert sizes[0] < 1.5e6
        assert sizes[-1] > 27e6


@pytest.mark.parametrize("name", ["test", "cpu", "gpu", "paper"])
def test_the_model_that_is_poisoned_later_is_the_profiles_own(name):
    profile = profiles.get(name)
    trial, wanted = cc_critique.pretrained(profile, 0), cc_critique.PRETRAINED[profile]
    assert replace(trial, attack=None, seeds=wanted.seeds) == wanted
    assert trial.attack.count == cc_critique.PRETRAINED_COUNT[profile]


def test_an_experiment_s_numbers_are_those_of_the_profile_or_of_the_one_it_refers_to():
    counts = ByProfile(test=1, cpu=4)
    assert (counts[profiles.get("test")], counts[profiles.get("cpu")]) == (1, 4)
    assert counts[profiles.get("demo")] == 4
    with pytest.raises(ValueError, match="no numbers for profile paper; it has some for test, cpu"):
        counts[profiles.get("paper")]


def test_the_models_of_cpu_are_new_and_differ_in_their_targets():
    """None was in the pilot, and the targets are a random draw that nobody has chosen from."""
    cpu, pilot, data = profiles.get("cpu"), profiles.get("pilot"), emojicaps.load()
    for own, before in ((cpu.models, pilot.models), (cpu.cleaning.models, pilot.cleaning.models)):
        assert not set(own.all) & set(before.all)
        assert len({own.target(seed) for seed in own.all}) == len(own.all)
    labels = sorted(plain_label(data.concepts[c].label) for c in class_concepts(data, 100))
    every = [f"{plain_label(c.label)} {' '.join(c.keywords)}" for c in data.concepts]
    usable = [label for label in labels if sum(label in text for text in every) == 1]
    assert tuple(random.Random(0).sample(usable, 32)) == cpu.models.targets


@pytest.mark.parametrize("seed", [pytest.param(s, marks=[] if s == 108 else pytest.mark.slow) for s in range(101, 109)])
def test_enough_captions_name_the_target_of_each_cleaned_model(seed):
    """Label-consistent poisons are pictures that a caption names: in 100,000 scenes over a hundred for any target."""
    p = profiles.get("cpu").cleaning
    scenes = EmojiScenes(p.base.scenes, size=16, seed=seed)
    found = showing(scenes.captions(range(len(scenes))), p.models.target(seed)).sum()
    wanted = [a["count"] for a in p.attacks.values() if a.get("select") == "named"]
    wanted += [named.count for named in cc_stealth.NAMED[profiles.get("cpu")].values()]
    assert 100 <= max(wanted) <= int(found)


def test_records_of_the_pilot_are_read_and_not_made_again():
    pilot = profiles.get("pilot")
    assert pilot.past
    assert not any(profiles.get(name).past for name in ("test", "cpu", "gpu", "paper"))
    trials = registry.trials(registry.names(explanations=True), pilot)
    assert {t.recipe_version for t in trials} == {1}
    with pytest.raises(ValueError, match=r"recipe 1; this version .* recipe 2: run profile cpu"):
        run_figures(["fig6"], "pilot")
    with pytest.raises(ValueError, match="the trial is of recipe 1; this version makes recipe 2"):
        train_trial(trials[0])
