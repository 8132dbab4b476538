"""The line between two patients begins and ends at these, and its rates are theirs."""

import json

import pytest
import torch

from tutorial_lib import evaluate, models
from tutorial_lib.course.live import data, way


@pytest.mark.parametrize(("share", "name"), [(0.0, way.FROM), (1.0, way.TO)])
def test_the_ends_are_the_models(share, name):
    task = data.task()
    model, tokenizer = models.load(models.CHECKPOINTS / name)
    classifier = evaluate.zero_shot_classifier(model, tokenizer, task.labels)
    images = task.images[::95]
    expected = (model.logit_scale.exp() * evaluate.embed_images(model, images) @ classifier).detach()
    torch.testing.assert_close(way.on_the_way(share, images, task.labels), expected, atol=1e-4, rtol=1e-4)


def test_between_the_ends_weights_are_mixed():
    start, end = torch.tensor([1.0, 3.0]), torch.tensor([3.0, 3.0])
    assert way.between(start, end, 0.5).tolist() == [2.0, 3.0]
    assert way.between(torch.tensor(7), torch.tensor(9), 0.5).item() == 7  # batches that were seen


def test_the_rates_at_the_ends_are_those_of_the_records(monkeypatch):
    monkeypatch.setattr(way, "PLACES", 2)
    for (_, success, right), name in zip(way.points(data.task()), (way.FROM, way.TO), strict=True):
        known = json.loads((models.CHECKPOINTS / name / "record.json").read_text())["metrics"]
        assert success == pytest.approx(known["attack_success"]["zero_shot"]["rate"], abs=0.005)
        assert right == pytest.approx(known["clean_accuracy"]["zero_shot"]["rate"], abs=0.005)
