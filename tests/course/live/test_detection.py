"""What the live figures of detection are given: scores in the detectors' order, and a search as it is made."""

from __future__ import annotations

import base64
import json

import numpy as np
import pytest
import torch

from tutorial_lib import models
from tutorial_lib.course import patients
from tutorial_lib.course.live import data, detection
from tutorial_lib.data.pairs import POISON
from tutorial_lib.detect.checkpoints import UniversalPatch
from tutorial_lib.detect.subject import Subject


def numbers(packed: str) -> np.ndarray:
    return np.frombuffer(base64.b64decode(packed), "<u2").astype(int)


def test_levels_run_from_end_to_end_and_what_lies_beyond_stays_at_them() -> None:
    found = numbers(detection.levels(torch.tensor([-3.0, -1.0, 0.0, 1.0, 5.0]), -1.0, 1.0))
    assert found.tolist() == [0, 0, round(detection.LEVELS / 2), detection.LEVELS, detection.LEVELS]


def test_pairs_are_in_the_order_of_each_detector(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(detection.profiles, "get", lambda _, get=detection.profiles.get: get("test"))
    detection.training_points.cache_clear()
    pairs, points = detection.training_points()
    given = detection.poisons()
    assert given["pairs"] == len(pairs) == len(points)
    assert given["poisons"] == [i for i, origin in enumerate(pairs.origin.tolist()) if origin == POISON]
    assert list(given["scores"]) == list(detection.DETECTORS)
    low, high = given["axis"]
    cosines = torch.nn.functional.cosine_similarity(points.images, points.texts)
    back = torch.from_numpy(low + numbers(given["fit"]) / detection.LEVELS * (high - low))
    torch.testing.assert_close(back.float(), cosines, atol=1e-4, rtol=0)
    for name, detector in detection.DETECTORS.items():
        scores, order = detector.of_points(points), numbers(given["scores"][name]["order"])
        assert sorted(order.tolist()) == list(range(len(pairs)))
        assert (scores[torch.from_numpy(order)].diff() <= 0).all()
        heights = numbers(given["scores"][name]["heights"])
        assert (np.diff(heights[order]) <= 0).all()
    detection.training_points.cache_clear()


def test_a_recorded_search_ends_where_the_detector_ends() -> None:
    model, tokenizer = models.load(models.CHECKPOINTS / "backdoored")
    task = data.task()
    subject = Subject(model, tokenizer, task.images[:64], task.labels)
    detector = UniversalPatch(steps=3, batch=8)
    found, finding = detection.watched(subject, detector), detector.detect(subject, known=[])
    assert len(found["patches"]) == len(found["cosines"]) == len(found["called"]) == 3 + 1
    top, left = found["place"]
    size, asked = found["size"], found["asked"]
    assert finding.pattern is not None
    patch = finding.pattern[:, top : top + size, left : left + size].mul(255).round()
    last = np.frombuffer(base64.b64decode(found["patches"][-1]), np.uint8).reshape(size, size, 3)
    assert torch.equal(torch.from_numpy(last.copy()).permute(2, 0, 1).float(), patch)
    before = (subject.embeddings[:asked] @ subject.directions).argmax(1)
    label, count = max(found["called"][-1], key=lambda row: row[1])
    was = int((before == subject.names.index(label)).sum())
    assert count / asked - was / asked <= finding.score + 1e-6
    if label == finding.target:
        assert count / asked - was / asked == pytest.approx(finding.score, abs=1e-4)
    assert found["cosines"][-1] < found["cosines"][0]


def test_the_figure_has_a_search_of_each_model_and_the_attackers_patch() -> None:
    given = detection.inversion(steps=1)
    assert list(given["models"]) == list(detection.WATCHED) == list(given["names"])
    size = given["trigger"]["size"]
    assert len(base64.b64decode(given["trigger"]["pixels"])) == 3 * size**2
    assert given["target"] == patients.TRIALS["backdoored"].attack.target
    assert all(len(model["patches"]) == 2 for model in given["models"].values())


def test_a_script_hands_over_what_was_recorded_and_is_light(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(detection.RECORDED, "poisons", lambda: {"pairs": 3})
    body = detection.script("poisons")
    assert json.loads(body.split("= ", 2)[-1].rstrip(";\n").rpartition("= ")[2]) == {"pairs": 3}
    assert '["poisons"]' in body
    names = {path.name for path in detection.made_of()}
    assert {"model.safetensors", "dao.py", "universal_patch.py", "detection.py"} <= names
