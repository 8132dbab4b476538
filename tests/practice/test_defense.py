"""Defenses by name: every one that trains, its own settings, and nobody else's."""

from dataclasses import fields

import pytest

from tutorial_lib.defenses import DEFENSES, AntiBackdoor, CleanCLIP, Finetuning, SelfSupervision, TrainedDefense
from tutorial_lib.practice.defense import chosen_defense, methods, settings_of
from tutorial_lib.trials import Recipe

RECIPE = Recipe(epochs=3)


def test_every_defense_that_trains_can_be_chosen() -> None:
    # training anew needs no pairs that are trusted: `tutorial audit --drop` and `tutorial train` do that
    assert set(methods()) == set(DEFENSES) - {"none", "retraining"}
    for method in methods():
        made = chosen_defense(method, RECIPE, {})
        assert isinstance(made, TrainedDefense)
        assert (made.kind, made.recipe) == (method, RECIPE)
        assert {f.name for f in fields(made)} == {*settings_of(method), "recipe", "share", "dirty"}


def test_dashes_and_underscores_are_the_same() -> None:
    assert chosen_defense("self_supervised", RECIPE, {}) == SelfSupervision(RECIPE)
    assert chosen_defense("anti_backdoor", RECIPE, {"isolate": 0.05}) == AntiBackdoor(RECIPE, isolate=0.05)
    assert chosen_defense("cleanclip", RECIPE, {"lambda_self": 2, "both_ways": True}) == CleanCLIP(
        RECIPE, lambda_self=2, both_ways=True
    )
    assert chosen_defense("finetune", RECIPE, {}) == Finetuning(RECIPE)


@pytest.mark.parametrize(
    ("method", "settings", "said"),
    [
        ("none", {}, "there is no method 'none'; choose from"),
        ("finetune", {"lambda_self": 1.0}, "finetune has no setting lambda_self; it has none beside its recipe"),
        ("cleanclip", {"shrink": 0.9}, "cleanclip has no setting shrink; it has lambda_self, both_ways"),
        ("cleanclip", {"share": 0.9}, "cleanclip has no setting share"),
        ("anti-backdoor", {"isolate": "much"}, "isolate of anti-backdoor is a number, not 'much'"),
        ("anti-backdoor", {"isolate": True}, "isolate of anti-backdoor is a number, not True"),
        ("anti-backdoor", {"isolate": 2}, "isolate is a share of the training pairs"),
        ("cleanclip", {"both_ways": 1}, "both_ways of cleanclip is true or false, not 1"),
    ],
)
def test_settings_of_others_and_wrong_values_are_refused(method: str, settings: dict, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        chosen_defense(method, RECIPE, settings)
