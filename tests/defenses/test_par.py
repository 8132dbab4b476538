"""PAR: its loss in loops, its learning rates, and what it leaves as it is."""

import itertools
import math
from dataclasses import replace

import pytest
import torch

from tests.defenses.small import SHORT, fresh, made, material
from tutorial_lib.defenses import Finetuning, PerturbAndRecover
from tutorial_lib.evaluate import embed_images, embed_texts
from tutorial_lib.losses import clip_loss, par_loss
from tutorial_lib.training.augment import noise_and_cutout


def unit(n: int, seed: int) -> torch.Tensor:
    drawn = torch.randn(n, 5, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    return torch.nn.functional.normalize(drawn, dim=1)


def distance(now: torch.Tensor, before: torch.Tensor) -> float:
    """Mean of squared distances, one number after the other."""
    rows = zip(now.tolist(), before.tolist(), strict=True)
    return sum(sum((a - b) ** 2 for a, b in zip(x, y, strict=True)) for x, y in rows) / len(now)


@pytest.mark.parametrize("tau", [0.0, 1.0, 1.4, 4.0])
def test_the_loss_is_the_loop_and_pushes_nothing_beyond_tau(tau: float) -> None:
    image, text, image_before, text_before = (unit(6, k) for k in range(4))
    image.requires_grad_()
    pushed = [d if d <= tau else 0.0 for d in (distance(image, image_before), distance(text, text_before))]
    loss = par_loss(image, text, image_before, text_before, 5.0, tau)
    assert loss.item() == pytest.approx(clip_loss(image, text, 5.0).item() - sum(pushed) / 2)
    loss.backward()
    other = image.detach().clone().requires_grad_()
    clip_loss(other, text, 5.0).backward()
    away = other.grad - (other.detach() - image_before) / 6 * (1.0 if pushed[0] else 0.0)
    assert torch.allclose(image.grad, away, atol=1e-9)


def test_some_are_beyond_tau_and_some_are_not() -> None:
    """What the test above needs in order to show both."""
    found = [distance(unit(6, 0), unit(6, 2)), distance(unit(6, 1), unit(6, 3))]
    assert 1.0 < min(found) < 1.4 < max(found) < 4.0


def test_noise_and_a_hole() -> None:
    images = torch.full((50, 3, 16, 16), 100.0)
    changed = noise_and_cutout(images, torch.Generator().manual_seed(0), noise=0.02, cutout=0.25)
    holes = (changed == 127.5).all(1)
    for picture in holes:
        rows, columns = picture.any(1).nonzero()[:, 0], picture.any(0).nonzero()[:, 0]
        assert int(picture.sum()) == 16
        assert rows.max() - rows.min() == columns.max() - columns.min() == 3
    assert len({tuple(picture.nonzero()[0].tolist()) for picture in holes}) > 20
    rest = changed.movedim(1, -1)[~holes]
    assert rest.std().item() == pytest.approx(0.02 * 255, rel=0.05)
    assert rest.mean().item() == pytest.approx(100, abs=0.2)
    untouched = noise_and_cutout(images, torch.Generator().manual_seed(0), noise=0.0, cutout=0.0)
    assert torch.equal(untouched, images)
    dark = noise_and_cutout(torch.zeros(1, 3, 8, 8), torch.Generator().manual_seed(0), noise=0.5, cutout=0.0)
    assert dark.min() == 0.0
    assert dark.max() <= 255


def test_learning_rates_fall_in_a_line_and_then_by_a_cosine() -> None:
    defense = made(PerturbAndRecover)
    lr, rates = SHORT.lr, [defense.rate(step, 100) for step in range(100)]
    assert rates[0] == lr
    assert rates[25] == pytest.approx((lr + lr / 10) / 2)
    assert rates[50] == pytest.approx(lr / 10)
    assert rates[75] == pytest.approx(lr / 20)
    assert 0 < rates[99] < lr / 1000
    assert all(a > b for a, b in itertools.pairwise(rates))


@pytest.mark.usefixtures("one_thread")
def test_it_moves_embeddings_further_than_plain_finetuning_and_not_the_logit_scale(backdoored) -> None:
    given, moved = material(backdoored, made(Finetuning)), {}
    recipe = replace(SHORT, epochs=6)
    images, captions = backdoored.task.images[:40], list(backdoored.clean.captions[:40])
    for defense in (Finetuning(recipe), PerturbAndRecover(recipe), PerturbAndRecover(recipe, tau=0.0)):
        model = defense.clean(fresh(backdoored), backdoored.tokenizer, given).model
        tokenizer = backdoored.tokenizer
        before = embed_images(backdoored.model, images), embed_texts(backdoored.model, tokenizer, captions)
        after = embed_images(model, images), embed_texts(model, tokenizer, captions)
        moved[defense] = sum(float((a - b).square().sum(1).mean()) for a, b in zip(after, before, strict=True))
        same = torch.equal(model.logit_scale, backdoored.model.logit_scale)
        assert same == isinstance(defense, PerturbAndRecover)
    plain, pushed, not_pushed = moved.values()
    assert pushed > 1.5 * plain
    assert pushed > 2 * not_pushed


@pytest.mark.parametrize(
    "wrong", [{"tau": 4.1}, {"tau": -1}, {"tau": math.nan}, {"noise": -0.1}, {"noise": math.inf}, {"cutout": 1.0}]
)
def test_settings_out_of_range_are_refused(wrong: dict) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong))):
        PerturbAndRecover(**wrong)
