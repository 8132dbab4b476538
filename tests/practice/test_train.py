"""A run is recorded, goes on, and knows its own folder."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from tests.models.published import CONFIG as PUBLISHED
from tests.models.published import FILES, hub, small
from tests.practice.conftest import CONFIG
from tutorial_lib import models
from tutorial_lib.notes import Note
from tutorial_lib.practice import train as module
from tutorial_lib.practice.train import train_shards
from tutorial_lib.training import checkpoint
from tutorial_lib.training.methods import RoCLIP, SafeCLIP
from tutorial_lib.trials import Method, Recipe
from tutorial_lib.trials.schema import as_dict

RECIPE = Recipe(epochs=2, batch_size=128)


@pytest.fixture
def config(tmp_path: Path) -> str:
    path = tmp_path / "small.json"
    path.write_text(json.dumps(CONFIG))
    return str(path)


def test_a_finished_run_is_found_again(clean: Path, tmp_path: Path, config: str) -> None:
    out = tmp_path / "out"
    done = train_shards([clean], out, model=config, recipe=RECIPE, device="cpu")
    assert done.finished
    assert done.asked["labels"] == (clean / "labels.txt").read_text().split("\n")[:-1]
    assert json.loads((out / "train.json").read_text()) == done.as_dict()
    assert str(done).endswith(f"model: {out}")
    models.load(out)
    again = train_shards([clean], out, model=config, recipe=RECIPE, device="cpu")
    assert again.found
    assert again.as_dict() == done.as_dict()
    assert "is trained already" in str(again)


def test_a_run_without_a_checkpoint_begins_anew(
    clean: Path, tmp_path: Path, config: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    out, own = tmp_path / "out", module.train

    def interrupted(*args, **options):
        raise KeyboardInterrupt

    monkeypatch.setattr(module, "train", interrupted)
    with pytest.raises(KeyboardInterrupt):
        train_shards([clean], out, model=config, recipe=RECIPE, device="cpu")
    before = json.loads((out / "train.json").read_text())
    assert before.keys() == {"out", "shards", "asked", "finished"}
    assert not before["finished"]
    monkeypatch.setattr(module, "train", own)
    other = Recipe(epochs=2, batch_size=100)  # nothing to go on from, so nothing forbids another recipe
    done = train_shards([clean], out, model=config, recipe=other, device="cpu")
    assert (done.finished, done.resumed) == (True, False)


@pytest.mark.parametrize("text", ["{", "[]", '{"finished": true}', '{"out": "x", "other": 1}'])
def test_a_strange_record_is_refused(clean: Path, tmp_path: Path, config: str, text: str) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "train.json").write_text(text)
    with pytest.raises(ValueError, match=r"train.json is not the record of a run .*: remove it"):
        train_shards([clean], tmp_path / "out", model=config, recipe=RECIPE, device="cpu")


def test_a_strangers_model_is_left_alone(clean: Path, tmp_path: Path, config: str) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "model.safetensors").write_text("precious")
    with pytest.raises(ValueError, match="a model that this command did not train"):
        train_shards([clean], tmp_path / "out", model=config, recipe=RECIPE, resume=False, device="cpu")
    assert (tmp_path / "out" / "model.safetensors").read_text() == "precious"


@pytest.mark.usefixtures("one_thread")
def test_training_starts_from_a_checkpoint(clean: Path, tmp_path: Path) -> None:
    """With a learning rate of almost nothing the model stays; from another form it is trained to the same bits."""
    own = {"mean": [0.5] * 3, "std": [0.25] * 3}
    source = hub(tmp_path / "hub", small(), **own)
    still = replace(RECIPE, lr=1e-12, weight_decay=0.0)
    done = train_shards([clean], tmp_path / "still", pretrained=source, recipe=still, device="cpu")
    assert done.asked["model"] is None
    assert done.vocabulary == 49408
    read = models.read(tmp_path / "still")
    state, before = read.model.state_dict(), small().state_dict()
    weights = [name for name in before if "running" not in name and "batches" not in name]
    assert all(torch.allclose(state[name], before[name], atol=1e-6) for name in weights)
    assert models.facts(read.model)["mean"] == own["mean"]
    (tmp_path / "c.json").write_text(json.dumps(PUBLISHED | {"preprocess_cfg": own}), "utf-8")
    file = FILES["epoch of open_clip_train"](tmp_path, small())
    curves = [
        train_shards([clean], tmp_path / name, pretrained=path, model=model, recipe=RECIPE, device="cpu").loss
        for name, path, model in (("a", source, None), ("b", file, str(tmp_path / "c.json")))
    ]
    assert curves[0] == curves[1]


def test_another_start_is_another_run(clean: Path, tmp_path: Path) -> None:
    for seed in (1, 2):
        hub(tmp_path / f"hub{seed}", small(seed=seed))
    one = {"recipe": RECIPE, "device": "cpu"}
    train_shards([clean], tmp_path / "out", pretrained=tmp_path / "hub1", **one)
    assert train_shards([clean], tmp_path / "out", pretrained=tmp_path / "hub1", **one).found
    with pytest.raises(ValueError, match="a run with another pretrained: choose another `out`"):
        train_shards([clean], tmp_path / "out", pretrained=tmp_path / "hub2", **one)


def test_a_pruned_vocabulary_stays_and_what_it_lacks_is_noted(clean: Path, tmp_path: Path) -> None:
    source = models.CHECKPOINTS / "clean"
    with pytest.raises(ValueError, match="which training keeps: leave `full_vocabulary` out"):
        train_shards([clean], tmp_path / "out", pretrained=source, full_vocabulary=True, recipe=RECIPE, device="cpu")
    narrow = models.Tokenizer.for_texts(["a picture"], context_length=16)
    models.save(tmp_path / "narrow", models.build(CONFIG, narrow), CONFIG, narrow)
    with pytest.warns(
        Note, match=r"\d+ of 600 captions hold words that the model's pruned vocabulary of 6 tokens lacks"
    ):
        done = train_shards([clean], tmp_path / "out", pretrained=tmp_path / "narrow", recipe=RECIPE, device="cpu")
    assert done.vocabulary == narrow.vocab_size


def test_what_to_start_from_must_be_there(clean: Path, tmp_path: Path) -> None:
    with pytest.raises(models.CheckpointError, match="no checkpoint at nowhere"):
        train_shards([clean], tmp_path / "out", pretrained="nowhere", recipe=RECIPE)
    with pytest.raises(ValueError, match="open_clip has no weights 'nowhere' of RN50; it has openai"):
        train_shards([clean], tmp_path / "out", pretrained="nowhere", model="RN50", recipe=RECIPE)
    with pytest.raises(ValueError, match="says which model it is, and not 'RN50'"):
        train_shards([clean], tmp_path / "out", pretrained=models.CHECKPOINTS / "clean", model="RN50", recipe=RECIPE)
    assert not (tmp_path / "out").exists()


@pytest.mark.usefixtures("one_thread")
@pytest.mark.parametrize("method", [RoCLIP(pool=0.1), SafeCLIP(warmup=1, slow_rate=0.5)])
def test_a_run_with_a_method_is_recorded_and_goes_on(
    clean: Path, tmp_path: Path, config: str, monkeypatch: pytest.MonkeyPatch, method: Method
) -> None:
    given = {"model": config, "recipe": Recipe(epochs=4, batch_size=128), "method": method, "device": "cpu"}
    done = train_shards([clean], tmp_path / "whole", **given)
    assert done.asked["method"] == as_dict(method)

    def store(*args, keep=checkpoint.store, **options) -> None:
        keep(*args, **options)
        if args[4].epoch == 3:  # epochs that are done: in SafeCLIP, one of them after the split
            raise KeyboardInterrupt

    monkeypatch.setattr(checkpoint, "store", store)
    with pytest.raises(KeyboardInterrupt):
        train_shards([clean], tmp_path / "parts", **given)
    monkeypatch.undo()
    resumed = train_shards([clean], tmp_path / "parts", **given)
    assert resumed.resumed
    assert resumed.loss == done.loss
    one, other = (models.load(tmp_path / out)[0].state_dict() for out in ("whole", "parts"))
    assert all(torch.equal(value, other[name]) for name, value in one.items())


def test_another_method_is_another_run_and_augmented_captions_can_be_read(
    clean: Path, tmp_path: Path, config: str
) -> None:
    given = {"model": config, "recipe": RECIPE, "device": "cpu"}
    plain = train_shards([clean], tmp_path / "plain", **given)
    assert "method" not in plain.asked
    matched = train_shards([clean], tmp_path / "matched", method=RoCLIP(), **given)
    assert matched.vocabulary > plain.vocabulary  # synonyms
    for out, method in (("plain", RoCLIP()), ("matched", None), ("matched", RoCLIP(every=1))):
        with pytest.raises(ValueError, match="a run with another method: choose another `out`"):
            train_shards([clean], tmp_path / out, method=method, **given)
    with pytest.raises(ValueError, match="2 are too few"):
        train_shards([clean], tmp_path / "safe", method=SafeCLIP(), **given)
    assert not (tmp_path / "safe").exists()
