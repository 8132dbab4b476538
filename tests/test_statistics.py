"""Intervals over models against textbook formulas."""

import numpy as np
import pytest

from tutorial_lib.statistics import mean_interval, non_inferiority

T_975_3 = 3.182446305284263  # quantiles of Student's t from a table: 3 degrees of freedom
T_950_3 = 2.353363434801824


def test_interval_is_mean_plus_minus_t_times_standard_error():
    values = [0.1, 0.3, 0.2, 0.6]
    mean = sum(values) / 4
    error = (sum((v - mean) ** 2 for v in values) / 3 / 4) ** 0.5
    found = mean_interval(values)
    assert found.n == 4
    assert np.allclose([found.mean, found.low, found.high], [mean, mean - T_975_3 * error, mean + T_975_3 * error])


def test_interval_of_equal_values_has_no_width():
    assert mean_interval([0.5, 0.5]).low == mean_interval([0.5, 0.5]).high == 0.5


def test_interval_covers_the_truth_as_often_as_it_says():
    rng = np.random.default_rng(0)
    draws = [mean_interval(rng.normal(0.4, 0.1, 4)) for _ in range(1000)]
    assert 0.93 <= np.mean([d.low <= 0.4 <= d.high for d in draws]) <= 0.97


def test_non_inferiority_uses_pairs_and_a_one_sided_bound():
    control, treated = [0.30, 0.34, 0.32, 0.36], [0.29, 0.34, 0.31, 0.35]
    result = non_inferiority(treated, control, margin=0.03)
    differences = np.subtract(treated, control)
    bound = differences.mean() - T_950_3 * differences.std(ddof=1) / 2
    assert result.low == pytest.approx(bound)
    assert result.holds
    assert not non_inferiority(treated, control, margin=0.01).holds
    assert not non_inferiority([v - 0.05 for v in control], control, margin=0.03).holds


def test_bad_input():
    with pytest.raises(ValueError, match="at least two models, not 1"):
        mean_interval([0.5])
    with pytest.raises(ValueError, match="2 treated and 3 control"):
        non_inferiority([1, 2], [1, 2, 3], margin=0.1)
