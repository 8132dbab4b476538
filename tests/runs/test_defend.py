"""A trial with a defense: what the defender is given, and what is measured before and after."""

from dataclasses import replace

import pytest
from safetensors.torch import load, save_file

from tests.defenses.small import made, material
from tutorial_lib import profiles
from tutorial_lib.defenses import Finetuning, SupervisedFinetuning, Untouched
from tutorial_lib.runs import measure, run, train_trial
from tutorial_lib.runs.defend import apply

P = profiles.get("test")


def test_trusted_pairs_are_clean_unless_poisons_are_left_among_them(backdoored):
    given = material(backdoored, made(Finetuning))
    assert len(given.pairs) == round(0.5 * len(backdoored.clean))
    assert set(given.pairs.keys) <= set(backdoored.clean.keys)
    left = material(backdoored, made(Finetuning, dirty=3))
    assert len(set(left.pairs.keys) & set(backdoored.poisons.keys)) == 3
    assert len(left.labels) == len(left.pairs)
    with pytest.raises(ValueError, match="99 poisons shall be left among the trusted pairs, and there are 8"):
        material(backdoored, made(Finetuning, dirty=99))


def test_a_defended_trial_measures_before_and_after_from_one_training(tmp_path):
    base, weights = P.cleaning.attacked("badnets", 0), tmp_path / "w.safetensors"
    defense = P.cleaning.sweep("cleanclip")[0]
    start = run(replace(base, defense=Untouched()), weights=weights)
    stamp = weights.stat().st_mtime_ns
    after = run(replace(base, defense=defense), weights=weights)
    assert weights.stat().st_mtime_ns == stamp
    alone = run(replace(base, defense=defense))
    same = ("clean_accuracy", "attack_success", "z_score", "validation_accuracy", "retrieval", "embedding_distance")
    assert {k: after.metrics[k] for k in same} == {k: alone.metrics[k] for k in same}
    assert after.metrics["z_score"] != start.metrics["z_score"]
    assert after.metrics["cleaning"]["samples"] == after.metrics["cleaning"]["steps"] * 32
    assert start.metrics["loss"] == after.metrics["loss"]
    good = weights.read_bytes()
    state = load(good)  # from memory: a file must not be written over while it is mapped
    foreign = {k: v[:1].clone() for k, v in state.items() if v.ndim}
    for spoil in (
        lambda: weights.write_bytes(b"damaged"),
        lambda: weights.write_bytes(good[: len(good) // 2]),
        lambda: save_file(state, weights),  # without its history
        lambda: save_file(foreign, weights, metadata={"history": "{}"}),
    ):
        spoil()
        again = run(replace(base, defense=Untouched()), weights=weights)
        assert again.metrics["z_score"] == start.metrics["z_score"]
        assert again.metrics["loss"] == start.metrics["loss"]


def test_a_supervised_defense_is_read_by_its_head(backdoored):
    outcome = apply(train_trial(P.cleaning.attacked("badnets", 0)), made(SupervisedFinetuning))
    metrics = measure(outcome)
    assert next(iter(metrics["attack_success"])) == "classifier"
    assert "retrieval" not in metrics
    assert metrics["cleaning"]["labelled"] == round(0.5 * len(outcome.clean))
