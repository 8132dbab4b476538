"""A claim as a line of a forest plot: the interval over models, drawn over the region that the claim allows.

Pixels across are shares of the width, so that one drawing fits a phone and a desk, and letters keep their size.
"""

from __future__ import annotations

import math
import re
from html import escape

from tutorial_lib.evidence.claims import Claim, Verdict

HEIGHT, MIDDLE, FOOT = 54, 24, 48  # pixels
EDGE = 0.12  # of the range, left free on both sides
FAR = 3  # ranges of bound and value beyond which an interval is cut, and ends in an arrow
MINUS = "\N{MINUS SIGN}"


def number(value: float, digits: int = 3) -> str:
    """A number as it is printed, with a minus sign and not a hyphen."""
    text = f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.{digits}g}"
    return text.replace("-", MINUS)


def asked(claim: Claim) -> tuple[str, str]:
    """What is measured and where the claim puts it: ("A − B (margin 0.5)", "> −0.5").

    Example: "z of the largest model less z of the smallest", above 0, becomes
    "z of the largest model − z of the smallest" and "> 0".
    """
    what = re.sub(r" less (?!than\b)", f" {MINUS} ", claim.what.strip())
    if claim.kind == "exists":
        return what, "in some models"
    low, high = number(claim.above), number(claim.below)
    if math.isinf(claim.above):
        return what, f"< {high}"
    return what, f"> {low}" if math.isinf(claim.below) else f"between {low} and {high}"


def bounds(claim: Claim) -> list[float]:
    """The finite ends of the region."""
    return [bound for bound in (claim.above, claim.below) if math.isfinite(bound)]


def said(verdict: Verdict) -> str:
    """The same in words, for who cannot see it."""
    e, (what, where) = verdict.estimate, asked(verdict.claim)
    if e is None:
        return f"{what} {where}: not measured"
    interval = f"95 % interval {number(e.low)} to {number(e.high)}, {e.n} models"
    return f"{verdict.verdict}. Measured: {number(e.value)}, {interval}. Claimed: {where}."


def strip(verdict: Verdict) -> str:
    """The line as SVG; nothing where nothing was measured."""
    claim, e = verdict.claim, verdict.estimate
    if e is None:
        return ""
    ends = bounds(claim)
    core = [e.value, *ends, *([claim.reported] if claim.reported is not None else [])]
    far = FAR * (max(core) - min(core)) or math.inf
    low, high = min(*core, max(e.low, min(core) - far)), max(*core, min(e.high, max(core) + far))
    if claim.kind in ("share", "exists"):
        low, high = 0.0, 1.0
    room = EDGE * (high - low) or 0.5
    low, high = low - room, high + room

    def at(value: float) -> str:
        return f"{100 * (min(max(value, low), high) - low) / (high - low):.1f}%"

    out = []
    if ends:
        left, right = at(max(claim.above, low)), at(min(claim.below, high))
        wide = f"{float(right[:-1]) - float(left[:-1]):.1f}%"
        out.append(f'<rect class="strip-allowed" x="{left}" y="4" width="{wide}" height="{MIDDLE + 12}"/>')
    out.append(f'<line class="strip-axis" x1="0" x2="100%" y1="{MIDDLE + 16}" y2="{MIDDLE + 16}"/>')
    for bound in ends:
        out.append(f'<line class="strip-bound" x1="{at(bound)}" x2="{at(bound)}" y1="4" y2="{MIDDLE + 16}"/>')
    if len(ends) == 2 and ends[1] - ends[0] < 0.12 * (high - low):
        out.append(f'<text x="{at(sum(ends) / 2)}" y="{FOOT + 4}">{number(ends[0])} to {number(ends[1])}</text>')
    else:
        out += [f'<text x="{at(bound)}" y="{FOOT + 4}">{number(bound)}</text>' for bound in ends]
    if low < 0 < high and all(abs(bound) > 0.09 * (high - low) for bound in ends):
        out.append(f'<line class="strip-axis" x1="{at(0)}" x2="{at(0)}" y1="{MIDDLE + 11}" y2="{MIDDLE + 16}"/>')
        out.append(f'<text class="strip-zero" x="{at(0)}" y="{FOOT + 4}">0</text>')
    if of_models := claim.kind in ("share", "exists"):
        out.append(f'<line class="strip-axis" x1="{at(1)}" x2="{at(1)}" y1="{MIDDLE + 11}" y2="{MIDDLE + 16}"/>')
        out.append(f'<text class="strip-zero" x="{at(1)}" y="{FOOT + 4}">1</text>')
    if claim.reported is not None:
        out.append(f'<circle class="strip-paper" cx="{at(claim.reported)}" cy="{MIDDLE}" r="7"/>')
    out.append(f'<line class="strip-interval" x1="{at(e.low)}" x2="{at(e.high)}" y1="{MIDDLE}" y2="{MIDDLE}"/>')
    for end, sign in ((e.low, "◂"), (e.high, "▸")):
        if low <= end <= high:
            cap = f'x1="{at(end)}" x2="{at(end)}" y1="{MIDDLE - 5}" y2="{MIDDLE + 5}"'
            out.append(f'<line class="strip-interval" {cap}/>')
        else:
            out.append(f'<text class="strip-number" x="{at(end)}" y="{MIDDLE + 5}">{sign}</text>')
    shown = f"{round(e.value * e.n)} of {e.n}" if of_models else number(e.value)
    out.append(f'<circle class="strip-value" cx="{at(e.value)}" cy="{MIDDLE}" r="4.5"/>')
    out.append(f'<text class="strip-number" x="{at(e.value)}" y="{MIDDLE - 10}">{shown}</text>')
    return (
        f'<svg class="strip" width="100%" height="{HEIGHT}" role="img" aria-label="{escape(said(verdict))}">'
        f"{''.join(out)}</svg>"
    )


def place(claim: Claim) -> str:
    """Where the source says it: a numbered section by its number, another place by its name.

    The book has slides of its own, so those of a paper's authors are called theirs.
    """
    if claim.section[:1].isdigit():
        return f"section {claim.section}"
    return f"authors’ {claim.section}" if claim.section.startswith("slides") else claim.section
