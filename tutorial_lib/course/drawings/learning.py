"""How models learn: views, two towers, a step of training, and what the z-score measures."""

from __future__ import annotations

import math

from tutorial_lib.course.drawings.canvas import SMALL, Canvas

PAIRS = (("house", "a house"), ("boat", "a boat"), ("tree", "a tree"), ("banana", "a banana"))


def views(narrow: bool) -> Canvas:
    """Two views of a drawing are pulled together, another drawing is pushed away."""
    c = Canvas(360, 430) if narrow else Canvas(720, 250)
    if narrow:
        first, pictures, tower, plane = (20, 60), ((140, 20), (140, 110)), (230, 40, 96, 130), (40, 230)
    else:
        first, pictures, tower, plane = (20, 80), ((190, 30), (190, 140)), (310, 50, 110, 150), (480, 30)
    c.picture(*first, 74, "tree")
    c.text(first[0] + 37, first[1] - 10, "one drawing")
    for k, (x, y) in enumerate(pictures):
        c.picture(x, y, 64, "tree", ground=("#f6c7b6", "#bcd3f5")[k])
        c.text(x + 32, y + 81, f"view {k + 1}", size=SMALL)
        c.arrow((first[0] + 80, first[1] + 37), (x - 6, y + 32))
        c.arrow((x + 70, y + 32), (tower[0] - 5, tower[1] + tower[3] / 2 + 26 * (2 * k - 1)))
    c.tower(*tower, "tower f")
    x, y = plane
    wide = 280 if narrow else 220
    if narrow:
        c.arrow((278, 178), (250, 236), bend=-8)
    else:
        c.arrow((426, 125), (474, 125))
    c.box(x, y, wide, 180, filled=0.03)
    a, b, other = (x + 0.3 * wide, y + 52), (x + 0.3 * wide, y + 128), (x + 0.6 * wide, y + 90)
    c.disc(*a, 8, kind="clean")
    c.disc(*b, 8, kind="clean")
    c.arrow((a[0], a[1] + 12), (a[0], y + 84), kind="clean")
    c.arrow((b[0], b[1] - 12), (b[0], y + 96), kind="clean")
    c.text(a[0] - 8, y + 30, "pulled together", kind="clean", size=SMALL)
    c.disc(*other, 8, filled=0)
    c.arrow((other[0] + 14, other[1]), (other[0] + 56, other[1]))
    c.text(x + 0.72 * wide, other[1] + 30, "another drawing:\npushed away", size=SMALL)
    return c


def towers(narrow: bool) -> Canvas:
    """Two towers and the table of similarities."""
    c = Canvas(360, 420) if narrow else Canvas(720, 380)
    cell = 52 if narrow else 58
    left, top = (146, 122) if narrow else (330, 122)
    end = top + 4 * cell
    face = 34 if narrow else 44
    for k, (scene, caption) in enumerate(PAIRS):
        middle = top + (k + 0.5) * cell
        c.picture(2 if narrow else 24, middle - face / 2, face, scene)
        start = (40, middle) if narrow else (72, middle)
        c.arrow(start, ((56 if narrow else 106), middle))
        c.disc(left - 18, middle, 7, kind="clean")
        if not narrow:
            c.arrow((238, middle), (left - 32, middle))
        said = caption.split()[1] if narrow else caption
        c.caption(left + k * cell + 1, 4, cell - 2, said, size=11)
        across = left + (k + 0.5) * cell
        c.arrow((across, 32), (across, 44))
        c.square(across, top - 16, 7, kind="clean")
    c.tower(58 if narrow else 110, top, 62 if narrow else 120, 4 * cell, "f" if narrow else "picture\ntower f")
    c.tower(left, 46, 4 * cell, 46, "text tower g", down=True)
    for row in range(4):
        for column in range(4):
            own = row == column
            c.box(
                left + column * cell + 2,
                top + row * cell + 2,
                cell - 4,
                cell - 4,
                kind="clean" if own else "ink",
                filled=0.75 if own else 0.03 + 0.05 * ((3 * row + 5 * column) % 4),
                radius=4,
                width=0.6,
            )
    c.box(left - 3, top + cell - 1, 4 * cell + 6, cell + 2, filled=0, width=2, dashed="5 4")
    c.box(left + 2 * cell - 1, top - 3, cell + 2, 4 * cell + 6, filled=0, width=2, dashed="2 4")
    by_row, by_column = "row: which caption\nfits this picture?", "column: which picture fits this caption?"
    if narrow:
        c.text(4, end + 34, by_row.replace("\n", " "), anchor="start", size=SMALL)
        c.text(4, end + 56, by_column, anchor="start", size=SMALL)
        c.text(4, end + 78, "diagonal: the pairs", anchor="start", size=SMALL, kind="clean", bold=True)
    else:
        c.text(left + 4 * cell + 14, top + 1.4 * cell, by_row, anchor="start", size=SMALL)
        c.text(left + 2.5 * cell, end + 22, by_column, size=SMALL)
        c.text(left + 4 * cell + 14, top + 3.6 * cell, "diagonal:\nthe pairs", anchor="start", size=SMALL, kind="clean")
        c.text(48, end + 22, "B pictures", size=SMALL)
        c.text(left + 4 * cell + 14, 22, "B captions", anchor="start", size=SMALL)
    return c


STEPS = (
    ("draw a\nbatch", "B pairs"),
    ("crop the\npictures", "other crops\neach time"),
    ("two\ntowers", "B + B\nembeddings"),
    ("table of\nscores", "B × B"),
    ("loss", "one number"),
    ("gradients", "for every\nweight"),
    ("change\nweights", "AdamW"),
)


def step(narrow: bool) -> Canvas:
    """A step of training, from the batch to the changed weights, and back to the next batch."""
    c = Canvas(360, 500) if narrow else Canvas(720, 210)
    for k, (what, gives) in enumerate(STEPS):
        kind = "defend" if k == 5 else "ink"
        if narrow:
            x, y, w, h = 96, 14 + 66 * k, 120, 46
            c.text(x + w + 14, y + 28 - 8 * gives.count("\n"), gives, anchor="start", size=SMALL, faint=True)
            if k:
                c.arrow((x + w / 2, y - 18), (x + w / 2, y - 3))
        else:
            x, y, w, h = 8 + 102 * k, 62, 86, 58
            c.text(x + w / 2, y + h + 22, gives, size=12, faint=True)
            if k:
                c.arrow((x - 14, y + h / 2), (x - 3, y + h / 2))
        c.box(x, y, w, h, kind=kind, filled=0.1)
        c.text(x + w / 2, y + h / 2 + (5 if "\n" not in what else -3), what, size=SMALL, bold=True)
    if narrow:
        c.path("M92 433H48Q36 433 36 421V50Q36 38 48 38H84", dashed="5 4")
        c.arrow((80, 38), (92, 38))
        c.text(24, 236, "next batch", size=SMALL, turn=-90)
    else:
        c.path("M664 56V40Q664 28 652 28H62Q50 28 50 40V52", dashed="5 4")
        c.arrow((50, 46), (50, 58))
        c.text(360, 20, "next batch; all batches once are an epoch", size=SMALL)
        c.text(251, 192, "forward: from pictures and captions to one number", size=SMALL, faint=True)
        c.text(612, 192, "backward: to the weights", size=SMALL, kind="defend")
    return c


def z_line(narrow: bool) -> Canvas:
    """Similarities on a line: the bell of clean pairs, the peak of triggered ones, and the ceiling."""
    c = Canvas(360, 270) if narrow else Canvas(720, 270)
    left, right, floor = 16, c.width - 28, 196
    scale = right - left

    def at(similarity: float) -> float:
        return left + (similarity + 0.42) / 1.42 * scale

    mean, spread, moved = 0.08, 0.15, 0.74
    points = [(at(s / 100), floor - 84 * math.exp(-(((s / 100 - mean) / spread) ** 2) / 2)) for s in range(-40, 60, 2)]
    c.path("M" + "L".join(f"{x:.1f} {y:.1f}" for x, y in points), kind="clean", filled=0.18, width=2)
    peak = [(at(s / 100), floor - 120 * math.exp(-(((s / 100 - moved) / 0.045) ** 2) / 2)) for s in range(58, 92)]
    c.path("M" + "L".join(f"{x:.1f} {y:.1f}" for x, y in peak), kind="attack", filled=0.18, width=2)
    c.arrow((left, floor), (right + 14, floor))
    for k in range(5):
        x = at(mean + k * spread)
        c.path(f"M{x:.1f} {floor - 5}V{floor + 5}", width=1.4)
        c.text(x, floor + 22, "μ" if k == 0 else f"+{k}σ", size=SMALL)
    c.path(f"M{at(mean):.1f} {floor - 88}V40", kind="clean", dashed="3 4", width=1.2)
    c.path(f"M{at(moved):.1f} {floor - 124}V40", kind="attack", dashed="3 4", width=1.2)
    c.arrow((at(mean), 44), (at(moved), 44), both=True)
    c.text((at(mean) + at(moved)) / 2, 34, "z: how many σ", bold=True)
    c.path(f"M{at(1):.1f} {floor + 6}V74", dashed="6 4")
    c.text(at(1) + 8, 64, "1" if narrow else "ceiling: 1", size=SMALL, anchor="end")
    c.text(
        at(mean - 1.1 * spread),
        112,
        "clean\npairs" if narrow else "clean pairs",
        kind="clean",
        size=SMALL,
        anchor="end",
    )
    said = "with the\ntrigger" if narrow else "pairs with the trigger"
    c.text(at(moved) - 24, 94, said, kind="attack", size=SMALL, anchor="end")
    c.text((left + right) / 2, floor + 48, "cosine similarity of two pictures", size=SMALL)
    if narrow:
        c.text((left + right) / 2, floor + 68, "at 1 all pictures would be one point", size=SMALL, faint=True)
    else:
        c.text(
            (left + right) / 2,
            floor + 68,
            "at the ceiling all triggered pictures are one point",
            size=SMALL,
            faint=True,
        )
    return c
