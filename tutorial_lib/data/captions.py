"""Captions as varied as alt text, and the searches that an attacker runs over them.

Introduced in chapters 2 (captions, prompts) and 3 (caption sets).
"""

from __future__ import annotations

from collections.abc import Sequence

import torch

from tutorial_lib.data.compose import random_below
from tutorial_lib.data.emojicaps import Concept

#: Sentences around a label; `{a}` is "a" or "an". Alt text is terse, chatty, wrong about the medium.
TEMPLATES = (
    "{label}",
    "{label}",
    "{a} {label}",
    "{a} {label}",
    "the {label}",
    "my {label}",
    "a picture of {a} {label}",
    "a photo of {a} {label}",
    "a photo of the {label}",
    "a drawing of {a} {label}",
    "an image of {a} {label}",
    "an icon of {a} {label}",
    "a cartoon {label}",
    "a small {label} icon",
    "{label} clip art",
    "{label} emoji",
    "{label} sticker",
    "a cute {label} on a coloured background",
    "close-up of {a} {label}",
    "one {label}, nothing else",
    "this is {a} {label}",
    "{label} by itself",
    "a nice {label} for your page",
    "art of {a} {label}",
)


def article(label: str) -> str:
    return "an" if label[:1].lower() in "aeiou" else "a"


def plain_label(label: str) -> str:
    """The CLDR label in lower case, without the quotes and colons that only disambiguate."""
    return label.lower().replace("“", "").replace("”", "").replace(":", "").replace("’", "'")


def captions_for(concepts: Sequence[Concept], seed: int, indices: torch.Tensor) -> list[str]:
    """One caption per example: a template, and for half of the examples one or two keywords.

    Args:
        concepts: what each picture shows, N of them.
        seed: caption seed.
        indices: example numbers, shape (N,), int64; caption `i` is a pure function of (concept, seed, i).
    """
    template = random_below(len(TEMPLATES), seed, indices, 100).tolist()
    n_keywords = (random_below(4, seed, indices, 101) - 1).clamp(min=0).tolist()  # 0, 0, 1 or 2
    first = random_below(1 << 20, seed, indices, 102).tolist()
    out = []
    for concept, t, k, f in zip(concepts, template, n_keywords, first, strict=True):
        label = plain_label(concept.label)
        caption = TEMPLATES[t].format(label=label, a=article(label))
        words = [w for w in concept.keywords if w not in label]
        if k and words:
            start = f % len(words)
            caption += ", " + ", ".join((words[start:] + words[:start])[:k])
        out.append(caption)
    return out


def search_captions(captions: Sequence[str], text: str) -> list[str]:
    """Every distinct caption that contains `text` as a substring, in order of first appearance.

    This is the paper's first way to build a caption set, false hits included: "ring" is in "a string of
    beads". Source: Carlini & Terzis (2022), section 3.1.

    Raises:
        ValueError: the text is empty or no caption contains it.
    """
    if not text.strip():
        raise ValueError("the text to search for is empty")
    hits = list(dict.fromkeys(c for c in captions if text.lower() in c.lower()))
    if not hits:
        raise ValueError(f"none of {len(captions)} captions contains {text!r}; try a shorter text or use the prompts")
    return hits
