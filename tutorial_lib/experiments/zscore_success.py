"""The z-score beside attack success, over all backdoor records (Carlini & Terzis 2022, section 5.1)."""

from __future__ import annotations

import numpy as np
import plotly.graph_objects as go
from scipy import stats

from tutorial_lib import plots
from tutorial_lib.evidence.results import Results, stamp
from tutorial_lib.evidence.statistics import Estimate, estimate_ratio, estimate_statistic
from tutorial_lib.experiments import fig2_right, fig4, fig5_left, fig5_right, fig6
from tutorial_lib.profiles import Profile
from tutorial_lib.trials import Record, Trial

GROUP, ORDER = "carlini_terzis", 80
TITLE = "The z-score and attack success: the same information?"
PAPER = "the z-score carries the information of attack success with a much lower variance (section 5.1)"


#: A variance that no two models could show, in units of a squared range.
TINY = 1e-9


def trials(p: Profile) -> list[Trial]:
    """Every backdoor trial of the other figures."""
    modules = (fig2_right, fig4, fig5_left, fig5_right, fig6)
    return list({t.key: t for m in modules if p.asks(m.__name__) for t in m.trials(p)}.values())


def _pairs(results: Results) -> tuple[list[float], list[float]]:
    records = results.of(trials(results.profile))
    z = [r.metrics["z_score"] for r in records]
    return z, [fig2_right.success(r) for r in records]


def rank_correlation(results: Results) -> Estimate | None:
    """Spearman's correlation of z-score and attack success over all models."""
    z, success = _pairs(results)
    if len(z) < 8:
        return None
    return estimate_statistic((z, success), lambda a, b: stats.spearmanr(a, b).statistic)


def variance_ratio(results: Results) -> Estimate | None:
    """Variance of z between models over that of attack success, each in units of its squared range over the doses.

    Averaged over all numbers of poisons of figure 2 (right), also those where success is saturated: settings are not
    chosen by what either measure says.
    """
    p = results.profile
    by_dose = [
        results.per_seed(lambda s, c=count: p.dosed(c, s), value)  # type: ignore[misc]
        for value in (lambda r: r.metrics["z_score"], fig2_right.success)
        for count in p.counts[1:]
    ]
    whole = sorted(set.intersection(*(set(found) for found in by_dose)))
    if len(whole) < 4:
        return None
    rows = [[found[seed] for found in by_dose] for seed in whole]

    def ratio(x: np.ndarray) -> float:
        scaled = [part.var(0, ddof=1).mean() / np.ptp(part.mean(0)) ** 2 for part in np.split(x, 2, axis=1)]
        return float(max(scaled[0], TINY) / max(scaled[1], TINY))

    return estimate_ratio(rows, ratio)


def relative_spread(results: Results) -> list[float]:
    """Spread between models in units of the range: attack success less z-score, one value per number of poisons.

    Both are divided by their range over all points, so that the two scales compare; points where no model or every
    model succeeds are left out: a rate cannot vary there, whatever the model does.
    """
    p = results.profile
    z_all, success_all = _pairs(results)
    if len(z_all) < 8:
        return []
    z_range, success_range = np.ptp(z_all), np.ptp(success_all)
    found = []
    for settings in _points(p, results):
        z = np.array([r.metrics["z_score"] for r in settings])
        success = np.array([fig2_right.success(r) for r in settings])
        if len(z) >= 3 and 0.05 < success.mean() < 0.95:
            found.append(float(success.std(ddof=1) / success_range - z.std(ddof=1) / z_range))
    return found


def _points(p: Profile, results: Results) -> list[list[Record]]:
    """Records of models that differ in nothing but their seeds."""
    groups: dict[str, list[Record]] = {}
    for trial in trials(p):
        record = results.get(trial)
        if record is not None and trial.attack is not None:
            body = trial.as_dict()
            for part in body["attack"].get("parts", [body["attack"]]):
                part.pop("target", None)
            body.pop("seeds")
            groups.setdefault(str(body), []).append(record)
    return list(groups.values())


def plot(results: Results) -> go.Figure:
    """Attack success against the z-score, a point per model."""
    p = results.profile
    z, success = _pairs(results)
    fig = plots.figure(
        "Attack success against the backdoor z-score, one point per model: success stays near zero, then rises steeply "
        "with the z-score, and then saturates.",
        x="backdoor z-score (standard deviations)",
        y="attack success (% of triggered pictures)",
        stamp=stamp(p, results.of(trials(p))),
        height=420,
    )
    fig.add_scatter(
        x=[round(v, 3) for v in z],
        y=[round(100 * v, 2) for v in success],
        mode="markers",
        marker={"color": plots.COLOURS[0], "size": 6, "opacity": 0.6},
        name="a model",
    )
    return fig
