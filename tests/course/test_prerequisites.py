"""The self-test before the course: its questions, its three cells, and the mistakes that their checks know."""

from __future__ import annotations

import re

import pytest
import torch

from tests.course.test_exercises import namespace, run
from tutorial_lib import places
from tutorial_lib.course import checks
from tutorial_lib.course.exercises import find, renewed

PAGE = places.book() / "prerequisites.md"
TEXT = PAGE.read_text("utf-8")
EXERCISES = list(find(TEXT))


def test_it_has_questions_and_cells_on_each_subject() -> None:
    parts = re.findall(r"^## (.+)$", TEXT, re.M)
    assert parts == ["Python", "Tensors", "Probability", "If something was missing"]
    quizzes = re.findall(r"```\{quiz\}\n(.*?)```", TEXT, re.S)
    assert [quiz.strip().count("\n\n") + 1 for quiz in quizzes] == [3, 3, 3]
    assert len(EXERCISES) == 3
    assert "*Nine questions and three cells" in TEXT


def test_choices_are_of_similar_length_and_one_is_right() -> None:
    """A reader must not find the answer by its length, nor by its place."""
    places_of_right = []
    for quiz in re.findall(r"```\{quiz\}\n(.*?)```", TEXT, re.S):
        for question in quiz.strip().split("\n\n"):
            choices = [line for line in question.splitlines() if line[:2] in ("+ ", "- ")]
            assert len(choices) >= 3
            right = [i for i, line in enumerate(choices) if line[0] == "+"]
            assert len(right) == 1
            places_of_right.append(right[0])
            others = [len(line) for line in choices if line[0] == "-"]
            assert len(choices[right[0]]) <= max(others) + 15, question
    assert len(set(places_of_right)) > 1


def test_what_the_questions_say_is_so() -> None:
    a = [1, 2]
    b = a
    b.append(3)
    assert a == [1, 2, 3]
    assert sorted(["b", "C", "a"], key=str.lower) == ["a", "b", "C"]
    assert (torch.zeros(4, 1) + torch.zeros(3)).shape == (4, 3)
    unit = torch.nn.functional.normalize(torch.randn(5, 16), dim=1)
    assert (unit @ unit.T).shape == (5, 5)
    assert torch.allclose((unit @ unit.T).diagonal(), torch.ones(5))
    assert torch.allclose(torch.tensor([1.0, 2.0]).softmax(0), torch.tensor([6.0, 7.0]).softmax(0))
    assert pytest.approx(3, abs=0.2) == (1000 * 0.01 * 0.99) ** 0.5


def test_stubs_are_derived_and_fail_and_solutions_pass() -> None:
    assert renewed(TEXT) == TEXT, f"python -m tutorial_lib.course.exercises {PAGE}"
    names = namespace(TEXT)
    for exercise in EXERCISES:
        assert not run(exercise.stub, names).right
        found = run(exercise.solution, names)
        assert found.right, found


@pytest.mark.parametrize(
    ("position", "old", "new", "says"),
    [
        (0, 're.findall(r"\\w+", text.lower())', "text.lower()", "a part of another one"),
        (0, "text.lower()", "text", "with their capital letters"),
        (0, 're.findall(r"\\w+", text.lower())', "text.lower().split()", "belongs to no word"),
        (0, "word.lower() in", "word in", "the word itself may have capital letters"),
        (0, "word.lower() in re.findall", "re.findall", "TypeError"),
        (1, "x.norm(dim=1, keepdim=True)", "x.norm()", "the whole table"),
        (1, "dim=1", "dim=0", "divides the columns"),
        (1, ".clamp(min=1e-12)", "", "becomes nan"),
        (1, ".norm(dim=1, keepdim=True)", ".square().sum(1, keepdim=True)", "take the root"),
        (1, ".norm(", ".abs().sum(", "sums of absolute values"),
        (2, "torch.logsumexp(scores, 0) - scores[right]", "scores.log_softmax(0)[right]", "its negative"),
        (2, "torch.logsumexp(scores, 0) - scores[right]", "scores.softmax(0)[right]", "negative logarithm"),
        (2, "torch.logsumexp(scores, 0) - scores[right]", "-scores.softmax(0)[right].log2()", "base 2"),
        (2, "torch.logsumexp(scores, 0) - scores[right]", "scores.exp().sum().log() - scores[right]", "returns inf"),
        (2, "scores[right]", "scores[0]", "loss of class 0"),
    ],
)
def test_a_known_mistake_gets_its_sentence(position: int, old: str, new: str, says: str) -> None:
    solution = EXERCISES[position].solution
    assert old in solution
    found = run(solution.replace(old, new), namespace(TEXT))
    assert not found.right
    assert re.search(says, found.sentence), found.sentence


def test_its_checks_are_asked_for_there() -> None:
    from tutorial_lib.course.checks import prerequisites

    assert set(prerequisites.__all__) <= set(checks.__all__)
    assert all(f"checks.{name}(" in TEXT for name in prerequisites.__all__)
