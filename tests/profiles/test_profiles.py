"""Profiles are tables of numbers that fit together."""

import random
from dataclasses import replace

import pytest

from tutorial_lib import models, profiles
from tutorial_lib.attacks import Backdoor, Targeted
from tutorial_lib.attacks.selection import showing
from tutorial_lib.data import emojicaps, integrity
from tutorial_lib.data.captions import plain_label
from tutorial_lib.data.scenes import EmojiScenes
from tutorial_lib.data.tasks import class_concepts
from tutorial_lib.evidence import registry
from tutorial_lib.evidence.sweeps import run_figures
from tutorial_lib.experiments import cc_critique, cc_stealth, fig2_left, fig4, fig5_left, fig5_right, fig6, sharing
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
    "further_cleaning": {"demo"},
    "robust_training": {"demo"},
    "cc_budget": {"test", "demo", "laptop", "cpu", "photos", "gpu", "paper"},
    "detect_checkpoints": {"demo", "laptop", "photos", "gpu", "paper"},
    "sharing": {"demo", "laptop", "cpu", "photos", "gpu", "paper"},
}


@pytest.mark.parametrize("name", profiles.NAMES)
def test_numbers_fit_together(name):
    p = profiles.get(name)
    assert list(p.counts) == sorted(set(p.counts))
    assert p.counts[0] == 0
    assert {p.few, p.many} <= set(p.counts)
    assert models.config_side(models.model_config(p.base.model)) == p.base.side
    assert len(p.models.all) >= {"cpu": 8, "laptop": 4, "pilot": 4, "demo": 4}.get(name, 2)
    if p.experiments:
        return
    doses = fig4.DOSES[p]
    assert {doses.few, doses.most} <= set(doses.fixed) & set(doses.random)
    assert doses.few <= doses.past < doses.most
    assert list(fig6.PATCHES[p]) == sorted(fig6.PATCHES[p])
    for model in {*fig5_right.MODELS[p], fig2_left.base(p).model}:
        assert models.config_side(models.model_config(model)) == p.base.side
    assert models.config_side(models.model_config(fig6.MODEL[p])) == fig6.SIDE[p]
    assert max(fig6.PATCHES[p]) + p.trigger.margin <= fig6.SIDE[p]


@pytest.mark.parametrize("name", ["test", "demo", "pilot", "laptop", "cpu", "overnight", "gpu"])
def test_target_classes_exist(name):
    p, data = profiles.get(name), emojicaps.load()
    labels = {plain_label(data.concepts[c].label) for c in class_concepts(data, p.base.classes)}
    assert set(p.models.targets) | set(p.cleaning.models.targets) <= labels


@pytest.mark.parametrize("name", profiles.NAMES)
def test_every_experiment_has_trials_on_the_shipped_data(name):
    p = profiles.get(name)
    for experiment in registry.names():
        trials = registry.planned(experiment, p)
        assert trials or p.past or not p.asks(experiment) or name in EMPTY.get(experiment, ())
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
    assert profiles.NAMES == ("test", "demo", "pilot", "laptop", "cpu", "overnight", "photos", "gpu", "paper")
    with pytest.raises(ValueError, match=f"there is no profile 'cluster'; choose from {', '.join(profiles.NAMES)}"):
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


def test_a_profile_that_asks_some_experiments_has_those_and_no_other(tmp_path):
    night = profiles.get("overnight")
    assert set(night.experiments) <= set(registry.names())
    assert {name for name in registry.names() if night.asks(name)} == set(night.experiments)
    assert {name for name in night.experiments if not registry.planned(name, night)} == set()
    assert registry.planned("fig6", night) == []
    assert registry.expand(["all"], night) == list(night.experiments)
    assert registry.expand(["all"], profiles.get("cpu")) == list(registry.names())
    plan = run_figures(["all"], "overnight", store=tmp_path, jobs=2, dry_run=True)
    assert list(plan.figures) == list(night.experiments)
    assert 5 * 3600 < plan.estimated_seconds < 14 * 3600  # a night of two cores


def test_models_of_the_night_differ_in_all_but_their_pairs():
    """As the paper's do; the pilots' seeds judge nothing."""
    night, data = profiles.get("overnight"), emojicaps.load()
    trials = registry.trials(night.experiments, night)
    assert {t.seeds.data for t in trials} == {0}
    assert min(t.seeds.init for t in trials) >= 200
    assert {t.scenery for t in trials} == {"diverse"}
    assert len({night.models.target(seed) for seed in night.models.all}) == len(night.models.all) == 8
    labels = sorted(plain_label(data.concepts[c].label) for c in class_concepts(data, 320))
    every = [f"{plain_label(c.label)} {' '.join(c.keywords)}" for c in data.concepts]
    usable = [label for label in labels if sum(label in text for text in every) == 1]
    assert tuple(random.Random(1).sample(usable, 8)) == night.models.targets


def test_the_night_has_the_papers_counts_in_each_size_of_data():
    night = profiles.get("overnight")
    found: dict[int, dict[int, int]] = {}
    for trial in {t.key: t for name in ("fig2_right", "fig5_left") for t in registry.planned(name, night)}.values():
        count = trial.attack.find(Backdoor).count
        found.setdefault(trial.scenes, {}).setdefault(count, 0)
        found[trial.scenes][count] += 1
        assert trial.attack.find(Targeted) == night.beside
        assert trial.recipe == night.base.recipe
    assert found == {
        30_000: {75: 4, 300: 4},
        100_000: {75: 4, 300: 4},
        300_000: {0: 4, 75: 4, 150: 4, 300: 4, 750: 4, 1500: 4},
        1_000_000: {75: 2, 300: 2},
        3_000_000: {0: 1, 75: 2, 300: 2},
    }
    shared = {t.key for t in sharing.trials(night)}
    assert {t.key for t in fig5_left.trials(night) if t.scenes == 30_000} <= shared  # trained once for both


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
