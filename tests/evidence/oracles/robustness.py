"""Training on unchecked pairs in another way (Yang et al. 2023, 2024), and cleaning further (Singh et al. 2024)."""

from __future__ import annotations

from tests.evidence.oracles.carlini_terzis import targeted
from tests.evidence.oracles.oracle import Oracle, Rules
from tests.evidence.worlds import Model

#: Of models whose attack works, and of others.
WORKS, DOES_NOT = 0.95, 0.1
#: Accuracy of plain training, and of a model that reads nothing any more.
READS, RUINED = 0.3, 0.03


def learned(
    left: float,
    way: str,
    others: float,
    plain: float = WORKS,
    accuracy: float = READS,
    augmented: float | None = None,
) -> Rules:
    """Attack success of a training method; `others` of the rest. Both of its settings read pictures alike."""
    by = {"plain": plain, way: left} | ({} if augmented is None else {"augmented": augmented})
    return {
        "attack_success": lambda m: by.get(m.trained_by, others),
        "clean_accuracy": lambda m: accuracy if m.trained_by == way else READS,
    }


def stopped(way: str) -> Oracle:
    return Oracle(
        right=learned(0.01, way, 0.9),
        mirror=learned(0.9, way, 0.01),
        also_wrong=(learned(0.9, way, 0.95),),
        inapplicable=(learned(0.01, way, 0.9, plain=DOES_NOT), learned(0.01, way, 0.9, accuracy=RUINED)),
    )


def picked(better: float, worse: float) -> Rules:
    """SafeCLIP's slow epoch at the rate that validation pictures prefer, and at the other."""
    return {
        "attack_success": lambda m: WORKS if m.trained_by == "plain" else better if m.slow_rate == 1.0 else worse,
        "clean_accuracy": 0.3,
        "validation_accuracy": lambda m: 0.32 if m.slow_rate == 1.0 else 0.25,
    }


def accurate(found: float, way: str, others: float) -> Rules:
    """Accuracy where plain training has 0.3."""
    return {"clean_accuracy": lambda m: 0.3 if m.trained_by == "plain" else found if m.trained_by == way else others}


def probed(found: float, zero_shot: float) -> Rules:
    """Accuracy of a linear probe of RoCLIP where plain training has 0.3, and of its other readers."""

    def rule(m: Model) -> float:
        if m.trained_by == "plain":
            return 0.3
        return found if m.reader == "linear_probe" else zero_shot

    return {"clean_accuracy": rule}


def alone(way: str) -> Oracle:
    """A method against its augmentation alone; the other method is as good as that."""

    def rules(
        found: float, augmented: float, plain: float = WORKS, accuracy: float = READS, other: float | None = None
    ) -> Rules:
        by = {"plain": plain, "augmented": augmented, way: found}
        return {
            "attack_success": lambda m: by.get(m.trained_by, augmented if other is None else other),
            "clean_accuracy": lambda m: accuracy if m.trained_by == way else READS,
        }

    return Oracle(
        right=rules(0.1, 0.5),
        mirror=rules(0.5, 0.1),
        also_right=(rules(0.1, 0.5, other=0.01),),
        inapplicable=(rules(0.1, 0.5, plain=DOES_NOT), rules(0.1, 0.5, accuracy=RUINED)),
    )


def by_frequency(success: tuple[float, float], accuracy: tuple[float, float], plain: float = WORKS) -> Rules:
    """Success and accuracy with every second epoch matched, and with every third; with every one nothing is learned."""

    def between(ends: tuple[float, float], without: float, m: Model) -> float:
        if m.trained_by != "roclip":
            return without
        return {2: ends[0], 3: ends[1]}.get(m.every, 0.01)

    return {
        "attack_success": lambda m: between(success, plain, m),
        "clean_accuracy": lambda m: between(accuracy, 0.3, m),
    }


def split(poisons: tuple[float, float], pairs: tuple[float, float], plain: float = WORKS) -> Rules:
    """Poisons in the first safe set after a slow epoch and after one at the usual rate, and all pairs in each."""
    return {
        "attack_success": lambda m: plain if m.trained_by == "plain" else 0.5,
        "poisons_let_in": lambda m: poisons[0] if m.slow_rate < 1 else poisons[1],
        "pairs_let_in": lambda m: pairs[0] if m.slow_rate < 1 else pairs[1],
    }


def aimed(left: float, way: str, others: float, plain: float = 0.9, accuracy: float = READS) -> Rules:
    """Targets with most poisons that fall; with fewer, nobody falls under anything."""

    def rule(m: Model) -> float:
        if m.poisons < 16:
            return 0.0
        return plain if m.trained_by == "plain" else left if m.trained_by == way else others

    def reads(m: Model) -> float:
        """Models with a backdoor say nothing of those with targets."""
        if not targeted(m):
            return RUINED if accuracy == READS and m.trained_by == way else READS
        return accuracy if m.trained_by == way else READS

    return {"targeted": rule, "clean_accuracy": reads}


def spared(way: str) -> Oracle:
    return Oracle(
        right=aimed(0.0, way, 0.9),
        mirror=aimed(0.9, way, 0.0),
        also_wrong=(aimed(0.45, way, 0.9),),  # half of the targets are not most of the attack
        inapplicable=(aimed(0.0, way, 0.9, plain=0.1), aimed(0.0, way, 0.9, accuracy=RUINED)),
    )


def cleaned(left: dict[tuple[str, str], float], rest: float, before: dict[str, float] | None = None) -> Rules:
    """Attack success after a defense by (defense, attack), `rest` otherwise; every setting is cheap."""

    def rule(m: Model) -> float:
        if m.defense == "none":
            return (before or {}).get(m.attack, WORKS)
        return left.get((m.knows or m.defense, m.attack), rest)

    return {"attack_success": rule, "clean_accuracy": 0.3}


def beaten(attack: str) -> Oracle:
    """PAR before CleanCLIP on an attack; on the others, and after other defenses, it is the other way round."""

    other = "BadNets" if attack == "stripes" else "stripes"

    def rules(
        par: float, cleanclip: float, rest: float, before: float = WORKS, others: tuple[float, float] | None = None
    ) -> Rules:
        left = {("par", attack): par, ("cleanclip", attack): cleanclip}
        if others is not None:
            left |= {("par", other): others[0], ("cleanclip", other): others[1]}
        return cleaned(left, rest, {attack: before})

    return Oracle(
        right=rules(0.2, 0.6, rest=0.05),
        mirror=rules(0.6, 0.2, rest=0.9),
        also_right=(rules(0.2, 0.6, rest=0.9), rules(0.2, 0.6, rest=0.05, others=(0.0, 0.6))),
        inapplicable=(rules(0.2, 0.6, rest=0.05, before=0.3),),
    )


def removed(who: str, attack: str) -> Oracle:
    """What is left of an attack, and `rest` of the other attacks and after other defenses."""

    def rules(left: float, rest: float, before: float = WORKS) -> Rules:
        return cleaned({(who, attack): left}, rest, {attack: before})

    return Oracle(right=rules(0.01, 0.8), mirror=rules(0.8, 0.01), inapplicable=(rules(0.01, 0.8, before=0.3),))


def costing(who: str, found: float, others: float) -> Rules:
    """Accuracy where the model had 0.4, and 0.6 under other attacks; validation pictures say that nothing costs."""

    def rule(m: Model) -> float:
        if m.defense == "none":
            return 0.4 if m.attack == "BadNets" else 0.6
        return found if (m.knows or m.defense) == who and m.attack == "BadNets" else others

    return {"clean_accuracy": rule, "validation_accuracy": 0.4}


def structured(par: tuple[float, float], cleanclip: tuple[float, float], before: float = WORKS) -> Rules:
    """What PAR and CleanCLIP leave of a patch of stripes and of one of noise."""
    left = {
        (way, attack): found
        for way, both in (("par", par), ("cleanclip", cleanclip))
        for attack, found in zip(("stripes", "BadNets"), both, strict=True)
    }
    return cleaned(left, 0.05, {"stripes": before})


def bounded(known: float, found: float, before: float = WORKS) -> Rules:
    left = {("known-trigger", "BadNets"): known, ("universal-patch", "BadNets"): found}
    return cleaned(left, 0.5, {"BadNets": before})


ORACLES = {
    "roclip_stops_backdoors": stopped("roclip"),
    "safeclip_stops_backdoors": Oracle(
        right=learned(0.01, "safeclip", 0.9),
        mirror=learned(0.9, "safeclip", 0.01),
        also_right=(picked(0.01, 0.9),),
        also_wrong=(picked(0.9, 0.01), learned(0.9, "safeclip", 0.95)),
        inapplicable=stopped("safeclip").inapplicable,
    ),
    "safeclip_beats_roclip": Oracle(
        right=learned(0.2, "safeclip", 0.6),
        mirror=learned(0.6, "safeclip", 0.2),
        also_right=(learned(0.2, "safeclip", 0.6, augmented=0.05),),
        inapplicable=(
            learned(0.2, "safeclip", 0.6, plain=DOES_NOT),
            learned(0.2, "safeclip", 0.6, accuracy=RUINED),
            learned(0.6, "roclip", 0.2, accuracy=RUINED),
        ),
    ),
    "roclip_more_than_augmentation": alone("roclip"),
    "safeclip_more_than_augmentation": alone("safeclip"),
    "roclip_keeps_zero_shot": Oracle(
        right=accurate(0.3, "roclip", 0.1),
        mirror=accurate(0.1, "roclip", 0.3),
        also_wrong=(probed(0.4, 0.1),),
    ),
    "safeclip_keeps_accuracy": Oracle(right=accurate(0.31, "safeclip", 0.1), mirror=accurate(0.1, "safeclip", 0.31)),
    "roclip_lifts_probe": Oracle(right=probed(0.4, 0.1), mirror=probed(0.2, 0.5)),
    "roclip_more_often_is_safer": Oracle(
        right=by_frequency((0.1, 0.5), (0.3, 0.3)),
        mirror=by_frequency((0.5, 0.1), (0.3, 0.3)),
        inapplicable=(
            by_frequency((0.1, 0.5), (0.3, 0.3), plain=DOES_NOT),
            by_frequency((0.1, 0.5), (RUINED, RUINED)),
        ),
    ),
    "roclip_more_often_costs": Oracle(
        right=by_frequency((0.3, 0.3), (0.2, 0.3)), mirror=by_frequency((0.3, 0.3), (0.3, 0.2))
    ),
    "safe_set_is_clean": Oracle(
        right=split((0.05, 0.6), (0.5, 0.5)),
        mirror=split((0.5, 0.05), (0.5, 0.5)),
        also_wrong=(split((0.3, 0.6), (0.6, 0.6)),),  # that few of them are let in does not suffice
        # a set of nothing has no poisons either
        inapplicable=(split((0.05, 0.6), (0.5, 0.5), plain=DOES_NOT), split((0.01, 0.6), (0.02, 0.5))),
    ),
    "slow_epoch_must_be_slow": Oracle(
        right=split((0.1, 0.6), (0.5, 0.5)),
        mirror=split((0.6, 0.1), (0.5, 0.5)),
        also_wrong=(split((0.1, 0.3), (0.2, 0.6)),),  # the slow epoch only makes the set smaller
        inapplicable=(split((0.1, 0.6), (0.5, 0.5), plain=DOES_NOT),),
    ),
    "roclip_stops_targeted": spared("roclip"),
    "safeclip_stops_targeted": spared("safeclip"),
    "par_beats_cleanclip_stripes": beaten("stripes"),
    "par_beats_cleanclip_noise": beaten("BadNets"),
    "par_removes_blended": removed("par", "Blended"),
    "par_keeps_accuracy": Oracle(right=costing("par", 0.38, 0.2), mirror=costing("par", 0.2, 0.38)),
    "par_is_not_fooled_by_structure": Oracle(
        right=structured((0.4, 0.1), (0.8, 0.1)),
        mirror=structured((0.8, 0.1), (0.4, 0.1)),
        also_right=(structured((0.8, 0.8), (0.4, 0.1)),),
        also_wrong=(structured((0.4, 0.1), (0.8, 0.8)),),
        inapplicable=(structured((0.4, 0.1), (0.8, 0.1), before=0.3),),
    ),
    "chain_removes_noise_patch": removed("universal-patch", "BadNets"),
    "chain_removes_stripes_patch": removed("universal-patch", "stripes"),
    "chain_keeps_accuracy": Oracle(
        right=costing("universal-patch", 0.395, 0.2), mirror=costing("universal-patch", 0.3, 0.4)
    ),
    "known_trigger_is_the_bound": Oracle(
        right=bounded(0.1, 0.4), mirror=bounded(0.4, 0.1), inapplicable=(bounded(0.1, 0.4, before=0.3),)
    ),
}
