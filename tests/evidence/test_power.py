"""The numbers of models in `claims.yml` are those that the pilot's records give."""

from __future__ import annotations

import functools
import math
from dataclasses import replace

import pytest

from tests.evidence.random_world import RandomWorld
from tests.evidence.worlds import World, whole
from tutorial_lib import profiles
from tutorial_lib.evidence import claims, power, registry, sample_size
from tutorial_lib.evidence.power import FEW, LEAST, MOST, models_for, pilot, planned, plans
from tutorial_lib.evidence.statistics import estimate_statistic
from tutorial_lib.experiments import zscore_success
from tutorial_lib.trials import Record


def test_committed_numbers_are_those_of_the_analysis():
    derived = {plan.claim.id: plan.models for plan in plans()}
    committed = {c.id: c.models for c in claims.load() if c.models}
    changed = {name: derived.get(name) for name in derived | committed if derived.get(name) != committed.get(name)}
    assert not changed, f"`models` in claims.yml should be {changed}"
    assert len(derived) > 50


def test_pilot_is_planned_with_its_mean_and_the_bound_of_its_spread():
    plan = planned(claims.get("mismatch_degrades"), pilot())
    family = len([c for c in claims.load() if c.role == "confirmatory"])
    assert plan.alpha == pytest.approx(0.05 / family)
    assert plan.spread == pytest.approx(plan.estimate.spread * math.sqrt(3 / 1.00517), rel=1e-4)
    enough = sample_size.power_of_mean(plan.needed, plan.estimate.value, plan.spread, 0, math.inf, alpha=plan.alpha)
    less = sample_size.power_of_mean(plan.needed - 1, plan.estimate.value, plan.spread, 0, math.inf, alpha=plan.alpha)
    assert less < 0.8 <= enough


def test_exploratory_claims_are_planned_for_their_own_level():
    claim = claims.get("same_true_label_exponential")
    alone = planned(claim, pilot())
    assert alone.alpha == 0.05
    assert planned(replace(claim, role="confirmatory"), pilot()).needed > alone.needed


def test_numbers_lie_between_the_least_and_the_most():
    for plan in plans():
        most = MOST[plan.claim.role]
        assert (
            (FEW if plan.claim.experiment.startswith(("cc_", "detect_", "further_", "robust_")) else LEAST)
            <= plan.models
            <= most
        )
        if plan.needed is not None:
            assert plan.models == min(most, max(LEAST, plan.needed))
            assert bool(plan.note) == (plan.needed > most)
        else:
            assert plan.note


@pytest.mark.parametrize(
    ("name", "rules", "note"),
    [
        ("consistent_gains_little", None, "not applicable in the pilot"),
        ("backdoor_rises", {"attack_success": 0.5, "missing": lambda m: True}, "no pilot"),
        ("zscore_tracks_success", None, "n = 104 does not count models of one setting"),
        ("zscore_varies_less", None, "of a statistic only the interval is known"),
    ],
)
def test_where_the_pilot_cannot_tell_a_claim_has_the_fewest(name, rules, note):
    plan = planned(claims.get(name), pilot() if rules is None else World(**rules))
    assert (plan.needed, plan.models, plan.note) == (None, LEAST, note)


def test_a_mean_on_its_bound_has_the_most():
    claim = claims.get("backdoor_rises")
    estimate = planned(claim, pilot()).estimate
    plan = planned(replace(claim, above=estimate.value), pilot())
    assert (plan.needed, plan.models, plan.note) == (None, MOST["confirmatory"], "the most; more were not spent")


def test_shares_and_existence_have_the_exact_binomial_test(monkeypatch):
    values = [True, True, True, False]
    monkeypatch.setattr("tutorial_lib.experiments.fig2_left.rises", lambda results: values)
    share = planned(
        replace(claims.get("targeted_rises"), above=0.2, kind="share", role="exploratory"), World(targeted=0.5)
    )
    assert share.needed == sample_size.models_for_share(0.75, 0.2, math.inf)
    values = [0.0001, 0.9, 0.9, 0.9]
    monkeypatch.setattr("tutorial_lib.experiments.fig2_left.rises", lambda results: values)
    exists = replace(claims.get("targeted_rises"), above=-math.inf, kind="exists", role="exploratory")
    plan = planned(exists, World(targeted=0.5))
    assert plan.needed == sample_size.models_for_existence(0.25) == 6
    assert plan.models == LEAST


def test_an_experiment_has_the_models_of_its_most_demanding_claim():
    for name in {c.experiment for c in claims.load()}:
        planned_for = max(c.models for c in claims.load() if c.experiment == name)
        assert models_for(name) == (planned_for or LEAST)  # of some nothing was piloted
    assert models_for("more_models") == LEAST


def test_models_that_are_cleaned_have_numbers_of_their_own():
    """Eight where a confirmatory claim is judged, each with a target; four where the papers' factors are looked at."""
    assert {models_for(name) for name in ("cc_attacks", "cc_frontier", "cc_map")} == {LEAST}
    assert {models_for(name) for name in ("cc_stealth", "cc_factors", "cc_critique", "cc_adaptive")} == {FEW}
    assert planned(claims.get("cc_badnets_removed"), pilot()).note == "the pilot cleaned other models"


def test_new_records_are_not_the_pilot():
    assert pilot().profile.pilot
    assert not power.profiles.get(pilot().profile.judged_as).pilot


class Complete(RandomWorld):
    """Every planned record of a profile is there."""

    def __init__(self, number: int, profile: str = "cpu") -> None:
        super().__init__(number, profile)
        self.profile = profiles.get(profile)
        self.seeds = [*self.profile.models.all]

    def get(self, trial):
        if trial not in whole(self.profile.name):
            return None
        metrics = self.metrics(trial)
        return Record(trial.key, trial.as_dict(), metrics, 1.0, "made up", {}, "2026-01-01")


def test_the_planned_trials_give_each_claim_its_models(monkeypatch):
    """A comparison has as many models as the smaller of its two sides: an experiment that forgets one is found here."""
    monkeypatch.setattr(zscore_success, "estimate_statistic", functools.partial(estimate_statistic, resamples=30))
    short = {c.id: (c.models, 0) for c in claims.load() if "cpu" in c.profiles and c.kind != "statistic"}
    for records in map(Complete, range(1, 6)):  # in some worlds a curve cannot be fitted
        for claim in claims.load():
            estimate = claims.judge(claim, records).estimate if claim.id in short else None
            if estimate is not None:
                short[claim.id] = (claim.models, estimate.n)
            if claim.id in short and short[claim.id][1] >= claim.models:
                del short[claim.id]
    assert not short


def test_the_laptop_has_as_many_models_as_the_analysis_asks_for():
    p = profiles.get("cpu")
    for name in registry.names(explanations=True):
        models = p.cleaning.models if name.startswith(("cc_", "detect_", "further_", "robust_")) else p.models
        assert len(models.of(name)) == models_for(name), name


#: Models that each claim has in `overnight`: two where the data are all pairs or a million; all five of all pairs for
#: what every model carries; four in the ladder of poisons, in 300,000 pairs.
OVERNIGHT = {
    **dict.fromkeys(
        ("backdoor_half_at_300", "five_standard_deviations", "triggered_similarity", "clean_similarity"), 2
    ),
    **dict.fromkeys(("few_consistent_z", "few_hold_to_a_million", "few_degrade_beyond_a_million"), 2),
    **dict.fromkeys(("many_constant_in_data", "few_degrade_in_data", "cc_badnets_works", "cc_distance_stays"), 2),
    "larger_data_do_not_prevent": 2,
    **dict.fromkeys(
        ("targeted_rises", "targeted_three_succeed", "targeted_probe_falls_too", "targeted_zero_shot_falls_too"), 5
    ),
    **dict.fromkeys(("backdoor_rises", "backdoor_control", "clean_pairs_normal", "triggered_pairs_apart"), 4),
    **dict.fromkeys(("same_true_label_exponential", "same_predicted_label_exponential"), 4),
    "backdoor_probe_may_stand": 4 * 5,  # of each number of poisons
    **{c.id: 8 for c in claims.load() if c.experiment == "sharing"},
}


@pytest.mark.filterwarnings("ignore")  # in some worlds nothing succeeds at all
def test_a_night_gives_each_of_its_claims_its_models(monkeypatch):
    monkeypatch.setattr(zscore_success, "estimate_statistic", functools.partial(estimate_statistic, resamples=30))
    judged = {c.id for c in claims.load() if "overnight" in c.profiles}
    assert judged == {*OVERNIGHT, "many_constant_by_step", "zscore_tracks_success", "zscore_varies_less"}
    found: dict[str, set[int]] = {name: set() for name in judged}
    for records in (Complete(number, "overnight") for number in range(1, 7)):
        for name in judged:
            estimate = claims.judge(claims.get(name), records).estimate
            found[name] |= {estimate.n} if estimate is not None else set()
    assert {name: max(found[name]) for name in OVERNIGHT} == OVERNIGHT
    assert found["many_constant_by_step"] <= {2, 4}  # whichever step is the largest
    assert found["zscore_varies_less"] == {4}
    assert min(found["zscore_tracks_success"]) == len({t.key for t in zscore_success.trials(profiles.get("overnight"))})


def test_models_of_a_night_that_are_compared_have_the_same_seeds():
    models = profiles.get("overnight").models
    for poisons in (75, 300):
        assert models.at("fig5_left", 1_000_000, poisons) == models.at("fig5_left", 3_000_000, poisons)
        assert set(models.at("fig5_left", 3_000_000, poisons)) <= set(models.base)
    carried = [seed for seeds in models.fewer[3_000_000].values() for seed in seeds]
    assert len(set(carried)) == len(carried) == 5
    assert [models.poisons(3_000_000, seed) for seed in carried] == [300, 300, 75, 75, 0]
    assert models.at("fig5_left", 3_000_000, 150) == ()
    assert {models.seeds(seed).data for seed in models.all} == {0}
    assert models.seeds(201).init == 201
