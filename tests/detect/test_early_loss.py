"""Early losses in loops, the short training, and poisons that are learned first."""

from __future__ import annotations

import copy
import math
from dataclasses import replace

import pytest
import torch

from tests.training.small import PAIRS, TOKENIZER, same_weights
from tutorial_lib import models
from tutorial_lib.data.pairs import Pairs
from tutorial_lib.detect import early_loss
from tutorial_lib.detect.early_loss import EarlyLoss, losses_among
from tutorial_lib.evaluate import embed_images, embed_texts

#: Settings of a training that takes a second.
SHORT = {"epochs": 2, "batch_size": 16}


def slow(images: list, texts: list, reference: list[int], scale: float) -> list[float]:
    """The loss of one pair after the other, each in a batch of its own with the reference."""

    def inner(a: list[float], b: list[float]) -> float:
        return scale * sum(x * y for x, y in zip(a, b, strict=True))

    found = []
    for i in range(len(images)):
        batch = [j for j in reference if j != i] + [i]
        loss = 0.0
        for queries, keys in ((images, texts), (texts, images)):
            logits = [inner(queries[i], keys[j]) for j in batch]
            loss += (math.log(sum(map(math.exp, logits))) - logits[-1]) / 2
        found.append(loss)
    return found


@pytest.mark.parametrize("block", [8192, 7])
def test_losses_are_those_of_the_loop(monkeypatch: pytest.MonkeyPatch, block: int) -> None:
    draw = torch.Generator().manual_seed(0)
    images, texts = (torch.nn.functional.normalize(torch.randn(30, 5, generator=draw), dim=1) for _ in range(2))
    reference = torch.randperm(30, generator=draw)[:12]
    monkeypatch.setattr(early_loss, "BLOCK", block)
    found = losses_among(images, texts, reference, 7.0)
    expected = slow(images.tolist(), texts.tolist(), reference.tolist(), 7.0)
    assert found.tolist() == pytest.approx(expected, rel=1e-4)


def test_an_early_checkpoint_is_scored_as_it_is() -> None:
    model, tokenizer = models.load(models.CHECKPOINTS / "unknown-1")
    before = copy.deepcopy(model)
    detector = EarlyLoss(start="as-is", batch_size=9, seed=3)
    found = detector.scores(model, tokenizer, PAIRS)
    drawn = torch.randperm(72, generator=torch.Generator().manual_seed(3))[:9].tolist()
    images, texts = embed_images(model, PAIRS.images), embed_texts(model, tokenizer, PAIRS.captions)
    expected = slow(images.tolist(), texts.tolist(), drawn, model.logit_scale.exp().item())
    assert found.tolist() == pytest.approx([-x for x in expected], rel=1e-3, abs=1e-4)
    assert same_weights(model, before)


@pytest.mark.usefixtures("one_thread")
def test_the_given_model_is_left_as_it_is_and_every_setting_counts() -> None:
    model = models.build(models.model_config("rn-0.4m"), TOKENIZER)
    before = copy.deepcopy(model)
    base = EarlyLoss(**SHORT, config="rn-0.4m", gamma=0.0)
    detectors = [
        base,
        replace(base, start="given"),
        replace(base, ascent="none"),
        replace(base, ascent="flooding", gamma=2.0),
        replace(base, gamma=2.0),
        replace(base, seed=1),
    ]
    # no loss is below 0 and would be turned: between the first and the third, nothing differs
    scores = [detector.scores(model, TOKENIZER, PAIRS) for detector in detectors]
    assert same_weights(model, before)
    for i, one in enumerate(scores):
        for j, other in enumerate(scores[:i]):
            assert torch.equal(one, other) == ((i, j) == (2, 0)), (i, j)
    assert torch.equal(scores[0], base.scores(model, TOKENIZER, PAIRS))


def test_a_new_model_is_built_for_the_side_of_the_pictures() -> None:
    images = torch.nn.functional.interpolate(PAIRS.images.float(), size=64).to(torch.uint8)
    pairs = Pairs(images, PAIRS.captions, PAIRS.keys, PAIRS.concept)
    model, tokenizer = models.load(models.CHECKPOINTS / "unknown-1")  # for 32 pixels
    assert EarlyLoss(epochs=1, batch_size=16).scores(model, tokenizer, pairs).isfinite().all()


@pytest.mark.usefixtures("one_thread")
def test_what_is_learned_first_has_the_lowest_loss() -> None:
    """Pictures of one colour with captions that name it; all others are noise with captions that fit nothing."""
    draw = torch.Generator().manual_seed(0)
    noise = torch.randint(0, 256, (72, 3, 32, 32), generator=draw, dtype=torch.uint8)
    easy = torch.arange(72) < 9
    images = torch.where(easy[:, None, None, None], torch.tensor([250, 20, 20])[None, :, None, None], noise).to(
        torch.uint8
    )
    words = ["one", "two", "three", "four", "five", "six", "seven", "eight"]
    captions = tuple("red" if i < 9 else f"{words[i % 8]} {words[i // 9]}" for i in range(72))
    pairs = Pairs(images, captions, PAIRS.keys, PAIRS.concept)
    model, tokenizer = models.load(models.CHECKPOINTS / "unknown-1")
    detector = EarlyLoss(epochs=15, batch_size=16, config="rn-0.4m")
    found = detector.suspects(model, tokenizer, pairs, 9 / 72)
    assert easy[found].all()


def test_what_cannot_be_trained_is_refused() -> None:
    model, tokenizer = models.load(models.CHECKPOINTS / "unknown-1")
    with pytest.raises(ValueError, match="72 pairs are fewer than one batch of 256: lower `batch_size`"):
        EarlyLoss().scores(model, tokenizer, PAIRS)
    with pytest.raises(ValueError, match="there is no model config 'RN51'"):
        EarlyLoss(config="RN51").scores(model, tokenizer, PAIRS)
    for wrong in ({"gamma": -1}, {"epochs": 0}, {"batch_size": 0}, {"lr": float("nan")}):
        with pytest.raises(ValueError, match=f"{next(iter(wrong))} of a early-loss must be at least"):
            EarlyLoss(**wrong)
