"""What later work says about CleanCLIP, and its factors of pre-training; rules as in `cleanclip`."""

from __future__ import annotations

from tests.evidence.oracles.cleanclip import BEFORE, FEW, NO_BADNETS, RIGHT, after, defended
from tests.evidence.oracles.oracle import Oracle, Rules
from tests.evidence.worlds import Model


def finetuning(finetune: float, cleanclip: float) -> Rules:
    """What is left with the published share of the pairs; with more both leave little."""
    left = {"finetune": finetune, "cleanclip": cleanclip}
    return defended(lambda m: left.get(m.defense, BEFORE) if m.share == FEW else 0.1)


def by_poisons(fewest: float, most: float) -> Rules:
    """What CleanCLIP leaves of backdoors of few and of many poisons; plain finetuning removes nothing."""
    return defended(lambda m: BEFORE if m.defense != "cleanclip" else most if m.poisons >= 1000 else fewest)


def by_data(smallest: float, largest: float) -> Rules:
    """What CleanCLIP leaves of models of little and of much pre-training data; plain finetuning removes nothing."""
    return defended(lambda m: BEFORE if m.defense != "cleanclip" else largest if m.pairs >= 100_000 else smallest)


def too_dear(rules: Rules) -> Rules:
    """A world where every setting costs ten points of validation accuracy: who cleans in any case takes the weakest."""
    return rules | {"validation_accuracy": lambda m: 0.3 if m.defense in ("none", "") else 0.2}


FACTORS = {
    "cc_finetuning_never_catches_up": Oracle(
        right=finetuning(finetune=0.9, cleanclip=0.1),
        mirror=finetuning(finetune=0.1, cleanclip=0.9),
        also_right=(after(finetune=BEFORE, cleanclip=BEFORE),),
        inapplicable=NO_BADNETS,
    ),
    "cc_poisons_do_not_matter": Oracle(
        right=by_poisons(fewest=0.1, most=0.1),
        mirror=by_poisons(fewest=0.1, most=0.9),
        also_wrong=(by_poisons(fewest=0.9, most=0.1), too_dear(by_poisons(fewest=0.1, most=0.9))),
        inapplicable=(defended(lambda m: 0.05, before=lambda m: BEFORE if m.poisons > 150 else 0.1),),
    ),
    "cc_pretraining_does_not_matter": Oracle(
        right=by_data(smallest=0.1, largest=0.1),
        mirror=by_data(smallest=0.1, largest=0.9),
        also_wrong=(by_data(smallest=0.9, largest=0.1), too_dear(by_data(smallest=0.1, largest=0.9))),
        inapplicable=(defended(lambda m: 0.05, before=lambda m: BEFORE if m.pairs < 100_000 else 0.1),),
    ),
}


def later(before: float, left: float, others: float) -> Rules:
    """Attack success on models that were poisoned later, before and after CleanCLIP, and `others` on all others."""
    return defended(
        lambda m: left if m.poisoned_later and m.defense == "cleanclip" else others,
        before=lambda m: before if m.poisoned_later else others,
    )


def plain(m: Model) -> bool:
    """A patch of noise in a model that was trained from scratch without a self-supervised term."""
    return m.attack == "BadNets" and not m.poisoned_later and not m.with_views


def views(with_term: float, without: float) -> Rules:
    """What CleanCLIP leaves where pre-training had a self-supervised term, and where it had none.

    Other triggers and models that were poisoned later are harder to clean than either.
    """

    def left(m: Model) -> float:
        if m.defense != "cleanclip":
            return BEFORE
        return with_term if m.with_views else without if plain(m) else 0.95

    return defended(left)


def dirt(none: float, one: float, five: float, many: float) -> Rules:
    """What CleanCLIP leaves, by the number of poisons among the trusted pairs."""
    return defended(lambda m: BEFORE if m.defense != "cleanclip" else {0: none, 1: one, 5: five}.get(m.dirt, many))


def structure(stripes: float, noise: float) -> Rules:
    """What CleanCLIP leaves of a patch of stripes and of a patch of noise; other models are harder to clean."""

    def left(m: Model) -> float:
        if m.defense != "cleanclip":
            return BEFORE
        return stripes if m.attack == "stripes" else noise if plain(m) else 0.95

    return defended(left)


CRITIQUE = {
    "cc_pretrained_attacked": Oracle(
        right=later(before=0.94, left=0.1, others=0.1),
        also_right=(later(before=0.94, left=0.94, others=0.1),),  # whatever cleaning does
        mirror=later(before=0.1, left=0.94, others=0.94),
    ),
    "cc_pretrained_cleaned": Oracle(
        right=later(before=0.94, left=0.175, others=0.94),
        also_right=(later(before=0.94, left=0.175, others=0.1),),  # whether others can be attacked or not
        mirror=later(before=0.94, left=0.94, others=0.175),
        # nothing was planted, so that nothing is cleaned
        inapplicable=(later(before=0.1, left=0.1, others=0.94),),
        # no model that ships has seen photographs
        unfinished=(later(before=0.94, left=0.175, others=0.94) | {"profile": "photos"},),
    ),
    "cc_self_supervised_pretraining_weakens": Oracle(
        right=views(with_term=0.8, without=0.1),
        mirror=views(with_term=0.1, without=0.8),
        also_right=(too_dear(views(with_term=0.8, without=0.1)),),
        inapplicable=(defended(lambda m: 0.05, before=lambda m: 0.1 if m.with_views else BEFORE),),
    ),
    "cc_dirt_undoes": Oracle(
        # five poisons leave 0.31 and more
        right=dirt(none=0.01, one=0.02, five=0.35, many=0.02),
        mirror=dirt(none=0.01, one=0.9, five=0.01, many=0.9),
        also_right=(too_dear(dirt(none=0.01, one=0.02, five=0.35, many=0.35)) | {"profile": "cpu"},),
        inapplicable=(dirt(none=0.6, one=0.7, five=0.95, many=0.95),),
        profile="gpu",
    ),
    "cc_structure_survives": Oracle(
        right=structure(stripes=0.623, noise=0.145),
        mirror=structure(stripes=0.145, noise=0.623),
        also_right=(too_dear(structure(stripes=0.623, noise=0.145)),),
        inapplicable=(defended(lambda m: 0.05, before=lambda m: 0.1 if m.attack == "stripes" else BEFORE),),
        # before all settings are run, nobody can choose one
        unfinished=(structure(stripes=0.623, noise=0.145) | {"missing": lambda m: m.rate > RIGHT},),
    ),
}


def knowing(rehearsed: float, larger: float, several: float, plain_patch: float) -> Rules:
    """What CleanCLIP leaves of attackers who expect it, and of a plain one; all succeed before."""

    def left(m: Model) -> float:
        if m.defense != "cleanclip":
            return BEFORE
        if m.rehearsed:
            return rehearsed
        return several if m.attack == "noise-patches" else larger if m.patch > 6 else plain_patch

    return defended(left)


def knows(which: str) -> Oracle:
    """That attacker survives better than a plain one, and the others do not; the mirror: only the others do."""
    others = {"rehearsed": 0.1, "larger": 0.1, "several": 0.1, "plain_patch": 0.1}
    return Oracle(
        right=knowing(**others | {which: 0.8}),
        mirror=knowing(**dict.fromkeys(others, 0.8) | {which: 0.1}),
        also_right=(too_dear(knowing(**others | {which: 0.8})),),
    )


ADAPTIVE = {
    "cc_rehearsed_survives": knows("rehearsed"),
    "cc_larger_patch_survives": knows("larger"),
    "cc_several_patches_survive": knows("several"),
}

ORACLES: dict[str, Oracle] = FACTORS | CRITIQUE | ADAPTIVE
