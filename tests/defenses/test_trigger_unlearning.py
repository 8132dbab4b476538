"""Unlearning a trigger: stamped pictures go back to where they were without; what is no trigger is refused."""

from dataclasses import dataclass, replace

import pytest
import torch

from tests.defenses.small import fresh, made, material
from tutorial_lib.defenses import DefenseError, Finetuning, KnownTrigger, Material, TriggerUnlearning
from tutorial_lib.defenses.trigger_unlearning import stamp
from tutorial_lib.evaluate import embed_images
from tutorial_lib.runs.defend import apply
from tutorial_lib.trials import Trial
from tutorial_lib.triggers import Checkerboard


def test_stamping_is_the_loop() -> None:
    draw = torch.Generator().manual_seed(0)
    pictures, mask = 255 * torch.rand(2, 3, 4, 4, generator=draw), torch.rand(1, 4, 4, generator=draw)
    pattern = torch.rand(3, 4, 4, generator=draw)
    made = stamp(pictures, mask, pattern)
    for n in range(2):
        for c in range(3):
            for y in range(4):
                for x in range(4):
                    m, p = float(mask[0, y, x]), float(pattern[c, y, x])
                    expected = float(pictures[n, c, y, x]) * (1 - m) + 255 * m * p
                    assert made[n, c, y, x].item() == pytest.approx(expected, rel=1e-5)


def apart(model, before, images: torch.Tensor, trigger: Checkerboard) -> float:
    """How far stamped pictures are from where the model had them without the stamp."""
    stamped = embed_images(model, trigger.stamp(images))
    return float((stamped - embed_images(before, images)).square().sum(1).mean())


@pytest.mark.usefixtures("one_thread")
def test_stamped_pictures_go_back_to_where_they_were(backdoored) -> None:
    given, trigger = material(backdoored, made(Finetuning)), backdoored.trial.attack.trigger
    images, far = backdoored.task.images[:60], {}
    assert trigger.placement == "fixed"
    for defense in (
        made(Finetuning),
        made(TriggerUnlearning, invert=KnownTrigger(trigger)),
        made(TriggerUnlearning, invert=KnownTrigger(trigger), weight=20.0),
    ):
        cleaned = defense.clean(fresh(backdoored), backdoored.tokenizer, given)
        far[defense] = apart(cleaned.model, backdoored.model, images, trigger)
    plain, unlearned, strongly = far.values()
    assert strongly < unlearned < plain


@pytest.mark.usefixtures("one_thread")
def test_a_given_trigger_goes_before_one_that_is_looked_for(backdoored) -> None:
    given, tokenizer = material(backdoored, made(Finetuning)), backdoored.tokenizer
    mask, pattern = KnownTrigger(Checkerboard(size=4)).invert(None, None, given.pairs)

    @dataclass(frozen=True)
    class Fails(KnownTrigger):
        def invert(self, model, tokenizer, pairs):
            raise AssertionError

    with_mask = replace(given, trigger=(mask, pattern))
    one = made(TriggerUnlearning, invert=Fails()).clean(fresh(backdoored), tokenizer, with_mask)
    other = made(TriggerUnlearning, invert=KnownTrigger(Checkerboard(size=4))).clean(
        fresh(backdoored), tokenizer, given
    )
    assert one.history.loss == other.history.loss
    assert one.notes["trigger_share"] == pytest.approx(16 / 1024)


def test_what_is_found_is_looked_for_in_the_model_on_the_trusted_pairs(backdoored) -> None:
    given, seen = material(backdoored, made(Finetuning)), []

    @dataclass(frozen=True)
    class Looks(KnownTrigger):
        def invert(self, model, tokenizer, pairs):
            seen.append((model, tokenizer, pairs))
            return super().invert(model, tokenizer, pairs)

    model = fresh(backdoored)
    made(TriggerUnlearning, invert=Looks()).clean(model, backdoored.tokenizer, given)
    assert seen == [(model, backdoored.tokenizer, given.pairs)]


def test_a_trial_can_name_what_inverts(backdoored) -> None:
    defense = made(TriggerUnlearning, invert=KnownTrigger(backdoored.trial.attack.trigger))
    trial = Trial(data="d", defense=defense)
    assert trial.as_dict()["defense"]["invert"]["kind"] == "known-trigger"
    assert trial.key != Trial(data="d", defense=made(TriggerUnlearning, invert=KnownTrigger(Checkerboard(size=3)))).key
    outcome = apply(replace(backdoored, model=fresh(backdoored)), defense)
    assert outcome.cleaned.notes["trigger_share"] > 0


def test_what_is_no_trigger_is_refused_before_anything_is_changed(backdoored) -> None:
    given, tokenizer, model = material(backdoored, made(Finetuning)), backdoored.tokenizer, backdoored.model
    mask, pattern = torch.zeros(1, 32, 32), torch.zeros(3, 32, 32)

    def refused(trigger: tuple | None) -> str:
        with pytest.raises(DefenseError) as error:
            TriggerUnlearning(made(Finetuning).recipe).clean(model, tokenizer, replace(given, trigger=trigger))
        return str(error.value)

    before = {name: value.clone() for name, value in model.state_dict().items()}
    assert "give a mask and a pattern, or what inverts the model" in refused(None)
    assert "(1 or 3, 32, 32) and (3, 32, 32), not (2, 32, 32)" in refused((torch.zeros(2, 32, 32), pattern))
    assert "not (1, 32, 32) and (3, 16, 32)" in refused((mask, torch.zeros(3, 16, 32)))
    assert "mask is made of numbers from 0 to 1" in refused((mask + 1.1, pattern))
    assert "pattern is made of numbers from 0 to 1" in refused((mask, pattern + torch.nan))
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert Material(given.pairs).trigger is None
    for wrong in (0.0, -1.0, float("nan"), float("inf")):
        with pytest.raises(ValueError, match="weight is that of a loss"):
            TriggerUnlearning(weight=wrong)
    with pytest.raises(ValueError, match="invert must be able to invert a model's trigger, which 'decree' is not"):
        TriggerUnlearning(invert="decree")
