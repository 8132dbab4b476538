"""Which epochs take their captions from the pool, and what the loss is then, in loops."""

import math

import pytest
import torch

from tests.training.small import CONFIG, PAIRS, RECIPE, TOKENIZER
from tutorial_lib import models
from tutorial_lib.evaluate import embed_texts
from tutorial_lib.training.matching import Matching
from tutorial_lib.training.views import Views


def made(every: int, size: int = 10, changed: bool = True, seed: int = 0) -> Matching:
    model = models.build(CONFIG, TOKENIZER, seed=1).eval()
    views = Views.of(model, TOKENIZER, PAIRS, RECIPE, seed=seed, device=torch.device("cpu"))
    return Matching(views, every=every, size=size, changed=changed)


def inner(a: list[float], b: list[float]) -> float:
    return sum(x * y for x, y in zip(a, b, strict=True))


def contrast(queries: list[list[float]], keys: list[list[float]], scale: float) -> float:
    """Mean cross entropy of each query's own key among all."""
    losses = []
    for i, query in enumerate(queries):
        logits = [scale * inner(query, key) for key in keys]
        losses.append(math.log(sum(math.exp(x) for x in logits)) - logits[i])
    return sum(losses) / len(losses)


@pytest.mark.parametrize(("every", "matched"), [(1, [0, 1, 2, 3, 4, 5]), (2, [1, 3, 5]), (3, [2, 5]), (9, [])])
def test_every_so_many_epochs_are_matched_beginning_with_that_number(every: int, matched: list[int]) -> None:
    matching = made(every)
    found = [e for e in range(6) if matching.steps(e)[0].loss_of == matching._matched]
    assert found == matched
    assert len(matching.pool) == (10 if matched else 0)


@pytest.mark.usefixtures("one_thread")
@pytest.mark.parametrize("changed", [True, False])
def test_captions_are_the_nearest_of_the_pool_and_join_it_afterwards(changed: bool) -> None:
    matching = made(1, changed=changed)
    model, steps = matching.views.model, matching.steps(0)
    scale = model.logit_scale.exp().item()
    queue = matching.pool.state()["rows"].tolist()
    shown = embed_texts(model, TOKENIZER, sorted(set(PAIRS.captions)))
    assert all(torch.isclose(shown @ torch.tensor(row), torch.ones(1), atol=1e-5).any() for row in queue)  # captions
    model.eval()
    for step in steps[:3]:
        see = matching.views.changed if changed else matching.views.plain
        image, text = (x.tolist() for x in see(step.batch, step.number))
        nearest = [max(queue, key=lambda row, q=query: inner(q, row)) for query in image]
        expected = (contrast(image, nearest, scale) + contrast(nearest, image, scale)) / 2
        loss = step.loss_of(step.batch, step.number)
        assert loss.item() == pytest.approx(expected, rel=1e-4)
        queue = (queue + text)[-10:]
        loss.backward()
    assert all(p.grad is None or not p.grad.any() for p in model.transformer.parameters())  # the text tower rests
    assert any(p.grad.any() for p in model.visual.parameters())


def test_other_epochs_have_the_own_caption() -> None:
    matching = made(2)
    step = matching.steps(0)[0]
    model = matching.views.model.eval()
    image, text = (x.tolist() for x in matching.views.changed(step.batch, step.number))
    scale = model.logit_scale.exp().item()
    expected = (contrast(image, text, scale) + contrast(text, image, scale)) / 2
    assert step.loss_of(step.batch, step.number).item() == pytest.approx(expected, rel=1e-4)
