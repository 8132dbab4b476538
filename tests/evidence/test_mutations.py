"""Would a slip in a quantity be noticed? Each is made, and the oracles must see it."""

from __future__ import annotations

import functools
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import replace
from types import FunctionType

import pytest

from tests.evidence.mutants import Mutant, mutants, reached, underlying
from tests.evidence.oracles import ORACLES
from tests.evidence.worlds import World
from tutorial_lib.evidence import claims, registry
from tutorial_lib.evidence.claims import Claim
from tutorial_lib.evidence.statistics import estimate_statistic
from tutorial_lib.experiments import zscore_success

#: What a mutant may raise instead of giving a verdict.
ERRORS = (ArithmeticError, AssertionError, AttributeError, LookupError, NameError, StopIteration, TypeError, ValueError)

#: Mutants that change no verdict, by the reason why none can.
EQUIVALENT: dict[str, tuple[str, ...]] = {
    "the claim allows as much to the one side of 0 as to the other": (
        "fig4.random_test_place_matters: arguments: return differences("
        "z_scores(results, 'random', 'random', DOSES[results.profile].most), "
        "z_scores(results, 'random', 'fixed', DOSES[results.profile].most))",
        "fig5_left.many_constant: arguments: return differences("
        "z_scores(results, 0, p.many), z_scores(results, len(DATA_SIZES[p]) - 1, p.many))",
        "technique.least_clear: arguments: changes = [differences("
        "successes(results, USUAL), successes(results, name)) for name in VARIANTS[results.profile]]",
        "fig5_left.largest_step: arguments: steps = ["
        "differences(smaller, larger) for smaller, larger in pairwise(found)]",
        "sharing._changes: arguments: found = [differences("
        "results.per_seed(lambda s, c=count: other(p, c, s), value), "
        "results.per_seed(lambda s, c=count: shared(p, c, s), value)) for count in PLANS[p].counts]",
        "sharing.fallen: comparison: return mean("
        "(t['zero_shot'] != t['wanted'] for t in record.metrics['targets'] if t['count']))",
    ),
    "an absolute value is taken of the difference": (
        "fig3.distance_from_normal: operands: return float(np.abs(normal - measured).max())",
        "fig5_right._deviations: operands: return {seed: abs(middle - z) for seed, z in scores.items()}",
    ),
    "the first of one element is the last": (
        "_defended.at: index: return results.per_seed(lambda s: cleaned(base_of(s), [defense])[-1], value)",
        "cc_strength.measured: index: return results.per_seed("
        "lambda s: cleaned(poisoned(p, s), [defense(p, weight)])[-1], value)",
    ),
    "there are three numbers of poisons, whose second is the last but one": (
        "cc_critique.dirt_undoes: operands: few = counts[min(1, 1 - len(counts))]",
    ),
    "captions are varied at one number of poisons, whatever they are": (
        "caption_sets._many: word: return next((g.count for g in fig2_left.groups(p) if g.captions == 'one'))",
    ),
    "the first variation has a number of poisons that was there before": (
        "fig2_left.counts: and or: if group != Group(group.count) and group.count in found:",
    ),
    "no world is of the pilot": tuple(
        f"fig2_right.zero_shot_without_probe: word: probe = '{reader}' if p.past else 'linear_probe_unseen'"
        for reader in ("classifier", "knn", "zero_shot")
    )
    + tuple(
        f"cc_frontier.neighbours_less_exposed: word: neighbours = '{reader}' if results.profile.past else 'knn_unseen'"
        for reader in ("classifier", "linear_probe", "zero_shot")
    ),
    "success grows with the number of poisons": (
        "supervised.half_dose: index: if counts and successes_by_count[counts[-1]] >= 0.5:",
    ),
    "a distance has no direction": (
        "cc_map.published_share: operands: return min(GRID[p].cells, key=lambda share: abs(0.033 - share))",
        "cc_map.of_equal_steps: operands: n, m = min(both, "
        "key=lambda pair: abs(math.log(ample * pair[1] / (few * pair[0]))))",
    ),
    "no claim is of a defender who may keep the model; `tests/experiments/test_defended.py` is": (
        "_defended.chosen: and or: if start is None and len(found) < len(defenses):",
        "_defended.chosen: comparison: if start is None or len(found) > len(defenses):",
        "_defended.chosen: comparison: if start is not None or len(found) < len(defenses):",
        "_defended.chosen: comparison: kept = [r for r in found if validation(r) <= validation(start) - MARGIN]",
        "_defended.chosen: index: return kept[0] if kept else start",
        "_defended.chosen: operands: kept = [r for r in found if validation(r) >= MARGIN - validation(start)]",
    ),
    "what stands for weight decay is one of several baselines": tuple(
        f"cc_frontier.settings: word: return ["
        f"c.defense('{kind}', c.middle_rate, recipe_weight_decay=w) for w in WEIGHT_DECAYS[p]]"
        for kind in ("cleanclip", "self-supervised", "supervised")
    ),
}

Worlds = dict[str, list[tuple[World, str]]]


@pytest.fixture(scope="module")
def worlds() -> Iterator[Worlds]:
    """The worlds of each claim with its verdict there; intervals of a correlation are made quickly."""
    made: Worlds = {n: [(World(**rules), word) for rules, word in o.worlds] for n, o in ORACLES.items()}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(zscore_success, "estimate_statistic", functools.partial(estimate_statistic, resamples=30))
        wrong = [claim.id for claim in claims.load() if noticed(claim, made)]
        assert not wrong, "without any slip, the oracles of these claims do not come out as they should"
        yield made


def noticed(claim: Claim, worlds: Worlds) -> bool:
    """Whether a verdict on one of the claim's worlds is another one, or an error."""
    for world, expected in worlds[claim.id]:
        try:
            found = claims.judge(replace(claim, profiles=(world.profile.judged_as,)), world).verdict
        except ERRORS:
            return True
        if found != expected:
            return True
    return False


def survives(mutant: Mutant, users: list[Claim], worlds: Worlds) -> bool:
    with mutant.in_place():
        return not any(noticed(claim, worlds) for claim in users)


def quantity_of(claim: Claim):
    return getattr(registry.load(claim.experiment), claim.quantity)


def users() -> dict[FunctionType, list[Claim]]:
    """The functions behind the claims, each with the claims whose quantities reach it."""
    found: dict[FunctionType, list[Claim]] = defaultdict(list)
    for claim in claims.load():
        for function in reached(quantity_of(claim)):
            found[function].append(claim)
    return found


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_a_slip_in_a_quantity_is_noticed(worlds):
    made = [(mutant, of) for function, of in users().items() for mutant in mutants(function)]
    names = [mutant.name for mutant, _ in made]
    assert len(set(names)) == len(names), "two mutants have one name"
    survivors = {mutant.name for mutant, of in made if survives(mutant, of, worlds)}
    equivalent = {name for found in EQUIVALENT.values() for name in found}
    print(f"{len(made) - len(survivors)} of {len(made)} mutants are caught, {len(equivalent)} change nothing")
    assert not (unknown := equivalent - set(names)), "\n".join(["there are no such mutants", *sorted(unknown)])
    assert not (missed := survivors - equivalent), "\n".join(["no oracle notices", *sorted(missed)])
    assert not (found := equivalent - survivors), "\n".join(["these are noticed after all", *sorted(found)])
    assert len(made) - len(survivors) >= 680, "there were more slips to make once"


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize("name", sorted({claim.experiment for claim in claims.load()}))
def test_quantity_of_another_claim_is_noticed(name, worlds):
    """As if `claims.yml` named another quantity of the module, or a partial one had another's arguments."""
    of_module = [claim for claim in claims.load() if claim.experiment == name]
    others = {claim.quantity for claim in of_module}
    unseen = [
        f"{claim.id} with {other}"
        for claim in of_module
        for other in sorted(others - {claim.quantity})
        if not noticed(replace(claim, quantity=other), worlds)
    ]
    assert not unseen


def test_every_quantity_has_mutants_or_calls_something_that_has():
    changed = {function: bool(mutants(function)) for function in users()}
    for claim in claims.load():
        assert any(changed[function] for function in reached(quantity_of(claim))), claim.id


def test_mutants_of_a_function():
    found = [mutant.change for mutant in mutants(underlying(quantity_of(claims.get("cc_stronger_cleans_better"))))]
    assert found == [
        "arguments: return differences(measured(results, weights[-1]), measured(results, weights[0]))",
        "index: return differences(measured(results, weights[-1]), measured(results, weights[-1]))",
        "index: return differences(measured(results, weights[0]), measured(results, weights[0]))",
    ]


def test_mutant_is_in_place_and_taken_away():
    function = underlying(quantity_of(claims.get("backdoor_control")))
    code = function.__code__
    with mutants(function)[0].in_place():
        assert function.__code__ is not code
    assert function.__code__ is code
