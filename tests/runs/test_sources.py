"""The data of a trial: which fields decide them, and which do not."""

import functools
import hashlib
from dataclasses import fields, replace

import pytest

from tests.runs.small import TINY, backdoored
from tutorial_lib import runs
from tutorial_lib.attacks import Backdoor
from tutorial_lib.data import picture_map
from tutorial_lib.defenses import Finetuning
from tutorial_lib.detect import KDistance
from tutorial_lib.runs import sources
from tutorial_lib.training.methods import RoCLIP
from tutorial_lib.trials import RECIPE_VERSION, Recipe, Seeds, Trial


def test_scenes_can_be_trained_on():
    trial = replace(TINY, copies=8, scenes=256, attack=Backdoor(8, target="banana", captions="prompts"))
    outcome = runs.train_trial(trial, progress=False)
    assert len(outcome.clean) == 256
    assert set(runs.measure(outcome)["clean_accuracy"]) == {
        "zero_shot",
        "linear_probe",
        "knn",
        "linear_probe_unseen",
        "knn_unseen",
    }


def test_large_sets_of_scenes_lie_in_a_map_that_models_share(tmp_path, monkeypatch):
    monkeypatch.setenv("TUTORIAL_SCENES", str(tmp_path))
    trial = Trial(classes=40, scenes=300, scenery="diverse")
    plain = sources.training_pairs(trial)
    assert not list(tmp_path.iterdir())
    monkeypatch.setattr(sources, "MAPPED", 0)
    monkeypatch.setattr(picture_map, "BLOCK", 128)
    assert sources.training_pairs(trial).fingerprint() == plain.fingerprint()
    sources.training_pairs(replace(trial, scenes=200, classes=50))
    assert [p.suffix for p in sorted(tmp_path.iterdir())] == [".json", ".lock", ".map"]


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
    "scenery": "diverse",
    "objective": "supervised",
    "self_supervision": 1.0,
    "method": RoCLIP(),
    "start": "clean",
    "defense": Finetuning(),
    "detectors": (KDistance(),),
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
    data = {"scenes": {}, "scenery": {"scenes": 64}}.get(name, {"copies": 1})  # scenes have no copies
    base = Trial(classes=40, **data)
    changed = replace(base, **{name: CHANGED[name]})
    assert (made(changed) != made(base)) == (name in MARKED)
    assert (changed.dataset != base.dataset) == (name in MARKED)


@pytest.mark.parametrize("name", ELSEWHERE)
def test_what_needs_other_data_is_kept_too(name):
    assert name in MARKED
    base = Trial(shards="cc3m" if name == "limit" else "")  # of nothing else is there a limit
    changed = replace(base, **{name: ELSEWHERE[name]})
    assert getattr(changed.dataset, name) == ELSEWHERE[name]
    assert changed.dataset != base.dataset


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
