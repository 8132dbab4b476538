"""Which pairs are poisoned (Huang et al. 2025), and what training without them does."""

from __future__ import annotations

from tests.evidence.oracles.oracle import Oracle, Rules
from tests.evidence.worlds import Model

#: Of models whose attack works, and of others.
WORKS, DOES_NOT = 0.95, 0.1
ATTACKS = ("BadNets", "Blended", "WaNet", "SIG")


def ranked(attack: str, auroc: float, others: float, works: float = WORKS) -> Rules:
    """DAO's ranking of an attack's poisons; for `others`, of other attacks and by other detectors."""
    return {
        "attack_success": works,
        "auroc": lambda m: auroc if m.attack == attack and m.detector == "dao" else others,
    }


def without(attack: str, rules: Rules) -> tuple[Rules, ...]:
    """Where a profile does not have the attack, nothing is known of it."""
    return (rules | {"profile": "gpu"},) if attack == "SIG" else ()


#: Attacks that have so many poisons at `cpu` that a reference of theirs is a crowd.
MANY = ("Blended", "WaNet")


def crowded(attack: str, rules: Rules) -> tuple[Rules, ...]:
    """Where the poisons are a crowd, the sentence does not speak of them."""
    return (rules | {"profile": "cpu"},) if attack in MANY else ()


def finds(attack: str) -> Oracle:
    return Oracle(
        right=ranked(attack, 0.99, 0.6),
        mirror=ranked(attack, 0.6, 0.99),
        also_wrong=(ranked(attack, 0.9, 0.99),),
        inapplicable=(ranked(attack, 0.99, 0.6, works=DOES_NOT), *crowded(attack, ranked(attack, 0.99, 0.6))),
        unfinished=without(attack, ranked(attack, 0.99, 0.6)),
        profile="gpu" if attack in MANY else "cpu",
    )


def against(other: str) -> Oracle:
    """DAO before another detector on poisons with a patch; on other poisons it is the other way round."""

    def rules(dao: float, found: float, rest: float, works: float = WORKS) -> Rules:
        by = {"dao": dao, other: found}

        def rule(m: Model) -> float:
            found = by.get(m.detector, rest)
            return found if m.attack == "BadNets" else 1.5 - found

        return {"attack_success": works, "auroc": rule}

    return Oracle(
        right=rules(0.9, 0.7, rest=0.98),
        mirror=rules(0.7, 0.9, rest=0.5),
        inapplicable=(rules(0.9, 0.7, rest=0.98, works=DOES_NOT),),
    )


def worst(found: float, others: float, works: float = WORKS) -> Rules:
    """Poisons with a patch in DAO's worst 5 % of the pairs; of a tenth of them all, for every detector."""

    def rule(m: Model) -> float:
        if m.worst > 0.05:
            return 1.0
        return found if m.attack == "BadNets" and m.detector == "dao" and m.worst == 0.05 else others

    return {"attack_success": works, "poisons_found": rule}


def hiding(published: float, smaller: float) -> Rules:
    """Poisons in the worst 5 % at the largest count, by the size of the reference; at smaller counts all are there."""

    def rule(m: Model) -> float:
        if m.poisons < 3000:
            return 0.99
        return {"dao": published, "dao reference=512": smaller}.get(m.detector, 0.5)

    return {"poisons_found": rule}


def fewest(few: float, many: float, works: float = WORKS) -> Rules:
    """Poisons in DAO's worst 5 % of the pairs, by their number; other detectors find none."""
    return {
        "poisons_found": lambda m: (few if m.poisons <= 100 else many) if m.detector == "dao" else 0.0,
        "attack_success": lambda m: works if m.poisons <= 100 else 1 - works,
    }


def left(attack: str, after: float, others: float, works: float = WORKS) -> Rules:
    """Attack success after training anew without DAO's suspects; `others` after anything else and of other attacks."""

    def rule(m: Model) -> float:
        if m.defense == "none":
            return works
        return after if m.attack == attack and m.without == "dao" else others

    return {"attack_success": rule}


def cured(attack: str) -> Oracle:
    return Oracle(
        right=left(attack, 0.005, 0.9),
        mirror=left(attack, 0.9, 0.005),
        inapplicable=(left(attack, 0.005, 0.9, works=DOES_NOT), *crowded(attack, left(attack, 0.005, 0.9))),
        unfinished=without(attack, left(attack, 0.005, 0.9)),
        profile="gpu" if attack in MANY else "cpu",
    )


def costing(after: float, others: float) -> Rules:
    """Accuracy after training anew without the suspects; `others` after anything else.

    Before it is 0.3, and more under other attacks.
    """

    def rule(m: Model) -> float:
        if m.defense == "none":
            return 0.3 if m.attack == "BadNets" else 0.5
        return after if m.attack == "BadNets" and m.without == "dao" else others

    return {"attack_success": WORKS, "clean_accuracy": rule}


def control(at_random: float, suspects: float) -> Rules:
    """Attack success after training anew without pairs at random, and without the suspects."""
    return {
        "attack_success": lambda m: {"": WORKS, "random": at_random}.get(m.without, suspects),
    }


ORACLES = {
    **{f"dao_finds_{attack.lower()}": finds(attack) for attack in ATTACKS},
    **{f"removal_cures_{attack.lower()}": cured(attack) for attack in ATTACKS},
    "dao_patch_in_worst": Oracle(
        right=worst(0.99, 0.2), mirror=worst(0.2, 0.99), inapplicable=(worst(0.99, 0.2, works=DOES_NOT),)
    ),
    "dao_better_than_spectral": against("spectral-signatures normalise=False"),
    "dao_better_than_clustering": against("activation-clustering"),
    "dao_better_than_similarity": against("pair-similarity"),
    "dao_better_than_early_loss": against("early-loss"),
    "dao_better_than_mixture": against("cosine-mixture"),
    "dao_better_than_distance": against("k-distance"),
    "normalising_blinds": against("dao normalise=True"),
    "few_poisons_are_found": Oracle(
        right=fewest(0.97, 0.3), mirror=fewest(0.3, 0.97), inapplicable=(fewest(0.97, 0.3, works=DOES_NOT),)
    ),
    "many_poisons_hide": Oracle(
        right=hiding(0.2, 0.9), mirror=hiding(0.9, 0.2), also_wrong=(hiding(0.9, 0.9), hiding(0.2, 0.2))
    ),
    "removal_keeps_accuracy": Oracle(right=costing(0.29, 0.1), mirror=costing(0.1, 0.29)),
    "removal_at_random_cures_nothing": Oracle(right=control(0.9, 0.005), mirror=control(0.005, 0.9)),
}
