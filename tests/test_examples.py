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

BOOK = Path(__file__).resolve().parents[1] / "book"
MODULES = sorted(
    {m for page in BOOK.glob("api*.md") for m in re.findall(r"automodule:: (tutorial_lib[.\w]*)", page.read_text())}
)
OPTIONS = doctest.ELLIPSIS


def shown(module: ModuleType) -> dict[str, Any]:
    """The public classes and functions that a page shows of a module; errors and warnings explain themselves."""
    return {
        name: found
        for name, found in vars(module).items()
        if not name.startswith("_")
        and getattr(found, "__module__", None) == module.__name__
        and (inspect.isfunction(found) or inspect.isclass(found))
        and not (inspect.isclass(found) and issubclass(found, BaseException))
    }


def test_the_pages_show_the_library() -> None:
    assert len(MODULES) >= 40
    packages = {m.split(".")[1] for m in MODULES if "." in m}
    assert {"attacks", "data", "defenses", "detect", "evidence", "losses", "models", "runs", "training"} <= packages
    assert {"trials", "triggers", "zscore", "profiles", "practice"} <= packages


@pytest.mark.parametrize("name", MODULES)
def test_everything_on_a_page_has_an_example(name: str) -> None:
    module = import_module(name)
    without = [n for n, found in shown(module).items() if ">>>" not in (inspect.getdoc(found) or "")]
    assert not without, f"{name}: {', '.join(without)}"


@pytest.mark.parametrize("name", MODULES)
def test_examples_run(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    module = import_module(name)
    monkeypatch.chdir(tmp_path)
    tests = [t for t in doctest.DocTestFinder().find(module, name) if t.examples]
    said: list[str] = []
    for test in tests:
        doctest.DocTestRunner(optionflags=OPTIONS).run(test, out=said.append)
    assert not said, "".join(said)
