"""Checks that a reader calls on her answer to an exercise: `checks.info_nce(my_info_nce)`.

Each returns a `Feedback`: right, or one sentence that says what is wrong. Solutions are in the chapters.
"""

from tutorial_lib.course.checks.attacks import (
    attack_success,
    poison_rate,
    search_words,
    stamp,
    targeted_success,
    wilson,
)
from tutorial_lib.course.checks.capstone import cleaned, diagnosis, unseal
from tutorial_lib.course.checks.cleaning import choose, cleanclip_loss, swap_words, warmup
from tutorial_lib.course.checks.contrast import clip_loss, info_nce, info_nce_gradient, supervised_contrast
from tutorial_lib.course.checks.core import Feedback
from tutorial_lib.course.checks.evidence import paired_interval, shift, verdict
from tutorial_lib.course.checks.reading import accuracy_at, zero_shot_classifier
from tutorial_lib.course.checks.similarity import ceiling, mean_similarity, z_score
from tutorial_lib.course.checks.triggers import blend, label_consistent, psnr

__all__ = [
    "Feedback",
    "accuracy_at",
    "attack_success",
    "blend",
    "ceiling",
    "choose",
    "cleanclip_loss",
    "cleaned",
    "clip_loss",
    "diagnosis",
    "info_nce",
    "info_nce_gradient",
    "label_consistent",
    "mean_similarity",
    "paired_interval",
    "poison_rate",
    "psnr",
    "search_words",
    "shift",
    "stamp",
    "supervised_contrast",
    "swap_words",
    "targeted_success",
    "unseal",
    "verdict",
    "warmup",
    "wilson",
    "z_score",
    "zero_shot_classifier",
]
