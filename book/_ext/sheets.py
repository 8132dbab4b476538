"""Sheets of pictures, laid out for a wide page and for a phone; they need no script."""

from __future__ import annotations

import hashlib
from typing import Any

from stills import CHARACTER, SMALL, text

ENLARGED = 1.5  # at most, where the page has room


def sheet(figure: dict[str, Any], most: int, size: float) -> str:
    """Pictures cut out of their sheet and laid out anew, with the text of each below it.

    Args:
        most: pictures side by side. What stands in one column stays there: a second row is often to be compared.
        size: of the letters, at most: a text is no wider than its picture.
    """
    image, at, said = figure["data"][0]["source"], figure["layout"]["meta"]["sheet"], _labels(figure)
    (wide, high), (right, down) = at["picture"], at["cell"]
    rows = -(-at["count"] // at["columns"])
    blocks = -(-at["columns"] // most)
    across = -(-at["columns"] // blocks)
    parts = [label.split("<br>") for label in said.values()]
    lines = max(map(len, parts), default=0)
    longest = max((len(part) for label in parts for part in label), default=1)
    size = min(size, right / longest / CHARACTER)
    step = high + lines * size * 1.25 + (6 if lines else right - wide)
    out = []
    for k in range(at["count"]):
        row, column = divmod(k, at["columns"])
        x, y = column % across * right, (column // across * (rows + 0.15) + row) * step
        out.append(
            f'<svg x="{x:g}" y="{y:g}" width="{wide}" height="{high}" viewBox="{column * right} {row * down} {wide} '
            f'{high}"><use href="#{name(image)}"/></svg>'
        )
        if k in said:
            out.append(text(x + wide / 2, y + high + size, said[k], size=size))
    edge = (right - wide) / 2 if lines else 0  # a text may be wider than its picture by this, at the edges too
    width, height = across * right - (right - wide) + 2 * edge, ((blocks - 1) * (rows + 0.15) + rows) * step
    return (
        f'<svg viewBox="{-edge:g} 0 {width:g} {height:g}" style="max-width:{ENLARGED * width:g}px" fill="currentColor" '
        f'aria-hidden="true">{"".join(out)}</svg>'
    )


def _labels(figure: dict[str, Any]) -> dict[int, str]:
    """The text under each picture, by its number."""
    at = figure["layout"]["meta"]["sheet"]
    found = {}
    for said in figure["layout"].get("annotations") or ():
        column, row = (int(said[key] // at["cell"][k]) for k, key in enumerate("xy"))
        found[row * at["columns"] + column] = said["text"]
    return found


def name(image: str) -> str:
    """An id for a picture in a page."""
    return "sheet-" + hashlib.sha256(image.encode()).hexdigest()[:12]


def laid_out(figure: dict[str, Any]) -> str:
    """A figure that is nothing but pictures, for a wide page and for a phone, which share the bytes."""
    image, at = figure["data"][0]["source"], figure["layout"]["meta"]["sheet"]
    rows = -(-at["count"] // at["columns"])
    labelled = bool(_labels(figure))
    bytes_once = (
        f'<svg width="0" height="0" style="position:absolute" aria-hidden="true"><image id="{name(image)}" '
        f'href="{image}" width="{at["columns"] * at["cell"][0]}" height="{rows * at["cell"][1]}"/></svg>'
    )
    wide, phone = sheet(figure, 6 if labelled else 8, SMALL), sheet(figure, 3 if labelled else 4, 15)
    return f'{bytes_once}<div class="still-wide">{wide}</div><div class="still-phone">{phone}</div>'


def is_sheet(figure: dict[str, Any]) -> bool:
    """Whether a figure is nothing but pictures."""
    kinds = [trace.get("type") for trace in figure.get("data", ())]
    return kinds == ["image"] and "sheet" in (figure["layout"].get("meta") or {})
