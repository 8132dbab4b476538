"""Examples in docstrings run, and everything that the reference pages show has one."""

from __future__ import annotations

import doctest
import inspect
import re
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from tutorial_lib import places

BOOK = Path(__file__).resolve().parents[1] / "book"
#: As often as the pages show them.
SHOWN = [m for page in BOOK.glob("api*.md") for m in re.findall(r"automodule:: (tutorial_lib[.\w]*)", page.read_text())]
MODULES = sorted(set(SHOWN))
#: The course's own machinery, which `api.md` leaves out.
MACHINERY = {"bench", "cli", "course", "experiments"}
OPTIONS = doctest.ELLIPSIS


class Finder(doctest.DocTestFinder):
    """Finds the examples of context managers too, whose wrappers belong to `contextlib`."""

    def _from_module(self, module: ModuleType | None, object: Any) -> bool:
        return super()._from_module(module, inspect.unwrap(object) if callable(object) else object)


def library() -> list[str]:
    """Every module of the package that is for users."""
    found = []
    for path in places.PACKAGE.rglob("*.py"):
        *folders, name = path.relative_to(places.PACKAGE).with_suffix("").parts
        parts = [*folders, *([] if name == "__init__" else [name])]
        if not MACHINERY & set(parts[:1]) and not any(part.startswith("_") for part in parts):
            found.append(".".join(["tutorial_lib", *parts]))
    return sorted(found)


def shown(module: ModuleType) -> dict[str, Any]:
    """The public classes and functions that a page shows of a module; errors and warnings explain themselves."""
    return {
        name: found
        for name, found in vars(module).items()
        if not name.startswith("_")
        and getattr(found, "__module__", None) == module.__name__
        and (inspect.isclass(found) or (callable(found) and inspect.isfunction(inspect.unwrap(found))))
        and not (inspect.isclass(found) and issubclass(found, BaseException))
    }


def test_the_pages_show_every_module_once() -> None:
    assert sorted(SHOWN) == library()
    assert len(MODULES) > 100


def test_what_a_wrapper_hides_is_shown_and_its_examples_run() -> None:
    for name, wrapped in (("tutorial_lib.models.fast", "small_maps"), ("tutorial_lib.evidence.registry", "groups")):
        module = import_module(name)
        assert wrapped in shown(module)
        assert f"{name}.{wrapped}" in {t.name for t in Finder().find(module, name) if t.examples}


@pytest.mark.parametrize("name", MODULES)
def test_everything_on_a_page_has_an_example(name: str) -> None:
    module = import_module(name)
    without = [n for n, found in shown(module).items() if ">>>" not in (inspect.getdoc(found) or "")]
    assert not without, f"{name}: {', '.join(without)}"


@pytest.mark.parametrize("name", MODULES)
def test_examples_run(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    module = import_module(name)
    monkeypatch.chdir(tmp_path)
    tests = [t for t in Finder().find(module, name) if t.examples]
    said: list[str] = []
    for test in tests:
        doctest.DocTestRunner(optionflags=OPTIONS).run(test, out=said.append)
    assert not said, "".join(said)
