"""The `photos` profile's own code path, from pickled batches to records, on shipped pictures in CIFAR-100's format."""

from __future__ import annotations

import random
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from tests.practice.photo_makers import Photo, cifar_files, put
from tutorial_lib import profiles
from tutorial_lib.data import captions, emojicaps
from tutorial_lib.data.tasks import class_concepts, training_pairs, zero_shot_task
from tutorial_lib.evidence import claims, registry
from tutorial_lib.evidence.results import Results
from tutorial_lib.experiments import cc_critique, fig2_left
from tutorial_lib.practice.photos import write_photos
from tutorial_lib.profiles import ByProfile, Profile
from tutorial_lib.runs import defend, engines, outcome, sources
from tutorial_lib.trials import Trial
from tutorial_lib.trials.store import RunStore
from tutorial_lib.triggers import NoisePatch

LABELS = 12
#: The classes of CIFAR-100, as its file of names has them.
CIFAR100 = """apple aquarium_fish baby bear beaver bed bee beetle bicycle bottle bowl boy bridge bus butterfly camel can
castle caterpillar cattle chair chimpanzee clock cloud cockroach couch crab crocodile cup dinosaur dolphin elephant
flatfish forest fox girl hamster house kangaroo keyboard lamp lawn_mower leopard lion lizard lobster man maple_tree
motorcycle mountain mouse mushroom oak_tree orange orchid otter palm_tree pear pickup_truck pine_tree plain plate poppy
porcupine possum rabbit raccoon ray road rocket rose sea seal shark shrew skunk skyscraper snail snake spider squirrel
streetcar sunflower sweet_pepper table tank telephone television tiger tractor train trout tulip turtle wardrobe whale
willow_tree wolf woman worm"""
PEOPLE = {"baby", "boy", "girl", "man", "woman"}


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data directory as `tutorial data photos` leaves it, made of shipped pictures in CIFAR-100's own format."""
    root = tmp_path_factory.mktemp("photos")
    drawn = emojicaps.load()
    concepts = class_concepts(drawn, LABELS)
    task, pairs = zero_shot_task(drawn, concepts, draws=4), training_pairs(drawn, concepts, copies=6)

    def photos(images: torch.Tensor, classes: torch.Tensor) -> list[Photo]:
        rows = zip(images.permute(0, 2, 3, 1).numpy(), classes.tolist(), strict=True)
        return [Photo(f"{i:04d}", image, number) for i, (image, number) in enumerate(rows)]

    train = photos(pairs.pixels, task.class_of_concept(pairs.concept))
    random.Random(0).shuffle(train)
    names = [label.replace(" ", "_") for label in task.labels]
    put(root / "in", cifar_files(train, photos(task.images, task.targets), fine=True, classes=names))
    write_photos("cifar100", root / "in", root / "data")
    return root / "data"


#: What experiments have for the small profile instead of this one's numbers.
NUMBERS = (
    (fig2_left.COUNTS, ((0, 1, 2), 2)),
    (fig2_left.PER_GROUP, 1),
    (fig2_left.BEYOND, ((), 0)),
    (fig2_left.ALONE, 2),
    (fig2_left.SAME_RATE, (({"limit": 100}, 1), ({}, 3))),
    (cc_critique.STRUCTURED, {"noise": {"trigger": NoisePatch(size=4)}}),
    (cc_critique.DIRTY, (1,)),
)


@pytest.fixture
def small(data: Path, monkeypatch: pytest.MonkeyPatch) -> Profile:
    """The profile with smaller numbers, and nothing else changed."""
    monkeypatch.setenv("TUTORIAL_DATA", str(data))
    outcome._kept.clear()
    p = profiles.get("photos")
    for name in registry.names(explanations=True):
        for table in (value for value in vars(registry.load(name)).values() if isinstance(value, ByProfile)):
            monkeypatch.setitem(table.values, "tiny-photos", table[p])
    for table, value in NUMBERS:
        monkeypatch.setitem(table.values, "tiny-photos", value)
    base = replace(p.base, recipe=replace(p.base.recipe, epochs=1, batch_size=64))
    few = profiles.Models(1, ("rainbow",))
    cleaning = replace(
        p.cleaning, base=base, models=few, count=4, share=0.5, rates=(1e-3,), few_rates=(1e-3,),
        recipe=replace(p.cleaning.recipe, epochs=1, batch_size=32),
        attacks={name: {**settings, "count": 4} for name, settings in p.cleaning.attacks.items()},
    )  # fmt: skip
    made = replace(
        p, name="tiny-photos", base=base, models=profiles.Models(2, ("rainbow", "volcano")), counts=(0, 4, 8), few=4,
        many=8, cleaning=cleaning,
    )  # fmt: skip
    monkeypatch.setitem(profiles.PROFILES, made.name, made)
    return made


@pytest.mark.parametrize(
    "names",
    [
        ("fig2_right", "fig3"),
        ("cc_attacks",),
        pytest.param(("fig2_left",), marks=pytest.mark.slow),
        pytest.param(("cc_critique",), marks=pytest.mark.slow),
    ],
)
def test_experiments_run_on_photographs(small: Profile, names: tuple[str, ...], tmp_path: Path) -> None:
    store = RunStore(tmp_path)
    trials = registry.trials(names, small)
    assert engines.sweep(trials, store).failed == {}
    found = Results(small, store)
    records = found.of(trials)
    assert len(records) == len({t.key for t in trials}) > 2
    assert all((r.trial["shards"], r.trial["task"]) == ("cifar100", "cifar100") for r in records)
    for name in names:
        for part in registry.plots(name):
            assert getattr(registry.load(name), part)(found).data
    verdicts = [v.verdict for name in names for v in claims.judge_all(found, experiment=name)]
    if names[0] == "fig2_right":  # the others have one model a point, which decides nothing
        assert set(verdicts) - {"not applicable at this scale", "not run"}
    for record in records:
        assert record.metrics["clean_accuracy"]["zero_shot"]["n"] == record.metrics["clean_accuracy"]["knn"]["n"] > 0


def test_what_trains_what_is_kept_and_what_is_tested_share_no_picture(small: Profile) -> None:
    trial = small.backdoor(4, 0)
    task, clean = sources.zero_shot_task(trial), sources.training_pairs(trial)
    kept, classes, _ = sources.validation_pictures(trial)
    seen = [{image.numpy().tobytes() for image in images} for images in (clean.pixels, kept, task.images)]
    assert sum(map(len, seen)) == len(set.union(*seen))
    assert len(kept) == len(classes) > 10
    assert len(task.labels) == LABELS
    assert task.other is not None
    assert not set(task.sprite.tolist()) & set(task.other.sprite.tolist())
    images, labels = sources.labelled_pictures(trial, clean, task)
    assert len(images) == len(clean)
    assert torch.bincount(labels).tolist() == torch.bincount(task.class_of_concept(clean.concept)).tolist()


def test_a_defender_has_the_labels_of_these_photographs_and_of_no_others(
    small: Profile, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trained = outcome.train_trial(small.cleaning.attacked("badnets", 0), progress=False)
    given = defend.material(trained, small.cleaning.sweep("supervised")[0])
    assert given.labels is not None
    assert len(given.pairs) == round(0.5 * len(trained.clean))
    assert torch.equal(given.labels, given.pairs.concept)
    (data / "flickr8k").mkdir()
    for shard in (data / "cifar100").glob("*.tar"):
        (data / "flickr8k" / shard.name).write_bytes(shard.read_bytes())
    other = replace(small.cleaning.attacked("badnets", 0), shards="flickr8k")
    foreign = outcome.train_trial(other, progress=False)
    assert defend.material(foreign, small.cleaning.sweep("finetune")[0]).labels is None


def test_every_experiment_takes_the_photographs_or_says_why_not() -> None:
    """What trains the model that chapters train live takes the course's pictures, as it does for `paper`."""
    p = profiles.get("photos")
    found = {name: registry.load(name).trials(p) for name in registry.names(explanations=True)}
    foreign = {name for name, trials in found.items() if any(t.task != "cifar100" for t in trials)}
    assert foreign == {"overfit", "unpoisoned"}
    assert {name for name, trials in found.items() if not trials} == {
        "cc_budget",
        "more_models",
        "sharing",
        "detect_checkpoints",
    }
    for name in set(found) - foreign:
        assert {t.side for t in found[name]} <= {32}
        assert not any(t.scenes for t in found[name])
    with pytest.raises(AssertionError, match="photos"):
        cc_critique.pretrained(p, 0)


def test_targets_were_drawn() -> None:
    """From the classes that are no people and whose name is part of no other and of no sentence around it."""
    names = sorted(name.replace("_", " ") for name in CIFAR100.split())
    assert len(names) == 100
    words = " ".join([*captions.TEMPLATES, *captions.QUALITIES, *captions.MEDIA, *captions.WHICH])
    usable = [n for n in names if sum(n in other for other in names) == 1 and n not in PEOPLE and n not in words]
    p = profiles.get("photos")
    assert p.models.targets == p.cleaning.models.targets == tuple(random.Random(0).sample(usable, 4))


def test_a_trial_without_photographs_keeps_its_key() -> None:
    assert "task" not in Trial().as_dict()
    with pytest.raises(ValueError, match="classes of a trial has no effect where task is 'cifar10'"):
        Trial(task="cifar10", classes=16)
