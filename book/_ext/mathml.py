"""TeX as MathML, which browsers draw themselves: for slides that carry no script of others.

Knows what the course's formulas are made of, and refuses the rest by name.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from html import escape

TOKEN = re.compile(r"\\(?:[a-zA-Z]+|.)|[^\s]", re.S)
IDENTIFIERS = {
    "alpha": "α",
    "ell": "ℓ",
    "lambda": "λ",
    "mu": "μ",
    "pi": "π",
    "sigma": "σ",
    "tau": "τ",
    "Delta": "Δ",
    "top": "⊤",
}
OPERATORS = {
    "approx": "≈",
    "cdot": "⋅",
    "ne": "≠",
    "cup": "∪",
    "in": "∈",
    "langle": "⟨",
    "dots": "…",
    "ldots": "…",
    "le": "≤",
    "ge": "≥",
    "lVert": "‖",
    "rVert": "‖",
    "lvert": "|",
    "rvert": "|",
    "oplus": "⊕",
    "pm": "±",
    "rangle": "⟩",
    "sum": "∑",
    "times": "×",
    "to": "→",
    "{": "{",
    "}": "}",
    "%": "%",
}
BRACKETS = {"{", "}", "langle", "rangle", "lVert", "rVert", "lvert", "rvert"}
FUNCTIONS = {"log", "exp", "cos", "sin", "max", "min"}
SPACES = {",": 0.167, ";": 0.278, ":": 0.222, " ": 0.25, "!": 0.0, "quad": 1.0, "qquad": 2.0}
#: Heights of brackets, in letters; those of `left` and `right` are as high as what they hold.
SIZES = {"bigl": "1.2em", "bigr": "1.2em", "Bigl": "1.8em", "Bigr": "1.8em", "left": "", "right": ""}
WORDS = {"text", "mathrm", "operatorname", "textbf"}
PRIME = '<mo lspace="0" rspace="0">′</mo>'
ACCENTS = {"tilde": "~", "hat": "^", "bar": "¯"}
LIMITS = {"∑", "max", "min"}


class Formula:
    """A formula under way, read once from left to right.

    Raises:
        ValueError: a command that is not known, or a brace without its other half.
    """

    def __init__(self, tex: str) -> None:
        self.tex = tex
        self.left: Iterator[re.Match[str]] = TOKEN.finditer(tex)
        self.next: re.Match[str] | None = next(self.left, None)

    def take(self) -> str:
        if self.next is None:
            raise ValueError(f"the formula ends too early: {self.tex!r}")
        token, self.next = self.next[0], next(self.left, None)
        return token

    def peek(self) -> str:
        return self.next[0] if self.next else ""

    def row(self, *ends: str) -> str:
        """What stands up to one of some tokens, which is taken too; up to the end for none."""
        parts: list[str] = []
        while self.next is not None:
            if self.peek() in ends:
                self.take()
                return "".join(parts)
            parts.append(self.with_scripts())
        if ends:
            raise ValueError(f"{ends[0]!r} is missing in the formula {self.tex!r}")
        return "".join(parts)

    def with_scripts(self) -> str:
        base, above, below = self.number() if self.peek().isdigit() else self.atom(), "", ""
        while self.peek() in ("^", "_", "'"):
            sign = self.take()
            if sign == "'":
                base = f"<mrow>{base}{PRIME}</mrow>"  # the letter is high by itself
            elif sign == "^":
                above += self.atom()
            else:
                below += self.atom()
        above = f"<mrow>{above}</mrow>"
        stretched = re.sub("<[^>]+>", "", base) in LIMITS or base.startswith("<munder>")
        over, under, both = ("mover", "munder", "munderover") if stretched else ("msup", "msub", "msubsup")
        if above != "<mrow></mrow>" and below:
            return f"<{both}>{base}{below}{above}</{both}>"
        if below:
            return f"<{under}>{base}{below}</{under}>"
        return f"<{over}>{base}{above}</{over}>" if above != "<mrow></mrow>" else base

    def number(self) -> str:
        """Digits in a row, with a point or a comma between them."""
        assert self.next is not None
        found = re.compile(r"[0-9]+(?:[.,][0-9]+)*").match(self.tex, self.next.start())
        assert found is not None
        while self.next is not None and self.next.start() < found.end():
            self.take()
        return f"<mn>{found[0]}</mn>"

    def words(self) -> str:
        """The text in braces that follows, with its spaces, or the one letter."""
        if self.peek() != "{":
            return self.take()
        assert self.next is not None
        start = self.next.end()
        end = self.tex.index("}", start)
        while self.next is not None and self.next.start() <= end:
            self.take()
        return self.tex[start:end].replace("\\", "")

    def atom(self) -> str:
        token = self.take()
        if token == "{":
            return f"<mrow>{self.row('}')}</mrow>"
        if token.startswith("\\"):
            return self.command(token[1:])
        if token[0].isdigit():
            return f"<mn>{token}</mn>"
        if token.isalpha():
            return f"<mi>{token}</mi>"
        if token in "}^_&":
            raise ValueError(f"{token!r} stands alone in the formula {self.tex!r}")
        small = ' stretchy="false"' if token in "()[]" else ""
        return f"<mo{small}>{escape('−' if token == '-' else '∣' if token == '|' else token)}</mo>"

    def command(self, name: str) -> str:
        if name in IDENTIFIERS:
            return f"<mi>{IDENTIFIERS[name]}</mi>"
        if name in FUNCTIONS:
            return f'<mi>{name}</mi><mspace width="0.167em"/>' if name not in LIMITS else f"<mo>{name}</mo>"
        if name in OPERATORS:
            small = ' stretchy="false"' if name in BRACKETS else ""
            return f"<mo{small}>{OPERATORS[name]}</mo>"
        if name in SPACES:
            return f'<mspace width="{SPACES[name]:g}em"/>'
        if name in SIZES:
            high = f' minsize="{SIZES[name]}" maxsize="{SIZES[name]}"' if SIZES[name] else ""
            return re.sub(r'^<mo(?: stretchy="false")?>', f'<mo stretchy="true"{high}>', self.atom())
        if name in WORDS:
            if name == "operatorname" and self.peek() == "*":
                self.take()
            said = escape(self.words())
            return f"<mi>{said}</mi>" if name in ("mathrm", "operatorname") else f"<mtext>{said}</mtext>"
        if name in ("mathcal", "mathbb", "mathbf"):
            return f'<mi class="{name}">{escape(self.words())}</mi>'
        if name in ("frac", "tfrac"):
            small = ' displaystyle="false"' if name == "tfrac" else ""
            return f"<mstyle{small}><mfrac>{self.atom()}{self.atom()}</mfrac></mstyle>"
        if name == "sqrt":
            return f"<msqrt>{self.atom()}</msqrt>"
        if name in ACCENTS:
            return f"<mover>{self.atom()}<mo>{ACCENTS[name]}</mo></mover>"
        if name == "underbrace":
            return f"<munder>{self.atom()}<mo>⏟</mo></munder>"
        if name == "begin":
            return self.block(self.words())
        raise ValueError(f"\\{name} is not known to book/_ext/mathml.py: {self.tex!r}")

    def block(self, kind: str) -> str:
        """Lines below each other, their columns at `&`."""
        lines: list[list[str]] = [[""]]
        while True:
            if self.peek() == "\\end":
                self.take()
                self.words()
                break
            if self.peek() == "&":
                self.take()
                lines[-1].append("")
            elif self.peek() == "\\\\":
                self.take()
                lines.append([""])
            else:
                lines[-1][-1] += self.with_scripts()
        rows = "".join(
            "<mtr>" + "".join(f"<mtd>{cell}</mtd>" for cell in line) + "</mtr>" for line in lines if any(line)
        )
        return f'<mtable displaystyle="true" class="{escape(kind)}">{rows}</mtable>'


def mathml(tex: str, *, display: bool = False) -> str:
    """A formula as a MathML element.

    Args:
        tex: without the dollars around it.
        display: whether it stands on a line of its own.

    Raises:
        ValueError: it holds a command that is not known here, or a brace without its other half.
    """
    kind = ' display="block"' if display else ""
    return f"<math{kind}><mrow>{Formula(tex).row()}</mrow></math>"
