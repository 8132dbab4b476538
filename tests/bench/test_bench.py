"""Benchmarks measure what they say, on small numbers; how fast anything is, is not tested."""

import os

import psutil
import pytest
import torch

from tutorial_lib import models
from tutorial_lib.bench import company, peak, scaling, stacked
from tutorial_lib.bench.plain import Pictures, plain_loop
from tutorial_lib.data import emojicaps
from tutorial_lib.data.loading import read_pairs
from tutorial_lib.data.shard_writer import write_pairs
from tutorial_lib.data.tasks import class_concepts, training_pairs
from tutorial_lib.models.inputs import normalize
from tutorial_lib.trials import Recipe, Trial


@pytest.fixture(scope="module")
def shards(tmp_path_factory):
    data = emojicaps.load()
    return write_pairs(tmp_path_factory.mktemp("clean"), training_pairs(data, class_concepts(data, 12), copies=2))


def test_the_plain_loop_trains_on_the_same_pictures(shards) -> None:
    whole = Pictures(shards, 32, 16, (1.0, 1.0))
    pairs = read_pairs(shards, side=32)
    assert len(whole) == len(pairs)
    apart = (whole[3][0] - normalize(pairs.images[3:4])[0]).abs().mean()
    assert apart < (whole[3][0] - normalize(pairs.images[9:10])[0]).abs().mean()  # a crop of this picture
    assert whole[3][0].shape == (3, 32, 32)
    assert plain_loop(shards, models.model_config("rn-0.4m"), Recipe(epochs=2, batch_size=40), workers=0) > 0


def test_the_share_of_the_peak_is_a_share() -> None:
    body = peak.share(models.model_config("tiny-rn"), 100.0, half=False)
    assert 0 < body["share"] < 1
    assert body["flops_per_second"] == pytest.approx(100 * 36.4e6, rel=0.01)
    assert "matrix product" in peak.describe(body)


def test_stacked_models_have_the_gradients_of_each() -> None:
    one_by_one, together = stacked.gradients(2, batch=8)
    losses, found = together()
    for k, (loss, expected) in enumerate(one_by_one()):
        torch.testing.assert_close(losses[k], loss)
        assert found.keys() == expected.keys()
        for name in expected:
            torch.testing.assert_close(found[name][k], expected[name], rtol=1e-3, atol=1e-5, msg=name)


def test_scaling(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scaling, "SIZES", (256, 512))
    monkeypatch.setattr(scaling, "SCENES", 2048)
    monkeypatch.setattr(scaling, "RENDERED", 128)
    monkeypatch.setattr(scaling, "MODELS", 2)
    monkeypatch.setattr(scaling, "SMALL", Trial(classes=16, copies=4, recipe=Recipe(epochs=1, batch_size=64)))
    body = scaling.compare(repeats=1)
    assert body["samples_per_second_by_pairs"].keys() == {"256", "512"}
    assert body["models"]["models"] == body["models"]["at_once"] == 2
    assert body["models"]["ratio"] == pytest.approx(body["models"]["one_by_one"] / body["models"]["together"])
    assert body["stacked"]["ratio"] > 0
    assert 0.2 * 2**30 < body["memory"]["bytes"] < 3 * 2**30
    assert "2,048 scenes with poisons" in "\n".join(scaling.describe(body))


def test_company(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each way is measured alone and beside the others, which are gone afterwards."""
    asked = []

    def busy() -> int:
        return sum("while True: pass" in p.cmdline() for p in psutil.Process().children())

    def run(how: str, seed: int) -> dict[str, float]:
        asked.append((how, busy()))
        return {"samples_per_second": {"fit": 90, "all": 100}[how] / (1 + asked[-1][1]), "threads": 2}

    monkeypatch.setattr(company, "_run", run)
    body = company.compare(repeats=1)
    assert asked == [("fit", 0), ("all", 0), ("fit", 1), ("all", 1)]
    assert body["kept"] == body["kept_with_all_threads"] == 0.5
    assert "45 samples/s of 90 alone (0.50)" in company.describe(body)[0]
    assert busy() == 0


@pytest.mark.slow
def test_a_run_beside_others_takes_fewer_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(company, "EPOCHS", 2)
    with company._company(os.cpu_count() or 1):
        found = company._run("fit", 0)
    assert found["threads"] == 1
    assert found["samples_per_second"] > 0
