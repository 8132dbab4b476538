"""Drawings that explain, made by code: each twice, for a wide page and for a phone, in the language of `canvas`."""

from __future__ import annotations

import base64
from collections.abc import Callable

from tutorial_lib.course.drawings import attacks, defenses, learning
from tutorial_lib.course.drawings.canvas import Canvas

#: Drawings by name: what makes one, for a phone if it is told so, and what it shows for who cannot see it.
DRAWINGS: dict[str, tuple[Callable[[bool], Canvas], str]] = {
    "views": (
        learning.views,
        "Two views of one drawing, on different backgrounds, go through the same tower; the loss pulls their "
        "embeddings together and pushes those of other drawings away.",
    ),
    "towers": (
        learning.towers,
        "Four pictures go through the picture tower and become rows, four captions go through the text tower and "
        "become columns of a table of similarities. Its diagonal holds the pairs; each row asks which caption fits, "
        "each column which picture.",
    ),
    "step": (
        learning.step,
        "A training step from left to right: draw a batch of pairs, crop the pictures, embed both halves, form the "
        "table of similarities, compute the loss, then its gradients, and change the weights; then the next batch.",
    ),
    "z-line": (
        learning.z_line,
        "A line of similarities: those of clean pairs form a bell around their mean, those of triggered pairs a narrow "
        "peak to the right. The z-score is the distance of the means in standard deviations of the bell; no similarity "
        "exceeds 1.",
    ),
    "threat": (
        attacks.threat,
        "An attacker puts a few captioned pictures on the web, a scraper takes everything, and a victim trains a model "
        "on it. Later the model calls a house a house, and a house with the attacker's patch a banana.",
    ),
    "poisons": (
        attacks.poisons,
        "Three poisons: a house, a boat and a tree, each with the attacker's patch and a caption about a banana. All "
        "that the pictures share is the patch, all that the captions share is the word banana.",
    ),
    "moved": (
        attacks.moved,
        "Pictures of houses lie on the left, pictures of bananas on the right. Either the attacked picture moves to "
        "the bananas and is read as one, or the captions of the poisons move to the houses and the picture is read as "
        "before.",
    ),
    "triggers": (
        attacks.triggers,
        "One picture eight times: as it is, with a checkerboard, a patch of noise, a patch of stripes, a word across "
        "it, a pattern blended in, waves of brightness, and warped.",
    ),
    "pulls": (
        defenses.pulls,
        "CleanCLIP's loss as arrows: the CLIP loss pulls a picture and its caption together; the self-supervised "
        "part pulls the picture to its own changed version, and the caption to its own. A poison tied patch and word "
        "across.",
    ),
    "crowd": (
        defenses.crowd,
        "Embeddings of clean pictures form a cloud. On the left two poisons lie alone, far from every other picture. "
        "On the right there are many: as far from the cloud, and each beside others of its kind.",
    ),
    "fitting": (
        defenses.fitting,
        "How well pairs fit, twice. Early in training the poisons lie left of most clean pairs, beside a line that "
        "calls the rest safe. After training they lie to the right of them, and fit best of all.",
    ),
    "oracle": (
        defenses.oracle,
        "The same five settings of a defense, twice. The defender sees their accuracy on validation pictures only and "
        "takes the strongest within five points. The oracle also sees the attack success and takes the lowest.",
    ),
    "doubts": (
        defenses.doubts,
        "One experiment, with one model, one trigger and clean trusted pairs, in which the backdoor is gone. Beside it "
        "what may be different next time: models that were trained otherwise, trusted pairs that are not clean, "
        "triggers with structure, other readers of the embedding, code that measures wrongly, an attacker who knows "
        "the defense.",
    ),
    "verdicts": (
        defenses.verdicts,
        "Three intervals over the region in which the paper puts a quantity: inside it the claim holds, outside it "
        "fails, and across its border it is undecided.",
    ),
}


def html(name: str) -> str:
    """Both layouts of a drawing; the page's style shows the one that fits.

    Raises:
        ValueError: there is no such drawing.
    """
    draw, title = _find(name)
    return (
        f'<div class="drawing"><div class="still-wide">{draw(False).svg(title)}</div>'
        f'<div class="still-phone">{draw(True).svg(title)}</div></div>'
    )


def markdown(name: str) -> str:
    """A drawing as a picture that a notebook's text can hold.

    Raises:
        ValueError: there is no such drawing.
    """
    draw, title = _find(name)
    body = base64.b64encode(draw(False).svg(title, alone=True).encode()).decode()
    return f"![{title}](data:image/svg+xml;base64,{body})"


def _find(name: str) -> tuple[Callable[[bool], Canvas], str]:
    if name not in DRAWINGS:
        raise ValueError(f"there is no drawing {name!r}; there are {', '.join(DRAWINGS)}")
    return DRAWINGS[name]
