"""Sphinx extension: the question of a chapter and its answer in a box, as far as the records answer it.

    ```{answer} backdoors
    ```                            the box that closes a chapter
    ```{answers}
    ```                            all of them, a section each: what we know

The texts are those of `answers.yml`; see `answer_texts`.
"""

from __future__ import annotations

from html import escape
from typing import Any

from answer_texts import PATH, TOLD, Answer, Number, get, judged, load, number, open_ends, texts
from docutils import nodes
from records import source
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective
from verdicts import badge, line, raw

from tutorial_lib.evidence import registry


def said(answer: Answer) -> str:
    """The first sentence, and the others in a list below it."""
    first, *others = texts(answer)
    return "\n".join([first, "", *(f"- {sentence}" for sentence in others)]).strip()


def not_known(answer: Answer) -> str:
    """What claims say besides, then what no record can say and what they leave open."""
    ends = open_ends(answer)
    known = [end for end in ends if end.startswith((TOLD["holds"], TOLD["fails"]))]
    return " ".join([*known, f"**Not known.** {answer.not_known()}", *(end for end in ends if end not in known)])


def markdown(key: str) -> str:
    """The box as a notebook's text can hold it."""
    answer = get(key)
    head = f"**The answer.** *{answer.question}*"
    text = f"{head}\n\n{said(answer)}\n\n{not_known(answer)}"
    return "\n".join(f"> {row}".rstrip() for row in text.splitlines())


def evidence(answer: Answer) -> str:
    """Verdicts and intervals behind the sentences, folded."""
    lines = []
    for claim in answer.rests_on():
        found = judged(claim)
        link = f"paper_beside_ours.html#claim-{claim.replace('_', '-')}"
        lines.append(f'<li>{badge(found)} <a href="{link}">{escape(found.claim.says, quote=False)}</a></li>')
    for text in answer.numbers.values():
        found_number = number(text)
        if found_number is not None:
            lines.append(f"<li>{_interval(found_number)}</li>")
    if not lines:
        return ""
    return f"<details><summary>what this rests on</summary><ul>{''.join(lines)}</ul></details>"


def _interval(found: Number) -> str:
    many = f"95 % interval {found.low} to {found.high}, {found.models} models" if found.models > 1 else "one model"
    title = registry.load(found.experiment).TITLE
    return f"<b>{found}</b> ({many}): {escape(title)}, <code>{escape(found.text, quote=False)}</code>"


class AnswerDirective(SphinxDirective):
    """The box that closes a chapter."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        self.env.note_dependency(str(PATH))
        try:
            return [self.box(get(self.arguments[0]))]
        except ValueError as error:
            raise self.error(str(error)) from error

    def box(self, answer: Answer, *, asked: bool = True) -> nodes.container:
        """Answer, what is not known, and folded what it rests on; above them the question, if it shall be asked."""
        node = nodes.container(classes=["answer"], ids=[f"answer-{answer.key.replace('_', '-')}"])
        node += raw('<div role="note" aria-label="The answer">')
        node += nodes.paragraph("", "", nodes.strong("", "The answer"), classes=["answer-title"])
        if asked:
            node += nodes.paragraph("", "", nodes.emphasis("", answer.question), classes=["answer-question"])
        node += self.parse_text_to_nodes(said(answer))
        node += nodes.container("", *self.parse_text_to_nodes(not_known(answer)), classes=["answer-open"])
        node += raw(f"{evidence(answer)}</div>")
        return node


class AnswersDirective(AnswerDirective):
    """All answers, a section each."""

    required_arguments = 0

    def run(self) -> list[nodes.Node]:
        self.env.note_dependency(str(PATH))
        try:
            return [self.section(answer) for answer in load().values()]
        except ValueError as error:
            raise self.error(str(error)) from error

    def section(self, answer: Answer) -> nodes.section:
        """One screen: the question, the box, a line of a claim, and where to read on."""
        section = nodes.section(ids=[f"know-{answer.key.replace('_', '-')}"], classes=["know"])
        section += nodes.title("", answer.question)
        section += self.box(answer, asked=False)
        if answer.shows:
            drawn = line(judged(answer.shows), source(), self.parse_text_to_nodes)
            section += nodes.container("", drawn, classes=["claims"])
        see = f" {answer.see}" if answer.see else ""
        section += self.parse_text_to_nodes(f"Read []({answer.page}.md).{see}")
        return section


def setup(app: Sphinx) -> dict[str, Any]:
    app.add_directive("answer", AnswerDirective)
    app.add_directive("answers", AnswersDirective)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
