"""Captions of diverse scenes: sentences, titles, lists of keywords, true to what is where.

As alt text is, they are of any length and in any style, and some name only the largest thing. What they say of
places, sizes, numbers and the colour of a plain ground follows from the scene.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from tutorial_lib.data import emojicaps, grounds
from tutorial_lib.data.captions import MEDIA, QUALITIES, article, plain_label

#: What comes before the things: "{m}" is a quality and a medium with their article, as "a blurry photo".
OPENINGS = (
    "", "", "", "", "{m} of ", "{m} of ", "{m} showing ", "{m} with ", "{m} that shows ", "this is {m} of ",
    "here is ", "here we see ", "in this picture there is ", "the picture shows ", "you can see ", "this image has ",
    "look at ", "close-up of ", "scene with ", "drawn by hand: ", "my favourite {m}, ", "an old {m} of ",
)  # fmt: skip
#: Between two things that are next to each other in some way.
NEAR = ("and", "and", "with", "next to", "beside", "near", "along with", "together with", "close to", "as well as")
#: Where the first thing is, seen from the second.
PLACES = {
    "left": ("to the left of", "left of", "on the left side of"),
    "right": ("to the right of", "right of", "on the right side of"),
    "above": ("above", "over", "higher than"),
    "below": ("below", "under", "beneath"),
    "behind": ("behind", "at the back of"),
}
#: Around a third thing and more.
MORE = ("{}, and {}", "{} with {}", "{}, {}", "{}; there is also {}", "{} plus {}", "{}, besides {}")
#: Several of a kind; "{n}" is their number, "{x}" one of them, "{l}" the label.
SEVERAL = (
    "{n} times {x}", "{l}, {n} of them", "{n} pictures of {x}", "a group of {n}: {l}", "{l} and {l} again",
    "{x} next to another {l}", "{n} copies of the same thing, {x}", "more than one {l}",
)  # fmt: skip
NUMBERS = ("one", "two", "three", "four", "five")
SMALL, BIG = ("small", "little", "tiny", "mini"), ("big", "large", "huge", "giant")
#: Said of anything.
NICE = ("nice", "cute", "lovely", "funny", "simple", "colourful", "cool", "pretty", "modern", "classic")
#: What ends a title.
TAILS = (
    "stock vector", "free clip art", "royalty free image", "icon set", "desktop wallpaper", "sticker sheet",
    "flat design", "vector illustration", "buy it as a print", "isolated", "emoji art", "for kids", "colouring page",
    "high quality download", "png file", "hand drawn", "greeting card", "poster", "seamless pattern", "logo idea",
)  # fmt: skip
GROUND = ("on a {c} background", "on {c}", "in front of a {c} wall", "against a {c} backdrop", "on {c} ground")
PATTERN = ("with {p} behind", "and {p}", "in front of {p}", "with {p} in the background")

#: Numbers that are drawn for a caption.
DRAWS = 17


def captions_of(
    concept: Tensor,
    row: Tensor,
    column: Tensor,
    edge: Tensor,
    colour: Tensor,
    pattern: Tensor,
    draw: Callable[[int], Tensor],
) -> list[str]:
    """One caption for each scene.

    Args:
        concept: what is shown, largest first, -1 for nothing, shape (B, slots), int64.
        row, column: centres, in pixels, shape (B, slots).
        edge: widths and heights, in pixels, shape (B, slots).
        colour: name of the ground's first colour, by number, shape (B,).
        pattern: of the ground, by number, shape (B,).
        draw: numbers below 2^20 for each scene, shape (B,), of each of `DRAWS` draws.

    Example:
        >>> one = torch.tensor([[500, -1]])
        >>> at, ground = torch.tensor([[16, 0]]), torch.tensor([0])
        >>> label = plain_label(emojicaps.load().concepts[500].label)
        >>> label in captions_of(one, at, at, at, ground, ground, lambda k: torch.tensor([k]))[0]
        True
    """
    data, names = emojicaps.load().concepts, list(grounds.COLOURS)
    place = relations(row, column, edge)
    draws = torch.stack([draw(k) for k in range(DRAWS)], 1).tolist()
    rows = zip(concept.tolist(), edge.tolist(), place, colour.tolist(), pattern.tolist(), draws, strict=True)
    out = []
    for shown, edges, where, tint, behind, d in rows:
        there = [c for c in shown if c >= 0]
        labels = [plain_label(data[c].label) for c in there]
        keywords = [w for c in dict.fromkeys(there) for w in data[c].keywords]
        ground = _ground(names[tint], behind, d)
        out.append(_caption(labels, edges, where, keywords, ground, d))
    return out


def relations(row: Tensor, column: Tensor, edge: Tensor) -> list[str]:
    """Where the first thing of each scene is, seen from the second: a key of `PLACES`, or "" where neither is so.

    Example:
        >>> relations(torch.tensor([[8, 8]]), torch.tensor([[4, 28]]), torch.tensor([[8, 8]]))
        ['left']
    """
    down, across = row[:, 1] - row[:, 0], column[:, 1] - column[:, 0]
    least = (edge[:, 0] + edge[:, 1]) // 3  # centres that are nearer than that are beside each other anyhow
    inside = (2 * torch.maximum(down.abs(), across.abs()) + edge[:, 1]) <= edge[:, 0]
    sideways, upright = across.abs() > least, down.abs() > least
    code = torch.where(sideways & (across.abs() >= 2 * down.abs()), torch.where(across > 0, 1, 2), 0)
    code = torch.where(upright & (down.abs() >= 2 * across.abs()), torch.where(down > 0, 3, 4), code)
    code = torch.where(inside, 5, code)
    words = ("", *PLACES)
    return [words[c] for c in code.tolist()]


def _ground(colour: str, pattern: int, d: list[int]) -> str:
    """A word on the ground, for some captions."""
    word = grounds.WORDS[pattern]
    if d[10] % 4 or (pattern > 1 and not word):
        return ""
    if pattern <= 1:  # plain, or nearly
        return " " + GROUND[d[11] % len(GROUND)].format(c=colour)
    return " " + PATTERN[d[11] % len(PATTERN)].format(p=word)


def _caption(labels: list[str], edges: list[int], where: str, keywords: list[str], ground: str, d: list[int]) -> str:
    style = d[0] % 20
    if style < 3 and keywords:  # a list of words
        words = [*dict.fromkeys(labels), *_some(keywords, 2 + d[13] % 4, d[14])]
        return ", ".join(words)
    if style < 5:  # no more than the largest thing
        labels, where = labels[:1], ""
    said = _things(labels, edges, where, d)
    if style < 9:  # a title
        said = f"{said}{ground} - {TAILS[d[12] % len(TAILS)]}"
    else:
        said = f"{_opening(d)}{said}{ground}{'.' if d[15] % 3 == 0 else ''}"
    more = [w for w in keywords if w not in said]
    if d[13] % 2 and more:
        said += (" " if said.endswith(".") else ", ") + ", ".join(_some(more, 1 + d[13] // 2 % 3, d[14]))
    return said


def _opening(d: list[int]) -> str:
    kind = f"{QUALITIES[d[2] % len(QUALITIES)]} {MEDIA[d[3] % len(MEDIA)]}".strip()
    form = OPENINGS[d[1] % len(OPENINGS)]
    bare = form.startswith(("my", "an old"))
    return form.format(m=kind if bare else f"{article(kind)} {kind}")


def _things(labels: list[str], edges: list[int], where: str, d: list[int]) -> str:
    """What is shown: each thing once, or how many of a kind."""
    if len(labels) > 1 and len(set(labels)) == 1:
        label = labels[0]
        form = SEVERAL[d[4] % len(SEVERAL)]
        return form.format(n=NUMBERS[len(labels) - 1], x=f"{article(label)} {label}", l=label)
    names = [_name(label, edges, k, len(labels), d) for k, label in enumerate(labels)]
    if len(names) == 1:
        return names[0]
    between = NEAR[d[5] % len(NEAR)]
    if where and d[6] % 2:
        between = PLACES[where][d[7] % len(PLACES[where])]
    said = f"{names[0]} {between} {names[1]}"
    for number, name in enumerate(names[2:]):
        said = MORE[(d[8] >> 3 * number) % len(MORE)].format(said, name)
    return said


def _name(label: str, edges: list[int], slot: int, shown: int, d: list[int]) -> str:
    """A label with its article, and sometimes with what is said of it: a size only beside another one."""
    bits = d[9] >> 4 * slot
    word = ""
    if shown > 1 and bits % 4 == 0:
        smallest, largest = min(edges[:shown]), max(edges[:shown])
        if 3 * smallest <= 2 * largest:
            word = SMALL[bits // 4 % 4] if edges[slot] == smallest else BIG[bits // 4 % 4] if slot == 0 else ""
    elif bits % 8 == 1:
        word = NICE[(d[16] >> 3 * slot) % len(NICE)]
    name = f"{word} {label}".strip()
    form = (d[16] >> 2 * slot) % 8
    return name if form < 2 else f"the {name}" if form == 2 else f"{article(name)} {name}"


def _some(words: Sequence[str], count: int, start: int) -> list[str]:
    """Some words in a row, the first again after the last."""
    start %= len(words)
    return [*words[start:], *words[:start]][:count]
