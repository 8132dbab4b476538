"""What defenders do: CleanCLIP's loss, who sees what, what to doubt, and how a verdict is read."""

from __future__ import annotations

import math
from collections.abc import Sequence

from tutorial_lib.course.drawings.canvas import SMALL, Canvas, Point


def pulls(narrow: bool) -> Canvas:
    """CleanCLIP's loss: across the towers, and within each."""
    c = Canvas(360, 400) if narrow else Canvas(720, 330)
    left, right, top, down = (104, 256, 96, 276) if narrow else (250, 470, 84, 248)
    size = 52 if narrow else 76
    c.picture(left - size - 26, top - size / 2, size, "house")
    c.picture(
        left - size - 26,
        down - size / 2,
        size,
        "house",
        warp=lambda a, b: (0.9 * a + 0.12 * b, 0.9 * b - 0.12 * a + 0.12),
    )
    w = 78 if narrow else 150
    c.caption(right + 24, top - 22, w, "a house\nby a lake" if narrow else "a house by a lake")
    c.caption(right + 24, down - 22, w, "a home\nby a lake" if narrow else "a home by a lake")
    c.arrow((left + 18, top), (right - 18, top), kind="clean", both=True, width=3)
    c.text((left + right) / 2, top + 24, "λ₁ · CLIP loss", kind="clean", bold=True)
    for x in (left, right):
        c.arrow((x, top + 18), (x, down - 18), kind="defend", width=3)
    c.text((left + right) / 2, (top + down) / 2 + 2, "λ₂ · to its own\nchanged version", kind="defend", bold=True)
    c.disc(left, top, 12, kind="clean", filled=0.3)
    c.disc(left, down, 12, kind="defend", filled=0, dashed="4 3")
    c.square(right, top, 11, kind="clean", filled=0.3)
    c.square(right, down, 11, kind="defend", filled=0, dashed="4 3")
    c.text(left - 2, top - 22, "I", bold=True)
    c.text(right + 2, top - 22, "T", bold=True)
    c.text(left - 2, down + 34, "Ĩ", bold=True)
    c.text(right + 2, down + 34, "T̃", bold=True)
    c.path(
        f"M{left + 8} {top - 18}Q{(left + right) / 2} {top - 62} {right - 8} {top - 18}",
        kind="attack",
        dashed="5 4",
        width=2,
    )
    c.text(
        (left + right) / 2,
        top - 50 if narrow else top - 48,
        "a poison tied patch and word here",
        kind="attack",
        size=SMALL,
    )
    foot = "Each arrow picks its partner among the batch:\nall other pairs are pushed away."
    c.text(
        c.width / 2, c.height - 32 if narrow else c.height - 20, foot if narrow else foot.replace("\n", " "), size=SMALL
    )
    return c


#: Settings of a defense from weak to strong, of no particular model: accuracy on validation pictures, on test pictures,
#: and attack success.
SETTINGS = ((0.93, 0.93, 0.9), (0.83, 0.86, 0.72), (0.7, 0.76, 0.52), (0.46, 0.65, 0.3), (0.2, 0.34, 0.12))
LIMIT = 0.6


def crowd(narrow: bool) -> Canvas:
    """A few poisons lie alone; many keep each other company."""
    c = Canvas(360, 452) if narrow else Canvas(720, 224)
    cloud = [(18 * math.sin(2.4 * k) * k**0.5, 13 * math.cos(2.4 * k) * k**0.5) for k in range(1, 27)]
    few = ((0.0, 0.0), (44.0, 62.0))
    many = [(9 * math.sin(2.4 * k) * k**0.5, 9 * math.cos(2.4 * k) * k**0.5 + 26) for k in range(1, 15)]
    panels = (
        ("a few poisons: alone", few, "far from everybody"),
        ("many poisons: a crowd", many, "near to each other"),
    )
    for k, (said, poisons, beside) in enumerate(panels):
        left, top = (8, 228 * k) if narrow else (8 + 356 * k, 0)
        c.text(left + 172, top + 22, said, bold=True)
        c.box(left, top + 34, 344, 182, filled=0.03)
        for x, y in cloud:
            c.disc(left + 112 + x, top + 122 + y, 5, kind="clean", filled=0.35)
        c.text(left + 112, top + 208, "clean pictures", kind="clean", size=SMALL)
        for x, y in poisons:
            c.disc(left + 268 + x, top + 86 + y, 5, kind="attack")
        c.text(left + 262, top + 208, beside, kind="attack", size=SMALL)
    return c


def fitting(narrow: bool) -> Canvas:
    """How well pairs fit, early in training and at its end: clean pairs, poisons, and the line of the safe ones."""
    c = Canvas(360, 430) if narrow else Canvas(720, 226)
    panels = (("early: poisons do not fit yet", 0.3, 0.56, 0.14), ("at the end: they fit best", 0.9, 0.6, 0.03))
    for k, (said, poisons, clean, spread) in enumerate(panels):
        left, top = (16, 208 * k) if narrow else (16 + 352 * k, 0)
        right, floor = left + 320, top + 166

        def bell(mean: float, deviation: float, height: float, start: float = left, low: float = floor) -> str:
            at = [v for s in range(-24, 25) if 0 <= (v := mean + deviation * s / 8) <= 1]
            high = [low - height * math.exp(-(((v - mean) / deviation) ** 2) / 2) for v in at]
            return "M" + "L".join(f"{start + 320 * v:.1f} {y:.1f}" for v, y in zip(at, high, strict=True))

        c.path(bell(clean, 0.15, 84), kind="clean", filled=0.18, width=2)
        c.path(bell(poisons, max(spread / 2, 0.03), 58), kind="attack", filled=0.25, width=2)
        c.arrow((left, floor), (right, floor))
        c.text(left + 160, top + 24, said, bold=True)
        c.text(left + 160, floor + 22, "cosine of picture and caption", size=SMALL)
        c.text(left + 320 * clean + (14 if k == 0 else -66), floor - 92, "clean pairs", kind="clean", size=SMALL)
        c.text(left + 320 * poisons - (46 if k == 0 else 4), floor - 66, "poisons", kind="attack", size=SMALL)
        if k == 0:
            c.path(f"M{left + 124:.1f} {floor + 6}V{top + 44}", dashed="6 4")
            c.arrow((left + 124, top + 48), (left + 196, top + 48))
            c.text(left + 232, top + 52, "safe", kind="defend", size=SMALL, bold=True)
    return c


def oracle(narrow: bool) -> Canvas:
    """The same settings as the defender sees them, and as the oracle does."""
    c = Canvas(360, 640) if narrow else Canvas(720, 310)
    x, y = (10, 320) if narrow else (370, 0)
    by_defender = [(a, 0.5) for a, _, _ in SETTINGS]
    said = "takes the strongest within the limit,\nor keeps the model as it is"
    places = _seen(
        c, 10, 0, by_defender, "the defender does not see the attack", "accuracy on validation pictures", said
    )
    for (a, b), word in ((places[-1], "strong"), (places[0], "weak")):
        c.text(a, b - 18, word, size=12, faint=True)
    taken = sum(a >= LIMIT for a, _, _ in SETTINGS) - 1
    c.disc(*places[taken], 12, kind="defend", filled=0)
    said = "takes what leaves least within the limit,\nas the best point of a paper does"
    places = _seen(c, x, y, [s[1:] for s in SETTINGS], "the oracle sees the attack", "accuracy on test pictures", said)
    c.arrow((x + 36, y + 246), (x + 36, y + 38))
    c.text(x + 22, y + 145, "attack success", size=SMALL, turn=-90)
    c.disc(*places[taken], 12, kind="defend", filled=0)
    a, b = places[sum(s[1] >= LIMIT for s in SETTINGS) - 1]
    c.path(f"M{a - 10:.0f} {b - 10:.0f}l20 20M{a + 10:.0f} {b - 10:.0f}l-20 20", kind="attack", width=2.4)
    return c


def _seen(c: Canvas, x: float, y: float, points: Sequence[Point], who: str, axis: str, said: str) -> list[Point]:
    """One panel with the settings in it; gives their places."""
    left, right, top, floor = x + 36, x + 322, y + 44, y + 246
    c.text((left + right) / 2, y + 22, who, bold=True)
    limit = left + LIMIT * (right - left)
    c.box(limit, top, right - limit, floor - top, kind="defend", filled=0.1, radius=0, width=0)
    c.path(f"M{limit:.0f} {top}V{floor}", kind="defend", dashed="5 4")
    c.text((limit + right) / 2, top + 16, "costs at most\n5 points", size=12, kind="defend")
    c.arrow((left, floor), (right + 8, floor))
    c.text((left + right) / 2, floor + 20, axis, size=SMALL)
    places = [(left + a * (right - left), floor - b * (floor - top - 44)) for a, b in points]
    c.path("M" + "L".join(f"{a:.0f} {b:.0f}" for a, b in places), width=1.2)
    for at in places:
        c.disc(*at, 5)
    c.text((left + right) / 2, floor + 42, said, size=SMALL)
    return places


DOUBTS = (
    "other models,\ntrained otherwise",
    "trusted pairs that\nare not clean",
    "other triggers,\nwith structure",
    "other readers of\nthe embedding",
    "a line of code that\nmeasures wrongly",
    "an attacker who\nknows the defense",
)


def doubts(narrow: bool) -> Canvas:
    """One experiment in which a defense worked, and what may be different in the next one."""
    c = Canvas(360, 420) if narrow else Canvas(720, 250)
    x, y, w = (80, 10, 200) if narrow else (10, 78, 190)
    c.box(x, y, w, 94, kind="defend", filled=0.12)
    c.text(x + w / 2, y + 24, "one experiment", bold=True)
    c.text(x + w / 2, y + 48, "one model, one trigger,\nclean trusted pairs:", size=SMALL)
    c.text(x + w / 2, y + 84, "the backdoor is gone", size=SMALL, kind="defend")
    left, top, wide, step = (14, 180, 160, 76) if narrow else (300, 22, 194, 72)
    c.box(left - 10, top - 12, 2 * wide + 34, 3 * step + 8, kind="attack", filled=0.03, dashed="5 4")
    for k, said in enumerate(DOUBTS):
        row, column = divmod(k, 2)
        a, b = left + column * (wide + 14), top + row * step
        c.box(a, b, wide, 56, kind="attack", filled=0.08)
        c.text(a + wide / 2, b + 24, said, size=SMALL)
    start, end = ((180, 162), (180, 112)) if narrow else ((286, 125), (210, 125))
    c.arrow(start, end, kind="attack", width=2.4)
    c.text(
        *((196, 140) if narrow else (248, 108)),
        "still?",
        kind="attack",
        anchor="start" if narrow else "middle",
        bold=True,
    )
    return c


VERDICTS = (
    ("holds", "the whole interval lies\nwhere the paper puts it", 0.62, 0.92),
    ("fails", "the whole interval\nlies outside", 0.08, 0.38),
    ("undecided", "it lies across\nthe border", 0.3, 0.74),
)


def verdicts(narrow: bool) -> Canvas:
    """How to read a verdict: an interval over models, and the region that the claim allows."""
    c = Canvas(360, 330) if narrow else Canvas(720, 240)
    left, right, row = (16, 344, 90) if narrow else (150, 500, 58)
    border = left + 0.5 * (right - left)
    top = 40 if narrow else 36
    c.box(border, top, right - border, 3 * row + (8 if narrow else 0), kind="clean", filled=0.12, radius=0, width=0)
    c.path(f"M{border:.0f} {top - 4}V{top + 3 * row + 8}", kind="clean", dashed="5 4")
    c.text((border + right) / 2, top - 10, "where the claim puts it", size=SMALL, kind="clean")
    for k, (word, why, low, high) in enumerate(VERDICTS):
        kind = ("holds", "fails", "ink")[k]
        y = top + row * (k + 0.5) + (22 if narrow else 0)
        a, b = left + low * (right - left), left + high * (right - left)
        c.path(f"M{a:.0f} {y}H{b:.0f}M{a:.0f} {y - 7}v14M{b:.0f} {y - 7}v14", kind=kind, width=2.4)
        c.disc((a + b) / 2, y, 6, kind=kind)
        if narrow:
            c.text(left, y - 26, word, anchor="start", kind=kind, bold=True)
            c.text(right - 4, y + 26, why.replace("\n", " "), anchor="end", size=12, faint=True)
        else:
            c.text(left - 16, y + 5, word, anchor="end", kind=kind, bold=True)
            c.text(right + 18, y - 3, why, anchor="start", size=SMALL)
    if not narrow:
        c.arrow((left, top + 3 * row + 6), (right, top + 3 * row + 6), width=1.2)
        c.text((left + right) / 2, top + 3 * row + 26, "what is measured; bars: 95 % interval over models", size=SMALL)
    return c
