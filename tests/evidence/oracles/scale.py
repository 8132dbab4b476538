"""Figures 5 and 6 of Carlini & Terzis (2022), and the metric of section 5.1."""

from __future__ import annotations

import math
from collections.abc import Callable

from tests.evidence.oracles.oracle import Oracle, Rules
from tests.evidence.worlds import Model


# -- Figure 5, left (section 5.1.2)
def in_data(few: Callable[[int], float], many: Callable[[int], float]) -> Rules:
    """z-score of 75 and of 300 poisons, by the number of pairs."""
    return {"z_score": lambda m: few(m.pairs) if m.poisons == 75 else many(m.pairs)}


def constant(pairs: int) -> float:
    return 5.0


def degrading(pairs: int) -> float:
    """High up to a million pairs, and no longer at two and three million."""
    return 5.0 if pairs <= 1_000_000 else 2.0


def nothing(pairs: int) -> float:
    return 0.3


def growing(pairs: int) -> float:
    return 2.0 if pairs <= 1_000_000 else 5.0


def at_2_million(pairs: int) -> float:
    """Weak for two million pairs only: no less in the largest data set than in the smallest."""
    return 2.0 if pairs == 2_000_000 else 5.0


def recovered(pairs: int) -> float:
    """Lower in the largest data set than in the smallest, and higher than in a million pairs."""
    return 5.0 if pairs < 300_000 else 2.0 if pairs <= 1_000_000 else 4.0


def largest(many: float, others: float) -> Rules:
    """Attack success of 300 poisons in three million pairs; `others` of fewer, in less, and for other readers."""
    return {
        "attack_success": lambda m: (
            many if m.poisons == 300 and m.pairs >= 3_000_000 and m.reader == "zero_shot" else others
        )
    }


DATA = {
    "many_constant_in_data": Oracle(
        right=in_data(few=degrading, many=constant),
        mirror=in_data(few=constant, many=degrading),
        also_right=(in_data(few=degrading, many=at_2_million),),  # what lies between is another matter
        also_wrong=(in_data(few=constant, many=growing),),
        inapplicable=(in_data(few=degrading, many=nothing),),
        profile="gpu",
    ),
    "few_degrade_in_data": Oracle(
        right=in_data(few=degrading, many=constant),
        mirror=in_data(few=growing, many=degrading),
        also_right=(in_data(few=recovered, many=constant),),
        inapplicable=(in_data(few=nothing, many=constant),),
        profile="gpu",
    ),
    "larger_data_do_not_prevent": Oracle(
        right=largest(many=0.9, others=0.1),
        mirror=largest(many=0.1, others=0.9),
        profile="gpu",
    ),
}


def weak_at_first(pairs: int) -> float:
    return 2.0 if pairs < 1_000_000 else 5.0


def weak_before(pairs: int) -> float:
    """Lost long before a million pairs."""
    return 5.0 if pairs < 300_000 else 2.0


STEPS = {
    "many_constant_by_step": Oracle(
        right=in_data(few=degrading, many=constant),
        mirror=in_data(few=constant, many=degrading),
        inapplicable=(in_data(few=degrading, many=nothing),),
        also_wrong=(in_data(few=constant, many=growing), in_data(few=constant, many=at_2_million)),
        profile="gpu",
    ),
    "few_hold_to_a_million": Oracle(
        right=in_data(few=degrading, many=weak_before),
        mirror=in_data(few=weak_before, many=degrading),
        also_right=(
            in_data(few=weak_at_first, many=weak_before),  # more than holds
            in_data(few=lambda pairs: 2.0, many=constant),  # low at once, and no lower
        ),
        inapplicable=(in_data(few=nothing, many=constant),),
        profile="gpu",
    ),
    "few_degrade_beyond_a_million": Oracle(
        right=in_data(few=degrading, many=growing),
        mirror=in_data(few=growing, many=degrading),
        # what happened before is another matter
        also_right=(in_data(few=lambda pairs: 4.0 if pairs > 1_000_000 else weak_at_first(pairs), many=growing),),
        also_wrong=(in_data(few=recovered, many=degrading),),
        inapplicable=(in_data(few=nothing, many=constant),),
        profile="gpu",
    ),
}


# -- Figure 5, right (section 5.1.2)
def by_turns(seed: int, low: float, high: float) -> float:
    """Sometimes the one and sometimes the other."""
    return high if seed % 2 else low


def figure_5_right(m: Model) -> float:
    """1 million parameters: never; 5 million: 0.3 or 5.4; 30 million: always, between 5.1 and 5.9."""
    if m.millions < 2:
        return 0.2
    return by_turns(m.seed, 0.3, 5.4) if m.millions < 9 else by_turns(m.seed, 5.3, 5.7)


def only(largest: float, others: float) -> Rules:
    """z-score of models of 30 million parameters, and of all smaller ones."""
    return {"z_score": lambda m: largest if m.millions > 25 else others}


def never(smallest: float, others: float) -> Rules:
    """z-score of models of 1 million parameters, and of all larger ones."""
    return {"z_score": lambda m: smallest if m.millions < 2 else others}


MODELS = {
    "smallest_model_never": Oracle(
        right={"z_score": figure_5_right},
        mirror=never(5.0, others=0.2),
        profile="paper",
    ),
    "largest_model_always": Oracle(
        right=only(5.5, others=3.0),
        mirror=only(0.2, others=5.5),
        also_right=({"z_score": figure_5_right},),
        also_wrong=(only(9.0, others=5.5),),
        profile="paper",
    ),
    "larger_models_easier": Oracle(
        right={"z_score": figure_5_right},
        mirror={"z_score": lambda m: 5.5 - figure_5_right(m)},
        profile="paper",
    ),
    "larger_models_vary_less": Oracle(
        # each with the same median, so that nothing but the spread differs
        right={"z_score": lambda m: 3 + by_turns(m.seed, -1, 1) / m.millions},
        also_right=({"z_score": figure_5_right},),  # the smallest is never backdoored, and so does not vary at all
        mirror={"z_score": lambda m: 3 + by_turns(m.seed, -0.1, 0.1) * m.millions},
        profile="paper",
    ),
}


# -- Figure 6 (section 5.1.3)
def figure_6(m: Model) -> float:
    """2 x 2 fails, 4 x 4 begins to succeed, 16 x 16 is better, 32 x 32 may be worse again."""
    return {2: 0.1, 4: 1.5, 8: 2.5, 16: 3.5, 32: 3.2}[m.patch]


def patches(**z: float) -> Rules:
    """Figure 6 with another z-score for some widths, written `of_16=…`."""
    return {"z_score": lambda m: z.get(f"of_{m.patch}", figure_6(m))}


PATCHES = {
    "smallest_patch_fails": Oracle(
        right=patches(),
        mirror=patches(of_2=3.0, of_32=0.1),
        inapplicable=(patches(of_16=0.2),),
        profile="paper",
    ),
    "larger_patch_better": Oracle(
        right=patches(of_2=9.0, of_32=0.0),
        mirror={"z_score": lambda m: 4 - figure_6(m)},
        profile="paper",
    ),
    "second_patch_succeeds": Oracle(
        right=patches(),
        mirror=patches(of_2=3.0, of_4=0.1),
        profile="paper",
    ),
    "largest_patch_no_better": Oracle(
        right=patches(),
        mirror=patches(of_32=9.0),
        inapplicable=(patches(of_16=0.2),),
        profile="paper",
    ),
}


# -- The metric (section 5.1)
def strength(m: Model) -> float:
    """A backdoor grows with the number of poisons, differently in each model."""
    return math.log2(1 + m.poisons) / 2 + 0.1 * m.seed


def between(m: Model) -> bool:
    """Some models succeed and some do not."""
    return m.few and m.poisons > m.profile.few // 2


def spread(of_success: float, of_z: float) -> Rules:
    """How far models of one setting lie apart, in units of the range (0 to 1, and 0 to 6).

    Only where some models succeed and some do not: without poisons nothing does, with many everything.
    """
    return {
        "attack_success": lambda m: (
            0.0
            if m.reader != "zero_shot"
            else 0.5 + by_turns(m.seed, -0.5, 0.5) * of_success
            if between(m)
            else float(m.many)
        ),
        "z_score": lambda m: 3 + 6 * by_turns(m.seed, -0.5, 0.5) * of_z if between(m) else 6.0 * m.many,
    }


METRIC = {
    "zscore_tracks_success": Oracle(
        right={"z_score": strength, "attack_success": lambda m: 1 / (1 + math.exp(3 - strength(m)))},
        mirror={"z_score": strength, "attack_success": lambda m: 1 / (1 + math.exp(strength(m) - 3))},
        also_wrong=({"z_score": strength, "attack_success": lambda m: by_turns(m.seed, 0.2, 0.8)},),
    ),
    "zscore_varies_less": Oracle(
        right=spread(of_success=0.8, of_z=0.1),
        mirror=spread(of_success=0.1, of_z=0.8),
        also_right=(spread(of_success=0.8, of_z=0.1) | {"missing": lambda m: m.seed == 3 and m.many},),
        also_wrong=(spread(of_success=0.4, of_z=0.37),),
    ),
}

ORACLES: dict[str, Oracle] = DATA | STEPS | MODELS | PATCHES | METRIC
