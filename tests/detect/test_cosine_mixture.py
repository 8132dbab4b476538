"""The filter of SafeCLIP: probabilities of the mixture, and which pairs are safe."""

import pytest
import torch
from sklearn.mixture import GaussianMixture

from tutorial_lib.detect import CosineMixture, Points


def points(poisons: int = 20) -> Points:
    """Pairs that fit, and some that do not; pictures are not normalised."""
    draw = torch.Generator().manual_seed(0)
    texts = torch.nn.functional.normalize(torch.randn(200, 64, generator=draw), dim=1)
    images = texts + 0.1 * torch.randn(200, 64, generator=draw)
    images[:poisons] = torch.randn(poisons, 64, generator=draw)
    return Points(images * torch.linspace(1, 30, 200)[:, None], texts)


def test_a_score_is_the_probability_of_the_lower_gaussian() -> None:
    both = points()
    cosine = [
        sum(a * b for a, b in zip(x, y, strict=True)) / sum(a * a for a in x) ** 0.5
        for x, y in zip(both.images.tolist(), both.texts.tolist(), strict=True)
    ]
    column = torch.tensor(cosine)[:, None].double().numpy()
    fitted = GaussianMixture(2, random_state=0).fit(column)
    lower = fitted.predict_proba(column)[:, int(fitted.means_.argmin())]
    assert CosineMixture().of_points(both).tolist() == pytest.approx(lower.tolist(), abs=1e-3)


def test_pairs_that_do_not_fit_are_risky_and_come_first() -> None:
    detector = CosineMixture()
    safe = detector.safe(points())
    assert safe[20:].float().mean() > 0.8
    assert not safe[:20].float().mean() > 0.1
    assert torch.equal(safe, detector.of_points(points()) <= 1 - 0.9)
    assert (detector.of_points(points()).topk(20).indices < 20).float().mean() > 0.8
    assert detector.safe(points(), sure=0.999).sum() <= safe.sum()


def test_a_probability_is_asked_for() -> None:
    for wrong in (0, 1.1, float("nan")):
        with pytest.raises(ValueError, match=f"sure is a probability, in .*, not {wrong}"):
            CosineMixture().safe(points(), sure=wrong)
