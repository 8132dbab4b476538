"""The supervised classifier: same tower, same schedule, a loss over labels."""

from dataclasses import replace

import pytest
import torch

from tests.models.small import classifier, coloured
from tutorial_lib.evaluate import embed_images
from tutorial_lib.models.classifier import read_with_head
from tutorial_lib.training.loop import TrainingDivergedError
from tutorial_lib.training.supervised import train_classifier
from tutorial_lib.trials import Recipe

RECIPE = Recipe(epochs=25, batch_size=16, lr=3e-3, precision="float32")


def test_it_learns_colours_and_reads_them_from_embeddings():
    images, labels = coloured()
    model = classifier()
    history = train_classifier(model, images, labels, RECIPE, device="cpu")
    assert history.loss[-1] < history.loss[0]
    assert history.steps == 100
    points = embed_images(model, images)
    assert torch.allclose(points.norm(dim=1), torch.ones(len(points)), atol=1e-4)
    assert (read_with_head(model, points) == labels).float().mean() > 0.9


def test_same_seed_same_model():
    images, labels = coloured()
    runs = [classifier(), classifier()]
    for model in runs:
        train_classifier(model, images, labels, replace(RECIPE, epochs=1), seed=3, device="cpu")
    assert all(
        torch.equal(a, b) for a, b in zip(runs[0].state_dict().values(), runs[1].state_dict().values(), strict=True)
    )


def test_bad_input():
    images, labels = coloured(8)
    with pytest.raises(ValueError, match="8 pairs are fewer than one batch of 16"):
        train_classifier(classifier(), images, labels, RECIPE)
    images, labels = coloured()
    with pytest.raises(TrainingDivergedError, match="lower `lr`"):
        train_classifier(classifier(), images, labels, replace(RECIPE, lr=1e30), device="cpu")
