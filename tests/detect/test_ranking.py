"""What is measured of a ranking, against loops over pairs."""

import pytest
import torch

from tutorial_lib.detect import Ranking


@pytest.fixture(params=["distinct", "ties"])
def ranking(request):
    draw = torch.Generator().manual_seed(3)
    poison = torch.rand(300, generator=draw) < 0.1
    scores = torch.randn(300, generator=draw) + poison
    return Ranking(scores if request.param == "distinct" else scores.round(), poison)


def test_auroc_is_the_share_of_pairs_in_the_right_order(ranking):
    bad, good = ranking.scores[ranking.poison].tolist(), ranking.scores[~ranking.poison].tolist()
    right = sum((b > g) + (b == g) / 2 for b in bad for g in good)
    assert ranking.auroc == pytest.approx(right / (len(bad) * len(good)))


def test_average_precision_is_a_sum_over_thresholds(ranking):
    pairs = list(zip(ranking.scores.tolist(), ranking.poison.tolist(), strict=True))
    total, before = 0.0, 0
    for threshold in sorted({s for s, _ in pairs}, reverse=True):
        called = [p for s, p in pairs if s >= threshold]
        total += (sum(called) - before) * sum(called) / len(called)
        before = sum(called)
    assert ranking.average_precision == pytest.approx(total / int(ranking.poison.sum()))


def test_false_alarms_at_the_threshold_that_finds_95_per_cent(ranking):
    bad, good = ranking.scores[ranking.poison].tolist(), ranking.scores[~ranking.poison].tolist()
    threshold = max(t for t in set(bad) if sum(b >= t for b in bad) >= 0.95 * len(bad))
    assert ranking.false_alarms == pytest.approx(sum(g >= threshold for g in good) / len(good))


def test_recall_and_precision_count_the_first_pairs():
    scores, poison = torch.tensor([0.4, 0.9, 0.1, 0.8, 0.3]), torch.tensor([True, False, False, True, False])
    ranking = Ranking(scores, poison)
    assert ranking.recalls([0.2, 0.4, 0.6]) == {0.2: 0.0, 0.4: 0.5, 0.6: 1.0}
    assert ranking.precision(0.6) == pytest.approx(2 / 3)
    assert ranking.recall(0.01) == 0.0  # one pair at least


@pytest.mark.parametrize("poison", [[False, False], [True, True]])
def test_nothing_to_tell_apart(poison):
    with pytest.raises(ValueError, match=r"of 2 pairs are poisons: nothing to tell apart"):
        Ranking(torch.zeros(2), torch.tensor(poison))
