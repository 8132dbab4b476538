"""Sphinx extension: questions with a word about every choice, folded; no script, so it works in print as well.

    ```{quiz}
    What does a batch of 8 cost at the start?
    + log 8 nats
      Guessing among eight.
    - 1 / 8
      That is the chance of a right guess, not its loss.

    The next question, after an empty line?
    ```

A choice with `+` is right, one with `-` is wrong; the line below says why.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

WORDS = {"+": "Right.", "-": "No."}


@dataclass
class Question:
    """A question with its choices: sign, text and why."""

    ask: str
    choices: list[tuple[str, str, str]]


def parse(lines: Sequence[str]) -> list[Question]:
    """The questions of a quiz.

    Raises:
        ValueError: a line does not belong anywhere, or a question lacks a right choice, a second one or a reason.
    """
    questions = []
    for block in "\n".join(lines).strip().split("\n\n"):
        ask, *rest = [line for line in block.split("\n") if line.strip()] or [""]
        if not ask or len(rest) % 2:
            raise ValueError(f"a question is followed by choices, each with a line that says why: {ask!r}")
        choices = []
        for choice, why in zip(rest[::2], rest[1::2], strict=True):
            if choice[:2] not in ("+ ", "- ") or not why.startswith("  "):
                raise ValueError(f"'+ choice' or '- choice' and an indented reason are needed, not {choice!r}, {why!r}")
            choices.append((choice[0], choice[2:].strip(), why.strip()))
        if len(choices) < 2 or "+" not in (sign for sign, _, _ in choices):
            raise ValueError(f"{ask!r} needs two choices, one of them right")
        questions.append(Question(ask, choices))
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
                item += self.parse_text_to_nodes(f"**{WORDS[sign]}** {why}")
                item += nodes.raw("", "</details>", format="html")
            listed += item
        return [listed]

    def _inline(self, text: str) -> list[nodes.Node]:
        """One line without the paragraph around it, which may not stand in a summary."""
        paragraph = self.parse_text_to_nodes(text)[0]
        return list(paragraph.children)


def setup(app: Sphinx) -> dict[str, Any]:
    app.add_directive("quiz", Quiz)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
