"""The training loop: same seed, same weights; interrupted or not, same weights; trouble is said aloud."""

import copy
import dataclasses
import time

import pytest
import torch

from tests.training.small import COLOURS, CONFIG, PAIRS, RECIPE, TOKENIZER, Interrupted, coloured, fit, same_weights
from tutorial_lib import models
from tutorial_lib.evaluate import accuracy, embed_images, embed_texts, predict
from tutorial_lib.models.fast import encode_text
from tutorial_lib.models.tokenizer import Tokenizer
from tutorial_lib.training import loop
from tutorial_lib.training.checkpoint import PausedError
from tutorial_lib.training.loop import TrainingDivergedError, train
from tutorial_lib.training.methods import RoCLIP, SafeCLIP
from tutorial_lib.training.views import train_with_views


@pytest.fixture(scope="module")
def reference():
    return fit()


def test_the_same_seed_gives_the_same_weights_and_metrics(reference) -> None:
    model, history = reference
    torch.manual_seed(123)  # the global random state has no say
    again, repeated = fit()
    assert same_weights(model, again)
    assert history.loss == repeated.loss
    assert torch.equal(embed_images(model, PAIRS.images), embed_images(again, PAIRS.images))


def test_another_seed_or_other_pairs_give_other_weights(reference) -> None:
    model, history = reference
    other_order, other_history = fit(seed=1)
    other_pairs, _ = fit(pairs=coloured(seed=1))
    assert not same_weights(model, other_order)
    assert not same_weights(model, other_pairs)
    assert other_history.loss != history.loss


def test_training_learns_what_the_captions_say() -> None:
    model, history = fit(recipe=dataclasses.replace(RECIPE, epochs=12))
    assert history.loss[-1] < history.loss[0] - 0.5
    unseen = coloured(seed=5)
    classifier = embed_texts(model, TOKENIZER, list(COLOURS)).T
    assert accuracy(predict(embed_images(model, unseen.images), classifier), unseen.concept).low > 0.8
    assert history.steps == 12 * (72 // 16)  # the last 8 pairs of each epoch are dropped
    assert not model.training


@pytest.mark.parametrize(("after", "every"), [(1, 1), (3, 1), (3, 2)])
def test_a_resumed_run_ends_with_the_same_bits(tmp_path, reference, after: int, every: int) -> None:
    checkpoint = tmp_path / "state.pt"

    def stop(epoch: int, _model) -> None:
        if epoch == after + 1:
            raise Interrupted

    with pytest.raises(Interrupted):
        fit(checkpoint=checkpoint, checkpoint_every=every, on_epoch=stop)
    assert checkpoint.is_file()
    epochs = []
    model, history = fit(checkpoint=checkpoint, on_epoch=lambda epoch, _: epochs.append(epoch))
    assert epochs == list(range(after // every * every + 1, RECIPE.epochs + 1))
    assert same_weights(model, reference[0])
    assert history.loss == reference[1].loss
    assert list(tmp_path.iterdir()) == []  # a finished run leaves nothing behind


def killed_before(monkeypatch, step: int, **options) -> None:
    """A run that keeps its state after each step, and is gone before it takes that one."""
    taken, take = [], loop.take_step

    def stop(*args):
        if len(taken) == step:
            raise Interrupted
        taken.append(step)
        return take(*args)

    with monkeypatch.context() as patch:
        patch.setattr(loop, "take_step", stop)
        with pytest.raises(Interrupted):
            fit(checkpoint_seconds=0.0, **options)


@pytest.mark.usefixtures("one_thread")
@pytest.mark.parametrize("step", [1, 3, 4, 5, 10, 15])  # an epoch has four
def test_a_run_that_is_killed_within_an_epoch_ends_with_the_same_bits(tmp_path, monkeypatch, step: int) -> None:
    whole, history = fit()
    state = tmp_path / "state.pt"
    killed_before(monkeypatch, step, checkpoint=state)
    counted, take = [], loop.take_step
    monkeypatch.setattr(loop, "take_step", lambda *args: counted.append(1) or take(*args))
    model, resumed = fit(checkpoint=state)
    assert len(counted) == 16 - step  # no step is taken twice
    assert same_weights(model, whole)
    assert resumed.loss == history.loss
    assert not state.exists()


@pytest.mark.usefixtures("one_thread")
def test_a_run_in_many_sittings_ends_with_the_same_bits(tmp_path) -> None:
    whole, history = fit()
    state = tmp_path / "state.pt"
    for _ in range(15):  # a step each; after the sixteenth nothing is left to stop
        with pytest.raises(PausedError, match=r"state\.pt holds the state"):
            fit(checkpoint=state, until=time.monotonic())
    model, resumed = fit(checkpoint=state, until=time.monotonic())
    assert same_weights(model, whole)
    assert resumed.loss == history.loss


def test_the_time_between_two_states_counts_at_ends_of_epochs_too(tmp_path, monkeypatch) -> None:
    state = tmp_path / "state.pt"
    killed_before(monkeypatch, 8, checkpoint=state, checkpoint_every=4)
    assert torch.load(state, weights_only=True)["epoch"] == 2


def test_without_a_checkpoint_no_time_is_over() -> None:
    _, history = fit(until=time.monotonic() - 1)
    assert len(history.loss) == RECIPE.epochs


def test_the_state_of_a_long_runs_end_stays_for_who_has_more_to_do(tmp_path, monkeypatch) -> None:
    state = tmp_path / "state.pt"
    model, history = fit(checkpoint=state, checkpoint_seconds=0.0, keep_checkpoint=True)
    monkeypatch.setattr(loop, "take_step", lambda *_: pytest.fail("a step was taken again"))
    again, resumed = fit(checkpoint=state, keep_checkpoint=True)
    assert same_weights(model, again)
    assert (resumed.loss, resumed.samples_per_second) == (history.loss, 0.0)


def test_a_run_that_diverges_after_it_went_on_holds_the_epoch_before(tmp_path, monkeypatch) -> None:
    state, kept = tmp_path / "state.pt", {}

    def keep(epoch: int, m) -> None:
        if epoch == 2:
            kept.update(copy.deepcopy(m.state_dict()))

    killed_before(monkeypatch, 10, checkpoint=state, on_epoch=keep)  # in the third epoch
    take = loop.take_step
    monkeypatch.setattr(loop, "take_step", lambda *args: take(*args) * torch.nan)
    model = models.build(CONFIG, TOKENIZER, seed=0)
    with pytest.raises(TrainingDivergedError, match="in epoch 3"):
        train(model, TOKENIZER, PAIRS, RECIPE, seed=0, device="cpu", progress=False, checkpoint=state)
    assert all(torch.equal(value, kept[name]) for name, value in model.state_dict().items())


def test_a_diverging_run_stops_and_keeps_the_last_good_state() -> None:
    model = models.build(CONFIG, TOKENIZER)
    kept = {}

    def sabotage(epoch: int, m) -> None:
        if epoch == 2:
            kept.update(copy.deepcopy(m.state_dict()))
            m.text_projection.data.fill_(torch.nan)

    with pytest.raises(TrainingDivergedError, match=r"the loss became nan in epoch 3 at learning rate .*: lower `lr`"):
        train(model, TOKENIZER, PAIRS, RECIPE, device="cpu", progress=False, on_epoch=sabotage)
    assert all(torch.equal(value, kept[name]) for name, value in model.state_dict().items())
    assert not model.training


def test_a_run_that_diverges_at_once_keeps_its_initial_state() -> None:
    model = models.build(CONFIG, TOKENIZER, seed=2)
    with pytest.raises(TrainingDivergedError, match="in epoch 1"):
        train(model, TOKENIZER, PAIRS, dataclasses.replace(RECIPE, lr=1e30), device="cpu", progress=False)
    assert same_weights(model, models.build(CONFIG, TOKENIZER, seed=2))


def test_the_logit_scale_stays_below_its_limit(reference) -> None:
    seen = []
    recipe = dataclasses.replace(RECIPE, max_logit_scale=12.0)
    fit(recipe=recipe, on_epoch=lambda _, m: seen.append(m.logit_scale.exp().item()))
    assert max(seen) <= 12.0 + 1e-4
    assert reference[0].logit_scale.exp() > 12.5  # so the limit did something


def test_bfloat16_trains_nearly_the_same_model(reference) -> None:
    _, history = fit(recipe=dataclasses.replace(RECIPE, precision="bfloat16"))
    assert history.loss != reference[1].loss
    assert history.loss == pytest.approx(reference[1].loss, abs=0.15)


@pytest.mark.parametrize("vocab", ["pruned", "full"])
def test_texts_without_their_padding_have_the_same_embedding(vocab: str) -> None:
    texts = ["a dog!", "!= !=", "cat", "a much longer text, that is cut at the end of the context"]
    tokenizer = Tokenizer(12) if vocab == "full" else Tokenizer.for_texts(texts, context_length=12)
    model = models.build(CONFIG, tokenizer).eval()
    tokens = tokenizer(texts)
    with torch.no_grad():
        whole = model.encode_text(tokens, normalize=True)
        torch.testing.assert_close(encode_text(model, tokens), whole)
        for length in (6, 8, 11):
            short = tokens[:3, :length]
            torch.testing.assert_close(encode_text(model, short), whole[:3])


def test_padding_is_cut_where_the_text_ends_even_in_the_whole_vocabulary() -> None:
    """There, the "!" of "!=" has the id of the padding."""
    captions = tuple(f"{c} != !=" for c in PAIRS.captions)
    pairs = dataclasses.replace(PAIRS, captions=captions).take(range(16))
    recipe = dataclasses.replace(RECIPE, epochs=1, batch_size=16)
    full = Tokenizer(12)
    pruned = Tokenizer.for_texts(pairs.captions, context_length=12)
    losses = []
    for tokenizer in (full, pruned):
        model = models.build(CONFIG, Tokenizer(12))
        if tokenizer is pruned:
            rows = model.token_embedding.weight.data[list(pruned.vocab)]
            model.token_embedding = torch.nn.Embedding(pruned.vocab_size, 32)
            model.token_embedding.weight.data[2:] = rows
        losses.append(train(model, tokenizer, pairs, recipe, device="cpu", progress=False).loss[0])
    assert losses[0] == pytest.approx(losses[1], abs=1e-5)


def test_fewer_pairs_than_a_batch_are_refused() -> None:
    with pytest.raises(ValueError, match="15 pairs are fewer than one batch of 16: lower `batch_size`"):
        fit(pairs=PAIRS.take(range(15)))


@pytest.mark.parametrize("way", [train, train_with_views])
def test_training_never_looks_at_where_a_pair_comes_from(way) -> None:
    """Poisons are data: with any provenance, any concept and any key the weights are the same, bit for bit."""
    recipe = dataclasses.replace(RECIPE, epochs=2)
    generator = torch.Generator().manual_seed(3)
    scrambled = dataclasses.replace(
        PAIRS,
        origin=torch.randint(0, 3, (len(PAIRS),), generator=generator),
        concept=torch.randint(-1, 9, (len(PAIRS),), generator=generator),
        keys=tuple(f"backdoor-{i}" for i in range(len(PAIRS))),
    )
    assert scrambled.fingerprint() == PAIRS.fingerprint()
    trained = []
    for pairs in (PAIRS, scrambled):
        model = models.build(CONFIG, TOKENIZER, seed=0)
        history = way(model, TOKENIZER, pairs, recipe, seed=0, device="cpu", progress=False)
        trained.append((model, history.loss))
    assert same_weights(trained[0][0], trained[1][0])
    assert trained[0][1] == trained[1][1]


@pytest.mark.usefixtures("one_thread")
@pytest.mark.parametrize("method", [RoCLIP(pool=0.3), SafeCLIP(warmup=1, pool=4)], ids=lambda m: m.kind)
@pytest.mark.parametrize("step", [6, 13])  # an epoch has four
def test_a_method_that_is_killed_within_an_epoch_ends_with_the_same_bits(tmp_path, monkeypatch, method, step) -> None:
    """Its steps follow from the model and the pools as they were when the epoch began."""

    def trained(**options):
        model = models.build(CONFIG, TOKENIZER, seed=0)
        history = method.train(model, TOKENIZER, PAIRS, RECIPE, device="cpu", progress=False, **options)
        return model, history

    whole, history = trained()
    state, taken, take = tmp_path / "state.pt", [], loop.take_step

    def stop(*args):
        if len(taken) == step:
            raise Interrupted
        taken.append(step)
        return take(*args)

    with monkeypatch.context() as patch:
        patch.setattr(loop, "take_step", stop)
        with pytest.raises(Interrupted):
            trained(checkpoint=state, checkpoint_seconds=0.0)
    model, resumed = trained(checkpoint=state)
    assert same_weights(model, whole)
    assert (resumed.loss, resumed.notes) == (history.loss, history.notes)
    assert not state.exists()
