"""The `paper` profile's own code path, on a few hundred shipped pictures in the formats of CC3M and ImageNet."""

from dataclasses import replace

import pytest
import torch
from PIL import Image

from tutorial_lib import profiles
from tutorial_lib.data import emojicaps, loading
from tutorial_lib.data import own as folders
from tutorial_lib.data.pictures import StoredPictures
from tutorial_lib.data.shard_writer import write_pairs
from tutorial_lib.data.tasks import class_concepts, training_pairs, zero_shot_task
from tutorial_lib.evidence import registry
from tutorial_lib.evidence.results import Results
from tutorial_lib.experiments import cc_frontier, fig2_left, fig4, fig5_left, fig5_right, fig6, text_tower
from tutorial_lib.profiles import ByProfile
from tutorial_lib.runs import engines, outcome, sources
from tutorial_lib.runs.run import run
from tutorial_lib.trials.store import RunStore
from tutorial_lib.triggers import Checkerboard, NoisePatch, WaNet

LABELS = 12


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """A data directory as the user of `paper` has one, made of shipped pictures."""
    root = tmp_path_factory.mktemp("data")
    pictures = emojicaps.load()
    concepts = class_concepts(pictures, LABELS)
    for name in ("cc3m", "yfcc15m", "cc3m-validation", "yfcc15m-validation"):
        write_pairs(root / name, training_pairs(pictures, concepts, copies=4))
    task = zero_shot_task(pictures, concepts, draws=4)
    for i, (image, target) in enumerate(zip(task.images, task.targets.tolist(), strict=True)):
        folder = root / "imagenet" / ("train" if i % 2 else "val") / task.labels[target].replace(" ", "_")
        folder.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image.permute(1, 2, 0).numpy()).save(folder / f"{i}.png")
    return root


#: What experiments have for the small profile instead of the paper's numbers.
NUMBERS = (
    (fig2_left.COUNTS, ((0, 1, 2, 3), 3)),
    (fig2_left.PER_GROUP, 1),
    (fig2_left.ALONE, 3),
    (fig2_left.SAME_RATE, (({}, 1), ({"shards": "yfcc15m"}, 5))),
    (fig4.DOSES, fig4.Doses((0, 4, 8), (4, 8), few=4, past=4, size=6)),
    (fig5_left.DATA_SIZES, ({"limit": 100}, {})),
    (fig5_right.MODELS, ("tiny-rn",)),
    (fig5_right.COUNT, 4),
    (fig6.PATCHES, (4, 6)),
    (fig6.COUNT, 4),
    (fig6.SIDE, 32),
    (fig6.MODEL, "tiny-rn"),
    (text_tower.COUNT, 4),
    (cc_frontier.WEIGHT_DECAYS, (1.0,)),
    (cc_frontier.SHRINKS, (0.9,)),
)


def all_numbers():
    """Every table of numbers that an experiment holds."""
    for name in registry.names(explanations=True):
        yield from (value for value in vars(registry.load(name)).values() if isinstance(value, ByProfile))


@pytest.fixture
def small(data, monkeypatch):
    """The paper's profile with smaller numbers, and nothing else changed."""
    monkeypatch.setenv("TUTORIAL_DATA", str(data))
    paper = profiles.get("paper")
    for table in all_numbers():
        monkeypatch.setitem(table.values, "tiny-paper", table.values["paper"])
    for table, value in NUMBERS:
        monkeypatch.setitem(table.values, "tiny-paper", value)
    numbers = {"side": 32, "model": "tiny-rn"}
    recipe = replace(paper.base.recipe, epochs=1, batch_size=64)
    base = replace(paper.base, recipe=recipe, **numbers)
    short = replace(paper.cleaning.recipe, epochs=1, batch_size=16)
    cleaned = replace(paper.cleaning.base, recipe=replace(paper.cleaning.base.recipe, epochs=1), **numbers)
    patch = NoisePatch(size=6, placement="random")
    attacks = {name: settings | {"count": 4} for name, settings in paper.cleaning.attacks.items()}
    attacks |= {name: {**attacks[name], "trigger": patch} for name in ("badnets", "label-consistent")}
    attacks["wanet"]["trigger"] = WaNet(grid=32)
    cleaning = replace(
        paper.cleaning, base=cleaned, models=profiles.Models(1, ("rainbow",)), count=4, recipe=short, share=0.5,
        rates=(1e-5,), few_rates=(1e-5,), own_rates={}, attacks=attacks,
    )  # fmt: skip
    return replace(
        paper, name="tiny-paper", base=base, models=profiles.Models(2, ("rainbow", "volcano")),
        counts=(0, 4, 8), few=4, many=8,
        cleaning=cleaning, trigger=Checkerboard(size=6, cell=2, margin=0),
    )  # fmt: skip


def test_every_experiment_has_numbers_for_the_paper():
    assert len(list(all_numbers())) > len(NUMBERS)
    assert all(table[profiles.get("paper")] is not None for table in all_numbers())


@pytest.mark.parametrize(
    "name", ["fig2_left", "fig2_right", "fig4", "fig5_left", "text_tower", "cc_attacks", "cc_frontier"]
)
def test_experiment_runs_on_shards_and_folders(small, name, tmp_path):
    store = RunStore(tmp_path)
    trials = [t for t in registry.load(name).trials(small) if t.seeds.data == 0]
    result = engines.sweep(trials, store)
    assert result.failed == {}
    found = Results(small, store)
    records = found.of(trials)
    assert len(records) == len({t.key for t in trials})
    assert all(r.trial["shards"] in ("cc3m", "yfcc15m") and r.trial["task"] == "imagenet" for r in records)
    assert registry.load(name).plot(found).data


def test_limit_takes_the_first_pairs(small):
    trial = small.backdoor(4, 0, limit=100)
    assert len(sources.training_pairs(trial)) == 100


def test_labelled_pictures_are_those_of_the_training_folder(small):
    images, labels = folders.imagenet_labelled(side=32, count=20, seed=0)
    assert images.shape == (20, 3, 32, 32)
    assert torch.isin(labels, torch.arange(LABELS)).all()


def test_pictures_for_the_choice_of_settings_are_never_trained_on(small):
    kept, _ = folders.imagenet_validation(side=32)
    given, _ = folders.imagenet_labelled(side=32, count=10**6, seed=0)
    there = len(folders._training_pictures()[0])
    seen = {image.numpy().tobytes() for image in given}
    assert 0 < len(kept) == there - len(given)
    assert not seen & {image.numpy().tobytes() for image in kept}


def test_what_does_not_fit_into_memory_stays_in_its_shards_and_trains_alike(small, monkeypatch):
    trial = replace(small.backdoor(8, 0), data="d")
    in_memory = run(trial, progress=False, device="cpu").metrics
    monkeypatch.setattr(loading, "SHARE", 0)
    outcome._kept.clear()
    assert isinstance(sources.training_pairs(trial).images, StoredPictures)
    stored = run(trial, progress=False, device="cpu").metrics
    assert stored["loss"] == in_memory["loss"]
    assert stored["attack_success"] == in_memory["attack_success"]
    assert stored["pairs_fingerprint"] != in_memory["pairs_fingerprint"]  # of places, not of pixels


def test_the_published_recipe_of_cleanclip():
    c = profiles.get("paper").cleaning
    assert (c.base.recipe.epochs, c.base.recipe.batch_size, c.base.recipe.lr) == (64, 128, 5e-4)
    assert (c.recipe.epochs, c.recipe.batch_size, c.recipe.lr, c.count) == (10, 64, 1e-5, 1500)
    assert c.share * 2_950_000 == pytest.approx(100_000, rel=0.01)
    assert c.recipe.warmup * c.recipe.steps(100_000) == pytest.approx(50, abs=1)
    assert c.base.recipe.warmup * c.base.recipe.steps(2_950_000) == pytest.approx(10_000, rel=0.01)
    assert 1e-5 in c.rates


def test_the_paper_s_numbers():
    p = profiles.get("paper")
    assert (p.base.recipe.epochs, p.base.recipe.batch_size, p.base.recipe.lr) == (30, 1024, 2e-4)
    assert (p.base.recipe.optimizer, p.base.recipe.weight_decay) == ("sgd", 0.02)
    assert (p.base.model, p.base.side, p.trigger.size) == ("RN50", 224, 16)
    assert (p.few, p.many, p.models.number) == (75, 300, 32)
