"""The map of the budget: its cells, and how a setting is picked."""

import pytest

from tests.trials.records import record
from tutorial_lib import profiles
from tutorial_lib.experiments import cc_map
from tutorial_lib.trials import Trial

PAIRS, BATCH = 100_000, 64


def measured(success: float, accuracy: float, validation: float | None = None):
    """A record that says no more than a choice looks at."""
    made = record(Trial(data="d"))
    rates = {
        name: {"zero_shot": {"rate": rate}}
        for name, rate in (("attack_success", success), ("clean_accuracy", accuracy))
    }
    made.metrics.update(rates | {"validation_accuracy": {"rate": accuracy if validation is None else validation}})
    return made


def test_a_setting_is_the_one_that_leaves_least_within_the_loss():
    start, found = measured(0.9, 0.4), [measured(0.5, 0.39), measured(0.2, 0.36), measured(0.0, 0.2)]
    left = {
        loss: cc_map.at_equal_loss(start, found, loss).metrics["attack_success"]["zero_shot"]["rate"]
        for loss in (0, 0.011, 0.05, 0.5)
    }
    assert left == {0: 0.9, 0.011: 0.5, 0.05: 0.2, 0.5: 0.0}


def test_the_rule_takes_the_strongest_setting_that_validation_allows():
    start = measured(0.9, 0.4)
    found = [
        measured(0.5, 0.1, validation=0.39),
        measured(0.7, 0.4, validation=0.36),
        measured(0.0, 0.4, validation=0.2),
    ]
    assert cc_map.by_the_rule(start, found, 0.05) is found[1]
    assert cc_map.by_the_rule(start, found, 0.02) is found[0]
    assert cc_map.by_the_rule(start, found[2:], 0.05) is start


def test_the_laptops_map_reaches_the_published_number_of_steps():
    p = profiles.get("cpu")
    steps = {
        share: max(d.recipe.steps(round(share * PAIRS)) for d in cc_map.settings(p, "cleanclip", share))
        for share in cc_map.GRID[p].cells
    }
    assert steps == pytest.approx({0.03: 15_600, 0.1: 5_000, 0.2: 5_000, 1.0: 4_700}, rel=0.03)
    assert cc_map.published_share(p) == 0.03
    assert {d.recipe.batch_size for d in cc_map.settings(p, "cleanclip")} == {BATCH}


@pytest.mark.parametrize("name", ["test", "cpu", "gpu", "paper"])
def test_cells_are_in_pairs_and_every_method_has_its_own(name):
    p = profiles.get(name)
    of = {method: cc_map.settings(p, method) for method in cc_map.METHODS}
    steps = {m: [d.share * d.recipe.epochs for d in cells] for m, cells in of.items()}
    assert steps["cleanclip"] == steps["finetune"]
    for short, as_long in zip(sorted(steps["cleanclip"]), sorted(steps["finetune for as long"]), strict=True):
        assert short * 1.3 <= as_long <= short * 2.1
    assert [d.recipe.lr for d in of["cleanclip"]] == [d.recipe.lr for d in of["finetune"]]
    trials = cc_map.trials(p)
    assert len({t.key for t in trials}) == len(trials)


def test_only_the_shares_that_claims_compare_have_all_models():
    p = profiles.get("cpu")
    models: dict[float, set[int]] = {}
    for trial in cc_map.trials(p):
        if share := getattr(trial.defense, "share", 0):
            models.setdefault(share, set()).add(trial.seeds.data)
    assert {share: len(seeds) for share, seeds in models.items()} == {0.03: 8, 0.1: 4, 0.2: 8, 1.0: 8}
    assert cc_map.trials(profiles.get("pilot")) == []
