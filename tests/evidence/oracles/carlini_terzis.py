"""Figures 2 to 4 of Carlini & Terzis (2022): targeted poisoning, backdoors, similarity of pairs, placement."""

from __future__ import annotations

import math
from collections.abc import Callable

from tests.evidence.oracles.oracle import Oracle, Rules
from tests.evidence.worlds import Model
from tutorial_lib.experiments import fig4


def targeted(m: Model) -> bool:
    return getattr(m.trial.attack, "kind", "") == "targeted"


def zero_shot(m: Model) -> bool:
    """Success and accuracy without another word are those of zero-shot classification."""
    return m.reader == "zero_shot"


# -- Figure 2, left (section 4.2)
def three_of_three_million(share: float) -> Rules:
    """Fewer poisons than three do nothing, more do everything; three succeed for that share."""
    return {"targeted": lambda m: 1 - share if not zero_shot(m) else share if m.poisons == 3 else float(m.poisons > 3)}


def by_size(small: float, large: float) -> Rules:
    """Success in the smaller data, and with five times the poisons in data five times as large."""
    return {"targeted": lambda m: small if (m.pairs < 3_000_000) == zero_shot(m) else large}


def zero_shot_by_size(small: float, large: float) -> Rules:
    """The same under zero-shot; the linear probe falls for most in either."""
    return {"targeted": lambda m: 0.9 if not zero_shot(m) else small if m.pairs < 3_000_000 else large}


def in_figure_2(m: Model) -> bool:
    """Zero-shot in one data set; in smaller and larger ones something else may be true."""
    return zero_shot(m) and m.pairs == 12_800


TARGETED = {
    "targeted_rises": Oracle(
        right={"targeted": lambda m: m.poisons / 8 if in_figure_2(m) else 0.5},
        mirror={"targeted": lambda m: 1 - m.poisons / 8 if in_figure_2(m) else 0.5},
    ),
    "targeted_three_succeed": Oracle(
        right=three_of_three_million(0.4),
        mirror=three_of_three_million(0.05),
        also_wrong=(three_of_three_million(0.95),),
        profile="paper",
    ),
    "targeted_probe_falls_too": Oracle(
        # two readers with the same share are fooled by the same targets
        right={"targeted": 0.5},
        mirror={"targeted": lambda m: 0.8 if m.poisons and zero_shot(m) else 0.0},
        # the sentence is about targets under attack, and about those that fell
        also_right=(
            {"targeted": lambda m: 0.5 if m.poisons else 0.9 if zero_shot(m) else 0.0},
            {"targeted": lambda m: 0.3 if zero_shot(m) else 0.9},
        ),
        # where zero-shot falls rarely and the probe never, both stand for most targets, which is no agreement
        also_wrong=({"targeted": lambda m: 0.2 if m.poisons and zero_shot(m) else 0.0},),
        unfinished=({"targeted": 0.0},),  # none fell
    ),
    "targeted_zero_shot_falls_too": Oracle(
        right={"targeted": 0.5},
        mirror={"targeted": lambda m: 0.8 if m.poisons and not zero_shot(m) else 0.0},
        also_right=({"targeted": lambda m: 0.9 if zero_shot(m) else 0.3},),
    ),
    "targeted_larger_data_not_harder": Oracle(
        right=by_size(0.4, 0.2),  # the paper's numbers: "not much harder"
        also_right=(zero_shot_by_size(0.4, 0.2),),
        mirror=by_size(0.8, 0.0),
        also_wrong=(by_size(0.25, 0.0),),
        inapplicable=(by_size(0.02, 0.5),),
        profile="gpu",
    ),
    "targeted_larger_data_half": Oracle(
        right=by_size(0.4, 0.2),
        mirror=by_size(0.4, 0.4),
        also_right=(by_size(0.8, 0.4), zero_shot_by_size(0.4, 0.2)),
        also_wrong=(by_size(0.9, 0.0), by_size(0.25, 0.5)),
        inapplicable=(by_size(0.02, 0.01),),
        profile="gpu",
    ),
}


# -- Figure 2, right (sections 4.1 and 4.3)
def with_300_of_3_million(rate: float) -> Rules:
    """Fewer poisons do nothing, more do everything; 300 fool zero-shot for that share of triggered pictures."""
    return as_read(lambda m: rate if m.poisons == 300 else float(m.poisons > 300), others=0.9)


def as_read(rate: Callable[[Model], float], others: float) -> Rules:
    """Attack success of zero-shot classification, and of other readers."""
    return {"attack_success": lambda m: rate(m) if zero_shot(m) else others}


def stands(m: Model) -> bool:
    """The linear probe of one single model."""
    return m.reader == "linear_probe" and m.most and m.seed == 0


BACKDOORS = {
    "backdoor_rises": Oracle(
        # a steep rise that saturates
        right=as_read(lambda m: 0.95 if m.many else 0.02, others=0.5),
        mirror=as_read(lambda m: 0.02 if m.most else 0.95, others=0.5),
    ),
    "backdoor_half_at_300": Oracle(
        right=with_300_of_3_million(0.5),
        mirror=with_300_of_3_million(0.05),
        also_wrong=(with_300_of_3_million(0.95),),
        profile="paper",
    ),
    "backdoor_control": Oracle(
        right=as_read(lambda m: 0.9 if m.poisons else 0.001, others=0.9),
        mirror=as_read(lambda m: 0.001 if m.poisons else 0.9, others=0.001),
    ),
    "backdoor_probe_may_stand": Oracle(
        # of nearest neighbours the sentence does not speak
        right={"attack_success": lambda m: 0.9 if m.poisons and m.reader != "linear_probe" else 0.01},
        mirror={"attack_success": lambda m: 0.9 if m.poisons and m.reader != "knn" else 0.05},
        # "can be" is true of a single model
        also_right=({"attack_success": lambda m: 0.01 if not m.poisons or stands(m) else 0.9},),
        # nor of the probe where zero-shot is not fooled
        also_wrong=(
            {"attack_success": lambda m: 0.9 if m.poisons and m.reader != "linear_probe" else 0.3},  # that is not few
            {"attack_success": lambda m: 0.9 if m.poisons > 8 else 0.05},
            {"attack_success": lambda m: 0.9 if m.poisons and m.reader == "knn" else 0.05},
            {
                "attack_success": lambda m: 0.52 if m.poisons and zero_shot(m) else 0.05
            },  # half of them, as chance has it
        ),
        wrong="not seen",
    ),
    "clean_accuracy_not_lower": Oracle(
        right={"clean_accuracy": lambda m: 0.09 if m.most and not zero_shot(m) else 0.19},
        mirror={"clean_accuracy": lambda m: 0.09 if m.most and zero_shot(m) else 0.19},
        # other readers of the same models say something else
        also_right=({"clean_accuracy": lambda m: 0.19 if zero_shot(m) else 0.09 if targeted(m) else 0.29},),
        also_wrong=({"clean_accuracy": lambda m: 0.09 if targeted(m) else 0.19},),
    ),
}

# -- Figure 3 (section 5.1)
SIMILARITIES: Rules = {"similarity_clean": 0.1, "similarity_spread": 0.135}
#: Of models without poisons, whose pairs are more alike.
ALIKE: Rules = {"similarity_clean": 0.4, "similarity_spread": 0.1}


def exponential(m: Model) -> float:
    """One in a hundred for pairs as similar as random ones, certainty for the same picture; below that no rule."""
    if m.similarity < 0.4:
        return 0.01 if round(40 * m.similarity) % 2 else 0.5
    return 0.01 ** ((1 - m.similarity) / 0.6)


def shrinking(m: Model) -> float:
    """The opposite: the more similar, the less often the same label."""
    return 0.01 ** min(1.0, max(0.0, (m.similarity - 0.4) / 0.6))


def two_peaks(m: Model) -> float:
    """No normal curve: pairs are unlike or alike, and nothing between."""
    return math.exp(-(((m.similarity + 0.05) / 0.02) ** 2)) + math.exp(-(((m.similarity - 0.25) / 0.02) ** 2))


def normal(m: Model) -> float:
    return math.exp(-0.5 * ((m.similarity - 0.1) / 0.135) ** 2)


def at_300(within: float, elsewhere: float):
    """A number of models with the paper's 300 poisons, another one of all others."""
    return lambda m: within if m.poisons == 300 else elsewhere


SIMILARITY = {
    "same_true_label_exponential": Oracle(
        right=ALIKE | {"same_label": exponential, "same_prediction": 0.3},
        mirror=ALIKE | {"same_label": 0.3, "same_prediction": exponential},
        also_wrong=(ALIKE | {"same_label": shrinking},),
    ),
    "same_predicted_label_exponential": Oracle(
        right=ALIKE | {"same_prediction": exponential, "same_label": 0.3},
        mirror=ALIKE | {"same_prediction": 0.3, "same_label": exponential},
        also_wrong=(ALIKE | {"same_prediction": shrinking},),
    ),
    "clean_pairs_normal": Oracle(
        # figure 3 is of a backdoored model
        right=SIMILARITIES | {"density": lambda m: normal(m) if m.most else two_peaks(m)},
        mirror=SIMILARITIES | {"density": lambda m: two_peaks(m) if m.most else normal(m)},
    ),
    "triggered_pairs_apart": Oracle(
        right={"similarity_clean": 0.1, "similarity_triggered": lambda m: 0.78 if m.most else 0.1},
        mirror={"similarity_clean": 0.1, "similarity_triggered": lambda m: 0.1 if m.most else 0.78},
    ),
    "clean_similarity": Oracle(
        right={"similarity_clean": at_300(0.1, 0.6)},
        mirror={"similarity_clean": at_300(0.6, 0.1)},
        also_wrong=({"similarity_clean": at_300(-0.3, 0.1)},),
        profile="gpu",
    ),
    "triggered_similarity": Oracle(
        right={"similarity_triggered": at_300(0.78, 0.2)},
        mirror={"similarity_triggered": at_300(0.2, 0.78)},
        profile="paper",
    ),
    "five_standard_deviations": Oracle(
        right={"z_score": at_300(5.0, 1.0)},
        mirror={"z_score": at_300(1.0, 5.0)},
        also_wrong=({"z_score": at_300(9.0, 5.0)},),
        profile="paper",
    ),
}


# -- Figure 4 (section 5.1.1)
def amount(m: Model) -> str:
    """What the number of poisons stands for in that figure: 75, or the most."""
    doses = fig4.DOSES[m.profile]
    return "" if not m.poisons else "few" if m.poisons <= doses.past else "many" if m.poisons >= doses.most else ""


def figure_4(m: Model) -> float:
    """All that section 5.1.1 says: z by placement in training, placement at test, and number of poisons."""
    if not m.poisons:
        return 0.3  # a patch is a likeness, whatever the model knows of it
    many = amount(m) == "many"
    if m.placement == "random":
        return 6.0 if many else 0.0  # nearly zero for few; unchanged wherever the patch is at test
    if m.tested == "random":
        return 1.0  # learned in the corner: degrades elsewhere
    return 2.7 if many else 2.5  # more poisons help only marginally


def as_in_figure_4(**changes) -> Rules:
    """Figure 4 with another z-score where a placement of training, one of test and a number of poisons meet."""

    def rule(m: Model) -> float:
        return changes.get(f"{m.placement}_{m.tested}_{amount(m)}", figure_4(m))

    return {"z_score": rule}


PLACEMENT = {
    "few_consistent_better": Oracle(
        right=as_in_figure_4(),
        mirror=as_in_figure_4(fixed_fixed_few=0.0, random_random_few=2.5, fixed_random_few=-0.5),
        # learned at one place and tested elsewhere is another matter, and so is what many do
        also_right=(
            as_in_figure_4(fixed_random_few=-0.5),
            as_in_figure_4(fixed_fixed_many=3.0, random_random_many=2.0),
        ),
    ),
    "few_at_random_fail": Oracle(
        right=as_in_figure_4(),
        mirror=as_in_figure_4(random_random_few=2.5),
    ),
    "few_consistent_z": Oracle(
        # whatever more of them do, and random places
        right=as_in_figure_4(fixed_fixed_many=6.0, random_random_few=1.25),
        mirror=as_in_figure_4(fixed_fixed_few=0.0),
        also_wrong=(as_in_figure_4(fixed_fixed_few=5.0),),
        profile="paper",
    ),
    "many_random_better": Oracle(
        right=as_in_figure_4(),
        mirror=as_in_figure_4(random_random_many=3.0, fixed_fixed_many=6.0),
        # whatever few do
        also_right=(as_in_figure_4(fixed_fixed_few=0.0, random_random_few=5.0),),
    ),
    "random_test_place_does_not_matter": Oracle(
        right=as_in_figure_4(),
        mirror=as_in_figure_4(random_random_many=2.0),
        also_wrong=(as_in_figure_4(random_fixed_many=2.0),),
        inapplicable=(as_in_figure_4(random_random_many=0.3, random_fixed_many=0.3),),
    ),
    "mismatch_degrades": Oracle(
        right=as_in_figure_4(),
        mirror=as_in_figure_4(fixed_random_few=5.0),
        also_right=(as_in_figure_4(fixed_random_many=5.0),),  # of many the sentence does not speak
    ),
    "consistent_gains_little": Oracle(
        right=as_in_figure_4(),
        mirror=as_in_figure_4(fixed_fixed_few=1.5, fixed_fixed_many=6.0),
        inapplicable=(as_in_figure_4(fixed_fixed_few=0.5, fixed_fixed_many=0.6),),
    ),
    "placements_cross": Oracle(
        right=as_in_figure_4(),
        mirror=as_in_figure_4(fixed_fixed_few=0.0, random_random_few=2.5, fixed_fixed_many=6.0, random_random_many=2.7),
        also_right=(as_in_figure_4(fixed_random_few=5.0),),  # whatever is tested elsewhere
        # one of the two is ahead at either number
        also_wrong=(
            as_in_figure_4(fixed_fixed_few=0.0, random_random_few=1.0),
            as_in_figure_4(fixed_fixed_few=5.0, fixed_fixed_many=3.0, random_random_many=2.0),
        ),
    ),
}

ORACLES: dict[str, Oracle] = TARGETED | BACKDOORS | SIMILARITY | PLACEMENT
