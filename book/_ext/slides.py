"""What of a chapter stands on slides: headings, first sentences, formulas, drawings, figures, results, claims, quiz.

Nothing is executed. Of a paragraph, the first sentences that fit are shown and the whole becomes a speaker note. What
cells printed and drew comes from the run that the pages were built with; without one, sentences with its numbers are
left out. `decks` makes pages of the slides.
"""

from __future__ import annotations

import ast
import base64
import json
import re
from dataclasses import dataclass, field
from html import escape
from pathlib import Path
from typing import Any

import answers
import forest
import live_figures
import plain_markdown
import quiz
import records
import stills
import verdicts
from markdown_it import MarkdownIt
from markdown_it.tree import SyntaxTreeNode
from mathml import mathml
from mdit_py_plugins.colon_fence import colon_fence_plugin
from mdit_py_plugins.dollarmath import dollarmath_plugin
from mdit_py_plugins.front_matter import front_matter_plugin
from plain_markdown import inline, options_of
from run_outputs import Output, Run

from tutorial_lib import places
from tutorial_lib.course.drawings import DRAWINGS
from tutorial_lib.evidence import claims, quantities, registry
from tutorial_lib.evidence.shown import unrecorded
from tutorial_lib.evidence.table import Table

#: Letters of a sentence and sentences of a slide, so that it can be read from the last row.
LONGEST, MOST = 230, 4
#: Lines of code that fit.
LINES = 16
#: In place of a number that only the live run knows.
UNKNOWN = "\N{HORIZONTAL ELLIPSIS}\N{ZERO WIDTH SPACE}"
PREDICT = re.compile(r"\*Predict, then \w+:\*")
#: Where a sentence ends: after its full stop, and after the quote, the parenthesis or the emphasis that closes with it.
SENTENCE = re.compile(r"(?:(?<=[.?!])|(?<=[.?!][*\")])|(?<=[.?!]\*\*))\s+(?=[\"*(`]*[A-Z${])")
#: A few words in italics or bold, which belong to the next sentence.
LEAD = re.compile(r"(\*\*?)[^*]{1,60}[.?!]\1$")
LINK = re.compile(r"\[(?P<text>[^\]]*)\]\((?P<page>\w+)\.md(?:#[\w-]*)?\)")
#: Sections that are work at a desk.
LEFT_OUT = {"Experiments to try"}


@dataclass
class Slide:
    """One slide.

    Attributes:
        kind: what it shows, for the style sheet.
        title: of its section.
        body: HTML, piece by piece.
        notes: HTML of the speaker's paragraphs.
        figure: the name of the figure or drawing that it shows.
        full: whether what follows in the text belongs to its notes.
    """

    kind: str
    title: str
    body: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    figure: str = ""
    full: bool = False


def reader() -> MarkdownIt:
    """Markdown with formulas and MyST's fences."""
    md = MarkdownIt("commonmark").enable("table").use(front_matter_plugin).use(colon_fence_plugin)
    return md.use(dollarmath_plugin, renderer=lambda tex, how: mathml(tex, display=how["display_mode"]))


def title_of(page: str) -> str:
    """The first heading of a page."""
    return next(x[2:] for x in (places.book() / f"{page}.md").read_text().splitlines() if x.startswith("# "))


class Deck:
    """The slides of a chapter, made from its file.

    Args:
        path: of the chapter.
        pages: where the built pages lie, as seen from the deck.
        run: what its cells printed and drew; without it a deck has no results of them.

    Raises:
        ValueError: something in the text that a slide cannot show.
    """

    def __init__(self, path: Path, pages: str = "..", run: Run | None = None) -> None:
        self.path, self.pages, self.run = path, pages, run
        self.name, self.md = path.stem, reader()
        # what the run and the cell of parameters say
        self.known: dict[str, Any] = {} if run is None else dict(run.glued)
        self.title, self.question = "", ""
        self.slides: list[Slide] = []
        self.section, self.asked, self.skipped = "", False, False
        self.exercises: list[str] = []
        for node in SyntaxTreeNode(self.md.parse(path.read_text())).children:
            self._see(node)
        if self.exercises:
            items = "".join(f"<li>{said}</li>" for said in self.exercises)
            last = Slide("exercises", "Exercises", [f"<ul>{items}</ul>"], full=True)
            last.notes.append("<p>Stubs, checks and folded solutions are on the page.</p>")
            self.slides.append(last)

    # -- texts

    def _say(self, role: str, text: str) -> str:
        found = records.source()
        if role == "measured":
            return quantities.measured(text, found)
        if role == "interval":
            return quantities.interval(text, found)
        if role == "verdict":
            return f"**{claims.judge(claims.get(text), found).verdict}**"
        if role in ("cite", "cite:p", "cite:t"):
            return plain_markdown.cited(text, places.book() / "references.bib", textual=role == "cite:t")
        if role == "doc":
            label = re.match(r"(.+?) <\w+>$", text)
            return f"*{label[1] if label else title_of(text)}*"
        if role == "shipped":
            return live_figures.shipped_rate(text)
        if role == "numref":
            return "the drawing" if text.startswith("drawing-") else "the figure"
        if role == "glue:text":
            name, _, form = text.partition(":")
            return format(self.known[name], form) if name in self.known else UNKNOWN
        if role == "term":
            return text
        raise ValueError(f"{self.name}: a slide cannot show the role {role!r} yet")

    def _plain(self, text: str) -> str:
        """Markdown without roles and links to pages."""
        text = LINK.sub(lambda m: m["text"] or f"*{title_of(m['page'])}*", text)
        return plain_markdown.ROLE.sub(lambda m: self._say(m["name"], " ".join(m["text"].split())), text)

    def _sentences(self, text: str) -> list[str]:
        """Those that hold no number of the live run."""
        parts = [self._plain(" ".join(each.split())) for each in SENTENCE.split(text) if each.strip()]
        parts = [part[:1].upper() + part[1:] if part.startswith("the ") else part for part in parts]
        for k in reversed(range(len(parts) - 1)):
            if LEAD.match(parts[k]):
                parts[k : k + 2] = [" ".join(parts[k : k + 2])]
        return [part for part in parts if UNKNOWN not in part]

    def _line(self, text: str) -> str:
        return self.md.renderInline(text)

    # -- what stands in the chapter

    def _see(self, node: SyntaxTreeNode) -> None:
        if node.type == "heading":
            self._heading(node)
        elif node.type in ("fence", "colon_fence"):
            self._fence(node)
        elif self.skipped or not self.title:
            return
        elif node.type == "paragraph":
            self._paragraph(inline(node))
        elif node.type == "math_block":
            self._open().body.append(f'<div class="formula">{mathml(node.content, display=True)}</div>')
        elif node.type in ("bullet_list", "ordered_list"):
            self._items(node)
        elif node.type == "table":
            self._table(node)

    def _heading(self, node: SyntaxTreeNode) -> None:
        said = self._plain(inline(node))
        if node.tag == "h1":
            self.title = said
            return
        self.skipped = said in LEFT_OUT
        self.section = said
        self.asked = False
        if said not in ("Exercises", "Check yourself") and not self.skipped:
            self.slides.append(Slide("text", said))

    def _open(self) -> Slide:
        """The slide on which a piece finds room."""
        if not self.slides:
            self.slides.append(Slide("text", self.title))
        last = self.slides[-1]
        if last.full or len(last.body) >= MOST:
            last = Slide("text", self.section or self.title)
            self.slides.append(last)
        return last

    def _note(self, sentences: list[str]) -> None:
        if sentences and self.slides:
            self.slides[-1].notes.append(f"<p>{self._line(' '.join(sentences))}</p>")

    def _paragraph(self, text: str) -> None:
        if not self.section and text.startswith("*") and text.endswith("*") and not self.question:
            self.question = self._line(self._plain(text[1:-1]))
            return
        found = PREDICT.search(text)
        sentences = self._sentences(text[: found.start()] if found else text)
        last = self.slides[-1] if self.slides else None
        if sentences and self.section in ("Exercises", "Check yourself"):
            return
        fitting = [s for s in sentences if len(s) <= LONGEST and s.rstrip('*")').endswith((".", "?", "!"))]
        if fitting and (last is None or (not last.full and len(last.body) < MOST)):
            slide = self._open()
            slide.body += [f"<p>{self._line(s)}</p>" for s in fitting[: 1 if slide.body else 2]]
            self._note(sentences if len(sentences) > 1 else [])
        else:
            self._note(sentences)
        if found and (questions := self._sentences(text[found.end() :])):
            said = self._line(" ".join(q[:1].upper() + q[1:] for q in questions))
            self.slides.append(Slide("predict", "Predict, then run", [f"<p>{said}</p>"], full=True))
            self.slides[-1].notes.append("<p>Have every guess written down before you go on.</p>")
            self.asked = True

    def _items(self, node: SyntaxTreeNode) -> None:
        if self.section == "Exercises":
            return
        texts = [" ".join(inline(p) for p in item.walk() if p.type == "paragraph") for item in node.children]
        found = [each for text in texts if (each := self._sentences(text))]
        kept = [self._line(whole if len(whole := " ".join(each)) <= LONGEST else each[0]) for each in found]
        if not kept:
            return
        tag = "ol" if node.type == "ordered_list" else "ul"
        first = not self.section
        slide = self._open() if not first else Slide("text", "At the end you will be able to")
        if first:
            self.slides.append(slide)
        slide.body.append(f"<{tag}>{''.join(f'<li>{k}</li>' for k in kept)}</{tag}>")
        slide.full = first or len(kept) > MOST

    def _table(self, node: SyntaxTreeNode) -> None:
        rows = [[self._plain(inline(c)) for c in row.children] for row in node.walk() if row.type == "tr"]
        if any(UNKNOWN in cell for row in rows for cell in row):
            return
        cells = ("".join(f"<td>{self._line(c)}</td>" for c in row) for row in rows)
        body = "".join(f"<tr>{row}</tr>" for row in cells)
        self.slides.append(Slide("table", self.section or self.title, [f"<table>{body}</table>"], full=True))

    # -- directives

    def _fence(self, node: SyntaxTreeNode) -> None:
        match = re.match(r"\{([\w-]+)\}\s*(.*)", node.info)
        if match is None:
            return
        name, argument = match[1], match[2].strip()
        options, body = options_of(node.content)
        if name == "code-cell":
            self._cell(options, body)
        elif name == "exercise-start":
            self.exercises.append(self._line(self._plain(argument)))
        elif name == "drawing":
            self._drawing(argument, body)
        elif name == "live-figure":
            self._live(argument, options, body)
        elif name == "quiz":
            self._quiz(body)
        elif name == "claims":
            self._claims(f"{argument} {body}".split())
        elif name == "answer":
            self._answer(argument)
        elif name in ("exercise-end", "solution-start", "solution-end", "raw", "further-reading"):
            return
        elif name == "dropdown":
            if self.section != "Exercises":
                self._note(self._sentences(body))
        else:  # a box, such as a note
            points = [p for each in re.split(r"\n\s*\n", body) if (p := " ".join(self._sentences(each)))]
            if points:
                title = self._plain(argument) or name.replace("-", " ").capitalize()
                box = [f"<p>{self._line(point)}</p>" for point in points]
                self.slides.append(Slide("box", title, box, full=True))

    def _cell(self, options: dict[str, str], code: str) -> None:
        tags = options.get("tags", "")
        if "parameters" in tags:
            for each in ast.parse(code).body:
                if isinstance(each, ast.Assign) and isinstance(each.value, ast.Constant):
                    self.known |= {t.id: each.value.value for t in each.targets if isinstance(t, ast.Name)}
        elif "from-records" in tags:
            if "hide-output" in tags or "hide-cell" in tags:
                return  # what a page folds is too long for a slide
            for call in records.CALL.finditer(code):
                self._record(call[1], call[2] or "plot")
        elif "remove-cell" not in tags and self.section not in ("Exercises", "Check yourself"):
            if self.asked and "hide" not in tags and "remove" not in tags and len(code.strip().splitlines()) <= LINES:
                self.slides.append(
                    Slide("code", self.section, [f"<pre><code>{escape(code.strip())}</code></pre>"], full=True)
                )
                self.asked = False
            if self.run is not None and "output" not in tags:
                for output in self.run.shown.get(code.strip(), ()):
                    self._output(output)

    def _output(self, output: Output) -> None:
        """What a cell showed: short texts below their code, figures and tables on a slide of their own."""
        if output.kind == "text":
            lines = output.value.splitlines()
            if not 0 < len(lines) <= LINES:
                return  # a page has room for it, a slide has not
            body, last = f'<pre class="printed">{escape(output.value)}</pre>', self.slides[-1] if self.slides else None
            if last is not None and self._has_room(last, len(lines)):
                last.body.append(body)
            else:
                self.slides.append(Slide("printed", self.section or self.title, [body], full=True))
        elif output.kind == "html":
            if "<table" in output.value:
                self.slides.append(Slide("table", self.section or self.title, [output.value], full=True))
        else:
            self._figure(output.value, self.section or self.title)

    def _has_room(self, last: Slide, lines: int) -> bool:
        """Whether a slide of this section can take so many lines more."""
        if last.title != self.section or last.kind not in ("code", "printed", "text"):
            return False
        return lines + sum(piece.count("\n") + 2 for piece in last.body) <= LINES and len(last.body) < MOST

    def _figure(self, plain: dict[str, Any], otherwise: str, name: str = "") -> None:
        """A slide with a figure, under its own title."""
        layout = dict(plain["layout"])
        alt = escape(str((layout.get("meta") or {}).get("alt", "")))
        title = (layout.pop("title", None) or {}).get("text", "")
        drawn = stills.svg(plain | {"layout": layout})
        body = f'<div class="chart" role="img" aria-label="{alt}">{drawn}</div>'
        said = title[:1].upper() + title[1:] or otherwise
        self.slides.append(Slide("figure", said, [body], figure=name, full=True))

    def _record(self, name: str, part: str) -> None:
        found = records.source().behind(name)
        shown = unrecorded(name, found) or getattr(registry.load(name), part)(found)
        figure = name if part == "plot" else f"{name}-{part.replace('_', '-')}"
        if isinstance(shown, Table):
            self.slides.append(
                Slide("table", registry.load(name).TITLE, [shown._repr_html_()], figure=figure, full=True)
            )
            return
        self._figure(json.loads(shown.to_json()), self.section, figure)

    def _drawing(self, name: str, caption: str) -> None:
        if name not in DRAWINGS:
            raise ValueError(f"{self.name}: there is no drawing {name!r}")
        draw, alt = DRAWINGS[name]
        body = [f'<div class="drawn">{draw(False).svg(alt)}</div>', f"<p>{self._line(self._plain(caption))}</p>"]
        self.slides.append(Slide("drawing", self.section or self.title, body, figure=f"drawing-{name}", full=True))

    def _live(self, name: str, options: dict[str, str], caption: str) -> None:
        still = places.book() / "live" / f"{name}.png"
        alt = escape(options.get("alt", ""))
        said = f'<a href="{self.pages}/{self.name}.html#{options.get("name", "")}">Open the live figure on its page</a>'
        body = [f"<p>{said}</p>"]
        if still.is_file():
            data = base64.b64encode(still.read_bytes()).decode()
            body.insert(0, f'<div class="pixels"><img alt="{alt}" src="data:image/png;base64,{data}"></div>')
        self.slides.append(Slide("live", self.section or self.title, body, figure=f"live-{name}", full=True))
        self._note(self._sentences(caption))

    def _answer(self, key: str) -> None:
        """The answer to the chapter's question; what is not known is said."""
        answer = answers.get(key)
        first, *others = (self._line(self._plain(each)) for each in answers.texts(answer))
        body = [f"<p>{first}</p>", f"<ul>{''.join(f'<li>{each}</li>' for each in others)}</ul>"]
        notes = [f"<p>{self._line(self._plain(answers.not_known(answer)))}</p>"]
        self.slides.append(Slide("box", "The answer", body, notes, full=True))

    def _quiz(self, body: str) -> None:
        for question in quiz.parse(body.splitlines()):
            choices, reasons = [], []
            for sign, choice, why in question.choices:
                said, right = self._line(self._plain(choice)), ' class="right"' if sign == "+" else ""
                choices.append(f"<li{right}>{said}</li>")
                reasons.append(f"<p><b>{quiz.WORDS[sign]}</b> <i>{said}</i> {self._line(self._plain(why))}</p>")
            ask = f"<p>{self._line(self._plain(question.ask))}</p>"
            listed = f'<ol class="choices" type="a">{"".join(choices)}</ol>'
            self.slides.append(Slide("quiz", "Check yourself", [ask, listed], reasons, full=True))

    def _claims(self, names: list[str]) -> None:
        rows, notes = [], []
        for name in names:
            verdict = claims.judge(claims.get(name), records.source())
            rows.append(f"<tr><td>{verdicts.badge(verdict)}</td><td>{escape(verdict.claim.says)}</td></tr>")
            what, where = forest.asked(verdict.claim)
            said = f"<p>{escape(what)} <b>{escape(where)}</b>"
            if (e := verdict.estimate) is not None:
                value, low, high = map(forest.number, (e.value, e.low, e.high))
                said += f": {value}, 95 % interval {low} to {high}, {e.n} models"
            why = self._line(quantities.written(verdict.why, records.source()))
            notes.append(f"{said}. {why}</p>")
        body = f"<table>{''.join(rows)}</table>"
        self.slides.append(Slide("claims", "What the records say", [body], notes, full=True))
