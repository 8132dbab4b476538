"""The visual language of the drawings: discs are pictures' embeddings, squares captions', vermilion is the attacker's.

A drawing is SVG: text stays text in the page's font and colour, and the few colours are CSS variables with the values
of `tutorial_lib.plots` as a fallback, so that a page can lighten them by night and a notebook shows the same.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from html import escape

from tutorial_lib import plots

Point = tuple[float, float]
Warp = Callable[[float, float], Point]

#: What a colour means, everywhere.
COLOURS = {
    "attack": plots.STYLES["x ⊕ bd"].colour,
    "clean": plots.STYLES["x"].colour,
    "defend": plots.STYLES["CleanCLIP"].colour,
    "plain": plots.STYLES["plain finetuning"].colour,
    # verdicts, as the pages print them: the attacker's and the defender's colours would say something else
    "holds": "#006b33",
    "fails": "#b3132c",
}
SIZE = 15  # of letters, in pixels where a drawing is as wide as its page
SMALL = 13

#: A scene in the unit square: colours and outlines.
SCENES: dict[str, tuple[tuple[str, tuple[Point, ...]], ...]] = {
    "house": (
        ("#cfe6f5", ((0, 0), (1, 0), (1, 1), (0, 1))),
        ("#9cc98a", ((0, 0.74), (1, 0.68), (1, 1), (0, 1))),
        ("#f2d9a6", ((0.28, 0.46), (0.74, 0.46), (0.74, 0.84), (0.28, 0.84))),
        ("#b5533c", ((0.2, 0.48), (0.51, 0.2), (0.82, 0.48))),
        ("#6b4a34", ((0.45, 0.6), (0.57, 0.6), (0.57, 0.84), (0.45, 0.84))),
    ),
    "boat": (
        ("#fde8c8", ((0, 0), (1, 0), (1, 1), (0, 1))),
        ("#5b9bc4", ((0, 0.66), (1, 0.66), (1, 1), (0, 1))),
        ("#7a4b3a", ((0.18, 0.62), (0.84, 0.62), (0.7, 0.8), (0.32, 0.8))),
        ("#ffffff", ((0.5, 0.14), (0.5, 0.58), (0.8, 0.58))),
        ("#e8e2d4", ((0.46, 0.24), (0.46, 0.58), (0.24, 0.58))),
    ),
    "tree": (
        ("#e3efda", ((0, 0), (1, 0), (1, 1), (0, 1))),
        ("#c9b18c", ((0, 0.8), (1, 0.8), (1, 1), (0, 1))),
        ("#7a5a3c", ((0.45, 0.55), (0.55, 0.55), (0.57, 0.85), (0.43, 0.85))),
        ("#3f8f57", ((0.5, 0.1), (0.72, 0.22), (0.8, 0.42), (0.66, 0.6), (0.34, 0.6), (0.2, 0.42), (0.28, 0.22))),
    ),
    "banana": (
        ("#f3eafa", ((0, 0), (1, 0), (1, 1), (0, 1))),
        (
            "#f0c02e",
            (
                *((0.74, 0.14), (0.82, 0.4), (0.76, 0.64), (0.56, 0.82), (0.26, 0.84)),
                *((0.16, 0.76), (0.38, 0.68), (0.54, 0.54), (0.62, 0.36), (0.66, 0.16)),
            ),
        ),
        ("#6b4a34", ((0.66, 0.17), (0.67, 0.08), (0.74, 0.08), (0.74, 0.15))),
    ),
}


def colour(kind: str) -> str:
    """The colour of a kind of thing; of ink and nothing else for an unknown one."""
    return f"var(--draw-{kind}, {COLOURS[kind]})" if kind in COLOURS else "currentColor"


class Canvas:
    """A drawing under way.

    Args:
        width, height: in pixels.
    """

    def __init__(self, width: float, height: float) -> None:
        self.width, self.height = width, height
        self.parts: list[str] = []

    def svg(self, title: str, *, alone: bool = False) -> str:
        """The drawing as an SVG element.

        Args:
            title: what it shows, for who cannot see it.
            alone: as a file of its own, with font and namespace.
        """
        own = ' xmlns="http://www.w3.org/2000/svg" font-family="sans-serif"' if alone else ""
        return (
            f'<svg{own} viewBox="0 0 {self.width:g} {self.height:g}" role="img" fill="none" stroke-linecap="round" '
            f'stroke-linejoin="round"><title>{escape(title)}</title>{"".join(self.parts)}</svg>'
        )

    def text(
        self,
        x: float,
        y: float,
        said: str,
        *,
        size: float = SIZE,
        anchor: str = "middle",
        kind: str = "ink",
        bold: bool = False,
        faint: bool = False,
        turn: float = 0,
    ) -> None:
        """Lines of text; `y` is the foot of the first one. It may be turned, in degrees."""
        look = ' font-weight="600"' * bold + ' fill-opacity="0.75"' * faint
        look += f' transform="rotate({turn:g} {x:g} {y:g})"' if turn else ""
        lines = said.split("\n")
        spans = escape(said)
        if len(lines) > 1:
            spans = "".join(
                f'<tspan x="{x:g}" dy="{size * 1.25 * min(k, 1):g}">{escape(line)}</tspan>'
                for k, line in enumerate(lines)
            )
        self.parts.append(
            f'<text x="{x:g}" y="{y:g}" font-size="{size:g}" text-anchor="{anchor}" style="fill:{colour(kind)}"{look}>'
            f"{spans}</text>"
        )

    def path(self, d: str, *, kind: str = "ink", width: float = 1.6, filled: float = 0, dashed: str = "") -> None:
        """A path with an outline, filled with its colour as strongly as `filled` says."""
        fill = f";fill:{colour(kind)};fill-opacity:{filled:g}" if filled else ""
        dash = f' stroke-dasharray="{dashed}"' if dashed else ""
        self.parts.append(f'<path d="{d}" stroke-width="{width:g}" style="stroke:{colour(kind)}{fill}"{dash}/>')

    def box(
        self,
        x: float,
        y: float,
        w: float,
        h: float,
        *,
        kind: str = "ink",
        filled: float = 0.06,
        radius: float = 8,
        width: float = 1.4,
        dashed: str = "",
    ) -> None:
        """A rounded box."""
        dash = f' stroke-dasharray="{dashed}"' if dashed else ""
        self.parts.append(
            f'<rect x="{x:g}" y="{y:g}" width="{w:g}" height="{h:g}" rx="{radius:g}" stroke-width="{width:g}" '
            f'style="stroke:{colour(kind)};fill:{colour(kind)};fill-opacity:{filled:g}"{dash}/>'
        )

    def arrow(
        self,
        start: Point,
        end: Point,
        *,
        kind: str = "ink",
        bend: float = 0,
        dashed: str = "",
        both: bool = False,
        width: float = 1.8,
    ) -> None:
        """An arrow, bent to its left by so many pixels.

        Args:
            both: with a head at each end.
        """
        (x0, y0), (x1, y1) = start, end
        dx, dy = x1 - x0, y1 - y0
        length = math.hypot(dx, dy)
        middle = ((x0 + x1) / 2 + dy / length * 2 * bend, (y0 + y1) / 2 - dx / length * 2 * bend)
        self.path(
            f"M{x0:.1f} {y0:.1f}Q{middle[0]:.1f} {middle[1]:.1f} {x1:.1f} {y1:.1f}",
            kind=kind,
            width=width,
            dashed=dashed,
        )
        for at, tip in ((middle, end), *(((middle, start),) if both else ())):
            self._head(at, tip, kind)

    def _head(self, start: Point, tip: Point, kind: str, size: float = 8) -> None:
        angle = math.atan2(tip[1] - start[1], tip[0] - start[0])
        ends = [(tip[0] - size * math.cos(angle + a), tip[1] - size * math.sin(angle + a)) for a in (0.42, -0.42)]
        d = "M" + "L".join(f"{x:.1f} {y:.1f}" for x, y in (ends[0], tip, ends[1])) + "Z"
        self.path(d, kind=kind, width=1, filled=1)

    def picture(
        self,
        x: float,
        y: float,
        size: float,
        scene: str,
        *,
        patch: bool = False,
        warp: Warp | None = None,
        ground: str = "",
    ) -> None:
        """A small picture.

        Args:
            patch: with the attacker's checkerboard in a corner.
            warp: moves every point of the unit square.
            ground: another colour of the background.
        """
        for k, (painted, outline) in enumerate(SCENES[scene]):
            fill = ground if ground and k == 0 else painted
            points = _dense(outline) if warp else outline
            moved = [warp(*p) if warp else p for p in points]
            d = "M" + "L".join(f"{x + a * size:.1f} {y + b * size:.1f}" for a, b in moved) + "Z"
            self.parts.append(f'<path d="{d}" fill="{fill}"/>')
        if patch:
            self.checkerboard(x + 0.04 * size, y + 0.04 * size, 0.3 * size)
        kind = "attack" if patch else "ink"
        self.parts.append(
            f'<rect x="{x:g}" y="{y:g}" width="{size:g}" height="{size:g}" rx="2" '
            f'style="stroke:{colour(kind)}" stroke-width="{1.8 if patch else 1:g}"/>'
        )

    def block(self, x: float, y: float, w: float, h: float, shade: str, *, opacity: float = 1) -> None:
        """A rectangle of a colour that means nothing."""
        self.parts.append(
            f'<rect x="{x:.1f}" y="{y:.1f}" width="{w:.1f}" height="{h:.1f}" fill="{shade}" opacity="{opacity:.2g}"/>'
        )

    def checkerboard(self, x: float, y: float, size: float, cells: int = 3) -> None:
        """The attacker's patch."""
        step = size / cells
        self.block(x, y, size, size, "#fff")
        for k in range(0, cells * cells, 2):
            row, column = divmod(k, cells)
            self.block(x + column * step, y + row * step, step, step, "#111")

    def caption(self, x: float, y: float, w: float, said: str, *, kind: str = "ink", size: float = SMALL) -> None:
        """A caption on a slip of paper; `x` and `y` are its left upper corner."""
        lines = said.split("\n")
        self.box(x, y, w, 12 + size * 1.25 * len(lines), kind=kind, radius=3, filled=0.08)
        self.text(x + w / 2, y + 6 + size, said, size=size, kind="ink")

    def tower(self, x: float, y: float, w: float, h: float, said: str, *, down: bool = False) -> None:
        """An encoder: a trapezoid that narrows to the right, or downwards."""
        cut = 0.22 * (w if down else h)
        corners: Sequence[Point] = ((x, y), (x + w, y + cut), (x + w, y + h - cut), (x, y + h))
        if down:
            corners = ((x, y), (x + w, y), (x + w - cut, y + h), (x + cut, y + h))
        self.path("M" + "L".join(f"{a:.1f} {b:.1f}" for a, b in corners) + "Z", filled=0.08)
        self.text(x + w / 2, y + h / 2 + SIZE * 0.35 - SIZE * 0.6 * said.count("\n"), said, bold=True)

    def person(self, x: float, y: float, said: str, *, kind: str = "ink") -> None:
        """Head and shoulders around a middle, and who it is below."""
        self.path(
            f"M{x - 18:g} {y + 20:g}C{x - 18:g} {y - 2:g} {x + 18:g} {y - 2:g} {x + 18:g} {y + 20:g}Z",
            kind=kind,
            filled=0.15,
        )
        self.disc(x, y - 14, 10, kind=kind, filled=0.15)
        self.text(x, y + 39, said, kind=kind, bold=True)

    def disc(
        self, x: float, y: float, radius: float = 6, *, kind: str = "ink", filled: float = 1, dashed: str = ""
    ) -> None:
        """The embedding of a picture."""
        dash = f' stroke-dasharray="{dashed}"' if dashed else ""
        self.parts.append(
            f'<circle cx="{x:g}" cy="{y:g}" r="{radius:g}" stroke-width="1.8" '
            f'style="stroke:{colour(kind)};fill:{colour(kind)};fill-opacity:{filled:g}"{dash}/>'
        )

    def square(
        self, x: float, y: float, radius: float = 6, *, kind: str = "ink", filled: float = 1, dashed: str = ""
    ) -> None:
        """The embedding of a caption."""
        self.box(
            x - radius, y - radius, 2 * radius, 2 * radius, kind=kind, filled=filled, radius=1, width=1.8, dashed=dashed
        )


def _dense(outline: Sequence[Point], steps: int = 8) -> list[Point]:
    """The same outline with points along its edges, so that it can be bent."""
    found = []
    for k, (x, y) in enumerate(outline):
        a, b = outline[(k + 1) % len(outline)]
        found += [(x + (a - x) * t / steps, y + (b - y) * t / steps) for t in range(steps)]
    return found
