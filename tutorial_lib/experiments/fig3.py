"""Similarity of pairs of pictures (Carlini & Terzis 2022, figure 3); reduces the records of figure 2, right."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import plotly.graph_objects as go
from scipy import stats

from tutorial_lib import plots
from tutorial_lib.evidence.results import Results, stamp
from tutorial_lib.profiles import Profile
from tutorial_lib.trials import Record, Trial

GROUP, ORDER = "carlini_terzis", 30
TITLE = "Similarity of pairs: the same label, and the same trigger"
PAPER = (
    "the probability that two pictures share a label grows exponentially with their similarity; clean pairs follow a "
    "normal curve around 0.1, pairs with the trigger lie at 0.78, five standard deviations away (section 5.1)"
)
#: Fewest pairs in a bin that is drawn and fitted.
ENOUGH = 20


def trials(p: Profile) -> list[Trial]:
    """The clean models and those with most poisons; they belong to figure 2, right."""
    ladder = [p.dosed(count, seed) for seed in p.models.of(__name__) for count in (0, p.counts[-1])]
    return [*ladder, *(p.backdoor(p.many, seed) for seed in p.models.at(__name__, p.base.scenes, p.many))]


def middles(bins: int) -> np.ndarray:
    """Middle of each bin of similarity."""
    edges = np.linspace(-1, 1, bins + 1)
    return (edges[1:] + edges[:-1]) / 2


def same_label(record: Record, which: str) -> tuple[np.ndarray, np.ndarray]:
    """Similarity of the bins with enough pairs, and the share of their pairs that have the same label.

    Args:
        which: "same_label" (the caption of the figure) or "same_prediction" (the text).
    """
    counts = record.metrics["pairs_by_similarity"]
    total, same = np.array(counts["clean"]), np.array(counts[which])
    enough = (total >= ENOUGH) & (same > 0)
    return middles(len(total))[enough], same[enough] / total[enough]


def exponential_fit(record: Record, which: str) -> float:
    """R² of log probability over similarity, above that of random pairs; negative where it falls, nan for few bins."""
    x, p = same_label(record, which)
    above = x > record.metrics["similarity_clean"]
    if above.sum() < 5:
        return float("nan")
    r = stats.linregress(x[above], np.log(p[above])).rvalue
    return float(r * abs(r))


def _clean(results: Results, value: Callable[[Record], float]) -> list[float]:
    return list(results.per_seed(lambda s: results.profile.dosed(0, s), value).values())


def _with_most(results: Results, value: Callable[[Record], float]) -> list[float]:
    p = results.profile
    return list(results.per_seed(lambda s: p.dosed(p.counts[-1], s), value).values())


def _with_many(results: Results, value: Callable[[Record], float]) -> list[float]:
    """Of models of all of the profile's data."""
    p = results.profile
    return list(results.per_seed(lambda s: p.backdoor(p.many, s), value).values())


def true_label_exponential(results: Results) -> list[float]:
    return _clean(results, lambda r: exponential_fit(r, "same_label"))


def predicted_label_exponential(results: Results) -> list[float]:
    return _clean(results, lambda r: exponential_fit(r, "same_prediction"))


def distance_from_normal(record: Record) -> float:
    """Largest difference between the distribution of clean pairs and a normal one of the same mean and deviation."""
    counts = np.array(record.metrics["pairs_by_similarity"]["clean"], dtype=float)
    measured = counts.cumsum() / counts.sum()
    edges = np.linspace(-1, 1, len(counts) + 1)[1:]
    normal = stats.norm.cdf(edges, record.metrics["similarity_clean"], record.metrics["similarity_clean_std"])
    return float(np.abs(measured - normal).max())


def clean_pairs_normal(results: Results) -> list[float]:
    return _with_most(results, distance_from_normal)


def clean_tail(results: Results) -> list[float]:
    """Share of clean pairs more than three standard deviations above their mean, by the bins wholly there."""

    def share(record: Record) -> float:
        counts = np.array(record.metrics["pairs_by_similarity"]["clean"], dtype=float)
        border = record.metrics["similarity_clean"] + 3 * record.metrics["similarity_clean_std"]
        return float(counts[np.linspace(-1, 1, len(counts) + 1)[:-1] >= border].sum() / counts.sum())

    return _with_most(results, share)


def clean_similarity(results: Results) -> list[float]:
    return _with_many(results, lambda r: r.metrics["similarity_clean"])


def triggered_similarity(results: Results) -> list[float]:
    return _with_many(results, lambda r: r.metrics["similarity_triggered"])


def z_at_many(results: Results) -> list[float]:
    return _with_many(results, lambda r: r.metrics["z_score"])


def separation(results: Results) -> list[float]:
    """Similarity of triggered pairs less that of clean ones, with the most poisons."""

    def difference(record: Record) -> float:
        return record.metrics["similarity_triggered"] - record.metrics["similarity_clean"]

    return _with_most(results, difference)


def plot_left(results: Results) -> go.Figure:
    """Probability of the same label against similarity, on a logarithmic axis."""
    p = results.profile
    records = results.of(p.dosed(0, s) for s in p.models.of(__name__))
    fig = plots.figure(
        "Probability that two clean pictures have the same true or predicted label, against the similarity of their "
        "embeddings, on a logarithmic axis; both rise steadily.",
        x="cosine similarity of two pictures",
        y="probability of the same label",
        stamp=stamp(p, records) + "; pairs of all models together",
        height=400,
    )
    for k, (which, name) in enumerate((("same_label", "same true label"), ("same_prediction", "classified the same"))):
        if records:
            total = np.sum([r.metrics["pairs_by_similarity"]["clean"] for r in records], axis=0)
            same = np.sum([r.metrics["pairs_by_similarity"][which] for r in records], axis=0)
            kept = (total >= ENOUGH) & (same > 0)
            x, y = middles(len(total))[kept], same[kept] / total[kept]
            plots.line(fig, x.round(4).tolist(), y.round(6).tolist(), name, number=k)
    fig.update_yaxes(type="log", exponentformat="power")  # else a probability of 0.0001 reads 100µ
    return fig


def plot_right(results: Results) -> go.Figure:
    """Densities of pair similarity with a normal fit, for one model with most poisons."""
    p = results.profile
    records = results.of([p.dosed(p.counts[-1], p.models.first)])
    fig = plots.figure(
        "Densities of pair similarity in a backdoored model: clean pairs follow a normal curve, pairs with the "
        "trigger lie far to the right of it.",
        x="cosine similarity of two pictures",
        y="density (1: its highest point)",
        stamp=stamp(p, records),
        height=400,
    )
    for record in records:
        counts = record.metrics["pairs_by_similarity"]
        x = middles(len(counts["clean"]))
        width, highest = x[1] - x[0], dict[str, float]()
        for k, (which, name) in enumerate((("clean", "clean pairs"), ("triggered", "pairs with the trigger"))):
            density = np.array(counts[which]) / sum(counts[which]) / width
            highest[which] = density.max()  # the peak of the triggered pairs would squash the others
            plots.line(fig, x.round(4).tolist(), (density / highest[which]).round(4).tolist(), name, number=k)
        mean, std = record.metrics["similarity_clean"], record.metrics["similarity_clean_std"]
        normal = stats.norm.pdf(x, mean, std) / highest["clean"]
        plots.line(fig, x.round(4).tolist(), normal.round(4).tolist(), "normal curve", number=6)
        fig.update_traces(mode="lines")
    return fig


def plot(results: Results) -> go.Figure:
    return plot_right(results)
