"""Sphinx extension: questions with a word about every choice, folded; no script, so it works in print as well.

    ```{quiz}
    What does a batch of 8 cost at the start?
    + log 8 nats
      Guessing among eight.
    - 1 / 8
      That is the chance of a right guess, not its loss.
    - 8 nats
      The loss is a logarithm.
    @ What the batch does

    The next question, after an empty line?
    ```

A choice with `+` is right, one with `-` is wrong; the line below says why. The line with `@` names the section of the
page to which wrong answers lead back. Choices are shuffled, by the question: in every build alike.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util import logging
from sphinx.util.docutils import SphinxDirective

WORDS = {"+": "Right.", "-": "No."}
#: Changes all orders at once.
SHUFFLE = "dice"

logger = logging.getLogger(__name__)


@dataclass
class Question:
    """A question, its choices (sign, text and why) in the order in which they are shown, and where to read again."""

    ask: str
    choices: list[tuple[str, str, str]]
    back: str


def parse(lines: Sequence[str]) -> list[Question]:
    """The questions of a quiz.

    Raises:
        ValueError: a line does not belong anywhere, or a question lacks its section, or has not one right choice among
            three or four with a reason each.
    """
    questions = []
    for block in "\n".join(lines).strip().split("\n\n"):
        ask, *rest = [line for line in block.split("\n") if line.strip()] or [""]
        back = rest.pop()[2:].strip() if rest and rest[-1].startswith("@ ") else ""
        if not back:
            raise ValueError(f"a question ends with the section where its answer stands, '@ Title': {ask!r}")
        if not ask or len(rest) % 2:
            raise ValueError(f"a question is followed by choices, each with a line that says why: {ask!r}")
        choices = []
        for choice, why in zip(rest[::2], rest[1::2], strict=True):
            if choice[:2] not in ("+ ", "- ") or not why.startswith("  "):
                raise ValueError(f"'+ choice' or '- choice' and an indented reason are needed, not {choice!r}, {why!r}")
            choices.append((choice[0], choice[2:].strip(), why.strip()))
        if len(choices) not in (3, 4) or [sign for sign, _, _ in choices].count("+") != 1:
            raise ValueError(f"{ask!r} needs three or four choices, one of them right")
        random.Random(SHUFFLE + ask).shuffle(choices)
        questions.append(Question(ask, choices, back))
    return questions


class Quiz(SphinxDirective):
    """A numbered list of questions."""

    has_content = True

    def run(self) -> list[nodes.Node]:
        try:
            questions = parse(list(self.content))
        except ValueError as error:
            raise self.error(f"this quiz cannot be read: {error}") from error
        listed = nodes.enumerated_list(classes=["quiz"], enumtype="arabic", prefix="", suffix=".")
        for question in questions:
            item = nodes.list_item()
            item += self.parse_text_to_nodes(question.ask)
            for sign, choice, why in question.choices:
                item += nodes.raw("", "<details><summary>", format="html")
                item += self._inline(choice)
                item += nodes.raw("", "</summary>", format="html")
                said = self.parse_text_to_nodes(f"**{WORDS[sign]}** {why}")
                if sign == "-":
                    link = nodes.reference(
                        "", "", refid="", internal=True, classes=["quiz-back"], section=question.back
                    )
                    self.set_source_info(link)
                    said[0] += [nodes.Text(" "), link]
                item += said
                item += nodes.raw("", "</details>", format="html")
            listed += item
        return [listed]

    def _inline(self, text: str) -> list[nodes.Node]:
        """One line without the paragraph around it, which may not stand in a summary."""
        paragraph = self.parse_text_to_nodes(text)[0]
        return list(paragraph.children)


def _plain(title: str) -> str:
    """A title without the quotes that Sphinx draws."""
    return title.translate(str.maketrans("“”’", '""\'')).strip()


def lead_back(app: Sphinx, doctree: nodes.document) -> None:
    """Wrong answers lead to the section that their question names."""
    links = [link for link in doctree.findall(nodes.reference) if "quiz-back" in link.get("classes", ())]
    titles = [title for title in doctree.findall(nodes.title) if links and isinstance(title.parent, nodes.section)]
    sections = {_plain(title.astext()): (title.parent["ids"][0], title.astext()) for title in titles}
    for link in links:
        found = sections.get(_plain(link["section"]))
        if found is None:
            logger.warning("a quiz leads to a section that is not on its page: %s", link["section"], location=link)
            continue
        link["refid"], title = found
        link += nodes.Text(f"Read again: {title}")


def setup(app: Sphinx) -> dict[str, Any]:
    app.add_directive("quiz", Quiz)
    app.connect("doctree-read", lead_back)
    return {"version": "2", "parallel_read_safe": True, "parallel_write_safe": True}
