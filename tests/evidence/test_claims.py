"""Claims can hold and can fail; verdicts follow from intervals."""

from __future__ import annotations

import functools
import math
from dataclasses import replace

import pytest

from tests.evidence.random_world import RandomWorld
from tutorial_lib import experiments
from tutorial_lib.evidence import claims, registry
from tutorial_lib.evidence.claims import ClaimError, judge, load
from tutorial_lib.evidence.statistics import estimate_statistic
from tutorial_lib.experiments import zscore_success

#: Where a claim is judged that the trials of the profile `cpu` cannot express: no target has three poisons there.
ELSEWHERE = {"targeted_three_succeed": "gpu"}


def test_every_claim_can_hold_and_can_fail(monkeypatch):
    monkeypatch.setattr(zscore_success, "estimate_statistic", functools.partial(estimate_statistic, resamples=30))
    wanted = {c.id: {"holds", "fails"} for c in load()}
    for number in range(400):
        worlds = {profile: RandomWorld(number, profile) for profile in {"cpu", *ELSEWHERE.values()}}
        for claim in load():
            if wanted[claim.id]:
                world = worlds[ELSEWHERE.get(claim.id, "cpu")]
                verdict = judge(replace(claim, profiles=(world.profile.name,)), world)
                wanted[claim.id].discard(verdict.verdict)
        if not any(wanted.values()):
            return
    left = {name: words for name, words in wanted.items() if words}
    assert not left, f"in 400 made-up worlds these verdicts never came up: {left}"


def claim(**changes):
    base = load()[0]
    return replace(base, **({"above": -math.inf, "below": math.inf} | changes))


@pytest.mark.parametrize(
    ("values", "region", "word"),
    [
        ([1.0, 1.1, 0.9, 1.0], {"above": 0.5}, "holds"),
        ([1.0, 1.1, 0.9, 1.0], {"above": 1.5}, "fails"),
        ([1.0, 1.1, 0.9, 1.0], {"above": 1.0}, "undecided"),
        ([1.0, 1.1, 0.9, 1.0], {"below": 0.5}, "fails"),
        ([1.0, 1.1, 0.9, 1.0], {"above": 0.8, "below": 1.2}, "holds"),
        ([1.0, 1.1, 0.9, 1.0], {"above": 0.99, "below": 1.01}, "undecided"),
        ([1.0], {"above": 0.5}, "not run"),
        ([], {"above": 0.5}, "not run"),
        ([math.nan, 1.0], {"above": 0.5}, "not run"),
    ],
)
def test_verdict_follows_from_the_interval(values, region, word, monkeypatch):
    module = experiments.load("fig2_left")
    monkeypatch.setattr(module, "rises", lambda results: values)
    assert judge(claim(quantity="rises", **region), RandomWorld(0)).verdict == word


def test_undecided_says_how_many_models_would_decide(monkeypatch):
    monkeypatch.setattr(experiments.load("fig2_left"), "rises", lambda results: [0.9, 1.3, 0.8, 1.2])
    verdict = judge(claim(quantity="rises", above=1.0), RandomWorld(0))
    assert verdict.verdict == "undecided"
    assert 10 < verdict.needed < 200


def test_share_of_models_uses_the_exact_interval(monkeypatch):
    monkeypatch.setattr(experiments.load("fig2_left"), "rises", lambda results: [True, False, False, False])
    verdict = judge(claim(quantity="rises", above=0.001, kind="share"), RandomWorld(0))
    assert verdict.verdict == "holds"
    assert verdict.estimate.value == 0.25
    assert 0 < verdict.estimate.low < 0.01


def test_claim_of_another_scale_is_not_judged():
    assert judge(claim(above=0.0, profiles=("paper",)), RandomWorld(0)).verdict == "not applicable at this scale"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({}, "cannot fail"),
        ({"above": 1.0, "below": 0.5}, "cannot fail"),
        ({"above": 0.0, "profiles": ("laptop",)}, "unknown profiles: laptop"),
        ({"above": 0.0, "quantity": "falls"}, "has no quantity 'falls'"),
    ],
)
def test_claims_that_are_not_well_formed_are_refused(changes, message):
    with pytest.raises(ClaimError, match=message):
        claim(**changes)


def test_file_says_which_entry_is_wrong(tmp_path):
    path = tmp_path / "claims.yml"
    path.write_text("- {id: a, source: x}\n")
    with pytest.raises(ClaimError, match=r"claims\.yml, a: .*missing"):
        load(path)


def test_claims_are_about_the_paper():
    ids = [c.id for c in load()]
    assert len(ids) == len(set(ids)) >= 25
    assert {c.source for c in load()} <= {"carlini_terzis", "cleanclip"}
    assert all(c.section and c.says and c.what for c in load())
    assert {c.experiment for c in load()} == set(registry.names()) - {"unpoisoned", "placement_small", "cc_stealth"}
    papers = registry.groups()
    assert all(c.experiment in papers[c.source] for c in load())
    with pytest.raises(ValueError, match="there is no claim 'x'"):
        claims.get("x")


def test_summary_counts_every_verdict():
    verdicts = claims.judge_all(RandomWorld(1))
    counted = claims.summary(verdicts)
    assert sum(counted.values()) == len(load())
    assert set(counted) == set(claims.WORDS)


def test_no_claim_is_swallowed_by_the_text_of_another() -> None:
    """In YAML, a line that is glued to a sentence above it becomes part of that sentence."""
    assert claims.PATH.read_text().count("- id: ") == len(claims.load())
