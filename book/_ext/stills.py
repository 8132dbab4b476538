"""Plotly figures as still pictures in SVG, for readers without JavaScript.

Knows what the course's figures are made of: scatter traces with error bars, bars, pictures, lines across, annotations,
and linear, logarithmic and named axes. Text takes the font and the colour of the page.
"""

from __future__ import annotations

import html
import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

WIDTH = 700  # pixels, about that of a page's text
CHARACTER = 0.56  # width of a letter, in units of the font's size
SMALL = 12  # size of the letters at ticks and in the legend
GRID = 'stroke="currentColor" stroke-opacity="0.18"'
#: Markers of radius 1 that are no circles.
MARKS = {
    "square": "M-.9-.9H.9V.9H-.9Z",
    "diamond": "M0-1.3 1.3 0 0 1.3-1.3 0Z",
    "triangle-up": "M-1.15.8H1.15L0-1.2Z",
    "cross": "M-.4-1.2H.4V-.4H1.2V.4H.4V1.2H-.4V.4H-1.2V-.4H-.4Z",
    "x": "M-1.1-.6-.6-1.1 0-.5.6-1.1 1.1-.6.5 0 1.1.6.6 1.1 0 .5-.6 1.1-1.1.6-.5 0Z",
    "star": "M0-1.4.4-.5 1.3-.4.6.2.9 1.2 0 .7-.9 1.2-.6.2-1.3-.4-.4-.5Z",
    "x-thin-open": "M-1-1 1 1M-1 1 1-1",
}
DASHES = {"dash": "8 5", "dot": "2 4", "dashdot": "8 4 2 4", "longdash": "14 5", "longdashdot": "14 4 2 4"}
Bounds = tuple[float, float]


@dataclass
class Axis:
    """Where a value lies: pixels from `start` to `end` for values from `low` to `high`, or for words in a row."""

    given: dict[str, Any]
    words: list[str]
    low: float
    high: float
    start: float = 0.0
    end: float = 1.0

    @property
    def log(self) -> bool:
        return self.given.get("type") == "log"

    def at(self, value: Any) -> float:
        """Pixels of a value."""
        number = self.words.index(value) if self.words else math.log10(value) if self.log else value
        return self.start + (number - self.low) / (self.high - self.low) * (self.end - self.start)

    @property
    def step(self) -> float:
        """Pixels between two words."""
        return abs(self.end - self.start) / (self.high - self.low)

    def ticks(self) -> list[tuple[float, str]]:
        """Pixels and texts."""
        if self.words:
            return [(self.at(word), word) for word in self.words]
        if self.given.get("tickvals"):
            values = [float(v) for v in self.given["tickvals"]]
            texts = self.given.get("ticktext") or [f"{v:,.10g}" for v in values]
            return [(self.at(v), said) for v, said in zip(values, texts, strict=True)]
        power = self.given.get("exponentformat") == "power"
        values = decades(self.low, self.high) if self.log else rounded(self.low, self.high)
        return [(self.at(v), _power(v) if power and self.log else f"{v:,.10g}".replace("-", "−")) for v in values]


def rounded(low: float, high: float, about: int = 6) -> list[float]:
    """Round numbers in a range, some `about` of them."""
    rough = (high - low) / about
    unit = 10 ** math.floor(math.log10(rough))
    step = unit * next(f for f in (1, 2, 2.5, 5, 10) if f * unit >= rough * 0.999)
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [round(k * step, 12) for k in range(first, last + 1)]


def decades(low: float, high: float) -> list[float]:
    """Powers of ten between two logarithms; with 2 and 5 times them where these are few."""
    factors = (1,) if high - low > 2.5 else (1, 2, 5)
    every = [f * 10.0**k for k in range(math.floor(low), math.ceil(high) + 1) for f in factors]
    return [v for v in every if low - 1e-9 <= math.log10(v) <= high + 1e-9]


def _power(value: float) -> str:
    exponent = str(round(math.log10(value)))
    return "10" + exponent.translate(str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹"))


def _values(trace: dict[str, Any], key: str) -> list[Any]:
    found = trace.get(key)
    return list(range(len(trace.get("y") or ()))) if found is None and key == "x" else list(found or ())


def _spread(trace: dict[str, Any]) -> Iterator[float]:
    """All heights of a trace, its error bars' ends among them."""
    y, error = _values(trace, "y"), trace.get("error_y") or {}
    yield from y
    if error.get("array"):
        yield from (v + e for v, e in zip(y, error["array"], strict=True))
        yield from (v - e for v, e in zip(y, error.get("arrayminus", error["array"]), strict=True))
    if trace.get("type") == "bar" or trace.get("fill"):
        yield 0.0


def axis(layout: dict[str, Any], traces: Sequence[dict[str, Any]], name: str) -> Axis:
    """The axis "x", "y", "x2", … of a figure, with the range of what is drawn on it."""
    given = dict(layout.get(f"{name[0]}axis{name[1:]}") or {})
    mine = [t for t in traces if t.get(f"{name[0]}axis", name[0]) == name and t.get("type") != "image"]
    values = [v for t in mine for v in (_values(t, "x") if name[0] == "x" else _spread(t))]
    words = list(dict.fromkeys(v for v in values if isinstance(v, str)))
    if words:
        return Axis(given, words, -0.5, len(words) - 0.5)
    if given.get("range"):
        return Axis(given, [], *map(float, given["range"]))
    for shape in layout.get("shapes") or ():
        if name == "y" and shape.get("yref") == "y":
            values.append(shape["y0"])
    if given.get("type") == "log":
        values = [math.log10(v) for v in values if v > 0]
    values = [v for v in values if v is not None and math.isfinite(v)] or [0.0, 1.0]
    low, high = min(values), max(values)
    room = 0.06 * (high - low) or 0.5
    filled = name[0] == "y" and low == 0 and any(t.get("type") == "bar" or t.get("fill") for t in mine)
    return Axis(given, [], low if filled else low - room, high + room)


def text(
    x: float, y: float, said: str, *, size: float = SMALL, anchor: str = "middle", turn: float = 0, extra: str = ""
) -> str:
    """A text, with plotly's line breaks and bold face."""
    parts = re.split(r"<br\s*/?>", said)
    faces = [' font-weight="600"' if "<b>" in part else "" for part in parts]
    lines = [html.escape(html.unescape(re.sub(r"</?[bi]>", "", part))) for part in parts]
    spans = (
        lines[0]
        if len(lines) == 1
        else "".join(
            f'<tspan x="{x:.5g}" dy="{min(k, 1) * size * 1.2:.4g}"{face}>{line}</tspan>'
            for k, (line, face) in enumerate(zip(lines, faces, strict=True))
        )
    )
    extra += faces[0] if len(lines) == 1 else ""
    turned = f' transform="rotate({turn:g} {x:.5g} {y:.5g})"' if turn else ""
    return f'<text x="{x:.5g}" y="{y:.5g}" font-size="{size:g}" text-anchor="{anchor}"{turned}{extra}>{spans}</text>'


def mark(x: float, y: float, symbol: str, radius: float, colour: str) -> str:
    """One marker."""
    hollow = symbol.endswith("-open")
    paint = f'fill="none" stroke="{colour}" stroke-width="2"' if hollow else f'fill="{colour}"'
    if (path := MARKS.get(symbol) or MARKS.get(symbol.removesuffix("-open"))) is None:
        return f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{radius:g}" {paint}/>'
    thin = ' vector-effect="non-scaling-stroke"' if hollow else ""
    return f'<path d="{path}" transform="translate({x:.1f} {y:.1f}) scale({radius:g})" {paint}{thin}/>'


def colour_of(trace: dict[str, Any]) -> str:
    """The colour that a trace has in its line or its markers."""
    for part in ("line", "marker"):
        if found := (trace.get(part) or {}).get("color"):
            return str(found)
    return "currentColor"


def _offsets(layout: dict[str, Any], traces: Sequence[dict[str, Any]], x: Axis) -> dict[str, float]:
    """Pixels by which traces of a group stand aside."""
    groups = list(dict.fromkeys(t["offsetgroup"] for t in traces if t.get("offsetgroup")))
    if not groups or layout.get("scattermode") != "group" or not x.words:
        return {}
    room = x.step * (1 - layout.get("scattergap", 0)) / len(groups)
    return {group: (k - (len(groups) - 1) / 2) * room for k, group in enumerate(groups)}


def scatter(trace: dict[str, Any], x: Axis, y: Axis, aside: float = 0.0) -> str:
    """Line, area, error bars and markers of a trace."""
    mode, colour, marker = trace.get("mode", "lines"), colour_of(trace), trace.get("marker") or {}
    values = zip(_values(trace, "x"), _values(trace, "y"), strict=True)
    points = [(x.at(a) + aside, y.at(b)) for a, b in values if not (y.log and b <= 0) and b == b]
    out = []
    d = "M" + "L".join(f"{a:.1f} {b:.1f}" for a, b in points)
    if trace.get("fill") and points:
        floor = y.at(max(0.0, y.low))
        area = f"{d}L{points[-1][0]:.1f} {floor:.1f}L{points[0][0]:.1f} {floor:.1f}Z"
        out.append(f'<path d="{area}" fill="{colour}" fill-opacity="0.25"/>')
    error = trace.get("error_y") or {}
    if error.get("array"):
        ups, downs = error["array"], error.get("arrayminus", error["array"])
        bars = [
            f"M{a:.1f} {y.at(v - lo):.1f}V{y.at(v + up):.1f}"
            for (a, _), v, up, lo in zip(points, _values(trace, "y"), ups, downs, strict=True)
        ]
        out.append(f'<path d="{"".join(bars)}" stroke="{colour}" stroke-width="2" fill="none"/>')
    if "lines" in mode and points:
        dash = DASHES.get((trace.get("line") or {}).get("dash", "solid"))
        dashed = f' stroke-dasharray="{dash}"' if dash else ""
        out.append(f'<path d="{d}" stroke="{colour}" stroke-width="2" fill="none"{dashed}/>')
    if "markers" in mode:
        size = marker.get("size", 6) / 2
        drawn = [mark(a, b, marker.get("symbol", "circle"), size, marker.get("color", colour)) for a, b in points]
        out.append(f'<g opacity="{marker.get("opacity", 1):g}">{"".join(drawn)}</g>')
    return "".join(out)


def bars(traces: Sequence[dict[str, Any]], x: Axis, y: Axis) -> str:
    """Groups of bars side by side, with their error bars."""
    out, wide = [], x.step * 0.8 / max(1, len(traces))
    for k, trace in enumerate(traces):
        left = (k - len(traces) / 2) * wide
        for word, value in zip(_values(trace, "x"), _values(trace, "y"), strict=True):
            top, floor = sorted((y.at(value), y.at(0)))
            out.append(
                f'<rect x="{x.at(word) + left:.1f}" y="{top:.1f}" width="{wide:.1f}" height="{floor - top:.1f}" '
                f'fill="{colour_of(trace)}" fill-opacity="{1 if k == 0 else 0.7}"/>'
            )
        error = trace.get("error_y") or {}
        if error.get("array"):
            line = {key: trace[key] for key in ("x", "y", "error_y")} | {"mode": "none"}
            out.append(f'<g style="color:inherit">{scatter(line, x, y, left + wide / 2)}</g>')
    return "".join(out)


def legend(traces: Sequence[dict[str, Any]], left: float, top: float, right: float) -> tuple[str, float]:
    """Names with their markers in rows, and the height that they take."""
    shown = [t for t in traces if t.get("name") and t.get("showlegend") is not False]
    if len(shown) < 2:
        return "", 0.0
    out, x, y = [], left, top
    for trace in shown:
        wide = 34 + len(trace["name"]) * SMALL * CHARACTER
        if x + wide > right and x > left:
            x, y = left, y + SMALL * 1.6
        symbol = (trace.get("marker") or {}).get("symbol", "circle" if "markers" in trace.get("mode", "") else "square")
        out.append(mark(x + 8, y - 4, symbol, 4.5, colour_of(trace)))
        out.append(text(x + 18, y, trace["name"], anchor="start"))
        x += wide
    return "".join(out), y - top + SMALL * 1.6


def same_scale(x: Axis, y: Axis) -> None:
    """Shrink the longer of two axes about its middle, so that a step is as many pixels on both."""
    scale = min(abs(a.end - a.start) / abs(a.high - a.low) for a in (x, y))
    for one in (x, y):
        middle, half = (one.start + one.end) / 2, scale * abs(one.high - one.low) / 2
        half = half if one.end > one.start else -half
        one.start, one.end = middle - half, middle + half


def image(trace: dict[str, Any], x: Axis, y: Axis) -> str:
    """A picture that fills its axes."""
    left, right, top, foot = min(x.start, x.end), max(x.start, x.end), min(y.start, y.end), max(y.start, y.end)
    return (
        f'<image href="{trace["source"]}" x="{left:.1f}" y="{top:.1f}" width="{right - left:.1f}" '
        f'height="{foot - top:.1f}" preserveAspectRatio="none" style="image-rendering: pixelated"/>'
    )


def panel(layout: dict[str, Any], traces: Sequence[dict[str, Any]], x: Axis, y: Axis) -> str:
    """Grid, ticks, titles and what is drawn in one pair of axes."""
    out = []
    if y.given.get("visible") is not False and y.given.get("showticklabels") is not False:
        for at, said in y.ticks():
            out.append(f'<path d="M{x.start:.1f} {at:.1f}H{x.end:.1f}" {GRID}/>')
            out.append(text(x.start - 6, at + 4, said, anchor="end"))
    if x.given.get("visible") is not False and x.given.get("showticklabels") is not False:
        ticks = x.ticks()
        wide = max((len(said) for _, said in ticks), default=0) * SMALL * CHARACTER
        turned = bool(x.words) and wide > x.step
        for at, said in ticks:
            if not x.words:
                out.append(f'<path d="M{at:.1f} {y.start:.1f}V{y.end:.1f}" {GRID}/>')
            turn = {"anchor": "end", "turn": -35} if turned else {}
            out.append(text(at, y.start + 17, said, **turn))
    out += [image(t, x, y) for t in traces if t.get("type") == "image"]
    drawn = [t for t in traces if t.get("type", "scatter") != "image"]
    out.append(bars([t for t in drawn if t.get("type") == "bar"], x, y))
    offsets = _offsets(layout, drawn, x)
    for trace in drawn:
        if trace.get("type") != "bar":
            out.append(scatter(trace, x, y, offsets.get(trace.get("offsetgroup", ""), 0.0)))
    return "".join(out)


def titles(x: Axis, y: Axis, height: float) -> str:
    """What the axes show, with units."""
    out = []
    if said := (x.given.get("title") or {}).get("text"):
        out.append(text((x.start + x.end) / 2, min(height - 6, y.start + 40), said, size=13))
    if said := (y.given.get("title") or {}).get("text"):
        middle = (y.start + y.end) / 2
        out.append(text(14, middle, said, size=13, turn=-90))
    return "".join(out)


def notes(layout: dict[str, Any], axes: dict[str, Axis], box: tuple[float, float, float, float]) -> str:
    """Lines across the plot, and annotations in it; the small print at the foot comes last."""
    left, top, right, foot = box
    out = []
    for shape in layout.get("shapes") or ():
        at = axes["y"].at(shape["y0"])
        out.append(f'<path d="M{left:.1f} {at:.1f}H{right:.1f}" stroke="currentColor" stroke-dasharray="2 4"/>')
    for said in layout.get("annotations") or ():
        if not said.get("text"):
            continue
        ref = (str(said.get("xref", "x")), str(said.get("yref", "y")))
        size = (said.get("font") or {}).get("size", SMALL)
        if ref == ("paper", "paper") and said.get("y") == 0:
            out.append(
                text(
                    right,
                    foot + 10 - said.get("yshift", 0),
                    said["text"],
                    size=10,
                    anchor="end",
                    extra=' opacity="0.75"',
                )
            )
            continue
        across = ref[0].split()[0] == "paper" or ref[0].endswith("domain")
        x = left + said.get("x", 0) * (right - left) if across else axes[ref[0]].at(said["x"])
        along = ref[1].split()[0] == "paper" or ref[1].endswith("domain")
        y = top + (1 - said.get("y", 0)) * (foot - top) if along else axes[ref[1]].at(said["y"])
        anchor = {"left": "start", "right": "end"}.get(said.get("xanchor", ""), "middle")
        if across and said.get("x") == 1:
            anchor = "end"
        below = said.get("yanchor") == "top"
        out.append(text(x, y + (size if below else -4), said["text"], size=size, anchor=anchor))
    return "".join(out)


def svg(figure: dict[str, Any], width: float = WIDTH) -> str:
    """A figure as an SVG element."""
    layout, traces = figure.get("layout", {}), list(figure.get("data", ()))
    height, margin = float(layout.get("height", 450)), layout.get("margin") or {}
    left, right = float(margin.get("l", 60)), width - float(margin.get("r", 20))
    names, taken = legend(traces, left, 16.0, right) if layout.get("showlegend") is not False else ("", 0.0)
    top, foot = max(float(margin.get("t", 20)), 10 + taken), height - float(margin.get("b", 55))
    axes: dict[str, Axis] = {}
    pairs = list(dict.fromkeys((t.get("xaxis", "x"), t.get("yaxis", "y")) for t in traces)) or [("x", "y")]
    drawn = [names]
    for across, along in pairs:
        x, y = axis(layout, traces, across), axis(layout, traces, along)
        a, b = x.given.get("domain") or (0, 1)
        c, d = y.given.get("domain") or (0, 1)
        x.start, x.end = left + a * (right - left), left + b * (right - left)
        y.start, y.end = foot - c * (foot - top), foot - d * (foot - top)
        if y.given.get("scaleanchor"):
            same_scale(x, y)
        axes |= {across: x, along: y}
        mine = [t for t in traces if (t.get("xaxis", "x"), t.get("yaxis", "y")) == (across, along)]
        drawn += [panel(layout, mine, x, y), titles(x, y, height)]
    drawn.append(notes(layout, axes, (left, top, right, foot)))
    return (
        f'<svg class="still" viewBox="0 0 {width:g} {height:g}" fill="currentColor" aria-hidden="true">'
        f"{''.join(drawn)}</svg>"
    )
