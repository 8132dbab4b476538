"""Further models at the points that four could not decide; ours, to see what more models say.

The verdicts of the profile stay those of its own models. These models have other seeds and are judged apart, so a first
look at the others cannot have chosen them.
"""

from __future__ import annotations

from tutorial_lib.evidence import claims
from tutorial_lib.evidence.results import Results
from tutorial_lib.evidence.statistics import Estimate
from tutorial_lib.evidence.table import Table
from tutorial_lib.experiments import caption_sets, fig2_left, fig4, text_tower
from tutorial_lib.profiles import Profile
from tutorial_lib.trials import Trial

GROUP, ORDER = "explanations", 10
TITLE = "Further models for claims that were undecided"
PAPER = "no figure of the papers: eight more models, judged apart, where the profile's own could not decide"
#: Further models for each of the profile's.
FURTHER = 2
CLAIMS = (
    "few_consistent_better",
    "many_random_better",
    "random_test_place_does_not_matter",
    "mismatch_degrades",
    "consistent_gains_little",
    "text_tower_attacked",
    "diversity_moves_picture",
)


def seeds(p: Profile) -> range:
    """Seeds that no other experiment of the pilot has; elsewhere there are enough models."""
    used = p.models.of(__name__)
    return range(used.stop, used.stop + FURTHER * len(used)) if p.past else range(0)


def trials(p: Profile) -> list[Trial]:
    few, most = fig4.DOSES[p].few, fig4.DOSES[p].most
    return [
        trial
        for seed in seeds(p)
        for trial in (
            *(fig4.placed(p, trained, count, seed) for trained in ("fixed", "random") for count in (few, most)),
            *(text_tower.attacked(p, count, seed) for count in (0, text_tower.COUNT[p])),
            fig2_left.together(p, seed),
        )
    ]


def further(results: Results) -> Results:
    """The same records, looked up for the further models only."""
    return results.with_seeds(seeds(results.profile))


def judged(results: Results, claim: str) -> Estimate | None:
    """The quantity of a claim over the further models alone."""
    return claims.judge(claims.get(claim), further(results)).estimate


def repetition_moves_captions(results: Results) -> list[float]:
    """That of `caption_sets` over the further models alone."""
    return caption_sets.repetition_moves_captions(further(results))


def table(results: Results) -> Table:
    """Each claim with what the profile's models and the further ones say."""
    rows = []
    for claim in map(claims.get, CLAIMS):
        cells = []
        for models in (results, further(results)):
            verdict = claims.judge(claim, models)
            e = verdict.estimate
            cells += ["" if e is None else f"{e.value:.2f} [{e.low:.2f}, {e.high:.2f}], {e.n}", verdict.verdict]
        rows.append((claim.says, claim.predicate, *cells))
    return Table(("claim", "allowed", "the first models", "verdict", "further models", "these alone"), tuple(rows))
