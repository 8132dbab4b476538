"""Exercises of the chapters: the stub that a reader fills in is derived from the solution below it.

In a chapter, a cell with the tag `solution` holds a function and the call of its check. The cell with the tag `stub`
before it is the same without the function's body. `python -m tutorial_lib.course.exercises book/*.md` writes the stubs
anew; tests hold them to the solutions, and see that stubs fail and solutions pass.
"""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

_CELL = re.compile(r"^```\{code-cell\}[^\n]*\n(?P<head>(?::[^\n]*\n)*)\n?(?P<code>.*?)^```$", re.M | re.S)


@dataclass(frozen=True)
class Exercise:
    """A stub and its solution, as they stand in a chapter.

    Attributes:
        stub, solution: code of the two cells.
        span: where the stub's code begins and ends in the chapter's text.
    """

    stub: str
    solution: str
    span: tuple[int, int]


def stub_of(solution: str) -> str:
    """The solution with three dots for the bodies of its functions; signatures, docstrings and calls stay.

    Raises:
        ValueError: there is no function, or one without a docstring.
    """
    tree, lines = ast.parse(solution), solution.splitlines()
    functions = [node for node in tree.body if isinstance(node, ast.FunctionDef)]
    if not functions:
        raise ValueError("a solution needs a function")
    for function in reversed(functions):
        if ast.get_docstring(function) is None:
            raise ValueError(f"{function.name} needs a docstring that says what is asked for")
        first, last = function.body[0].end_lineno, function.end_lineno
        assert first is not None
        assert last is not None
        indent = " " * function.body[0].col_offset
        lines[first:last] = [f"{indent}...  # your code"]
    return "\n".join(lines) + "\n"


def find(text: str) -> Iterator[Exercise]:
    """The exercises of a chapter's text, in their order.

    Raises:
        ValueError: a stub without a solution, or the reverse.
    """
    waiting: re.Match[str] | None = None
    for cell in _CELL.finditer(text):
        if "stub" in _tags(cell["head"]):
            if waiting is not None:
                raise ValueError("two stubs without a solution between them")
            waiting = cell
        elif "solution" in _tags(cell["head"]):
            if waiting is None:
                raise ValueError(f"a solution without a stub: {cell['code'][:60]!r}")
            yield Exercise(waiting["code"], cell["code"], waiting.span("code"))
            waiting = None
    if waiting is not None:
        raise ValueError(f"a stub without a solution: {waiting['code'][:60]!r}")


def _tags(head: str) -> list[str]:
    match = re.search(r":tags: \[(.*)\]", head)
    return [tag.strip() for tag in match[1].split(",")] if match else []


def renewed(text: str) -> str:
    """A chapter's text with its stubs derived anew."""
    for exercise in reversed(list(find(text))):
        start, end = exercise.span
        text = text[:start] + stub_of(exercise.solution) + text[end:]
    return text


def main(paths: Sequence[str]) -> None:
    for path in map(Path, paths):
        before = path.read_text(encoding="utf-8")
        after = renewed(before)
        if after != before:
            path.write_text(after, encoding="utf-8")
            print(f"{path}: stubs derived anew")


if __name__ == "__main__":
    main(sys.argv[1:])
