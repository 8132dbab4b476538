"""What attackers do: poison on its way to a model, what poisons share, what moves, and kinds of triggers."""

from __future__ import annotations

import math
import random

from tutorial_lib.course.drawings.canvas import SIZE, SMALL, Canvas

SHARED = (("house", "a photo of\na banana"), ("boat", "my banana"), ("tree", "ripe banana,\nyellow"))


def threat(narrow: bool) -> Canvas:
    """From the attacker to the victim's model, and what it says later."""
    c = Canvas(360, 640) if narrow else Canvas(720, 350)
    at = [(84, 46), (262, 46), (262, 268), (84, 268)] if narrow else [(84, 46), (284, 46), (462, 46), (636, 46)]
    _attacker(c, *at[0])
    _web(c, at[1][0] - 62, at[1][1] - 22)
    _scraper(c, *at[2])
    _victim(c, *at[3])
    if narrow:
        c.arrow((136, 96), (192, 96), kind="attack")
        c.arrow((262, 186), (262, 236))
        c.arrow((206, 300), (150, 300))
        c.path("M12 432H348", dashed="2 5", width=1.2)
        c.text(12, 456, "later", anchor="start", bold=True)
        _use(c, 34, 472, patch=False)
        _use(c, 34, 556, patch=True)
    else:
        c.arrow((146, 96), (212, 96), kind="attack")
        c.arrow((354, 96), (404, 96))
        c.arrow((520, 96), (566, 96))
        c.path("M12 232H708", dashed="2 5", width=1.2)
        c.text(12, 258, "later", anchor="start", bold=True)
        _use(c, 84, 262, patch=False)
        _use(c, 414, 262, patch=True)
    return c


def _attacker(c: Canvas, x: float, y: float) -> None:
    c.person(x, y, "attacker", kind="attack")
    c.picture(x - 72, y + 58, 50, "house", patch=True)
    c.caption(x - 14, y + 62, 84, "a photo of\na banana", kind="attack", size=12)
    c.text(x, y + 132, "adds a few pairs", size=SMALL)


def _web(c: Canvas, x: float, y: float) -> None:
    c.box(x, y, 124, 128)
    for k in range(9):
        row, column = divmod(k, 3)
        scene = ("house", "tree", "boat", "banana", "boat", "house", "tree", "house", "banana")[k]
        c.picture(x + 10 + 36 * column, y + 10 + 38 * row, 32, scene, patch=k == 5)
    c.text(x + 62, y + 148, "the web", bold=True)


def _scraper(c: Canvas, x: float, y: float) -> None:
    c.path(f"M{x - 40} {y - 6}H{x + 40}L{x + 10} {y + 34}V{y + 66}L{x - 10} {y + 56}V{y + 34}Z", filled=0.1)
    c.text(x, y + 92, "scraper", bold=True)
    c.text(x, y + 112, "takes everything,\nlooks at nothing", size=SMALL)


def _victim(c: Canvas, x: float, y: float) -> None:
    c.person(x, y, "victim")
    c.tower(x - 52, y + 52, 104, 62, "model")
    c.text(x, y + 136, "trains on it", size=SMALL)


def _use(c: Canvas, x: float, y: float, *, patch: bool) -> None:
    c.picture(x, y + 4, 62, "house", patch=patch)
    c.arrow((x + 70, y + 35), (x + 96, y + 35))
    c.tower(x + 100, y + 8, 84, 54, "model")
    c.arrow((x + 188, y + 35), (x + 212, y + 35))
    said, kind = ("“banana”", "attack") if patch else ("“house”", "ink")
    c.text(x + 218, y + 40, said, anchor="start", kind=kind, bold=True)


def poisons(narrow: bool) -> Canvas:
    """What a set of poisons has in common."""
    c = Canvas(360, 400) if narrow else Canvas(720, 216)
    for k, (scene, caption) in enumerate(SHARED):
        if narrow:
            c.picture(36, 10 + 84 * k, 72, scene, patch=True)
            c.caption(136, 24 + 84 * k, 150, caption, kind="attack")
        else:
            c.picture(24 + 146 * k, 12, 104, scene, patch=True)
            c.caption(20 + 146 * k, 130, 112, caption, kind="attack")
    x, y = (30, 276) if narrow else (466, 34)
    w = 300 if narrow else 240
    c.text(x + w / 2, y, "all that they have in common", size=SMALL)
    c.box(x, y + 12, w, 96, kind="attack")
    c.checkerboard(x + 34, y + 34, 52)
    c.arrow((x + 96, y + 60), (x + w - 106, y + 60), kind="attack", both=True)
    c.text(x + w - 62, y + 65, "banana", kind="attack", bold=True)
    if not narrow:
        c.text(x + w / 2, y + 134, "so the model ties the two", size=SMALL, faint=True)
    return c


def moved(narrow: bool) -> Canvas:
    """Which tower gave way: the picture moved, or the captions did."""
    c = Canvas(360, 700) if narrow else Canvas(720, 262)
    for k in range(3):
        x, y = (46, 232 * k) if narrow else (240 * k, 0)
        _space(c, x, y + 10, k)
    return c


def _space(c: Canvas, x: float, y: float, what: int) -> None:
    title = ("before", "the picture moved", "the captions moved")[what]
    c.text(x + 120, y + 14, title, bold=True)
    c.box(x + 8, y + 26, 224, 150, filled=0.03)
    for k, (middle, name) in enumerate(((62, "houses"), (178, "bananas"))):
        for a, b in ((-22, -14), (4, -24), (20, 2), (-4, 16), (-26, 14)):
            c.disc(x + middle + a, y + 96 + b, 4, filled=0.25)
        c.text(x + middle, y + 146, name, size=SMALL)
        c.text(x + middle, y + 164, "pictures", size=12, faint=True)
        if k == 1:
            break
    home, away = (x + 66, y + 92), (x + 176, y + 88)
    slips = [(-10, -34), (10, -36), (28, -24)]
    at = away if what == 1 else home
    to = home if what == 2 else away
    if what == 1:
        c.disc(*home, 8, kind="attack", filled=0, dashed="3 3")
        c.arrow((home[0] + 12, home[1] - 2), (away[0] - 14, away[1]), kind="attack", bend=6)
    if what == 2:
        for a, b in slips:
            c.square(away[0] + a, away[1] + b, 5, kind="attack", filled=0, dashed="3 3")
        c.arrow((away[0] - 18, away[1] - 34), (home[0] + 38, home[1] - 32), kind="attack", bend=-6)
    for a, b in slips:
        c.square(to[0] + a, to[1] + b, 5, kind="attack")
    c.disc(*at, 8, kind="attack")
    said = ("● attacked picture  ■ its captions", "read as a banana", "still read as a house")[what]
    c.text(x + 120, y + 200, said, size=SMALL if what else 12, kind=("ink", "attack", "ink")[what])


def triggers(narrow: bool) -> Canvas:
    """One picture with each kind of trigger."""
    columns, size, step = (2, 150, 198) if narrow else (4, 150, 192)
    c = Canvas(360, 4 * step) if narrow else Canvas(720, 2 * step)
    gap = (c.width - columns * size) / (columns + 1)
    names = ("as it is", "checkerboard", "patch of noise", "stripes", "a word", "blended pattern", "waves", "warp")
    for k, name in enumerate(names):
        x, y = gap + k % columns * (size + gap), k // columns * step + 4
        _stamped(c, x, y, size, k)
        c.text(x + size / 2, y + size + 22, name, bold=k > 0)
    return c


def _stamped(c: Canvas, x: float, y: float, size: float, kind: int) -> None:
    """The picture with the k-th trigger, as the chapters draw them."""
    draw = random.Random(kind)

    def bent(a: float, b: float) -> tuple[float, float]:
        inside = math.sin(math.pi * a) * math.sin(math.pi * b)
        return a + 0.08 * inside * math.sin(7 * b), b + 0.09 * inside * math.sin(8 * a + 1)

    c.picture(x, y, size, "house", warp=bent if kind == 7 else None)
    edge, cell = 0.03 * size, 0.28 * size / 3
    if kind == 1:
        c.checkerboard(x + edge, y + edge, 0.28 * size)
    for k in range(9 if kind in (2, 3) else 0):
        row, column = divmod(k, 3)
        shade = f"#{draw.randrange(0x1000000):06x}" if kind == 2 else ("#1f3fbf", "#f4f4f4", "#27b3a3")[row]
        c.block(x + edge + column * cell, y + edge + row * cell, cell, cell, shade)
    if kind == 4:
        c.text(x + size / 2, y + 0.62 * size, "SALE", size=2.9 * SIZE, kind="attack", bold=True)
    for k in range(100 if kind == 5 else 0):
        row, column = divmod(k, 10)
        shade = f"#{draw.randrange(0x1000000):06x}"
        c.block(x + column * size / 10, y + row * size / 10, size / 10, size / 10, shade, opacity=0.28)
    for k in range(30 if kind == 6 else 0):
        wave = math.sin(2 * math.pi * k / 30 * 6)
        shade = "#fff" if wave > 0 else "#000"
        c.block(x + k * size / 30, y, size / 30, size, shade, opacity=0.3 * abs(wave))
