"""A chapter's text as JupyterLab can show it, which knows neither MyST's directives nor its roles."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import cache
from pathlib import Path
from textwrap import indent

import answers
import further_reading
import quiz
import records
from markdown_it.tree import SyntaxTreeNode
from pybtex.database import parse_file

from tutorial_lib.course import drawings
from tutorial_lib.evidence import claims, quantities

#: What a role says, from its name and its text.
Say = Callable[[str, str], str]

ROLE = re.compile(r"\{(?P<name>[a-z:]+)\}`(?P<text>[^`]+)`")
LINK = re.compile(r"\[(?P<text>[^\]]*)\]\((?P<page>\w+)\.md\)")
DIRECTIVE = re.compile(
    r"^(?P<fence>`{3,}|:{3,})\{(?P<name>[\w-]+)\}[ ]*(?P<argument>[^\n]*)\n"
    r"(?P<options>(?::[\w-]+:[^\n]*\n)*)(?P<body>.*?)^(?P=fence)[ ]*$",
    re.M | re.S,
)


def plain(source: str, say: Say) -> str:
    """A markdown cell without directives and roles.

    Args:
        source: MyST markdown.
        say: gives the text in place of a role; also asked for ("doc", name of the page).

    Raises:
        ValueError: a directive that no notebook has had yet.
    """
    text = DIRECTIVE.sub(_directive, source)
    text = LINK.sub(lambda m: m["text"] or f"*{say('doc', m['page'])}*", text)
    return ROLE.sub(lambda m: say(m["name"], " ".join(m["text"].split())), text).strip()


def _directive(match: re.Match[str]) -> str:
    name, argument, body = match["name"], match["argument"].strip(), match["body"].strip()
    if name == "exercise-start":
        return f"**Exercise: {argument}**"
    if name == "solution-start":
        return "**Solution** (the next cell is folded)"
    if name in ("exercise-end", "solution-end"):
        return ""
    if name == "dropdown":
        return _folded(argument, DIRECTIVE.sub(_directive, body))
    if name == "quiz":
        return _quiz(body)
    if name == "claims":
        return "\n".join(_claim(identity) for identity in f"{argument} {body}".split())
    if name == "answer":
        return answers.markdown(argument)
    if name == "drawing":
        return f"{drawings.markdown(argument)}\n\n*{body}*"
    if name == "further-reading":
        return _reading(argument)
    if name == "live-figure":
        return f"*On the page of this chapter a live figure stands here.* {body}"
    raise ValueError(f"a notebook cannot show the directive {name!r} yet")


def _folded(summary: str, body: str) -> str:
    return f"<details><summary>{summary}</summary>\n\n{body}\n\n</details>"


def _quiz(body: str) -> str:
    parts = []
    for number, question in enumerate(quiz.parse(body.splitlines()), 1):
        parts.append(f"**{number}.** {question.ask}")
        for sign, choice, why in question.choices:
            again = "" if sign == "+" else f" Read again: *{question.back}*."
            folded = _folded("Right or wrong?", f"**{quiz.WORDS[sign]}** {why}{again}")
            parts.append(f"- {choice}\n\n" + indent(folded, "  "))
    return "\n\n".join(parts)


def _reading(page: str) -> str:
    entries = further_reading.of(page)
    said = [cited(entry.paper, further_reading.BIBLIOGRAPHY, textual=True) for entry in entries]
    return "\n".join(further_reading.item(entry, who) for entry, who in zip(entries, said, strict=True))


def _claim(identity: str) -> str:
    claim, found = claims.get(identity), records.source()
    verdict = claims.judge(claim, found)
    why = quantities.written(verdict.why, found) or f"{claim.role.capitalize()}."
    return f"- Claim: {claim.says}. **{verdict.verdict}**. {why}"


@cache
def _entries(bibliography: Path):
    return parse_file(str(bibliography)).entries


def cited(keys: str, bibliography: Path, *, textual: bool = False) -> str:
    """Authors and years of a citation.

    Args:
        keys: as in the text, with commas.
        bibliography: a BibTeX file.
        textual: "Bansal et al. (2023)" instead of "(Bansal et al., 2023)".
    """
    names = []
    for key in keys.split(","):
        entry = _entries(bibliography)[key.strip()]
        people = [str(" ".join(person.last_names)) for person in entry.persons["author"]]
        who = " and ".join(people) if len(people) < 3 else f"{people[0]} et al."
        names.append(f"{who} ({entry.fields['year']})" if textual else f"{who}, {entry.fields['year']}")
    return ", ".join(names) if textual else f"({'; '.join(names)})"


def inline(node: SyntaxTreeNode) -> str:
    """The source of what a heading, a paragraph or a cell holds."""
    return " ".join(child.content for child in node.children if child.type == "inline")


def options_of(content: str) -> tuple[dict[str, str], str]:
    """The options and the body of a directive."""
    lines = content.splitlines()
    options = {}
    while lines and (match := re.match(r":([\w-]+):\s*(.*)", lines[0])):
        options[match[1]] = match[2]
        del lines[0]
    return options, "\n".join(lines).strip("\n")
