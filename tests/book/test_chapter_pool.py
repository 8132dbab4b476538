"""Chapters run side by side with one thread each, once, and a failing one ends the build."""

from __future__ import annotations

import json
import textwrap
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
from jupyter_cache import get_cache
from myst_nb.core.config import NbParserConfig
from myst_parser.config.main import MdParserConfig
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_notebook

from tests.book import site

HEAD = """---
jupytext:
  text_representation:
    extension: .md
    format_name: myst
kernelspec:
  display_name: Python 3
  language: python
  name: python3
---
"""


@pytest.fixture(scope="module")
def pool() -> ModuleType:
    return site.extension("chapter_pool")


def notebook(*code: str) -> NotebookNode:
    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    return new_notebook(cells=[new_code_cell(textwrap.dedent(c)) for c in code], metadata={"kernelspec": kernel})


def said(executed: NotebookNode) -> str:
    return "".join(output.get("text", "") for cell in executed.cells for output in cell.outputs)


def meets(other: str, own: str) -> str:
    """A cell that ends well only while the other one runs too."""
    return f"""
        import pathlib, time
        pathlib.Path("{own}").touch()
        deadline = time.monotonic() + 60
        while not pathlib.Path("{other}").exists():
            assert time.monotonic() < deadline
            time.sleep(0.05)
        """


def test_two_run_at_the_same_time(pool: ModuleType, tmp_path: Path) -> None:
    waiting = {"a": notebook(meets("b", "a")), "b": notebook(meets("a", "b"))}
    done = {name: took for name, _, took in pool.run_all(waiting, folder=tmp_path, timeout=90, workers=2)}
    assert done.keys() == {"a", "b"}
    assert all(0 < took < 60 for took in done.values())


def test_a_kernel_has_one_thread_and_the_book_as_its_folder(
    pool: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "7")
    given = notebook("import os, torch\nprint(torch.get_num_threads(), os.getcwd())")
    executed, _ = pool.run(given, tmp_path, 60)
    assert said(executed) == f"1 {tmp_path}\n"
    assert given.cells[0].outputs == []


def test_a_failure_says_what_was_raised_and_lets_no_other_begin(pool: ModuleType, tmp_path: Path) -> None:
    waiting = {"bad": notebook("x = 1", "1 / 0"), "other": notebook("open('begun', 'w')")}
    with pytest.raises(pool.ChapterError, match=r"(?s)^bad\n.*1 / 0.*ZeroDivisionError: division by zero") as raised:
        list(pool.run_all(waiting, folder=tmp_path, timeout=60, workers=1))
    assert "\x1b[" not in str(raised.value)
    assert not (tmp_path / "begun").exists()


def test_a_cell_that_takes_too_long_is_a_failure(pool: ModuleType, tmp_path: Path) -> None:
    with pytest.raises(pool.ChapterError, match=r"(?s)^slow\n.*timed out"):
        list(pool.run_all({"slow": notebook("import time; time.sleep(60)")}, folder=tmp_path, timeout=1, workers=1))


def test_what_took_longest_begins_first(pool: ModuleType) -> None:
    assert pool.longest_first(["a", "b", "new", "c"], {"a": 5.0, "b": 60.0, "c": 30.0}) == ["new", "b", "c", "a"]


class Build:
    """What the extension asks Sphinx for: a book of two chapters and a page without code, and a cache."""

    def __init__(self, folder: Path) -> None:
        self.book, self.cache = folder / "book", folder / "cache"
        self.book.mkdir()
        (self.book / "page.md").write_text("# Only text\n")
        for name in ("one", "two"):
            self.write(name, "print('first')")
        self.env: Any = SimpleNamespace(
            srcdir=str(self.book),
            doc2path=lambda name: str(self.book / f"{name}.md"),
            myst_config=MdParserConfig(),
            mystnb_config=NbParserConfig(),
        )
        config = SimpleNamespace(nb_execution_cache_path=str(self.cache), nb_execution_timeout=60)
        self.app: Any = SimpleNamespace(config=config)

    def write(self, name: str, code: str) -> None:
        (self.book / f"{name}.md").write_text(f"{HEAD}\n# {name}\n\n```{{code-cell}} ipython3\n{code}\n```\n")


def test_each_chapter_runs_once_and_only_again_after_an_edit(
    pool: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    build, names = Build(tmp_path), ["one", "page", "two"]
    begun: list[list[str]] = []
    run_all = pool.run_all

    def noted(waiting: dict[str, NotebookNode], **options: Any) -> Any:
        begun.append(list(waiting))
        return run_all(waiting, **options)

    monkeypatch.setattr(pool, "run_all", noted)
    monkeypatch.setattr(pool, "SECONDS", tmp_path / "seconds.json")
    # of two chapters with the same code one is enough: jupyter-cache looks at the code alone
    build.write("two", "print('second')")
    for _ in range(2):
        pool.fill_cache(build.app, build.env, names)
    build.write("two", "print('third')")
    pool.fill_cache(build.app, build.env, names)
    assert begun == [["one", "two"], ["two"]]
    assert json.loads((tmp_path / "seconds.json").read_text()).keys() == {"one", "two"}
    cache = get_cache(str(build.cache))
    texts = [said(cache.get_cache_bundle(record.pk).nb) for record in cache.list_cache_records()]
    assert sorted(texts) == ["first\n", "second\n", "third\n"]


def test_chapters_that_are_through_are_kept_when_another_fails(
    pool: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    build = Build(tmp_path)
    build.write("two", "raise ValueError('this chapter is broken')")
    monkeypatch.setattr(pool, "SECONDS", tmp_path / "seconds.json")
    monkeypatch.setattr(pool.os, "cpu_count", lambda: 1)
    with pytest.raises(pool.ChapterError, match="this chapter is broken"):
        pool.fill_cache(build.app, build.env, ["one", "two"])
    assert pool.to_run(build.env, ["one", "two"], get_cache(str(build.cache))).keys() == {"two"}
