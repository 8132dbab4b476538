"""The split of SafeCLIP: which pairs are safe, what they are trained with, and the losses in loops."""

from dataclasses import replace
from types import SimpleNamespace

import pytest
import torch

from tests.training.small import CONFIG, PAIRS, RECIPE, TOKENIZER
from tests.training.test_matching import contrast, inner
from tutorial_lib import models
from tutorial_lib.data.pairs import POISON
from tutorial_lib.training import safe_split
from tutorial_lib.training.methods import SafeCLIP
from tutorial_lib.training.safe_split import SafeSplit
from tutorial_lib.training.views import Views

LONG = replace(RECIPE, epochs=9, warmup=0.2)


def made(method: SafeCLIP, pairs=PAIRS) -> SafeSplit:
    model = models.build(CONFIG, TOKENIZER, seed=1).eval()
    views = Views.of(model, TOKENIZER, pairs, LONG, seed=0, device=torch.device("cpu"))
    return SafeSplit(views, **vars(method))


@pytest.fixture
def probabilities(monkeypatch: pytest.MonkeyPatch) -> torch.Tensor:
    """Of being safe, instead of those of a mixture: 20 of 72 are sure."""
    p = torch.linspace(0, 0.89, 72, dtype=torch.float64)
    p[:20] = 0.9 + torch.arange(20, dtype=torch.float64) / 1000
    monkeypatch.setattr(safe_split, "two_gaussians", lambda cosine: SimpleNamespace(larger=p))
    return p


def test_stages_and_their_learning_rates() -> None:
    split = made(SafeCLIP(warmup=2, slow=1, slow_rate=0.25))
    for epoch in range(3):
        steps = split.steps(epoch)
        assert [s.number for s in steps] == [4 * epoch + k for k in range(4)]
        assert all(s.loss_of == (split.in_modal if epoch < 2 else split.clip) for s in steps)
        expected = [LONG.lr_at(s.number, 12) for s in steps] if epoch < 2 else [0.25 * LONG.lr] * 4
        assert [s.lr for s in steps] == expected
        assert len({i for s in steps for i in s.batch.tolist()}) == 64
    later = split.steps(3) + split.steps(4)
    assert [s.lr for s in later] == [LONG.lr_at(k, 24) for k in range(8)]
    assert split.notes["safe"][0] > 0


def test_the_safe_share_begins_with_who_is_sure_and_grows(probabilities: torch.Tensor) -> None:
    split = made(SafeCLIP(warmup=0, slow=0, growth=0.25, most=0.7))
    expected = [20, round(72 * (20 / 72 + 0.25)), round(72 * 0.7), round(72 * 0.7)]
    best = probabilities.argsort(descending=True)
    for epoch, many in enumerate(expected):
        safe = split._split()
        assert int(safe.sum()) == many == split.notes["safe"][epoch]
        if epoch:
            assert set(safe.nonzero()[:, 0].tolist()) == set(best[:many].tolist())
        else:
            assert safe.tolist() == (probabilities >= 0.9).tolist()


@pytest.mark.usefixtures("probabilities")
def test_risky_pairs_never_meet_their_captions() -> None:
    split = made(SafeCLIP(warmup=0, slow=0, growth=0.1))
    for epoch in range(5):
        steps = split.steps(epoch)
        safe = split.notes["safe"][epoch]
        assert len(steps) == split.per_epoch
        assert all(len(s.batch) == LONG.batch_size for s in steps)
        clip = [i for s in steps if s.loss_of == split.clip for i in s.batch.tolist()]
        seen = [i for s in steps for i in s.batch.tolist()]
        assert len(seen) == len(set(seen))
        assert len(clip) == safe // LONG.batch_size * LONG.batch_size
        assert set(clip) <= set(range(20)) | set(torch.linspace(0, 0.89, 72).argsort(descending=True)[:safe].tolist())
        assert [s.loss_of == split.clip for s in steps] == sorted(s.loss_of == split.clip for s in steps)
    assert split.notes["safe"] == [20, 27, 34, 42, 49]


def test_nobody_is_safe_where_nobody_is_sure(monkeypatch: pytest.MonkeyPatch) -> None:
    nobody = SimpleNamespace(larger=torch.full((72,), 0.5, dtype=torch.float64))
    monkeypatch.setattr(safe_split, "two_gaussians", lambda cosine: nobody)
    split = made(SafeCLIP(warmup=0, slow=0))
    steps = split.steps(0)
    assert all(s.loss_of == split.in_modal for s in steps)
    assert (len(steps), split.notes["safe"]) == (4, [0])


def test_poisons_among_the_safe_are_counted(probabilities: torch.Tensor) -> None:
    origin = torch.zeros(72, dtype=torch.int64)
    origin[15:25] = POISON  # the first five are safe at once
    split = made(SafeCLIP(warmup=0, slow=0), replace(PAIRS, origin=origin))
    split.steps(0)
    assert split.notes == {"safe": [20], "safe_poisons": [5]}


@pytest.mark.parametrize("pool", [0, 10])
def test_the_in_modal_loss_is_the_loop(pool: int) -> None:
    split = made(SafeCLIP(pool=pool))
    model = split.views.model
    scale, queues = model.logit_scale.exp().item(), ([], [])
    for number in range(3):
        batch = torch.arange(16) + number
        image, text, image_view, text_view = (x.tolist() for x in split.views.both(batch, number))
        expected = 0.0
        for k, (own, view) in enumerate(((image, image_view), (text, text_view))):
            queue = queues[k]
            keys = [max(queue, key=lambda row, q=query: inner(q, row)) if queue and pool else query for query in own]
            queue.extend(own)
            del queue[:-10]
            expected += contrast(view, keys, scale) / 2
        assert split.in_modal(batch, number).item() == pytest.approx(expected, rel=1e-4)


def test_the_clip_loss_crosses_a_view_with_a_changed_one() -> None:
    split = made(SafeCLIP())
    batch = torch.arange(16)
    image, text, image_view, text_view = (x.tolist() for x in split.views.both(batch, 7))
    scale = split.views.model.logit_scale.exp().item()
    expected = (contrast(image, text_view, scale) + contrast(text, image_view, scale)) / 2
    assert split.clip(batch, 7).item() == pytest.approx(expected, rel=1e-4)
