"""A run is recorded, goes on, and knows its own folder."""

import json
from pathlib import Path

import pytest

from tests.practice.conftest import CONFIG
from tutorial_lib import models
from tutorial_lib.practice import train as module
from tutorial_lib.practice.train import train_shards
from tutorial_lib.trials import Recipe

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
