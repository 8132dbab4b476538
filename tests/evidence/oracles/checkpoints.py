"""Is this checkpoint backdoored: DECREE, CLIP-Inspector, InverTune, and thresholds that are chosen on other models."""

from __future__ import annotations

from tests.evidence.oracles.oracle import Oracle, Rules
from tests.evidence.worlds import Model

#: Success of attacks that work, of those of which some hardly do, and of a weak one.
WORKS, DOES_NOT, WEAK = 0.95, 0.5, 0.1
DECREE, INVERSION, CLEANSE, PATCH = "decree", "class-inversion", "neural-cleanse steps=20", "universal-patch"


def held_out_patch(m: Model) -> bool:
    """A backdoor with an opaque patch in one place that no threshold has seen."""
    return m.trigger is not None and m.trigger.kind in ("checkerboard", "stripes")


def audits(
    detector: str,
    clean: float,
    patched: float,
    *,
    works: float = WORKS,
    others: tuple[float, float] = (5.0, 0.0),
    weak: bool = False,
) -> Rules:
    """Scores of a detector for clean and for patched models of the test; `others` are those of other detectors.

    What chose thresholds, and other attacks, have scores that would turn every verdict round. With `weak`, those
    with few poisons have a backdoor that hardly works, and are not found.
    """

    def fails(m: Model) -> bool:
        return weak and m.poisons < 100

    def score(m: Model) -> float:
        spare, bad = (clean, patched) if m.detector == detector else others
        if m.chose_thresholds:
            return bad
        if not m.poisons:
            return spare
        return spare if fails(m) or not held_out_patch(m) else bad

    return {
        "suspicion": score,
        "attack_success": lambda m: (WEAK if fails(m) else works) if held_out_patch(m) else 1 - works,
    }


def ranks(detector: str, *, low: float = 0.2, high: float = 0.8) -> Oracle:
    """Backdoored models have the higher scores; of other detectors it is the other way round."""
    return Oracle(
        right=audits(detector, low, high),
        mirror=audits(detector, high, low, others=(0.0, 5.0)),
        also_right=(audits(detector, low, high, weak=True),),
        inapplicable=(audits(detector, low, high, works=DOES_NOT),),
    )


def alarms(detector: str, limit: float) -> Oracle:
    """Clean models lie below the limit and backdoored ones above; of other detectors it is the other way round."""
    return Oracle(
        right=audits(detector, limit - 0.3, limit + 0.3),
        mirror=audits(detector, limit + 0.3, limit - 0.3, others=(0.0, 5.0)),
    )


def hits(detector: str, limit: float) -> Oracle:
    return Oracle(
        right=audits(detector, limit - 0.3, limit + 0.3),
        mirror=audits(detector, limit + 0.3, limit - 0.3, others=(0.0, 5.0)),
        also_right=(audits(detector, limit - 0.3, limit + 0.3, weak=True),),
        inapplicable=(audits(detector, limit - 0.3, limit + 0.3, works=DOES_NOT),),
    )


def named(patch: float, others: float, works: float = WORKS, rest: float | None = None) -> Rules:
    """Whether detectors name the target of patched models, and of other attacks."""
    of_rest = others if rest is None else rest

    def rule(m: Model) -> float:
        if m.detector != PATCH or not held_out_patch(m):
            return of_rest
        return patch if m.poisons > 100 else others

    return {
        "target_named": rule,
        "suspicion": 0.5,
        "attack_success": lambda m: (works if m.poisons > 100 else WEAK) if held_out_patch(m) else WORKS,
    }


def calibrated(chosen: float, clean: float, patched: float, works: float = WORKS) -> Rules:
    """Scores of the universal patch: of clean models that choose the threshold, of others, and of patched ones.

    The attacks of the calibration, and what other detectors say, choose nothing.
    """

    def score(m: Model) -> float:
        if m.detector != PATCH:
            return 9.0 - 18.0 * m.chose_thresholds
        if m.chose_thresholds:
            return chosen if not m.poisons else 9.0
        if not m.poisons:
            return clean
        return patched if held_out_patch(m) and m.poisons > 100 else -9.0

    return {
        "suspicion": score,
        "attack_success": lambda m: (works if m.poisons > 100 else WEAK) if held_out_patch(m) else WORKS,
    }


def spreading(hidden: float, others: float) -> Rules:
    """How k-distance ranks poisons that reach from clean pictures to triggered ones; DAO and other poisons."""
    return {
        "auroc": lambda m: hidden if m.detector == "k-distance" and m.attack == "faint-patch" else others,
        "suspicion": 0.5,
        "attack_success": 0.3,
    }


ORACLES = {
    "decree_tells_backdoored": ranks(DECREE),
    "inversion_tells_backdoored": ranks(INVERSION),
    "universal_patch_tells_backdoored": ranks(PATCH),
    "cleanse_fails_on_clip": Oracle(
        right=audits(CLEANSE, 1.0, 1.0, others=(0.0, 5.0)),
        mirror=audits(CLEANSE, 1.0, 2.0, others=(5.0, 0.0)),
        also_wrong=(audits(CLEANSE, 1.0, 2.0, others=(5.0, 0.0), weak=True),),
        inapplicable=(audits(CLEANSE, 1.0, 1.0, works=DOES_NOT),),
    ),
    "decree_clean_above_threshold": alarms(DECREE, 0.9),
    "inversion_two_deviations_spare_clean": alarms(INVERSION, 2.0),
    "decree_finds_at_its_threshold": hits(DECREE, 0.9),
    "inversion_finds_at_two_deviations": hits(INVERSION, 2.0),
    "decree_masks_are_smaller": Oracle(
        right=audits(DECREE, 0.5, 0.9),
        mirror=audits(DECREE, 0.5, 0.51, others=(0.0, 5.0)),
        also_right=(audits(DECREE, 0.5, 0.9, weak=True),),
        inapplicable=(audits(DECREE, 0.5, 0.9, works=DOES_NOT),),
    ),
    "universal_patch_names_target": Oracle(
        right=named(1.0, 0.0),
        mirror=named(0.0, 1.0),
        inapplicable=(named(1.0, 0.0, works=DOES_NOT),),
    ),
    "calibrated_threshold_spares_clean": Oracle(right=calibrated(1.0, 0.0, 0.5), mirror=calibrated(1.0, 2.0, 0.5)),
    "calibrated_threshold_finds_patches": Oracle(
        right=calibrated(1.0, 1.5, 2.0),
        mirror=calibrated(1.0, 1.5, 0.0),
        inapplicable=(calibrated(1.0, 1.5, 2.0, works=DOES_NOT),),
    ),
    "spread_poisons_hide": Oracle(right=spreading(0.5, 0.99), mirror=spreading(0.9, 0.4)),
}
