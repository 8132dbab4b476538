"""Training anew without suspects: what is left out, and what the new model is."""

import pytest
import torch

from tests.defenses.small import SHORT, fresh, material
from tutorial_lib import models
from tutorial_lib.attacks.poison import count_poisons
from tutorial_lib.defenses import DefenseError, Material, Retraining
from tutorial_lib.detect import KDistance
from tutorial_lib.training.loop import train
from tutorial_lib.trials import Recipe


def test_the_new_model_is_trained_on_the_other_pairs(backdoored, one_thread):
    defense = Retraining(SHORT, KDistance(), drop=0.1)
    given = material(backdoored, defense)
    everything = backdoored.clean + backdoored.poisons
    assert (len(given.pairs), len(given.training)) == (0, len(everything))  # no trusted pair is asked for
    cleaned = defense.clean(fresh(backdoored), backdoored.tokenizer, given, seed=3)

    scores = KDistance().scores(backdoored.model, backdoored.tokenizer, everything)
    worst = set(scores.topk(round(0.1 * len(everything))).indices.tolist())
    kept = everything.take([i for i in range(len(everything)) if i not in worst])
    config = models.model_config(backdoored.trial.model)
    again = models.build(config, backdoored.tokenizer, seed=3)
    train(again, backdoored.tokenizer, kept, SHORT, seed=3)
    for new, other in zip(cleaned.model.parameters(), again.parameters(), strict=True):
        assert torch.equal(new, other)
    there = count_poisons(everything)
    assert cleaned.notes == {
        "isolated": len(worst), "isolated_poisons": there - count_poisons(kept), "poisons": there,
    }  # fmt: skip
    assert cleaned.history.steps == SHORT.steps(len(kept))


def test_the_control_leaves_pairs_out_at_random(backdoored):
    given = material(backdoored, Retraining(SHORT))
    found = [Retraining(SHORT, drop=0.5).clean(fresh(backdoored), backdoored.tokenizer, given, seed=s) for s in (0, 1)]
    assert [f.notes["isolated"] for f in found] == [round(0.5 * len(given.training))] * 2
    share = found[0].notes["isolated_poisons"] / found[0].notes["poisons"]
    assert 0.2 < share < 0.8
    assert found[0].notes["isolated_poisons"] != found[1].notes["isolated_poisons"] or not torch.equal(
        *(next(iter(f.model.parameters())) for f in found)
    )


def test_what_is_lacking_is_said(backdoored):
    tokenizer, model = backdoored.tokenizer, fresh(backdoored)
    given = material(backdoored, Retraining(SHORT))
    for lacking in (Material(given.pairs), Material(given.pairs, training=given.training)):
        with pytest.raises(DefenseError, match="needs the training pairs and an untrained model"):
            Retraining(SHORT).clean(model, tokenizer, lacking)
    with pytest.raises(DefenseError, match=r"pairs are left, fewer than one batch of 5000"):
        Retraining(Recipe(batch_size=5000)).clean(model, tokenizer, given)
