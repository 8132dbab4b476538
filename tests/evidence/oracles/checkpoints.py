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
    weak: bool = False,
    half: bool = False,
    others: tuple[float, float] | None = None,
    missing: bool = False,
) -> Rules:
    """Scores of a detector for clean and for patched models of the test.

    What chose thresholds has scores that would turn every verdict round, and other attacks have those of clean models.
    Other detectors find half of everything, or have the scores `others` for clean and for patched models.

    Args:
        detector: that the sentence speaks of.
        clean, patched: its scores.
        works: success of the patch.
        weak: those with few poisons have a backdoor that hardly works, and are not found.
        half: every second patched model is not found.
        others: scores of other detectors.
        missing: no backdoored model was trained yet.
    """

    def fails(m: Model) -> bool:
        return weak and m.poisons < 100

    def of_others(m: Model) -> float:
        if others is None:
            return 2.5 if m.chose_thresholds else 5.0 * (m.trial.seeds.data % 2)
        return -9.0 if m.chose_thresholds else others[m.poisons > 0]

    def score(m: Model) -> float:
        if m.detector != detector:
            return of_others(m)
        if m.chose_thresholds:
            return patched
        hidden = fails(m) or not held_out_patch(m) or (half and m.trial.seeds.data % 2)
        return clean if not m.poisons or hidden else patched

    rules: Rules = {
        "suspicion": score,
        "attack_success": lambda m: (WEAK if fails(m) else works) if held_out_patch(m) else 1 - works,
    }
    return rules | ({"missing": lambda m: m.poisons > 0} if missing else {})


def ranks(detector: str, *, low: float = 0.2, high: float = 0.8) -> Oracle:
    """Backdoored models have the higher scores; also wrong where only half of them have, however much higher."""
    return Oracle(
        right=audits(detector, low, high),
        mirror=audits(detector, high, low),
        also_right=(audits(detector, low, high, weak=True),),
        also_wrong=(audits(detector, low, high, half=True),),
        inapplicable=(audits(detector, low, high, works=DOES_NOT),),
        unfinished=(audits(detector, low, high, missing=True),),
    )


def alarms(detector: str, limit: float) -> Oracle:
    """Clean models lie below the limit and backdoored ones above."""
    return Oracle(
        right=audits(detector, limit - 0.3, limit + 0.3),
        mirror=audits(detector, limit + 0.3, limit - 0.3),
    )


def hits(detector: str, limit: float) -> Oracle:
    """The other way round; that backdoored models lie above clean ones does not suffice."""
    return Oracle(
        right=audits(detector, limit - 0.3, limit + 0.3),
        mirror=audits(detector, limit + 0.3, limit - 0.3),
        also_right=(audits(detector, limit - 0.3, limit + 0.3, weak=True),),
        also_wrong=(audits(detector, limit - 0.6, limit - 0.3),),
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


def calibrated(chosen: float, clean: float, patched: float, works: float = WORKS, few: bool = False) -> Rules:
    """Scores of the universal patch: of clean models that choose the threshold, of others, and of patched ones.

    The attacks of the calibration, and what other detectors say, choose nothing. With `few`, ten models were trained
    that could choose: too few for one in twenty.
    """

    def score(m: Model) -> float:
        if m.detector != PATCH:
            return 9.0 - 18.0 * m.chose_thresholds
        if m.chose_thresholds:
            return chosen if not m.poisons else 9.0
        if not m.poisons:
            return clean
        return patched if held_out_patch(m) and m.poisons > 100 else -9.0

    rules: Rules = {
        "suspicion": score,
        "attack_success": lambda m: (works if m.poisons > 100 else WEAK) if held_out_patch(m) else WORKS,
    }
    return rules | ({"missing": lambda m: m.chose_thresholds and m.trial.seeds.data % 100 > 9} if few else {})


def spreading(hidden: float, others: float, works: float = WORKS) -> Rules:
    """How k-distance ranks poisons that reach from clean pictures to triggered ones; DAO and other poisons.

    Other attacks work where these do not.
    """
    return {
        "auroc": lambda m: hidden if m.detector == "k-distance" and m.attack == "faint-patch" else others,
        "suspicion": 0.5,
        "attack_success": lambda m: works if m.attack == "faint-patch" else 1 - works,
    }


ORACLES = {
    "decree_tells_backdoored": ranks(DECREE),
    "inversion_tells_backdoored": ranks(INVERSION),
    "universal_patch_tells_backdoored": ranks(PATCH),
    "cleanse_fails_on_clip": Oracle(
        right=audits(CLEANSE, 1.0, 1.0),
        mirror=audits(CLEANSE, 1.0, 2.0),
        also_right=(audits(CLEANSE, 1.0, 1.0, others=(5.0, 9.0)),),
        also_wrong=(audits(CLEANSE, 1.0, 2.0, weak=True),),
        inapplicable=(audits(CLEANSE, 1.0, 1.0, works=DOES_NOT),),
    ),
    "decree_clean_above_threshold": alarms(DECREE, 0.9),
    "inversion_two_deviations_spare_clean": alarms(INVERSION, 2.0),
    "decree_finds_at_its_threshold": hits(DECREE, 0.9),
    "inversion_finds_at_two_deviations": hits(INVERSION, 2.0),
    "decree_masks_are_smaller": Oracle(
        right=audits(DECREE, 0.5, 0.9),
        mirror=audits(DECREE, 0.5, 0.51),
        also_right=(audits(DECREE, 0.5, 0.9, weak=True),),
        inapplicable=(audits(DECREE, 0.5, 0.9, works=DOES_NOT),),
    ),
    "universal_patch_names_target": Oracle(
        right=named(1.0, 0.0),
        mirror=named(0.0, 1.0),
        inapplicable=(named(1.0, 0.0, works=DOES_NOT),),
    ),
    "calibrated_threshold_spares_clean": Oracle(
        right=calibrated(1.0, 0.0, 0.5),
        mirror=calibrated(1.0, 2.0, 0.5),
        unfinished=(calibrated(1.0, 0.0, 0.5, few=True),),
    ),
    "calibrated_threshold_finds_patches": Oracle(
        right=calibrated(1.0, 1.5, 2.0),
        mirror=calibrated(1.0, 1.5, 0.0),
        also_wrong=(calibrated(1.0, 0.0, 0.5),),
        inapplicable=(calibrated(1.0, 1.5, 2.0, works=DOES_NOT),),
    ),
    "spread_poisons_hide": Oracle(
        right=spreading(0.5, 0.99), mirror=spreading(0.9, 0.4), inapplicable=(spreading(0.5, 0.99, works=0.05),)
    ),
}
