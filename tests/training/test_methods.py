"""Training methods: seeded, interrupted or not, blind to where a pair comes from, and what they refuse."""

import json
import math
import time
from dataclasses import replace

import pytest
import torch

from tests.runs.small import TINY, backdoored
from tests.training.small import CONFIG, PAIRS, RECIPE, TOKENIZER, Interrupted, same_weights
from tutorial_lib import models, runs
from tutorial_lib.costs import seconds
from tutorial_lib.data.pairs import POISON
from tutorial_lib.training import loop
from tutorial_lib.training.checkpoint import PausedError
from tutorial_lib.training.methods import METHODS, Method, RoCLIP, SafeCLIP
from tutorial_lib.trials import Trial
from tutorial_lib.trials.schema import as_dict

LONG = replace(RECIPE, epochs=6)
#: Each with settings that fit a few pairs and few epochs.
SMALL = (RoCLIP(pool=0.25), RoCLIP(every=1, pool=0.25, augment=False), SafeCLIP(warmup=2, slow_rate=0.5))

pytestmark = pytest.mark.usefixtures("one_thread")


def fit(method: Method, *, pairs=PAIRS, seed: int = 0, recipe=LONG, **options):
    model = models.build(CONFIG, TOKENIZER, seed=0)
    history = method.train(model, TOKENIZER, pairs, recipe, seed=seed, device="cpu", progress=False, **options)
    return model, history


def test_there_are_the_methods_of_the_literature() -> None:
    assert {kind: cls.title for kind, cls in METHODS.items()} == {"roclip": "RoCLIP", "safeclip": "SafeCLIP"}
    assert all(issubclass(cls, Method) and cls.cost > 1 for cls in METHODS.values())
    with pytest.raises(ValueError, match="there is no training method 'clip'; choose from roclip, safeclip"):
        METHODS.find("clip")


@pytest.mark.parametrize("method", SMALL, ids=repr)
def test_a_method_is_seeded_and_its_loss_falls(method: Method) -> None:
    recipe = replace(LONG, epochs=14)
    (model, history), (again, repeated) = (fit(method, recipe=recipe) for _ in range(2))
    assert same_weights(model, again)
    assert history.loss == repeated.loss
    assert history.notes == repeated.notes
    assert history.steps == recipe.steps(len(PAIRS))
    assert not model.training
    same = [loss for epoch, loss in enumerate(history.loss) if epoch % 2]  # of RoCLIP, the matched epochs
    assert same[-1] < same[0]
    assert not same_weights(model, fit(method, recipe=recipe, seed=1)[0])


@pytest.mark.parametrize("method", SMALL, ids=repr)
@pytest.mark.parametrize("after", [1, 2, 3, 5])
def test_a_resumed_run_ends_with_the_same_bits(tmp_path, method: Method, after: int) -> None:
    """Whatever stage it was in: what the pools held and how large the safe share was is part of the state."""
    whole, history = fit(method)
    checkpoint = tmp_path / "state.pt"

    def stop(epoch: int, _model) -> None:
        if epoch == after + 1:
            raise Interrupted

    with pytest.raises(Interrupted):
        fit(method, checkpoint=checkpoint, on_epoch=stop)
    model, resumed = fit(method, checkpoint=checkpoint)
    assert same_weights(model, whole)
    assert (resumed.loss, resumed.notes, resumed.steps) == (history.loss, history.notes, history.steps)
    assert not checkpoint.exists()


@pytest.mark.parametrize("method", SMALL, ids=repr)
def test_a_run_that_is_killed_within_an_epoch_goes_on_from_its_beginning(tmp_path, monkeypatch, method: Method) -> None:
    """Whatever the time between two states is: in the middle of an epoch, a method's own state is unknown."""
    whole, history = fit(method)
    state, taken, take = tmp_path / "state.pt", [], loop.take_step

    def stop(*args):
        if len(taken) == 14:  # an epoch has four
            raise Interrupted
        taken.append(1)
        return take(*args)

    with monkeypatch.context() as patch:
        patch.setattr(loop, "take_step", stop)
        with pytest.raises(Interrupted):
            fit(method, checkpoint=state, checkpoint_seconds=0.0)
    counted = []
    monkeypatch.setattr(loop, "take_step", lambda *args: counted.append(1) or take(*args))
    model, resumed = fit(method, checkpoint=state)
    assert len(counted) == 24 - 12
    assert same_weights(model, whole)
    assert (resumed.loss, resumed.notes) == (history.loss, history.notes)


@pytest.mark.parametrize("method", SMALL, ids=repr)
@pytest.mark.parametrize("every", [1, 4])
def test_a_run_whose_time_is_over_stops_at_the_next_end_of_an_epoch(tmp_path, method: Method, every: int) -> None:
    whole, history = fit(method)
    options = {"checkpoint": tmp_path / "state.pt", "checkpoint_every": every, "until": time.monotonic()}
    for epoch in range(1, LONG.epochs):
        with pytest.raises(PausedError, match=f"stopped after {epoch} epochs and 0 steps"):
            fit(method, **options)
    model, resumed = fit(method, **options)  # the last epoch leaves nothing to stop
    assert same_weights(model, whole)
    assert (resumed.loss, resumed.notes) == (history.loss, history.notes)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("method", SMALL, ids=repr)
def test_the_state_of_the_end_has_what_the_method_noted(tmp_path, monkeypatch, method: Method) -> None:
    options = {"checkpoint": tmp_path / "state.pt", "checkpoint_seconds": 0.0, "keep_checkpoint": True}
    model, history = fit(method, **options)
    monkeypatch.setattr(loop, "take_step", lambda *_: pytest.fail("a step was taken again"))
    again, resumed = fit(method, **options)
    assert same_weights(model, again)
    assert (resumed.loss, resumed.notes) == (history.loss, history.notes)


def test_a_checkpoint_of_other_settings_is_refused(tmp_path) -> None:
    checkpoint = tmp_path / "state.pt"

    def stop(epoch: int, _model) -> None:
        if epoch == 2:
            raise Interrupted

    with pytest.raises(Interrupted):
        fit(RoCLIP(pool=0.25), checkpoint=checkpoint, on_epoch=stop)
    for other in (RoCLIP(pool=0.5), SafeCLIP(warmup=2)):
        with pytest.raises(ValueError, match="belongs to another run"):
            fit(other, checkpoint=checkpoint)


@pytest.mark.parametrize("method", SMALL, ids=repr)
def test_methods_never_look_at_where_a_pair_comes_from(method: Method) -> None:
    scrambled = replace(
        PAIRS,
        origin=torch.arange(len(PAIRS)) % 2 * POISON,
        concept=torch.full((len(PAIRS),), -1),
        keys=tuple(f"backdoor-{i}" for i in range(len(PAIRS))),
    )
    (model, history), (other, scrambled_history) = (fit(method, pairs=pairs) for pairs in (PAIRS, scrambled))
    assert same_weights(model, other)
    assert history.loss == scrambled_history.loss


def test_what_a_method_cannot_do_is_said() -> None:
    with pytest.raises(ValueError, match=r"SafeCLIP .* after 6 epochs \(5 in-modal, 1 slow\): 4 are too few"):
        fit(SafeCLIP(), recipe=RECIPE)
    with pytest.raises(ValueError, match="4 are too few"):
        Trial(data="d", recipe=RECIPE, method=SafeCLIP())
    for method in (RoCLIP(), SafeCLIP(warmup=1)):
        with pytest.raises(ValueError, match="15 pairs are fewer than one batch of 16: lower `batch_size`"):
            fit(method, pairs=PAIRS.take(range(15)))


@pytest.mark.parametrize(
    ("kind", "wrong"),
    [
        (RoCLIP, {"every": 0}),
        (RoCLIP, {"pool": 0}),
        (RoCLIP, {"pool": 1.5}),
        (RoCLIP, {"pool": math.nan}),
        (SafeCLIP, {"warmup": -1}),
        (SafeCLIP, {"slow": -1}),
        (SafeCLIP, {"slow_rate": 0}),
        (SafeCLIP, {"slow_rate": math.nan}),
        (SafeCLIP, {"sure": 1.1}),
        (SafeCLIP, {"most": 0}),
        (SafeCLIP, {"growth": -0.1}),
        (SafeCLIP, {"pool": -1}),
    ],
)
def test_settings_out_of_range_are_refused(kind: type[Method], wrong: dict) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong))):
        kind(**wrong)


def test_a_method_is_part_of_a_trial_and_leaves_others_as_they_were() -> None:
    plain = Trial(data="d")
    assert "method" not in plain.as_dict()
    found = [Trial(data="d", method=m) for m in (RoCLIP(), RoCLIP(every=3), SafeCLIP(), SafeCLIP(pool=0))]
    assert len({plain.key, *(t.key for t in found)}) == 5
    assert found[0].as_dict()["method"] == as_dict(RoCLIP()) == {"kind": "roclip", **vars(RoCLIP())}
    assert found[0].dataset == plain.dataset
    assert seconds.samples(found[0]) == round(seconds.samples(plain) * RoCLIP.cost)
    with pytest.raises(ValueError, match="method of a trial has no effect where objective is 'triplet'"):
        Trial(data="d", objective="triplet", method=RoCLIP())
    with pytest.raises(ValueError, match=r"method of a trial has no effect where self_supervision is 1\.0"):
        Trial(data="d", self_supervision=1.0, method=RoCLIP())
    with pytest.raises(ValueError, match="method of a trial must be method settings or None, not 'roclip'"):
        Trial(data="d", method="roclip")


def test_a_trial_is_run_with_its_method_and_records_what_it_noted(tmp_path) -> None:
    trial = backdoored(recipe=replace(TINY.recipe, epochs=3))
    trial = replace(trial, method=SafeCLIP(warmup=1))
    record = runs.run(trial, progress=False, checkpoint=tmp_path / "state.pt")
    notes = json.loads(record.to_json())["metrics"]["method"]
    assert len(notes["safe"]) == len(notes["safe_poisons"]) == 1
    assert 0 <= notes["safe_poisons"][0] <= min(24, notes["safe"][0])
    plain = runs.run(replace(trial, method=None), progress=False)
    assert "method" not in plain.metrics
    assert plain.metrics["loss"] != record.metrics["loss"]
