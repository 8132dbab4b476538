"""Further reading: real papers, a reason each, for every chapter."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from markdown_it import MarkdownIt

from tests.book import site

further_reading, plain_markdown = site.extension("further_reading"), site.extension("plain_markdown")
DIRECTIVE = re.compile(r"^```\{further-reading\} *(\w+)\n```$", re.M)
BIB = "@misc{a2020,\n author = {Ann A}, title = {{CLIP} and more}, year = {2020}}\n"


@pytest.mark.parametrize("name", list(further_reading.lists()))
def test_a_list_is_short_and_says_why(name: str) -> None:
    entries = further_reading.of(name)
    assert 4 <= len(entries) <= 8
    for entry in entries:
        assert len(entry.read) >= 40
        assert entry.read.endswith(".")
        assert not set("{}") & set(entry.title)


@pytest.mark.parametrize("name", site.chapter_names())
def test_a_chapter_shows_its_own_list(name: str) -> None:
    shown = DIRECTIVE.findall((site.BOOK / f"{name}.md").read_text())
    assert shown == [name]
    assert name in further_reading.lists()


def test_a_paper_that_is_not_known_or_stands_twice_is_refused(tmp_path: Path) -> None:
    (tmp_path / "some.bib").write_text(BIB)
    for number, papers in enumerate((["a2020", "b2021"], ["a2020", "a2020"])):
        path = tmp_path / f"{number}.yml"
        path.write_text("page:\n" + "".join(f"  - paper: {paper}\n    read: Why.\n" for paper in papers))
        with pytest.raises(ValueError, match=f"of page: '{papers[-1]}'"):
            further_reading.lists(path, tmp_path / "some.bib")
    with pytest.raises(ValueError, match="nothing for 'unheard'"):
        further_reading.of("unheard")


def test_a_line_is_markdown_and_a_notebook_has_it_too(tmp_path: Path) -> None:
    (tmp_path / "some.bib").write_text(BIB)
    (tmp_path / "some.yml").write_text("page:\n  - paper: a2020\n    read: For a reason.\n")
    (entry,) = further_reading.lists(tmp_path / "some.yml", tmp_path / "some.bib")["page"]
    line = further_reading.item(entry, "A (2020)")
    assert "<em>CLIP and more</em>. For a reason." in MarkdownIt().render(line)
    plain = plain_markdown.plain("```{further-reading} zscore\n```", lambda role, text: "")
    assert plain.count("\n- ") == len(further_reading.of("zscore")) - 1
    assert "Carlini and Terzis (2022), *Poisoning and backdooring contrastive learning*." in plain
