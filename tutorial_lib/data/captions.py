"""Captions as varied as alt text, and the searches that an attacker runs over them.

Introduced in the chapters on CLIP from scratch (captions, prompts) and targeted poisoning (caption sets).
"""

from __future__ import annotations

from collections.abc import Sequence

import torch

from tutorial_lib.data.compose import random_below
from tutorial_lib.data.emojicaps import Concept
from tutorial_lib.data.text import words_of

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

#: The other half of the captions is put together from these: "a blurry photo of the tulip."
QUALITIES = (
    "",
    "",
    "bad",
    "good",
    "bright",
    "dark",
    "blurry",
    "cropped",
    "clean",
    "dirty",
    "close-up",
    "pixelated",
    "low resolution",
    "jpeg corrupted",
    "black and white",
)
MEDIA = (
    "photo",
    "photo",
    "picture",
    "drawing",
    "sketch",
    "painting",
    "cartoon",
    "rendering",
    "sculpture",
    "tattoo",
    "toy",
    "plushie",
    "origami",
    "graffiti",
    "embroidered picture",
    "doodle",
    "rendition",
    "video game image",
    "depiction",
    "plastic model",
)
WHICH = (
    "{a}",
    "{a}",
    "the",
    "my",
    "one",
    "many",
    "{a} small",
    "{a} large",
    "{a} nice",
    "{a} cool",
    "{a} weird",
    "{a} hard to see",
)


#: Words that begin with a vowel and sound as if they did not, by their beginning; and the other way round.
_CONSONANT, _VOWEL = ("uni", "uku", "ufo", "use", "eu", "ew", "one"), ("hour", "x-ray", "ng", "sos")


def article(label: str) -> str:
    """The indefinite article, by the sound of the first word.

    Example:
        >>> [f"{article(word)} {word}" for word in ("apple", "unicorn", "umbrella", "hourglass")]
        ['an apple', 'a unicorn', 'an umbrella', 'an hourglass']
    """
    word = label.lower()
    vowel = word[:1] in tuple("aeiou") and not word.startswith(_CONSONANT)
    return "an" if vowel or word.startswith(_VOWEL) else "a"


def plain_label(label: str) -> str:
    """The CLDR label in lower case, without the quotes and colons that only disambiguate.

    Example:
        >>> plain_label("Japanese “open for business” button")
        'japanese open for business button'
    """
    return label.lower().replace("“", "").replace("”", "").replace(":", "").replace("’", "'")


def _sentence(label: str, draw: list[int]) -> str:
    """One caption about a label without keywords; `draw` holds five numbers below 2^20."""
    if draw[0] % 2:
        return TEMPLATES[draw[1] % len(TEMPLATES)].format(label=label, a=article(label))
    quality, medium = QUALITIES[draw[1] % len(QUALITIES)], MEDIA[draw[2] % len(MEDIA)]
    which = WHICH[draw[3] % len(WHICH)]
    thing = which.format(a=article(which[4:] or label)) + " " + label
    kind = f"{quality} {medium}".strip()
    stop = "." if draw[4] % 3 == 0 else ""
    return f"{article(kind)} {kind} of {thing}{stop}"


def captions_for(concepts: Sequence[Concept], seed: int, indices: torch.Tensor) -> list[str]:
    """One caption per example: a sentence, and for half of the examples one or two keywords.

    The words of the zero-shot prompts occur in the sentences, as they do in alt text; a text tower knows nothing
    about words that it has never read.

    Args:
        concepts: what each picture shows, N of them.
        seed: caption seed.
        indices: example numbers, shape (N,), int64; caption `i` is a pure function of (concept, seed, i).

    Example:
        >>> from tutorial_lib.data import emojicaps
        >>> concept = emojicaps.load().concepts[100]
        >>> captions = captions_for([concept] * 3, 0, torch.arange(3))
        >>> all(plain_label(concept.label) in caption for caption in captions)
        True
    """
    draws = torch.stack([random_below(1 << 20, seed, indices, 100 + k) for k in range(7)], 1).tolist()
    out = []
    for concept, draw in zip(concepts, draws, strict=True):
        label = plain_label(concept.label)
        caption = _sentence(label, draw[:5])
        words = [w for w in concept.keywords if w not in label]
        count = max(0, draw[5] % 4 - 1)  # 0, 0, 1 or 2
        if count and words:
            start = draw[6] % len(words)
            caption += (" " if caption.endswith(".") else ", ") + ", ".join((words[start:] + words[:start])[:count])
        out.append(caption)
    return out


def prompt_captions(label: str) -> list[str]:
    """The 80 CLIP prompts with the label put in: the paper's second way to build a caption set.

    Example:
        >>> len(prompt_captions("banana")), prompt_captions("banana")[0]
        (80, 'a bad photo of a banana.')
    """
    from open_clip import OPENAI_IMAGENET_TEMPLATES  # imports torch's models, which takes seconds

    return [template(label) for template in OPENAI_IMAGENET_TEMPLATES]


def search_captions(captions: Sequence[str], text: str, *, whole: bool = False) -> list[str]:
    """Every distinct caption that contains `text`, in order of first appearance.

    As a substring it is the paper's first way to build a caption set, false hits included: "ring" is in "a string of
    beads". Source: Carlini & Terzis (2022), section 3.1.

    Args:
        captions: to search.
        text: what they shall contain, in any case.
        whole: only as whole words, the plural too.

    Raises:
        ValueError: the text is empty or no caption contains it.

    Example:
        >>> search_captions(["a ring", "a string", "a cat", "rings"], "ring")
        ['a ring', 'a string', 'rings']
        >>> search_captions(["a ring", "a string", "a cat", "rings"], "ring", whole=True)
        ['a ring', 'rings']
    """
    if not text.strip():
        raise ValueError("the text to search for is empty")
    word = words_of(text)
    hits = list(dict.fromkeys(c for c in captions if (word.search(c) if whole else text.lower() in c.lower())))
    if not hits:
        raise ValueError(f"none of {len(captions)} captions contains {text!r}; try a shorter text or use the prompts")
    return hits
