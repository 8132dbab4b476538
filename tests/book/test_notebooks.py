"""The notebooks that the pages offer: the same code, and a text that JupyterLab can show."""

from __future__ import annotations

import re

import jupytext
import nbformat
import pytest
from bs4 import BeautifulSoup

from tests.book import site

CHAPTERS = sorted(p.stem for p in site.BOOK.glob("*.md") if "kernelspec:" in p.read_text()[:600])


def notebook(name: str) -> nbformat.NotebookNode:
    found = nbformat.read(site.HTML / "_sources" / f"{name}.ipynb", as_version=4)
    nbformat.validate(found)
    return found


def text(name: str) -> str:
    return "\n\n".join(cell.source for cell in notebook(name).cells if cell.cell_type == "markdown")


@pytest.mark.parametrize("name", CHAPTERS)
def test_code_is_that_of_the_chapter(name: str) -> None:
    source = jupytext.read(site.BOOK / f"{name}.md")
    wanted, found = ([c for c in n.cells if c.cell_type == "code"] for n in (source, notebook(name)))
    assert [c.source for c in found] == [c.source for c in wanted]
    for cell in found:
        folded = cell.metadata.get("jupyter", {}).get("source_hidden", False)
        tags = set(cell.metadata.get("tags", ()))
        hides = {"hide-cell", "hide-input", "remove-cell", "solution"} & tags
        assert folded == bool(hides and "parameters" not in tags)


@pytest.mark.parametrize("name", CHAPTERS)
def test_no_cell_captures_into_a_widget(name: str) -> None:
    """A headless run may never end then; see `tutorial_lib.course.widgets`, whose explorers are tested for it."""
    code = "\n".join(cell.source for cell in notebook(name).cells if cell.cell_type == "code")
    assert re.findall(r"\bOutput\(|\binteract\w*\(|\.capture\(", code) == []


@pytest.mark.parametrize("name", CHAPTERS)
def test_nothing_of_myst_is_left_in_the_text(name: str) -> None:
    left = re.findall(r"\{[\w:-]+\}`[^`]*`|^[`:]{3,}\{.*|\]\(\w+\.md\)", text(name), re.M)
    assert left == []


@pytest.mark.parametrize("name", CHAPTERS)
def test_numbers_and_choices_are_those_of_the_page(name: str) -> None:
    page = BeautifulSoup((site.HTML / f"{name}.html").read_text(), "html.parser").select_one("article")
    assert page is not None
    said, found = text(name), []
    for value in page.select(".pasted-text, .measured"):
        if value.find_parent("table") is None:
            found.append(value.get_text())
            assert found[-1] in said
    assert len(found) >= 1 or name in ("capstone", "prerequisites")
    assert said.count("<summary>Right or wrong?</summary>") == len(page.select(".quiz details"))
    assert said.count("**Exercise: ") == len(page.select(".exercise"))
    for number in {link.get_text() for link in page.select(".std-numref")}:
        assert number in said


def test_text_that_no_notebook_can_show_is_refused() -> None:
    plain = site.extension("plain_markdown").plain
    with pytest.raises(ValueError, match="cannot show the directive 'tableofcontents'"):
        plain("```{tableofcontents}\n```", lambda role, text: "")


def test_roles_and_directives_become_plain_text() -> None:
    plain = site.extension("plain_markdown").plain
    source = """It is {measured}`a.b %` % ({cite}`gu2017`), see
[](other.md) and [there](other.md).

:::{dropdown} Hint
Use `f`.
:::

```{exercise-end}
```

```{quiz}
How many?
+ $1$
  It is.
- two
  It is not.
- three
  Neither.
@ Above
```"""
    assert (
        plain(source, lambda role, text: f"<{role} {text}>")
        == """It is <measured a.b %> % (<cite gu2017>), see
*<doc other>* and there.

<details><summary>Hint</summary>

Use `f`.

</details>



**1.** How many?

- three

  <details><summary>Right or wrong?</summary>

  **No.** Neither. Read again: *Above*.

  </details>

- $1$

  <details><summary>Right or wrong?</summary>

  **Right.** It is.

  </details>

- two

  <details><summary>Right or wrong?</summary>

  **No.** It is not. Read again: *Above*.

  </details>"""
    )
