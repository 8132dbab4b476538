"""What can be checked in the built files without a browser, and the build's own rules."""

from __future__ import annotations

import functools
import json
import os
import re
import time
from pathlib import Path
from urllib.parse import unquote, urlsplit

import jupytext
import plotly
import pytest
from bs4 import BeautifulSoup

from tests.book import site
from tutorial_lib.course import chapters


@pytest.mark.parametrize("name", site.page_names())
def test_page_is_newer_than_its_source(name: str) -> None:
    page, source = site.HTML / f"{name}.html", site.BOOK / f"{name}.md"
    assert page.stat().st_mtime >= source.stat().st_mtime, f"{source.name} was edited: run `make book`"


def test_every_chapter_is_in_the_table_of_contents() -> None:
    assert {path.stem for path in site.BOOK.glob("*.md")} == set(site.page_names())


def test_the_sidebar_numbers_chapters_as_commands_count_them() -> None:
    page = BeautifulSoup((site.HTML / "index.html").read_text(), "html.parser")
    shown = {Path(str(a["href"])).stem: a.get_text().strip() for a in page.select("nav.bd-links li.toctree-l1 > a")}
    numbered = {name: match[1] for name, text in shown.items() if (match := re.match(r"(\d+)\. \S", text))}
    assert numbered == {name: str(number) for number, name in enumerate(site.chapter_names(), 1)}
    assert len(numbered) >= 10
    for name, number in numbered.items():
        assert [path.stem for path in chapters.chosen([number])] == [name]
        title = BeautifulSoup((site.HTML / f"{name}.html").read_text(), "html.parser").select_one("article h1")
        assert title is not None
        assert title.get_text().startswith(f"{number}. ")


def test_no_text_counts_chapters() -> None:
    """A new one in the middle must not make any sentence wrong: texts name a chapter by its subject."""
    texts = [*site.BOOK.glob("*.md"), *(site.BOOK / "_ext").glob("*.py"), *site.ROOT.glob("data_scripts/*.py")]
    texts += [site.ROOT / "README.md", site.ROOT / "CONTRIBUTING.md"]
    texts += [p for p in (site.ROOT / "tutorial_lib").rglob("*") if p.suffix in (".py", ".yml")]
    assert len(texts) > 100
    found = [
        f"{path.name}: {match[0]}"
        for path in texts
        for match in re.finditer(r"\b[cC]hapters?\s+\d.*", path.read_text())
    ]
    assert found == []


@functools.cache
def anchors(path: Path) -> frozenset[str]:
    """What links into a page may name."""
    page = BeautifulSoup(path.read_text(), "html.parser")
    return frozenset(str(element["id"]) for element in page.find_all(id=True))


@pytest.mark.parametrize("name", site.page_names())
def test_links_inside_the_book_lead_somewhere(name: str) -> None:
    page = BeautifulSoup((site.HTML / f"{name}.html").read_text(), "html.parser")
    broken = []
    for link in page.select("article a[href]"):
        target = urlsplit(link["href"])
        if target.scheme or target.netloc:
            continue
        path = (site.HTML / f"{name}.html").parent / unquote(target.path) if target.path else site.HTML / f"{name}.html"
        if not path.exists() or (
            target.fragment and path.suffix == ".html" and unquote(target.fragment) not in anchors(path)
        ):
            broken.append(link["href"])
    assert broken == []


@pytest.mark.parametrize("path", sorted(site.BOOK.glob("*.md")), ids=lambda path: path.stem)
def test_chapter_survives_the_way_to_a_notebook_and_back(path: Path) -> None:
    """`make lab` saves a chapter through jupytext: its code and prose must come back as they were."""
    chapter = jupytext.read(path)
    again = jupytext.reads(jupytext.writes(chapter, "md:myst"), "md:myst")
    assert [(c.cell_type, c.source) for c in again.cells] == [(c.cell_type, c.source) for c in chapter.cells]


def test_an_edit_of_library_data_or_lock_changes_the_cache(tmp_path: Path) -> None:
    fingerprint = site.extension("execution_cache").fingerprint
    files = ["requirements.lock", "tutorial_lib/losses.py", "tutorial_lib/data/emojicaps/SHA256SUMS"]
    for name in files:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("first")
    seen = {fingerprint(tmp_path)}
    assert fingerprint(tmp_path) in seen
    for name in files:
        (tmp_path / name).write_text("second")
        seen.add(fingerprint(tmp_path))
    assert len(seen) == 4


def test_only_the_newest_caches_are_kept(tmp_path: Path) -> None:
    now = time.time()
    for age in range(5):
        (tmp_path / f"age{age}").mkdir()
        os.utime(tmp_path / f"age{age}", (now - age, now - age))
    site.extension("execution_cache").prune(tmp_path, keep=2)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["age0", "age1"]


def test_plotly_html_keeps_frames_and_cannot_be_broken_out_of() -> None:
    figure = {
        "data": [{"name": "</script><b>"}],
        "layout": {"meta": {"alt": 'a "quoted" <figure>'}, "height": 200},
        "frames": [{"name": "0"}],
    }
    html = BeautifulSoup(site.extension("offline_pages").plotly_html(figure), "html.parser")
    embed = html.select_one(".plotly-embed")
    assert embed is not None
    assert embed["role"] == "figure"
    assert embed["aria-label"] == 'a "quoted" <figure>'
    script = embed.select_one("script")
    assert script is not None
    assert json.loads(script.string) == figure


def test_a_title_becomes_the_caption_and_gives_its_room_back() -> None:
    layout = {
        "meta": {"alt": "a curve that falls"},
        "height": 200,
        "margin": {"t": 50, "b": 9},
        "title": {"text": "loss"},
    }
    made = site.extension("offline_pages").plotly_figure({"data": [], "layout": layout})
    shown = json.loads(BeautifulSoup(made.children[0].astext(), "html.parser").select_one("script").string)["layout"]
    assert made.children[1].astext() == "Loss."
    assert shown.pop("legend")["orientation"] == "h"
    assert shown == {"meta": layout["meta"], "height": 170, "margin": {"t": 20, "b": 9}}
    assert layout["title"] == {"text": "loss"}
    untitled = site.extension("offline_pages").plotly_figure({"data": [], "layout": {"meta": layout["meta"]}})
    assert untitled.children[1].astext() == "A curve that falls."
    symbol = {"meta": layout["meta"], "title": {"text": "x and its copy"}}
    assert site.extension("offline_pages").plotly_figure({"layout": symbol}).children[1].astext() == "x and its copy."


def test_plotly_js_in_the_pages_is_of_the_version_that_python_writes_for() -> None:
    """Python's plotly ships the whole library; the pages have a part of it, of the same version."""
    version = re.compile(r"plotly\.js(?: \([^)]*\))? v(\d+\.\d+\.\d+)")
    whole = Path(plotly.__file__).parent / "package_data" / "plotly.min.js"
    part = site.HTML / "_static" / "vendor" / "plotly" / "plotly-cartesian.min.js"
    found = [version.search(path.read_text()[:500]) for path in (whole, part)]
    assert all(found)
    assert len({match[1] for match in found if match}) == 1


def test_figures_have_numbers_in_reading_order_and_references_find_them() -> None:
    numbers: list[int] = []
    by_target: dict[str, str] = {}
    references: list[tuple[str, str]] = []
    for name in site.page_names():
        page = BeautifulSoup((site.HTML / f"{name}.html").read_text(), "html.parser")
        for plot in page.select(".plotly-embed, .picture-sheet, .drawing, .live-mount"):
            figure = plot.find_parent("figure")
            assert figure is not None, (name, str(plot)[:200])
            number, text = figure.select_one(".caption-number"), figure.select_one(".caption-text")
            assert number is not None
            assert text is not None
            assert len(text.text.strip()) > 10, (name, text)
            found = re.fullmatch(r"Fig\. (\d+)", number.text.strip())
            assert found, number
            numbers.append(int(found[1]))
            by_target[f"{name}.html#{figure['id']}"] = number.text.strip()
        for link in page.select("article a.reference.internal:has(> .std-numref)"):
            href = str(link["href"])
            references.append((f"{name}.html{href}" if href.startswith("#") else href, link.text.strip()))
    assert len(numbers) > 50
    assert numbers == list(range(1, len(numbers) + 1))
    to_figures = [(target, text) for target, text in references if text.startswith("Fig.")]
    assert len(to_figures) >= 12
    for target, text in to_figures:
        assert by_target[target] == text


def test_terms_link_to_the_glossary_once_a_page() -> None:
    for name in site.page_names():
        page = BeautifulSoup((site.HTML / f"{name}.html").read_text(), "html.parser")
        links = [a["href"] for a in page.select("article a[href]") if a.select_one(".std-term")]
        assert len(links) == len(set(links))
        assert all(re.match(r"glossary\.html#term-", link) for link in links)
        if name in site.chapter_names():
            assert len(links) >= 3, name
