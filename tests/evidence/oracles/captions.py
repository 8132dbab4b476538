"""Statements of Carlini & Terzis (2022) without a figure: caption sets, the text tower, other kinds of training."""

from __future__ import annotations

from tests.evidence.oracles.oracle import Oracle, Rules
from tests.evidence.worlds import Model


def kind(m: Model) -> str:
    """How a group of targets is attacked: its captions, or the disguise of its copies; "" without poisons."""
    assert m.group is not None
    if not m.poisons:
        return ""
    if m.group.pixels == "hash":
        return "hash"
    if m.group.words in ("familiar", "strange"):
        return m.group.words
    if m.group.words == "synonyms":
        return "substituted"
    return "disguised" if m.group.disguise and m.group.noise and m.group.words == "idle" else _plain(m.group)


def _plain(group) -> str:
    if not group.disguise:
        return group.captions
    return {"none": "noise", "common": "common"}.get(group.words, "idle")


def repeated(few: float, most: float) -> Rules:
    """Share of the targets that fall to fewer poisons than there are prompts, and to the most; others reverse it."""

    def rule(m: Model) -> float:
        if m.reader != "zero_shot" or not m.poisons:
            return 0.5
        return most if m.poisons >= 128 else few if m.poisons <= 32 else 0.5

    return {"targeted": rule}


def filtered(**left: float) -> Rules:
    """Share of the copies that a filter by perceptual hash leaves, by how the targets are attacked."""
    return {"targeted": 0.5, "hashes": lambda m: left.get(kind(m), 0.5)}


def fall(default: float = 0.05, /, **share: float) -> Rules:
    """Share of the targets that fall, by how they are attacked; of those that nobody attacks, and of others, few do."""
    return {"targeted": lambda m: share.get(kind(m), default) if m.reader == "zero_shot" else 0.5}


def move(picture: dict[str, float], captions: dict[str, float]) -> Rules:
    """How far pictures and captions moved, by how the targets are attacked."""
    return {
        "targeted": 0.5,
        "picture_moved": lambda m: picture.get(kind(m), 0.0),
        "captions_moved": lambda m: captions.get(kind(m), 0.0),
    }


CAPTIONS = {
    "search_works": Oracle(
        # one of them repeated may do as well
        right=fall(search=0.9, one=0.9),
        mirror=fall(0.5, search=0.05, one=0.95),
    ),
    "prompts_work": Oracle(
        right=fall(prompts=0.9),
        mirror=fall(0.9, prompts=0.05),
    ),
    "diversity_helps": Oracle(
        right=fall(search=0.9, one=0.2),
        mirror=fall(search=0.2, one=0.9),
    ),
    "picture_moves": Oracle(
        # with one caption it is the other way round: that is what a diverse set is for
        right=move(picture={"search": 0.6, "one": 0.7}, captions={"search": 0.1, "one": 0.9}),
        mirror=move(picture={"search": 0.1, "one": 0.9}, captions={"search": 0.6, "one": 0.1}),
    ),
    "diversity_moves_picture": Oracle(
        right=move(picture={"search": 0.6, "one": 0.2}, captions={}),
        mirror=move(picture={"search": 0.2, "one": 0.6}, captions={}),
    ),
    "duplicates_evaded": Oracle(
        right=fall(prompts=0.8, disguised=0.8),
        mirror=fall(prompts=0.8, disguised=0.2),
        inapplicable=(fall(prompts=0.2, disguised=0.8),),
    ),
    "noise_evades": Oracle(
        right=fall(prompts=0.8, noise=0.8),
        mirror=fall(0.8, prompts=0.8, noise=0.2),
        inapplicable=(fall(prompts=0.2, noise=0.8),),
    ),
    "words_evade": Oracle(
        right=fall(prompts=0.8, common=0.8),
        mirror=fall(0.8, prompts=0.8, common=0.2),
        inapplicable=(fall(prompts=0.2, common=0.8),),
    ),
    "repeated_prompts_help": Oracle(
        right=repeated(few=0.8, most=0.9),
        mirror=repeated(few=0.9, most=0.1),
        also_wrong=(repeated(few=0.9, most=0.6),),
    ),
    "substitution_evades": Oracle(
        right=fall(prompts=0.8, substituted=0.8),
        mirror=fall(prompts=0.8, substituted=0.2),
        inapplicable=(fall(prompts=0.2, substituted=0.8),),
    ),
    "familiar_synonyms_evade": Oracle(
        right=fall(prompts=0.8, familiar=0.8, strange=0.2),
        mirror=fall(prompts=0.8, familiar=0.2, strange=0.8),
        also_right=(fall(prompts=0.8, familiar=0.8, strange=0.95),),  # whatever other synonyms do
        inapplicable=(fall(prompts=0.2, familiar=0.8),),
    ),
    "strange_synonyms_cost": Oracle(
        right=fall(prompts=0.8, familiar=0.8, strange=0.2),
        mirror=fall(prompts=0.8, familiar=0.2, strange=0.8),
        inapplicable=(fall(prompts=0.2, familiar=0.8, strange=0.2),),
    ),
    "hash_evaded": Oracle(
        right=filtered(hash=1.0, disguised=0.1, prompts=0.1),
        mirror=filtered(hash=0.2, disguised=1.0),
    ),
    "hash_evasion_costs_nothing": Oracle(
        right=fall(prompts=0.8, hash=0.8),
        mirror=fall(prompts=0.8, hash=0.2),
        inapplicable=(fall(prompts=0.2, hash=0.8),),
    ),
}

TEXT = {
    "text_tower_attacked": Oracle(
        right={"text_success": lambda m: 0.9 if m.poisons else 0.01},
        mirror={"text_success": lambda m: 0.01 if m.poisons else 0.9},
        also_right=({"text_success": lambda m: 0.9 if m.poisons and m.seed == 0 else 0.01},),  # "possible": once
        also_wrong=({"text_success": lambda m: 0.3 if m.poisons else 0.01},),
        wrong="not seen",
    ),
}


def against(clip: float, curated: float, others: float) -> Rules:
    """Success of poisons against CLIP, against labels that a human checks, and against the attacker's labels.

    Under the reader of the model's own; under others the opposite.
    """

    def rule(m: Model) -> float:
        own = of_its_own(m)
        return own if m.reader in ("zero_shot", "classifier") else 1 - own

    def of_its_own(m: Model) -> float:
        if not m.poisons:
            return 0.01
        if not m.supervised:
            return clip
        return curated if m.true_labels else others

    return {"attack_success": rule}


def half_at(clip: float, curated: float) -> Rules:
    """Success is a half at that number of poisons, and grows with it; for other readers the other way round."""

    def rule(m: Model) -> float:
        own = m.reader in ("zero_shot", "classifier")
        return min(1.0, 0.5 * m.poisons / (curated if m.supervised == own else clip))

    return {"attack_success": rule}


def told(clip: float, classifier: float) -> Rules:
    """Success is a half at that number of poisons of CLIP, and of a classifier that takes the attacker's labels."""

    def rule(m: Model) -> float:
        if m.reader not in ("zero_shot", "classifier") or m.true_labels:
            return 0.1
        return min(1.0, 0.5 * m.poisons / (classifier if m.supervised else clip))

    return {"attack_success": rule}


SUPERVISED = {
    "contrastive_needs_fewer": Oracle(
        right=against(clip=0.9, curated=0.02, others=0.9),
        mirror=against(clip=0.02, curated=0.9, others=0.02),
        also_right=(half_at(clip=40, curated=120), half_at(clip=60, curated=90)),
        also_wrong=(half_at(clip=100, curated=50), half_at(clip=100, curated=85)),
    ),
    "contrastive_harder_than_mislabelling": Oracle(
        right=told(clip=100, classifier=40),
        mirror=told(clip=40, classifier=100),
        also_right=(told(clip=60, classifier=10),),
    ),
}


def trained(usual: float, other: float) -> Rules:
    """Attack success on models that are trained as everywhere, and on all others."""
    return {"attack_success": lambda m: usual if m.usual else other}


def gaps(clip: float, classifier: float) -> Rules:
    """Accuracy on the training pictures; on those of the test it is 0.4 for both, and other readers differ."""
    return {
        "training_accuracy": lambda m: classifier if m.supervised else clip,
        "clean_accuracy": lambda m: 0.4 if m.reader in ("zero_shot", "classifier") else 0.9,
    }


TRAINING = {
    "technique_does_not_matter": Oracle(
        right=trained(0.9, 0.9),
        mirror=trained(0.9, 0.3),
        # a single one is enough
        also_wrong=(
            {"attack_success": lambda m: 0.3 if m.trial.objective == "triplet" else 0.9},
            trained(0.5, 0.95),
        ),
    ),
    "contrastive_overfits_more": Oracle(
        right=gaps(clip=0.95, classifier=0.7),
        mirror=gaps(clip=0.7, classifier=0.95),
    ),
}

ORACLES: dict[str, Oracle] = CAPTIONS | TEXT | SUPERVISED | TRAINING
