"""No page is longer than one sitting bears: verdicts are counted, and screens estimated before anything is built.

`tests/book/test_pages.py` measures the screens of the built pages.
"""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

import pytest

from tutorial_lib.course import chapters
from tutorial_lib.evidence import claims

CHAPTERS = chapters.chapters()
#: At most so many verdicts a page, and so many screens of 1280 x 720 pixels.
VERDICTS, SCREENS = 8, 15
#: Pages that were longer when this was fixed; none may grow.
MORE_VERDICTS = {"targeted_poisoning": 10, "finding_poisons": 20}
#: Pages that were divided for their length. They open with a figure.
DIVIDED = (
    "removing_copies",
    "what_makes_it_work",
    "size_and_tower",
    "low_success",
    "cleanclip",
    "what_cleaning_removes",
    "when_cleaning_works",
)

FIGURE = re.compile(
    r"^experiments\.show\(|^plots\.(?:pictures|side_by_side)\(|^fig$|^```\{(?:drawing|live-figure)\}", re.M
)
CELL = re.compile(r"^```\{code-cell\} ipython3\n(?P<head>(?::[^\n]*\n)*)(?P<code>.*?)^```$", re.M | re.S)
STEP = re.compile(r"^```\{exercise-start\} Step (\d): .*?^\*(?:Easy|Medium|Harder), (\d+) minutes\.\*", re.M | re.S)


def shown(path: Path) -> list[str]:
    """Claims whose verdicts a page shows."""
    return [name for found in re.findall(r"^```\{claims\} (.+)$", path.read_text(), re.M) for name in found.split()]


def body(name: str) -> str:
    """A chapter without its header."""
    (path,) = chapters.chosen([name])
    return path.read_text().split("\n# ", 1)[1]


def screens(text: str) -> float:
    """About how many screens of 1280 x 720 pixels a page has, with everything folded that is folded at first."""
    pixels = 0.0
    for cell in CELL.finditer(text):
        tags = re.findall(r"[\w-]+", (re.findall(r"^:tags: \[(.*)\]", cell["head"], re.M) or [""])[0])
        if "remove-cell" in tags or "solution" in tags:
            continue
        lines = cell["code"].strip().count("\n") + 1
        pixels += 56 if "hide-input" in tags or "hide-cell" in tags else 24 + 20 * lines
        pixels += 90 if "stub" in tags else 0
        if {"hide-cell", "hide-output", "remove-output"} & set(tags):
            continue
        table = re.search(r"^experiments\.show\(.*table|^Table\(", cell["code"], re.M)
        pixels += 330 if table else 450 if FIGURE.search(cell["code"]) else 24 * cell["code"].count("print(")
    rest = CELL.sub("", text)
    rest = re.sub(r"^:::\{dropdown\}.*?^:::$", "\n\nfolded\n\n", rest, flags=re.M | re.S)
    rest = re.sub(r"^```\{solution-start\}.*?^```\{solution-end\}$", "", rest, flags=re.M | re.S)
    pixels += sum(140 * len(found.split()) for found in re.findall(r"^```\{claims\} (.+)$", rest, re.M))
    pixels += 620 * rest.count("```{live-figure}") + 330 * rest.count("```{drawing}")
    quiz = re.search(r"^```\{quiz\}\n(.*?)^```$", rest, re.M | re.S)
    questions = quiz[1].count("\n@ ") if quiz else 0
    pixels += 230 * questions
    prose = re.sub(r"^```.*?^```$", "", rest, flags=re.M | re.S)
    pixels += 60 * len(re.findall(r"^#+ ", prose, re.M))
    for block in re.split(r"\n\n|\n(?=[-|*\d])", prose):
        if words := len(block.split()):
            pixels += 27 * -(-words // 12) + 14
    return pixels / 720


@pytest.mark.parametrize("path", CHAPTERS, ids=lambda p: p.stem)
def test_a_page_has_few_verdicts(path: Path) -> None:
    assert len(shown(path)) <= MORE_VERDICTS.get(path.stem, VERDICTS)


def test_a_verdict_stands_on_one_page_beside_that_of_all_verdicts() -> None:
    counted = Counter(name for path in CHAPTERS for name in shown(path))
    assert max(counted.values()) == 1, counted.most_common(3)
    assert {claims.get(name).id for name in counted} == set(counted)
    experiments = {claims.get(name).experiment for name in counted}
    assert {
        "fig4",
        "fig5_left",
        "fig5_right",
        "fig6",
        "cc_attacks",
        "cc_frontier",
        "cc_map",
        "cc_strength",
    } <= experiments


@pytest.mark.parametrize("name", DIVIDED)
def test_a_divided_page_is_short(name: str) -> None:
    assert 5 <= screens(body(name)) <= SCREENS


@pytest.mark.parametrize("name", DIVIDED)
def test_a_divided_page_opens_with_a_figure(name: str) -> None:
    assert FIGURE.search(body(name).split("\n## ")[0])


@pytest.mark.parametrize("name", [path.stem for path in CHAPTERS if path.stem != "capstone"])  # all of that one is
def test_a_chapter_has_a_long_exercise_of_steps(name: str) -> None:
    steps = STEP.findall(body(name))
    assert [int(number) for number, _ in steps] == list(range(1, len(steps) + 1))
    assert len(steps) >= 3
    assert 30 <= sum(int(minutes) for _, minutes in steps) <= 60


def test_a_long_page_is_noticed() -> None:
    text = body("cleanclip")
    parts = text.split("\n## ")
    assert screens(text + "\n## " + "\n## ".join(parts[1:])) > SCREENS
