"""The recipe for a chapter in CONTRIBUTING.md, followed on a copy: its five files, each of which is needed.

On the copy stand the real tests of the exercises and of the first page. Nothing is built.
"""

from __future__ import annotations

import importlib.util
import re
import shutil
import sys
from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import yaml

from tests.course import test_chapter_pages, test_chapters
from tutorial_lib import course, places
from tutorial_lib.course import chapters, checks, exercises

ROOT = Path(__file__).resolve().parents[2]
SECTION = (ROOT / "CONTRIBUTING.md").read_text().split("### To add a chapter\n")[1].split("\n## Library\n")[0]
#: A block that names its file and, where the file exists, a word: it goes below the last line that has it.
BLOCK = re.compile(
    r"^(?P<fence>`{3,})\w+ (?P<path>\S+)(?: below=(?P<below>\w+))?\n(?P<body>.*?)^(?P=fence)$", re.M | re.S
)
BLOCKS = {match["path"]: (match["below"], match["body"]) for match in BLOCK.finditer(SECTION)}
NAME, BEFORE, AFTER = "watermarks", "stealthier_triggers", "finding_poisons"
CHECKS, EXERCISES = "tutorial_lib/course/checks", "tests/course/test_exercises.py"
KNOWN = "tests/course/mistakes.py"
#: What is said if a step is left out.
MISSING = {
    f"book/{NAME}.md": (FileNotFoundError, rf"{NAME}\.md"),
    "_toc.yml": (ValueError, f"there is no chapter '{NAME}'"),
    f"{CHECKS}/{NAME}.py": (AttributeError, "changed_pixels"),
    KNOWN: (AssertionError, "MISTAKES has a line for each chapter"),
    "book/index.md": (AssertionError, "the table of book/index.md"),
}


def write(folder: Path, path: str) -> None:
    """One step of the recipe."""
    (below, body), target = BLOCKS[path], folder / path
    if below is None:
        assert not target.exists(), f"{path} is there: say below what the block goes"
        target.write_text(body)
        return
    lines = target.read_text().splitlines(keepends=True)
    last = max(number for number, line in enumerate(lines, 1) if below in line)
    target.write_text("".join([*lines[:last], body, *lines[last:]]))


def fresh(path: Path) -> ModuleType:
    """A module from its file, unknown to other imports."""
    spec = importlib.util.spec_from_file_location(f"copy_of_{path.stem}", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def forget_checks() -> dict[str, ModuleType]:
    """Let the next import read the checks anew; gives what was known."""
    package = CHECKS.replace("/", ".")
    known = [name for name in sys.modules if name == package or name.startswith(f"{package}.")]
    return {name: sys.modules.pop(name) for name in known}


@pytest.fixture
def follow(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., ModuleType]]:
    """Follows the recipe, if asked without one step. Gives the copy's tests of the exercises, which see the copy."""

    def followed(without: str = "") -> ModuleType:
        shutil.copytree(ROOT / CHECKS, tmp_path / CHECKS, ignore=shutil.ignore_patterns("__pycache__"))
        for path in ("_toc.yml", EXERCISES, KNOWN, *(f"book/{page.name}" for page in (ROOT / "book").glob("*.md"))):
            (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(ROOT / path, tmp_path / path)
        for path in BLOCKS:
            if path != without:
                write(tmp_path, path)
        monkeypatch.setattr(places, "book", lambda: tmp_path / "book")
        monkeypatch.setattr(places, "table_of_contents", lambda: tmp_path / "_toc.yml")
        monkeypatch.setattr(course, "__path__", [str((tmp_path / CHECKS).parent), *course.__path__])
        monkeypatch.setattr(course, "checks", checks)  # so that it is put back
        import_module(CHECKS.replace("/", "."))
        monkeypatch.setitem(sys.modules, "tests.course.mistakes", fresh(tmp_path / KNOWN))
        return fresh(tmp_path / EXERCISES)

    known = forget_checks()
    yield followed
    forget_checks()
    sys.modules.update(known)


def examine(suite: ModuleType) -> None:
    """What the tests of the course ask of the new chapter."""
    (path,) = chapters.chosen([NAME])
    suite.test_stubs_are_derived_from_solutions(path)
    suite.test_stubs_fail_and_solutions_pass(path)
    suite.test_each_exercise_has_its_parts(path)
    suite.test_every_check_is_asked_for_in_a_chapter()
    suite.test_every_chapter_has_known_mistakes()
    for line in suite.MISTAKES:
        if line[0] == NAME:
            suite.test_a_known_mistake_gets_its_sentence(*line)
    test_chapters.test_the_first_page_lists_every_chapter_in_its_order()
    test_chapter_pages.test_code_fits_its_box(path)
    test_chapter_pages.test_a_chapter_opens_with_folded_imports_and_parameters(path)
    test_chapter_pages.test_a_question_leads_back_to_a_section_of_its_page(path)


def test_the_recipe_names_the_files_that_it_writes() -> None:
    steps = re.findall(r"^\d\. `([\w/.]+)`", SECTION, re.M)
    assert "touches five files" in SECTION
    assert sorted(steps) == sorted(BLOCKS) == sorted(MISSING)


def test_the_chapter_passes_the_tests_of_the_course(follow: Callable[..., ModuleType], tmp_path: Path) -> None:
    suite = follow()
    examine(suite)
    assert "changed_pixels" in suite.checks.__all__
    assert Path(suite.checks.watermarks.__file__).is_relative_to(tmp_path)
    assert not hasattr(checks, "changed_pixels")  # the copy only


@pytest.mark.parametrize("path", MISSING)
def test_no_step_can_be_left_out(path: str, follow: Callable[..., ModuleType]) -> None:
    error, says = MISSING[path]
    with pytest.raises(error, match=says):
        examine(follow(without=path))


def test_the_table_of_contents_numbers_it_and_commands_know_it(follow: Callable[..., ModuleType]) -> None:
    before = [path.stem for path in chapters.chapters()]
    follow()
    parts = yaml.safe_load(places.table_of_contents().read_text())["parts"]
    numbered = [entry["file"] for part in parts if part.get("numbered") for entry in part["chapters"]]
    number = numbered.index(NAME) + 1
    assert numbered[number - 2 : number + 1] == [BEFORE, NAME, AFTER]
    assert chapters.chosen([str(number)]) == chapters.chosen([NAME]) == [places.book() / f"{NAME}.md"]
    assert [path.stem for path in chapters.chapters()] == numbered
    assert [name for name in numbered if name != NAME] == before


def test_it_begins_as_the_others_and_its_cells_run(follow: Callable[..., ModuleType]) -> None:
    suite = follow()
    text, other = ((places.book() / f"{name}.md").read_text() for name in (NAME, BEFORE))
    assert text.split("\n# ")[0] == other.split("\n# ")[0]
    names: dict[str, Any] = {}
    for cell in exercises._CELL.finditer(text):
        exec(compile(cell["code"], NAME, "exec"), names)
        if "parameters" in cell["head"]:
            names["profile"] = "test"
    assert names["checks"] is suite.checks
    psnr, changed = zip(*((float(row[1]), float(row[2])) for row in names["rows"]), strict=True)
    assert psnr[0] < psnr[1] < psnr[2]  # what the chapter says of its table
    assert changed[0] == pytest.approx(changed[2], rel=0.1)
