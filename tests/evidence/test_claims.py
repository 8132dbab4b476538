"""Claims can hold and can fail; verdicts follow from intervals."""

from __future__ import annotations

import functools
import math
from dataclasses import replace

import pytest

from tests.evidence.random_world import RandomWorld
from tests.evidence.worlds import World
from tutorial_lib import experiments, profiles
from tutorial_lib.evidence import claims, registry
from tutorial_lib.evidence.claims import ClaimError, judge, load
from tutorial_lib.evidence.requirement import Requirement
from tutorial_lib.evidence.results import Results
from tutorial_lib.evidence.statistics import estimate_statistic
from tutorial_lib.experiments import zscore_success

#: Where a claim is judged that the trials of the profile `cpu` cannot express: no target has three poisons there, no
#: data have a million pairs, and no attacks share a model.
ELSEWHERE = {
    "targeted_three_succeed": "gpu",
    **dict.fromkeys(("many_constant_by_step", "few_hold_to_a_million", "few_degrade_beyond_a_million"), "gpu"),
    # at `cpu` so many poisons are a crowd
    **dict.fromkeys(
        (f"{what}_{attack}" for what in ("dao_finds", "removal_cures") for attack in ("blended", "wanet")), "gpu"
    ),
    **{c.id: "overnight" for c in load() if c.experiment == "sharing"},
}


def test_every_claim_can_hold_and_can_fail(monkeypatch):
    monkeypatch.setattr(zscore_success, "estimate_statistic", functools.partial(estimate_statistic, resamples=30))
    wanted = {c.id: {"holds", "not seen" if c.kind == "exists" else "fails"} for c in load()}
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


@pytest.mark.parametrize("claim", load(), ids=lambda c: c.id)
def test_a_quotation_is_short_and_of_a_source(claim):
    """What the course leans on is in the source's own words, or its section says that no sentence is."""
    assert len(claim.quote.split()) <= 25
    assert not claim.quote or claim.source != "ours"
    assert claim.quote or claim.role == "exploratory" or "no sentence says it" in claim.section


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
        ([1.0, 1.1, 0.9, 1.0], {"above": 0.8, "below": 1.2, "margin": "made up"}, "holds"),
        ([1.0, 1.1, 0.9, 1.0], {"above": 0.99, "below": 1.01, "margin": "made up"}, "undecided"),
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
    assert f"If these models are typical, {verdict.needed} would decide it" in verdict.why


def test_share_of_models_uses_the_exact_interval(monkeypatch):
    monkeypatch.setattr(experiments.load("fig2_left"), "rises", lambda results: [True, False, False, False])
    verdict = judge(claim(quantity="rises", above=0.001, kind="share"), RandomWorld(0))
    assert verdict.verdict == "holds"
    assert verdict.estimate.value == 0.25
    assert 0 < verdict.estimate.low < 0.01


def test_claim_of_another_scale_is_not_judged():
    elsewhere = judge(claim(above=0.0, profiles=("gpu", "paper")), RandomWorld(0))
    assert elsewhere.verdict == "not applicable at this scale"
    assert "by the records of gpu, paper" in elsewhere.why


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({}, "cannot fail"),
        ({"above": 1.0, "below": 0.5}, "cannot fail"),
        ({"above": 0.0, "profiles": ("cluster",)}, "unknown profiles: cluster"),
        ({"above": 0.0, "quantity": "falls"}, "has no quantity 'falls'"),
        ({"above": 0.0, "below": 0.5}, "does not say where its margin comes from"),
        ({"above": 0.0, "below": 0.5, "reported": 0.6}, "does not say where its margin comes from"),
        ({"above": 0.0, "kind": "share"}, "cannot fail"),
        ({"above": 0.0, "kind": "exists"}, "which has no region"),
        ({"above": 0.0, "kind": "median"}, "of no known kind and role: median"),
        ({"above": 0.0, "role": "main"}, "of no known kind and role: mean, main"),
        ({"above": 0.0, "stated_by": "us"}, "is stated by us"),
        ({"above": 0.0, "stated_by": "ours", "role": "confirmatory"}, "though no source states it"),
        (
            {"above": 0.0, "requires": (Requirement("fig6", "falls", "it does", above=0),)},
            "fig6 has no quantity 'falls'",
        ),
    ],
)
def test_claims_that_are_not_well_formed_are_refused(changes, message):
    with pytest.raises(ClaimError, match=message):
        claim(**changes)


def test_bounds_around_the_number_of_the_paper_need_no_margin():
    assert claim(above=0.0, below=0.5, reported=0.4).margin == ""
    assert claim(above=0.0, below=0.5, margin="ours").predicate == "between 0 and 0.5"
    assert claim(kind="exists").predicate == "some models show it"


def test_file_says_which_entry_is_wrong(tmp_path):
    path = tmp_path / "claims.yml"
    path.write_text("- {id: a, source: x}\n")
    with pytest.raises(ClaimError, match=r"claims\.yml, a: .*missing"):
        load(path)


def test_claims_are_about_the_paper():
    ids = [c.id for c in load()]
    assert len(ids) == len(set(ids)) >= 25
    assert {c.source for c in load()} <= {
        "carlini_terzis", "cleanclip", "ours", "verma2023effective", "singh2024par", "huang2025detecting",
        "feng2023decree", "jindal2026inspector", "sun2026invertune", "yang2023roclip", "yang2024safeclip",
    }  # fmt: skip
    assert all(c.section and c.says and c.what for c in load())
    without = {"unpoisoned", "placement_small", "cc_budget", "cc_stealth"}
    assert {c.experiment for c in load()} == set(registry.names()) - without
    papers = registry.groups()
    assert all(c.experiment in papers[c.source] for c in load() if c.source in papers)
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


# -- families


@pytest.fixture
def family(monkeypatch):
    """Three confirmatory claims and an exploratory one, of made-up models; the verdicts by id."""
    made = {
        "sure": [1.0, 1.01, 0.99, 1.0],  # p = 2e-6 against 0.5
        "fair": [1.0, 1.3, 0.8, 1.1],  # p = 0.013
        "weak": [1.0, 1.4, 0.7, 1.1],  # p = 0.032: enough for the last of three, not for one of seven
        "aside": [1.0, 1.4, 0.7, 1.1],
    }
    module = experiments.load("fig2_left")
    for name, values in made.items():
        monkeypatch.setattr(module, name, lambda results, values=values: values, raising=False)
    chosen = [
        replace(claim(above=0.5), id=n, quantity=n, role="exploratory" if n == "aside" else "confirmatory")
        for n in made
    ]
    monkeypatch.setattr(claims, "load", lambda: tuple(chosen))
    return chosen


def judged(**profile) -> dict[str, claims.Verdict]:
    """The verdicts on a family by id; each claim by itself has the same."""
    results = Results(replace(profiles.get("pilot"), **{"pilot": False} | profile))
    found = {v.claim.id: v for v in claims.judge_all(results)}
    assert {c.id: judge(c, results) for c in claims.load()} == found
    return found


def test_confirmatory_claims_are_corrected_for_their_number_and_exploratory_ones_are_not(family):
    found = judged()
    assert {n: v.verdict for n, v in found.items()} == {
        "sure": "holds", "fair": "holds", "weak": "holds", "aside": "holds",
    }  # fmt: skip
    assert found["fair"].p == pytest.approx(2 * claims.confirmatory(Results(profiles.get("pilot")))["fair"])
    assert [found[n].family for n in found] == [3, 3, 3, 0]
    assert found["sure"].level == pytest.approx(0.05 / 3)


def test_a_claim_that_needs_its_whole_family_is_undecided_with_a_larger_one(family, monkeypatch):
    more = [replace(family[2], id=f"weak {k}") for k in range(4)]
    monkeypatch.setattr(claims, "load", lambda: (*family, *more))
    found = judged()
    assert {n: v.verdict for n, v in found.items() if v.verdict != "holds"} == {
        "fair": "undecided", "weak": "undecided", **{c.id: "undecided" for c in more},
    }  # fmt: skip
    assert "but Holm's correction over 7 claims leaves p = " in found["weak"].why
    assert found["weak"].needed > 4


def test_a_pilot_is_not_corrected(family, monkeypatch):
    monkeypatch.setattr(claims, "load", lambda: (*family, *(replace(family[2], id=f"weak {k}") for k in range(9))))
    found = judged(pilot=True)
    assert {v.verdict for v in found.values()} == {"holds"}
    assert found["weak"].family == 0
    assert "of a pilot and so not corrected" in found["weak"].why


def test_claims_without_records_take_their_place_in_the_family(family, monkeypatch):
    monkeypatch.setattr(experiments.load("fig2_left"), "fair", lambda results: [])
    unmet = Requirement("fig2_left", "weak", "there is much", above=1.0)
    monkeypatch.setattr(
        claims, "load", lambda: (family[0], family[1], replace(family[2], requires=(unmet,)), family[3])
    )
    found = judged()
    assert [v.verdict for v in found.values()] == ["holds", "not run", "not applicable here", "holds"]
    assert found["sure"].family == 3
    results = Results(profiles.get("pilot"))
    assert claims.confirmatory(results) == {"sure": pytest.approx(found["sure"].p / 3), "fair": 1.0, "weak": 1.0}


# -- prerequisites and existence


def test_a_claim_whose_prerequisite_is_not_shown_says_so():
    world = World(attack_success=lambda m: 0.5 if m.defense == "none" else 0.0, clean_accuracy=0.4)
    verdict = judge(claims.get("cc_badnets_removed"), world)
    assert verdict.verdict == "not applicable here"
    assert verdict.estimate.value > 0.4
    assert verdict.why.startswith("Not judged, since it is not shown that BadNets succeeds before cleaning: 0.5")
    assert "above 0.7 is required" in verdict.why


def test_a_prerequisite_without_records_leaves_a_claim_not_run(monkeypatch):
    monkeypatch.setattr(experiments.load("cc_attacks"), "badnets_before", lambda results: [])
    world = World(attack_success=0.9, clean_accuracy=0.4)
    verdict = judge(claims.get("cc_badnets_removed"), world)
    assert (verdict.verdict, verdict.why) == (
        "not run",
        "There are no records of whether BadNets succeeds before cleaning.",
    )


@pytest.mark.parametrize(
    ("values", "word"),
    [
        ([0.9, 0.0001, 0.8, 0.7], "holds"),
        ([0.9, 0.8, 1.0, 0.7], "not seen"),
        ([0.9] * 100, "not seen"),
        ([], "not run"),
    ],
)
def test_an_existence_statement_holds_or_is_not_seen(values, word, monkeypatch):
    monkeypatch.setattr(experiments.load("fig2_left"), "rises", lambda results: values)
    verdict = judge(claim(quantity="rises", kind="exists"), RandomWorld(0))
    assert verdict.verdict == word
    assert not values or verdict.estimate.n == len(values)
    assert "would decide" not in verdict.why


# -- the committed records


def interval_rule(verdict: claims.Verdict) -> str:
    """The rule by which every claim was judged at first, from the interval alone."""
    low, high = verdict.estimate.low, verdict.estimate.high
    if verdict.claim.above <= low and high <= verdict.claim.below:
        return "holds"
    return "fails" if high < verdict.claim.above or low > verdict.claim.below else "undecided"


def test_without_a_correction_words_are_those_of_the_95_per_cent_interval():
    verdicts = claims.judge_all(Results(profiles.get("pilot")))
    found = [v for v in verdicts if v.verdict in ("holds", "fails", "undecided")]
    assert len(found) > 50
    assert [v.claim.id for v in found if v.verdict != interval_rule(v)] == []


def test_correction_touches_confirmatory_claims_only_and_never_turns_a_word_round():
    for verdict in claims.judge_all(Results(replace(profiles.get("pilot"), pilot=False))):
        if verdict.verdict in ("holds", "fails", "undecided"):
            alone = interval_rule(verdict)
            assert verdict.verdict == alone or (verdict.claim.role == "confirmatory" and verdict.verdict == "undecided")


def test_every_verdict_on_records_says_why():
    for verdict in claims.judge_all(Results(profiles.get("pilot"))):
        if verdict.estimate is not None:
            assert verdict.why.startswith(("Confirmatory", "Exploratory", "Not judged"))
            own = " ".join(verdict.claim.why.split())
            assert not own or (own in " ".join(verdict.why.split())) == (verdict.claim.explains == "pilot")
        if verdict.verdict == "undecided":
            assert f"{verdict.needed:,} would decide it with a chance of 80 %" in verdict.why


@pytest.mark.parametrize("profile", ["pilot", "cpu"])
def test_a_reason_is_told_with_the_profile_that_it_explains_and_no_other(profile: str):
    told = [v for v in claims.judge_all(Results(profiles.get(profile))) if v.estimate is not None and v.claim.why]
    own = {v.claim.id: " ".join(v.claim.why.split()) in " ".join(v.why.split()) for v in told}
    assert own == {v.claim.id: v.claim.explains == profile for v in told}
    assert any(own.values())
    assert not all(own.values())


def test_roles_are_as_the_page_says():
    roles = {role: [c for c in load() if c.role == role] for role in ("confirmatory", "exploratory")}
    assert 15 <= len(roles["confirmatory"]) <= 30
    assert all("cpu" in c.profiles and c.stated_by == "source" for c in roles["confirmatory"])
    text = claims.PATH.read_text()
    assert text.count("  role: exploratory # ") == len(roles["exploratory"]), "each says why it is exploratory"
    ours = {c.id for c in load() if c.stated_by == "ours"}
    assert "cc_poisons_do_not_matter" in ours


def test_what_a_defense_leaves_is_judged_where_the_attack_works():
    removed = [c for c in load() if c.id.endswith("_removed")]
    assert len(removed) == 4
    for one in removed:
        (needed,) = one.requires
        works = claims.get(one.id.replace("_removed", "_works"))
        assert (needed.quantity, needed.above, needed.says) == (works.quantity, works.above, works.says)
