"""Tests of claims against textbook formulas, brute force and simulation."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from scipy import stats

from tutorial_lib.evidence.decide import ALPHA, assess, estimated, existence, holm_adjusted, p_values
from tutorial_lib.evidence.statistics import Estimate, estimate_mean, estimate_share

INFINITE = {"above": -math.inf, "below": math.inf}


def test_mean_has_the_t_test_of_each_side():
    values = [0.4, 0.5, 0.7, 0.6]
    estimate = estimate_mean(values)
    above = stats.ttest_1samp(values, 0.3, alternative="greater").pvalue
    assert p_values(estimate, "mean", above=0.3).holds == pytest.approx(above)
    assert p_values(estimate, "mean", above=0.3).fails == pytest.approx(1 - above)
    below = stats.ttest_1samp(values, 0.6, alternative="less").pvalue
    assert p_values(estimate, "mean", below=0.6).holds == pytest.approx(below)
    assert p_values(estimate, "mean", below=0.6).fails == pytest.approx(1 - below)


def test_two_bounds_are_the_two_one_sided_tests():
    values = [0.02, -0.05, 0.04, 0.01, -0.03]
    found = p_values(estimate_mean(values), "mean", above=-0.1, below=0.08)
    sides = (
        stats.ttest_1samp(values, -0.1, alternative="greater").pvalue,
        stats.ttest_1samp(values, 0.08, alternative="less").pvalue,
    )
    assert found.holds == pytest.approx(max(sides))
    assert found.fails == pytest.approx(1 - max(sides))
    assert found.word() == "holds"
    assert p_values(estimate_mean(values), "mean", above=0.2, below=0.3).word() == "fails"
    assert p_values(estimate_mean(values), "mean", above=-0.3, below=-0.2).word() == "fails"
    assert p_values(estimate_mean(values), "mean", above=-0.01, below=0.01).word() == "undecided"


def test_share_has_the_exact_binomial_test():
    found = p_values(estimate_share([True, True, False, False, False]), "share", above=0.1)
    assert found.holds == pytest.approx(stats.binomtest(2, 5, 0.1, alternative="greater").pvalue)
    assert found.fails == pytest.approx(stats.binomtest(2, 5, 0.1, alternative="less").pvalue)
    by_hand = sum(math.comb(5, k) * 0.1**k * 0.9 ** (5 - k) for k in range(2, 6))
    assert found.holds == pytest.approx(by_hand)


@pytest.mark.parametrize("bounds", [{"above": 0.3}, {"below": 0.3}, {"above": 0.3, "below": 0.7}])
@pytest.mark.parametrize("n", [4, 9, 40])
def test_a_share_is_judged_as_its_exact_interval_is(n, bounds):
    for hits in range(n + 1):
        estimate = estimate_share([k < hits for k in range(n)])
        region = INFINITE | bounds
        inside = estimate.low >= region["above"] and estimate.high <= region["below"]
        outside = estimate.high < region["above"] or estimate.low > region["below"]
        expected = "holds" if inside else "fails" if outside else "undecided"
        assert p_values(estimate, "share", **bounds).word() == expected, (hits, estimate)


def test_a_statistic_is_judged_as_its_own_interval_is_which_need_not_be_symmetric():
    estimate = Estimate(0.9, 0.7, 0.95, 20, math.nan, "bootstrap over models")
    assert p_values(estimate, "statistic", above=0.69).word() == "holds"
    assert p_values(estimate, "statistic", above=0.71).word() == "undecided"
    assert p_values(estimate, "statistic", above=0.96).word() == "fails"
    assert p_values(estimate, "statistic", above=0.7).holds == pytest.approx(0.025)
    assert p_values(estimate, "statistic", below=0.95).holds == pytest.approx(0.025)
    assert p_values(estimate, "statistic", above=0.9).holds == pytest.approx(0.5)
    certain = Estimate(1.0, 1.0, 1.0, 20, math.nan, "bootstrap over models")
    assert p_values(certain, "statistic", above=0.9).holds == 0


def test_holm_against_an_example_by_hand():
    # 4 * 0.005, 3 * 0.01, then 2 * 0.03, and 0.04 is raised to it
    adjusted = holm_adjusted({"A": 0.01, "B": 0.04, "C": 0.03, "D": 0.005})
    assert adjusted == pytest.approx({"D": 0.02, "A": 0.03, "C": 0.06, "B": 0.06})
    assert holm_adjusted({}) == {}


def closed(p: list[float]) -> list[float]:
    """The closed test of Bonferroni's tests: each hypothesis with the largest p of all sets that it belongs to."""
    sets = [s for size in range(1, len(p) + 1) for s in itertools.combinations(range(len(p)), size)]
    return [max(min(1.0, len(s) * min(p[k] for k in s)) for s in sets if one in s) for one in range(len(p))]


def test_holm_against_the_closed_test_of_every_set():
    random = np.random.default_rng(0)
    for _ in range(50):
        p = [float(v) for v in random.uniform(0, 0.2, 6)]
        assert list(holm_adjusted(dict(enumerate(p))).items()) == sorted(
            holm_adjusted(dict(enumerate(p))).items(), key=lambda item: p[item[0]]
        )
        adjusted = holm_adjusted(dict(enumerate(p)))
        assert [adjusted[k] for k in range(6)] == pytest.approx(closed(p))


def test_a_family_in_which_nothing_is_true_is_seldom_decided():
    """Means on the border of their regions: in at most 5 % of such families is any claim decided."""
    random = np.random.default_rng(0)
    families, size, models = 2000, 8, 6
    draws = random.normal(0, 1, (families, size, models))
    any_alone = any_corrected = 0
    for family in draws:
        own = {k: p_values(estimate_mean(values), "mean", above=0.0) for k, values in enumerate(family)}
        adjusted = holm_adjusted({k: p.two_sided for k, p in own.items()})
        any_alone += any(p.word() != "undecided" for p in own.values())
        any_corrected += min(adjusted.values()) <= ALPHA
    assert 0.035 < any_corrected / families < 0.06  # 0.05 with an error of 0.005
    assert any_alone / families > 0.25


def test_words_of_claims_with_two_bounds_are_wrong_in_at_most_one_of_twenty():
    random = np.random.default_rng(1)
    draws = random.normal(1.0, 0.5, (2000, 6))  # on the upper bound
    words = [p_values(estimate_mean(v), "mean", above=-1.0, below=1.0).word() for v in draws]
    assert np.mean([w != "undecided" for w in words]) == pytest.approx(0.05, abs=0.012)


def test_existence_is_shown_by_one_model_and_never_fails():
    found, p = existence([0.9, 0.001, 0.8, 0.7])
    assert (found.value, found.n, p.fails) == (0.25, 4, 1.0)
    assert p.holds == pytest.approx(0.004)
    assert p.word() == "holds"
    assert existence([0.02, 0.9, 0.9])[1].word() == "undecided"
    assert existence([1.0] * 50)[1].word() == "undecided"
    with pytest.raises(ValueError, match=r"1\.5 is no p-value"):
        existence([0.5, 1.5])
    with pytest.raises(ValueError, match="no models"):
        existence([])


def test_existence_is_seldom_seen_where_it_is_not():
    draws = np.random.default_rng(2).uniform(0, 1, (2000, 12))
    assert np.mean([existence(list(v))[1].word() == "holds" for v in draws]) <= 0.035


def test_too_few_models_are_no_estimate():
    for kind in ("mean", "share", "statistic", "exists"):
        assert estimated([], kind) is None
        assert assess([math.nan], kind, above=0.5) is None
    assert estimated([1.0], "mean") is None
    assert assess(None, "exists") is None
    assert estimated(Estimate(1, math.nan, 1, 1, 0, ""), "statistic") is None
    assert estimated([0.001, 0.9], "exists").value == 0.5
    assert assess([1, 0, 1], "share", above=0.1)[0].value == pytest.approx(2 / 3)


def test_what_cannot_be_tested_is_refused():
    estimate = estimate_mean([0.1, 0.2])
    with pytest.raises(ValueError, match="has no bound"):
        p_values(estimate, "mean")
    with pytest.raises(ValueError, match="has no region"):
        p_values(estimate, "exists", above=0.0)
    with pytest.raises(ValueError, match="p-values of models, not by an estimate"):
        assess(estimate, "exists")
