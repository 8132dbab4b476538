"""The classifier against its formula, and its directory."""

import json
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from safetensors.torch import load_file, save_file

from tests.models.small import classifier, coloured
from tests.training.small import CONFIG
from tutorial_lib import models
from tutorial_lib.models import CheckpointError, is_classifier, load_classifier, save_classifier
from tutorial_lib.models.inputs import Preprocessing


def test_embeddings_and_scores_agree():
    images, _ = coloured(8)
    model = classifier().eval()
    x = images.float() / 255
    with torch.no_grad():
        by_hand = model.head(10 * F.normalize(model.visual(x), dim=-1))
        assert torch.allclose(model(x), by_hand, atol=1e-5)


LABELS = ("red", "green", "blue", "é")


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    model = classifier(seed=2)
    Preprocessing((0.5, 0.5, 0.5)).give_to(model.visual)
    save_classifier(tmp_path / "head", model, CONFIG, LABELS)
    return tmp_path / "head"


def test_a_classifier_comes_back_as_it_was_saved(saved: Path) -> None:
    images, _ = coloured(8)
    assert is_classifier(saved)
    model, labels = load_classifier(saved)
    assert labels == LABELS
    assert not model.training
    x = images.float() / 255
    with torch.no_grad():
        assert torch.equal(model(x), classifier(seed=2).eval()(x))
    assert models.facts(model)["mean"] == [0.5, 0.5, 0.5]
    assert (saved / "model.safetensors").stat().st_mode == (saved / "labels.txt").stat().st_mode


def test_a_classifier_is_no_clip_and_is_named(saved: Path) -> None:
    with pytest.raises(CheckpointError, match=r"head holds a classifier that `clean --method supervised` saved, not a"):
        models.load(saved)
    with pytest.raises(CheckpointError, match="seems to hold a classifier that `clean --method supervised` saved"):
        models.load(saved / "model.safetensors")
    with pytest.raises(CheckpointError, match="is no classifier"):
        load_classifier(models.CHECKPOINTS / "clean")


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("labels.txt", None, "a classifier without its labels.txt"),
        ("model.safetensors", None, "a classifier without its model.safetensors"),
        ("labels.txt", "red\ngreen\n", "names 2 classes, and model.json says 4"),
        ("model.json", json.dumps(CONFIG | {"classes": "4"}), "names 4 classes, and model.json says '4'"),
        ("model.json", json.dumps({"classes": 4}), "does not describe an open_clip model: embed_dim is missing"),
        (
            "model.json",
            json.dumps(CONFIG | {"classes": 4, "embed_dim": 8}),
            "weights of another classifier: .* and not",
        ),
        ("model.safetensors", "", "is empty"),
    ],
)
def test_damaged_classifiers_are_named(saved: Path, name: str, text: str | None, said: str) -> None:
    if text is None:
        (saved / name).unlink()
    else:
        (saved / name).write_text(text, "utf-8")
    with pytest.raises(CheckpointError, match=said):
        load_classifier(saved)


def test_weights_that_are_not_finite_are_named(saved: Path) -> None:
    weights = load_file(saved / "model.safetensors")
    save_file(weights | {"head.bias": torch.full_like(weights["head.bias"], torch.inf)}, saved / "model.safetensors")
    with pytest.raises(CheckpointError, match=r"weights that are not all finite \(head\.bias\)"):
        load_classifier(saved)


def test_labels_must_name_each_class_in_a_line(tmp_path: Path) -> None:
    for labels in (["a", "b"], ["a", "b", "c", "d\ne"]):
        with pytest.raises(ValueError, match="4 labels of one line each are needed"):
            save_classifier(tmp_path / "x", classifier(), CONFIG, labels)
