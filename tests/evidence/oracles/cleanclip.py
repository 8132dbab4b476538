"""CleanCLIP (Bansal et al. 2023): the main table, what self-supervision does, baselines, strength and budget.

A defender does not see the attack. She tries learning rates, watches her accuracy, and takes the strongest setting that
costs nothing. So in these worlds one rate is right, a lower one does nothing, and a higher one ruins the model.
"""

from __future__ import annotations

from collections.abc import Callable

from tests.evidence.oracles.oracle import Oracle, Rules
from tests.evidence.worlds import Model

#: The learning rate that cleans; at others a defense is too weak, or too strong.
RIGHT = 1e-3
#: Attack success and accuracy of the published model before cleaning, and success after CleanCLIP.
BEFORE, ACCURACY, AFTER = 0.9994, 0.19, 0.1046
#: Accuracy of a model that was ruined.
RUINED = 0.05

Left = Callable[[Model], float]


def published(m: Model) -> float:
    return BEFORE


def success(left: Left, before: Left = published) -> Left:
    """Attack success: `left` after a defense at the right rate."""

    def rule(m: Model) -> float:
        if m.reader != "zero_shot":
            return 1.0  # of other readers nothing is said
        if m.defense == "none" or m.rate < RIGHT:
            return before(m)
        return left(m) if m.rate == RIGHT else 0.0

    return rule


def accuracy(after: float = ACCURACY - 0.01) -> Left:
    """Clean accuracy: `after` a defense at the right rate, by default one point less than before."""

    def rule(m: Model) -> float:
        if m.reader != "zero_shot":
            return 0.5
        if m.defense == "none" or m.rate < RIGHT:
            return ACCURACY
        return after if m.rate == RIGHT else RUINED

    return rule


def defended(left: Left, before: Left = published) -> Rules:
    return {"attack_success": success(left, before), "clean_accuracy": accuracy()}


def after(finetune: float, cleanclip: float) -> Rules:
    """What is left of BadNets by plain finetuning and by CleanCLIP; of other attacks the other way round."""
    badnets = {"finetune": finetune, "cleanclip": cleanclip}
    others = {"finetune": cleanclip, "cleanclip": finetune}
    return defended(lambda m: (badnets if m.attack == "BadNets" else others).get(m.defense, BEFORE))


def cost(cleanclip: float, finetune: float = 0.2, left: float = AFTER) -> Rules:
    """Accuracy that the setting costs which removes BadNets, and what it leaves; other attacks stay.

    At twice the rate everything is removed and the model is ruined.
    """

    def rule(m: Model) -> float:
        if m.reader != "zero_shot":
            return 0.05
        return accuracy(ACCURACY - {"cleanclip": cleanclip, "finetune": finetune}.get(m.defense, 0.0))(m)

    works: Left = lambda m: BEFORE if m.attack == "BadNets" else 0.1  # noqa: E731
    return defended(lambda m: left if m.attack == "BadNets" else BEFORE, works) | {"clean_accuracy": rule}


def blended_by_cleanclip(m: Model) -> bool:
    return m.attack == "Blended" and m.defense == "cleanclip"


def works(attack: str) -> Oracle:
    """The attack alone succeeds before cleaning, whatever is left after; the mirror: it alone does not."""

    def alone(m: Model) -> float:
        return BEFORE if m.attack == attack else 0.1

    return Oracle(
        right=defended(alone, before=alone),
        mirror=defended(lambda m: BEFORE, before=lambda m: 0.1 if m.attack == attack else BEFORE),
    )


def removes(attack: str) -> Oracle:
    """CleanCLIP removes that attack, and so may finetuning; the mirror: it removes others, and finetuning that one."""
    removed = defended(lambda m: AFTER)
    return Oracle(
        right=defended(lambda m: AFTER if m.attack == attack else BEFORE),
        mirror=defended(lambda m: AFTER if (m.attack == attack) != (m.defense == "cleanclip") else BEFORE),
        # whatever happens to others, and also where it costs four points
        also_right=(removed, removed | {"clean_accuracy": accuracy(ACCURACY - 0.037)}),
        # where this attack alone does not work, what is left of it says nothing about the defense
        inapplicable=(
            defended(lambda m: 0.0, before=lambda m: 0.45 if m.attack == attack else BEFORE),
            defended(lambda m: AFTER, before=lambda m: AFTER if m.attack == attack else BEFORE),
        ),
        # before all settings are run, nobody can choose one
        unfinished=(removed | {"missing": lambda m: m.rate > RIGHT},),
    )


MAIN_TABLE = {
    "cc_badnets_works": works("BadNets"),
    "cc_blended_works": works("Blended"),
    "cc_wanet_works": works("WaNet"),
    "cc_label_consistent_works": works("label-consistent"),
    "cc_badnets_removed": removes("BadNets"),
    "cc_blended_removed": removes("Blended"),
    "cc_wanet_removed": removes("WaNet"),
    "cc_label_consistent_removed": removes("label-consistent"),
    "cc_accuracy_kept": Oracle(
        right=cost(cleanclip=0.01),
        also_right=(cost(cleanclip=0.01, finetune=0.01),),  # whatever finetuning does
        mirror=cost(cleanclip=0.05, finetune=0.0),
        also_wrong=(cost(cleanclip=0.01, left=0.9),),  # nothing is removed for that
        inapplicable=(defended(lambda m: 0.05, before=lambda m: 0.1 if m.attack == "BadNets" else BEFORE),),
        unfinished=(cost(cleanclip=0.01) | {"missing": lambda m: m.rate > RIGHT},),
    ),
    "cc_blended_stripes_survive": Oracle(
        right=defended(lambda m: 0.618 if blended_by_cleanclip(m) else AFTER),
        mirror=defended(lambda m: AFTER if blended_by_cleanclip(m) else 0.618),
        inapplicable=(defended(lambda m: 0.618, before=lambda m: 0.1 if m.attack == "Blended" else BEFORE),),
    ),
}


def distances(cleanclip: float, finetune: float) -> Rules:
    """Distance between embeddings with and without trigger of BadNets, 1.62 before (slides); 0 in a ruined model.

    Other triggers move a picture little.
    """

    def rule(m: Model) -> float:
        if m.attack != "BadNets":
            return 0.3
        if m.defense == "none" or m.rate < RIGHT:
            return 1.62
        return {"cleanclip": cleanclip, "finetune": finetune}[m.defense] if m.rate == RIGHT else 0.0

    return defended(lambda m: 0.5) | {"embedding_distance": rule, "similarity_clean": 0.1}


def collapsed() -> Rules:
    """Triggered pictures come nearer, and so does everything: a model that says the same of all pictures."""

    def alike(m: Model) -> float:
        return 0.88 if m.defense == "cleanclip" and m.rate == RIGHT else 0.1

    return distances(cleanclip=0.57, finetune=1.58) | {"similarity_clean": alike}


def ruined_by(method: str) -> Rules:
    """One method removes BadNets at the price of the model, which the other one leaves as it is."""

    def rule(m: Model) -> float:
        return accuracy(RUINED if m.defense == method else ACCURACY)(m)

    return defended(lambda m: 0.0 if m.defense == method else 0.5) | {"clean_accuracy": rule}


def in_time(epochs: tuple[int, ...], left: float) -> Rules:
    """Plain finetuning leaves little where it trains for so many epochs and much elsewhere; CleanCLIP leaves `left`."""
    return defended(lambda m: left if m.defense == "cleanclip" else AFTER if m.epochs in epochs else 0.97)


def all_too_dear(weakest: float, stronger: float) -> Rules:
    """Every rate ruins the model; what is left of the attack after the lowest, and after the others."""

    def rule(m: Model) -> float:
        return BEFORE if m.defense == "none" else weakest if m.rate < RIGHT else stronger

    return {"attack_success": rule, "clean_accuracy": lambda m: ACCURACY if m.defense == "none" else RUINED}


#: Where BadNets itself does not work, nothing is said of what is left of it.
NO_BADNETS = (defended(lambda m: 0.05, before=lambda m: 0.1 if m.attack == "BadNets" else BEFORE),)
#: Epochs of plain finetuning that cost what ten and 33 of CleanCLIP's do.
AS_LONG = (18, 59)
#: The same of five and 16, where pairs are ample.
AS_LONG_WITH_THEM = (9, 29)


def with_pairs(share: float, finetune: float, cleanclip: float) -> Rules:
    """What both leave with that share of the pairs; with others the other way round."""
    here, elsewhere = {"finetune": finetune, "cleanclip": cleanclip}, {"finetune": cleanclip, "cleanclip": finetune}
    return defended(lambda m: (here if m.share == share else elsewhere).get(m.defense, BEFORE))


#: The published share of the pairs, and the one at which they are ample.
FEW, AMPLE = 0.03, 0.2
#: Nothing is removed, whoever trains on whatever.
NOTHING = defended(lambda m: 0.97)

EQUAL_LOSS = {
    "cc_less_left_at_equal_loss": Oracle(
        right=with_pairs(FEW, finetune=0.97, cleanclip=AFTER),
        mirror=with_pairs(FEW, finetune=AFTER, cleanclip=0.97),
        also_right=(in_time(AS_LONG, left=0.5), ruined_by("finetune")),
        also_wrong=(ruined_by("cleanclip"),),
        inapplicable=NO_BADNETS,
        unfinished=({"missing": lambda m: m.rate > 0} | after(finetune=0.97, cleanclip=AFTER),),
    ),
    "cc_less_left_at_equal_cost": Oracle(
        right=with_pairs(FEW, finetune=0.97, cleanclip=AFTER),
        mirror=in_time(AS_LONG, left=0.5),
        also_wrong=(after(finetune=AFTER, cleanclip=0.97),),
        inapplicable=NO_BADNETS,
    ),
    "cc_little_left_at_published_steps": Oracle(
        right=with_pairs(FEW, finetune=0.97, cleanclip=AFTER),
        mirror=with_pairs(FEW, finetune=AFTER, cleanclip=0.97),
        also_right=(defended(lambda m: AFTER if m.share == FEW else BEFORE),),  # whatever other shares do
        also_wrong=(ruined_by("cleanclip"), NOTHING),
        inapplicable=NO_BADNETS,
    ),
}


WITH_AMPLE_PAIRS = {
    "cc_less_left_with_ample_pairs": Oracle(
        right=with_pairs(AMPLE, finetune=0.97, cleanclip=AFTER),
        mirror=with_pairs(AMPLE, finetune=AFTER, cleanclip=0.97),
        also_right=(in_time(AS_LONG_WITH_THEM, left=0.5),),
        inapplicable=NO_BADNETS,
    ),
    "cc_less_left_for_as_long_with_ample_pairs": Oracle(
        right=with_pairs(AMPLE, finetune=0.97, cleanclip=AFTER),
        mirror=in_time(AS_LONG_WITH_THEM, left=0.5),
        also_wrong=(with_pairs(AMPLE, finetune=AFTER, cleanclip=0.97),),
        inapplicable=NO_BADNETS,
    ),
    "cc_little_left_with_ample_pairs": Oracle(
        right=with_pairs(AMPLE, finetune=0.97, cleanclip=AFTER),
        mirror=with_pairs(AMPLE, finetune=AFTER, cleanclip=0.97),
        also_right=(defended(lambda m: AFTER if m.share == AMPLE else BEFORE),),
        also_wrong=(NOTHING,),
        inapplicable=NO_BADNETS,
    ),
}

SELF_SUPERVISION = {
    "cc_finetuning_leaves_it": Oracle(
        # whatever CleanCLIP does
        right=after(finetune=0.97, cleanclip=0.97),
        also_right=(
            defended(lambda m: 0.97 if m.defense == "finetune" else AFTER),
            # who cleans in any case, takes the weakest
            all_too_dear(weakest=0.97, stronger=AFTER),
        ),
        mirror=after(finetune=AFTER, cleanclip=0.97),
        inapplicable=(defended(lambda m: 0.1, before=lambda m: 0.1 if m.attack == "BadNets" else BEFORE),),
    ),
    "cc_better_than_finetuning": Oracle(
        right=after(finetune=0.97, cleanclip=AFTER),
        mirror=after(finetune=AFTER, cleanclip=0.97),
        inapplicable=NO_BADNETS,
    ),
    "cc_distance_shrinks": Oracle(
        right=distances(cleanclip=0.57, finetune=1.58),
        mirror=distances(cleanclip=1.58, finetune=0.57),
        also_wrong=(collapsed(),),
    ),
    "cc_distance_stays": Oracle(
        right=distances(cleanclip=0.57, finetune=1.58),
        mirror=distances(cleanclip=1.58, finetune=0.57),
    ),
}


def strongest(cleanclip: float, alone: float) -> Rules:
    """Clean accuracy at the highest rate, of CleanCLIP and of self-supervision alone; reversed at lower ones."""
    high = {"cleanclip": cleanclip, "self-supervised": alone, "supervised": 0.3}
    low = {"cleanclip": alone, "self-supervised": cleanclip, "supervised": 0.3}
    return {"clean_accuracy": lambda m: (high if m.rate > RIGHT else low)[m.defense]}


def labelled(left: float, before: float = BEFORE, classifier: float = ACCURACY) -> Rules:
    """What supervised finetuning leaves at the rate at which its classifier is best, and how good that is.

    Before it zero-shot falls for `before`.
    """

    def rule(m: Model) -> float:
        if m.defense == "none":
            return before if m.reader == "zero_shot" and m.attack == "BadNets" else BEFORE - before
        if m.defense == "self-supervised":
            return 0.3  # of other methods nothing is said
        return left if m.reader == "classifier" and m.rate == RIGHT else BEFORE - left

    return {
        "attack_success": rule,
        "clean_accuracy": lambda m: ACCURACY if m.defense == "none" else classifier if m.rate == RIGHT else RUINED / 2,
    }


def alone(left: float, accuracy: float = ACCURACY - 0.02) -> Rules:
    """What self-supervision alone leaves at its highest rate; at lower ones, and other methods, the other way round."""

    def rule(m: Model) -> float:
        if m.defense == "none":
            return BEFORE
        return left if m.defense == "self-supervised" and m.rate > RIGHT else 1.2 - left

    def right(m: Model) -> float:
        return accuracy if m.defense == "self-supervised" and m.rate > RIGHT else ACCURACY

    return {"attack_success": rule, "clean_accuracy": right}


def ahead(cleanclip: float, others: float, best: str = "") -> Rules:
    """What the methods leave at the right rate; the best baseline leaves nearly nothing, self-supervision nothing."""
    left = {"cleanclip": cleanclip, "self-supervised": 0.0, best: 0.02}
    return defended(lambda m: left.get(m.defense, others))


def exposed(zero_shot: float, knn: float) -> Rules:
    """Attack success under two readers before cleaning; none is left after it."""
    readers = {"zero_shot": zero_shot, "knn": knn, "linear_probe": 0.1}
    return {"attack_success": lambda m: readers[m.reader] if m.defense == "none" else 0.0}


CONTROLS = {
    "cc_clip_loss_needed": Oracle(
        right=strongest(cleanclip=0.18, alone=0.05),
        mirror=strongest(cleanclip=0.05, alone=0.18),
    ),
    "cc_supervised_removes": Oracle(
        right=labelled(0.0),
        mirror=labelled(BEFORE),
        inapplicable=(labelled(0.0, before=0.3), labelled(0.3, before=0.3), labelled(0.0, classifier=0.1)),
    ),
    "cc_self_supervision_reduces": Oracle(
        right=alone(0.3),
        mirror=alone(0.97),
        inapplicable=(*NO_BADNETS, alone(0.3, accuracy=RUINED)),
    ),
    "cc_better_than_baselines": Oracle(
        right=ahead(cleanclip=AFTER, others=0.9),
        mirror=ahead(cleanclip=0.9, others=AFTER),
        # one of them is enough
        also_wrong=tuple(ahead(cleanclip=0.5, others=0.9, best=m) for m in ("shrink-and-perturb", "anti-backdoor")),
        inapplicable=NO_BADNETS,
    ),
    "cc_neighbours_less_exposed": Oracle(
        right=exposed(zero_shot=0.9994, knn=0.0003),  # the released checkpoint
        mirror=exposed(zero_shot=0.0003, knn=0.9994),
        also_wrong=(exposed(zero_shot=0.9, knn=0.9),),
    ),
}


def by_share(small: float, large: float) -> Rules:
    """What CleanCLIP leaves with few trusted pairs, and with a fifth; plain finetuning always leaves little."""

    def left(m: Model) -> float:
        if m.defense == "cleanclip":
            return large if m.share == AMPLE else small
        return 0.05

    return defended(left)


#: What λ₂ leaves of Blended and the clean accuracy, from the authors' repository.
WEIGHTS = {0.5: (0.0748, 0.178), 1.0: (0.072, 0.1814), 2.0: (0.0427, 0.178), 4.0: (0.0289, 0.18), 8.0: (0.0183, 0.174)}


def by_weight(*, reverse: bool = False) -> Rules:
    """What the weights leave; reversed, the weakest leaves what the strongest did."""
    values = [left for left, _ in WEIGHTS.values()]
    left = dict(zip(WEIGHTS, reversed(values) if reverse else values, strict=True))
    return {"attack_success": lambda m: left.get(m.weight, BEFORE)}


def costing(of: Callable[[float], float], before: float = BEFORE) -> Rules:
    """Clean accuracy by weight; whatever is left of the attack, before it succeeds for `before`."""
    return {
        "attack_success": lambda m: before if m.defense == "none" else 0.5,
        "clean_accuracy": lambda m: of(m.weight),
    }


def at_equal_steps(small: float, large: float) -> Rules:
    """What CleanCLIP leaves with few pairs for 33 epochs and with a fifth for five; for others it is the other way."""

    def left(m: Model) -> float:
        few, ample = (small, large) if m.epochs == {FEW: 33, AMPLE: 5}.get(m.share) else (large, small)
        return ample if m.share == AMPLE else few

    return defended(left)


FACTORS = {
    "cc_more_pairs_help": Oracle(
        right=by_share(small=0.9, large=0.1),
        also_right=(at_equal_steps(small=0.9, large=0.1),),
        mirror=by_share(small=0.1, large=0.9),
        inapplicable=NO_BADNETS,
    ),
    "cc_stronger_cleans_better": Oracle(
        right=by_weight(),
        mirror=by_weight(reverse=True),
    ),
    "cc_stronger_costs_nothing": Oracle(
        right=costing(lambda weight: WEIGHTS[weight][1]),
        mirror=costing(lambda weight: 0.19 - 0.015 * weight),
        inapplicable=(costing(lambda weight: WEIGHTS[weight][1], before=0.1),),
    ),
}

ORACLES: dict[str, Oracle] = MAIN_TABLE | EQUAL_LOSS | WITH_AMPLE_PAIRS | SELF_SUPERVISION | CONTROLS | FACTORS
