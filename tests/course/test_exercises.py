"""Exercises: stubs are derived from their solutions and fail, solutions pass, and known mistakes get their sentence."""

from __future__ import annotations

import ast
import re
from pathlib import Path
from typing import Any

import pytest

from tests.course.mistakes import MISTAKES
from tutorial_lib.course import chapters, checks, exercises
from tutorial_lib.course.exercises import Exercise, find, renewed, stub_of

CHAPTERS = {path.stem: path for path in chapters.chapters()}
CAPSTONE = "capstone"  # its exercises need its model: the build runs them, and tests/book looks at what they said
NOT_NEEDED = {"umap", "myst_nb"}  # slow to import, or of a notebook only


def namespace(text: str) -> dict[str, Any]:
    """What the chapter imports: all that its exercises may use."""
    names: dict[str, Any] = {}
    for cell in exercises._CELL.finditer(text):
        for node in ast.parse(cell["code"]).body:
            if isinstance(node, ast.Import | ast.ImportFrom):
                package = (node.module or "") if isinstance(node, ast.ImportFrom) else node.names[0].name
                if package.split(".")[0] not in NOT_NEEDED:
                    exec(ast.unparse(node), names)
    return names


def run(code: str, names: dict[str, Any]) -> checks.Feedback:
    """The value of the cell's last line, which calls the check."""
    *body, last = ast.parse(code).body
    assert isinstance(last, ast.Expr)
    names = dict(names)
    exec(compile(ast.Module(body, []), "cell", "exec"), names)
    return eval(compile(ast.Expression(last.value), "cell", "eval"), names)


def chapter(name: str) -> tuple[dict[str, Any], list[Exercise]]:
    text = CHAPTERS[name].read_text()
    return namespace(text), list(find(text))


@pytest.mark.parametrize("path", CHAPTERS.values(), ids=lambda p: p.stem)
def test_stubs_are_derived_from_solutions(path: Path) -> None:
    text = path.read_text()
    assert renewed(text) == text, f"python -m tutorial_lib.course.exercises {path}"


@pytest.mark.parametrize("path", CHAPTERS.values(), ids=lambda p: p.stem)
def test_a_chapter_has_three_to_six_exercises(path: Path) -> None:
    assert 3 <= len(list(find(path.read_text()))) <= 6


@pytest.mark.parametrize("path", [p for p in CHAPTERS.values() if p.stem != CAPSTONE], ids=lambda p: p.stem)
def test_stubs_fail_and_solutions_pass(path: Path) -> None:
    text = path.read_text()
    names = namespace(text)
    for exercise in find(text):
        before, after = run(exercise.stub, names), run(exercise.solution, names)
        assert not before.right
        assert "replace the three dots" in before.sentence or "returns nothing" in before.sentence
        assert after.right, after
        assert str(after).startswith("Right. ")


@pytest.mark.parametrize("path", CHAPTERS.values(), ids=lambda p: p.stem)
def test_each_exercise_has_its_parts(path: Path) -> None:
    text = path.read_text()
    labels = re.findall(r"^```\{exercise-start\} \S.*\n:label: (ex-[\w-]+)$", text, re.M)
    assert len(labels) == len(list(find(text)))
    assert re.findall(r"^```\{solution-start\} (ex-[\w-]+)\n:class: dropdown$", text, re.M) == labels
    for part in text.split("```{exercise-start}")[1:]:
        part = part.split("```{solution-start}")[0]
        assert re.search(r"^\*(Easy|Medium|Harder), \d+ minutes\.\*", part, re.M)
        assert ":::{dropdown} Hint" in part


def test_every_chapter_has_known_mistakes() -> None:
    assert {name for name, *_ in MISTAKES} == set(CHAPTERS) - {CAPSTONE}, "MISTAKES has a line for each chapter"


@pytest.mark.parametrize(("name", "position", "old", "new", "says"), MISTAKES)
def test_a_known_mistake_gets_its_sentence(name: str, position: int, old: str, new: str, says: str) -> None:
    names, found = chapter(name)
    solution = found[position].solution
    assert old in solution
    feedback = run(solution.replace(old, new, 1), names)
    assert not feedback.right
    assert re.search(says, feedback.sentence), feedback.sentence
    assert str(feedback).startswith("Not yet: ")
    assert feedback._repr_html_().startswith('<p class="check"><strong>Not yet:</strong>')


@pytest.mark.parametrize(
    ("name", "position", "old", "new"),
    [
        ("zscore", 2, "base.std(unbiased=False)", "base.std()"),
        ("zscore", 3, "similar.std(unbiased=False)", "similar.std()"),
        ("contrastive_learning", 1, ") / len(scores)", ").numpy() / len(scores)"),
        ("backdoors", 3, "middle - half, middle + half", "[middle - half, middle + half]"),
        ("what_makes_it_work", 0, "stats.t.ppf(0.975, len(d) - 1)", "3.182"),
    ],
)
def test_another_right_answer_is_accepted(name: str, position: int, old: str, new: str) -> None:
    names, found = chapter(name)
    solution = found[position].solution
    assert old in solution
    feedback = run(solution.replace(old, new, 1), names)
    assert feedback.right, feedback


def test_every_check_is_asked_for_in_a_chapter() -> None:
    text = "".join(path.read_text() for path in (*CHAPTERS.values(), chapters.places.book() / "prerequisites.md"))
    for name in set(checks.__all__) - {"Feedback", "unseal"}:
        assert f"checks.{name}(" in text, name


def test_a_stub_keeps_signature_docstring_and_calls() -> None:
    solution = 'import math\n\ndef f(x):\n    """What is asked for."""\n    y = x\n    return y\n\ncheck(f)\n'
    expected = 'import math\n\ndef f(x):\n    """What is asked for."""\n    ...  # your code\n\ncheck(f)\n'
    assert stub_of(solution) == expected


@pytest.mark.parametrize(("code", "says"), [("x = 1\n", "needs a function"), ("def f():\n    return 1\n", "docstring")])
def test_what_is_no_solution_is_refused(code: str, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        stub_of(code)


@pytest.mark.parametrize("tags", [["stub"], ["solution"], ["stub", "stub", "solution"]])
def test_stubs_and_solutions_come_in_pairs(tags: list[str]) -> None:
    text = "".join(f"```{{code-cell}} ipython3\n:tags: [{tag}]\n\nx\n```\n" for tag in tags)
    with pytest.raises(ValueError, match="without a"):
        list(find(text))


def test_the_command_writes_stubs_anew(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "chapter.md"
    text = CHAPTERS["contrastive_learning"].read_text()
    first = next(iter(find(text)))
    path.write_text(text.replace(first.stub, "def old():\n    ...\n"))
    exercises.main([str(path)])
    assert path.read_text() == text
    assert "derived anew" in capsys.readouterr().out
    exercises.main([str(path)])
    assert not capsys.readouterr().out
