"""Checkpoints in every published form give the same embeddings, without anything of them being run."""

from __future__ import annotations

import argparse
import json
import pickle
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from tests.models.published import CONFIG, FILES, VIT, Trap, embedded, halved, hub, script, small, traps
from tutorial_lib import models
from tutorial_lib.data.decoding import Resizing
from tutorial_lib.models import CheckpointError
from tutorial_lib.models.published import folder_of, open_weights
from tutorial_lib.notes import Note
from tutorial_lib.practice.pictures import resizing_of


@pytest.fixture
def config(tmp_path: Path) -> Path:
    (tmp_path / "c.json").write_text(json.dumps(CONFIG), "utf-8")
    return tmp_path / "c.json"


@pytest.fixture
def nothing_is_run(monkeypatch: pytest.MonkeyPatch) -> None:
    """What would let a file run something is not even called."""

    def forbidden(*_: object, **__: object) -> None:
        raise AssertionError("a checkpoint was unpickled")

    for where, name in (
        (torch, "load"),
        (torch.jit, "load"),
        (pickle, "load"),
        (pickle, "loads"),
        (pickle, "Unpickler"),
    ):
        monkeypatch.setattr(where, name, forbidden)


@pytest.mark.parametrize("form", FILES)
@pytest.mark.usefixtures("nothing_is_run")
def test_a_file_of_any_form_is_read(form: str, tmp_path: Path, config: Path) -> None:
    model = small()
    expected = embedded(model)
    path = FILES[form](tmp_path, model)
    read = models.read(path, config)
    assert torch.equal(embedded(read.model, read.tokenizer), expected)
    assert read.model.logit_scale.item() == 3.0
    assert all(p.dtype == torch.float32 for p in read.model.parameters())
    assert not read.model.training


@pytest.mark.usefixtures("nothing_is_run")
def test_half_precision_is_read_and_computed_in_single(tmp_path: Path, config: Path) -> None:
    model = small()
    torch.save({"state_dict": halved(model.state_dict())}, tmp_path / "half.pt")
    model.load_state_dict(halved(model.state_dict()))
    assert torch.equal(embedded(models.load(tmp_path / "half.pt", config)[0]), embedded(model))


@pytest.mark.parametrize("pickled", [False, True])
@pytest.mark.usefixtures("nothing_is_run")
def test_a_hub_folder_is_read_with_its_preprocessing(pickled: bool, tmp_path: Path) -> None:
    model = small(VIT, quick=True)
    own = {"mean": [0.5, 0.4, 0.3], "std": [0.5, 0.5, 0.25], "interpolation": "bicubic", "resize_mode": "shortest"}
    folder = hub(tmp_path / "hub", model, VIT | {"quick_gelu": True}, pickled=pickled, size=[32, 32], mode="RGB", **own)
    read = models.read(folder)
    assert read.form == "a hub folder of open_clip"
    assert torch.equal(embedded(read.model), embedded(model))
    facts = models.facts(read.model, read.tokenizer)
    assert {name: facts[name] for name in own} == own
    assert (facts["activation"], facts["context_length"], facts["side"]) == ("QuickGELU", 12, 32)
    models.save(tmp_path / "again", read.model, read.config, read.tokenizer)
    again = models.read(tmp_path / "again")
    assert models.facts(again.model, again.tokenizer) == facts
    assert torch.equal(embedded(again.model), embedded(model))


def test_a_model_says_how_its_pictures_are_resized(tmp_path: Path) -> None:
    model = models.read(hub(tmp_path / "hub", small(), interpolation="bilinear", resize_mode="squash")).model
    assert resizing_of(model) == Resizing("bilinear", "squash")
    models.save(tmp_path / "again", model, CONFIG, models.Tokenizer(12))
    assert resizing_of(models.read(tmp_path / "again").model) == Resizing("bilinear", "squash")


@pytest.mark.usefixtures("nothing_is_run")
def test_an_archive_like_openais_says_all_by_itself(tmp_path: Path) -> None:
    """tiny-rn is the only config with these shapes; the archive says that QuickGELU is needed."""
    model = small(models.model_config("tiny-rn"), quick=True)
    expected = embedded(model, models.Tokenizer(16))
    path = script(tmp_path / "RN.pt", model, length=16, sizes=True)
    with pytest.warns(Note, match="its weights need QuickGELU"):
        read = models.read(path)
    assert read.form == "a TorchScript archive"
    assert models.facts(read.model)["activation"] == "QuickGELU"
    assert torch.equal(embedded(read.model, read.tokenizer), expected)


@pytest.mark.parametrize("quick", [True, False])
def test_the_code_of_an_archive_tells_its_activation(quick: bool, tmp_path: Path, config: Path) -> None:
    model = small(quick=quick)
    expected = embedded(model)
    path = script(tmp_path / "s.pt", model)
    assert open_weights(path).quick_gelu is quick
    if quick:
        with pytest.warns(Note, match="its weights need QuickGELU"):
            read = models.read(path, config)
    else:
        read = models.read(path, config)
    assert torch.equal(embedded(read.model), expected)


def test_arguments_beside_the_weights_tell_their_activation(tmp_path: Path, config: Path) -> None:
    model = small(quick=True)
    for name, value in (("force_quick_gelu", True), ("pretrained", "openai")):
        arguments = argparse.Namespace(**{name: value}, model="RN50")
        torch.save({"args": arguments, "state_dict": model.state_dict()}, tmp_path / "a.pt")
        with pytest.warns(Note, match="its weights need QuickGELU"):
            assert torch.equal(embedded(models.load(tmp_path / "a.pt", config)[0]), embedded(model))
    with pytest.raises(ValueError, match=r"does not say which model it holds, and fits no config.*: give its own as"):
        models.load(tmp_path / "a.pt")


def test_what_would_run_a_program_does_not(tmp_path: Path, config: Path) -> None:
    canary = tmp_path / "was-run"
    folder = tmp_path / "traps"
    folder.mkdir()
    for name, path in traps(folder, canary).items():
        with pytest.raises((CheckpointError, ValueError), match=name):
            models.load(path, config)
        assert not canary.exists(), name
    pickle.loads(pickle.dumps(Trap(canary))).close()  # the trap itself works
    assert canary.exists()


def test_weights_beside_a_trap_are_read_and_the_trap_is_not_run(tmp_path: Path, config: Path) -> None:
    model, canary = small(), tmp_path / "was-run"
    torch.save({"optimizer": Trap(canary), "state_dict": model.state_dict()}, tmp_path / "evil.pt")
    assert torch.equal(embedded(models.load(tmp_path / "evil.pt", config)[0]), embedded(model))
    assert not canary.exists()


def test_no_module_that_a_file_names_is_imported(tmp_path: Path) -> None:
    (tmp_path / "trainer_of_a_stranger.py").write_text("class Settings: pass\nprint('imported')\n", "utf-8")
    make = "import torch, trainer_of_a_stranger as t; torch.save({'args': t.Settings(), 'a': torch.zeros(1)}, 'x.pt')"
    subprocess.run([sys.executable, "-c", make], cwd=tmp_path, check=True, capture_output=True)
    sys.path.insert(0, str(tmp_path))
    try:
        with pytest.raises(ValueError, match="does not say which model it holds"):
            models.load(tmp_path / "x.pt")
    finally:
        sys.path.remove(str(tmp_path))
    assert "trainer_of_a_stranger" not in sys.modules


def test_whole_objects_are_refused_with_what_to_do(tmp_path: Path, config: Path) -> None:
    torch.save(torch.nn.Linear(1, 1), tmp_path / "object.pt")
    torch.save({"model": torch.nn.Linear(1, 1)}, tmp_path / "within.pt")
    for name in ("object.pt", "within.pt"):
        with pytest.raises(
            CheckpointError, match=rf"{name} holds a whole pickled object .*Linear.*save its state_dict"
        ):
            models.load(tmp_path / name, config)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ([1, 2], "holds a list, no dictionary of weights"),
        (3, "holds a int, no dictionary of weights"),
        (torch.zeros(2, 3), r"holds one tensor of shape \(2, 3\), no dictionary of weights"),
        ({}, "holds no weights where trainers keep them .* but nothing"),
        ({"epoch": 3, "optimizer": {}}, r"holds no weights where .*state_dict.*, but 'epoch', 'optimizer'"),
        ({"module.a": torch.zeros(1), "a": torch.zeros(1)}, "holds two weights called 'a'"),
        ({"a": torch.zeros(1, dtype=torch.complex64), "b": torch.zeros(1)}, "does not say which model"),
    ],
)
def test_files_without_weights_say_what_they_hold(content: object, said: str, tmp_path: Path) -> None:
    torch.save(content, tmp_path / "odd.pt")
    with pytest.raises((CheckpointError, ValueError), match=rf"odd.pt {said}"):
        models.load(tmp_path / "odd.pt")


def test_a_pruned_vocabulary_needs_its_folder(tmp_path: Path) -> None:
    source = models.CHECKPOINTS / "clean"
    save_file(models.load(source)[0].state_dict(), tmp_path / "pruned.safetensors")
    with pytest.raises(CheckpointError, match=r"holds rn-0.8m.* with [\d,]+ tokens of the vocabulary"):
        models.load(tmp_path / "pruned.safetensors")
    with pytest.raises(CheckpointError, match=r"another architecture: token_embedding.weight is .* they are those of"):
        models.load(tmp_path / "pruned.safetensors", "rn-0.8m-long")
    with pytest.raises(CheckpointError, match=r"pruned to \d+ tokens: give its model directory"):
        models.load(tmp_path / "pruned.safetensors", source / "model.json")


def test_a_file_says_which_config_to_give(tmp_path: Path) -> None:
    torch.save(small(models.model_config("tiny-rn")).state_dict(), tmp_path / "a.pt")
    with pytest.raises(ValueError, match=r"a.pt does not say which model it holds: give `model` tiny-rn$"):
        models.load(tmp_path / "a.pt")
    with pytest.raises(CheckpointError, match=r"another architecture: .*; they are those of tiny-rn$"):
        models.load(tmp_path / "a.pt", "rn-0.4m")


def test_folders_of_other_kinds_say_what_they_are(tmp_path: Path) -> None:
    def said(*files: str, text: str = "{}") -> str:
        folder = tmp_path / f"f{len(list(tmp_path.iterdir()))}"
        folder.mkdir()
        for name in files:
            (folder / name).write_text(text, "utf-8")
        with pytest.raises(CheckpointError) as error:
            folder_of(folder)
        return str(error.value)

    assert "is not a model directory: it is empty" in said()
    assert "model.json and model.safetensors are missing" in said("readme.txt")
    assert "model.safetensors is missing" in said("model.json")
    assert "give one of its files, epoch_1.pt, epoch_2.pt" in said("epoch_2.pt", "epoch_1.pt")
    assert "no weights beside it (open_clip_model.safetensors" in said("open_clip_config.json")
    kind = said("config.json", "model.safetensors", text='{"model_type": "clip"}')
    assert "a model of Hugging Face transformers (model_type 'clip')" in kind
    assert "open_clip_config.json" in kind
    assert "a classifier without its model.json" in said("labels.txt", "model.safetensors")
