"""The page of run times shows what the build kept beside the outputs, and says where it kept nothing."""

from __future__ import annotations

import json
import sys
from importlib.metadata import version
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest
from bs4 import BeautifulSoup
from jupyter_cache import get_cache

from tests.book import site
from tests.book.test_chapter_pool import Build


@pytest.fixture
def pool() -> ModuleType:
    return site.extension("chapter_pool")


@pytest.fixture
def listing() -> ModuleType:
    return site.extension("execution_table")


@pytest.mark.slow
def test_rows_have_what_was_kept_beside_the_outputs(
    pool: ModuleType, listing: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    build = Build(tmp_path)
    build.write("two", "print('second')")
    monkeypatch.setattr(pool, "SECONDS", tmp_path / "seconds.json")
    pool.fill_cache(build.app, build.env, ["one", "page", "two"])
    build.write("two", "print('not run yet')")
    one, two = listing.rows(build.env, ["one", "page", "two"], get_cache(str(build.cache)))
    assert (one.name, one.cells) == ("one", 1)
    assert one.seconds == pytest.approx(json.loads((tmp_path / "seconds.json").read_text())["one"], abs=0.06)
    python = ".".join(map(str, sys.version_info[:3]))
    assert one.made_with.startswith(f"Python {python}, torch {version('torch')}, open_clip_torch ")
    assert "cores" in one.data["cpu"]
    assert (two.name, two.data, two.seconds, two.made_with) == ("two", {}, None, "")


def test_outputs_of_an_earlier_build_have_a_time_and_no_versions(listing: ModuleType) -> None:
    row = listing.Row("old", 3, {"execution_seconds": 61.2})
    assert (row.seconds, row.made_with) == (61.2, "")


def test_a_time_is_said_in_words_and_pages_with_one_are_read_anew(listing: ModuleType, tmp_path: Path) -> None:
    assert listing.Row("run", 3, {"execution_seconds": 61.2}).time == "61 s"
    assert listing.Row("not run", 3, {}).time == listing.NOT_RUN
    texts = {"plain": "No time.", "table": "```{execution-table}\n```", "role": "It ran for {ran}`plain`."}
    for name, text in texts.items():
        (tmp_path / f"{name}.md").write_text(text)
    env = SimpleNamespace(found_docs=set(texts), doc2path=lambda name: tmp_path / f"{name}.md")
    assert sorted(listing.outdated(None, env, set(), set(), set())) == ["role", "table"]


@pytest.mark.parametrize(("page", "said"), [("two", "61 s"), ("unheard", "no page"), ("empty", "no cells")])
def test_a_role_says_how_long_a_chapter_ran(
    listing: ModuleType, monkeypatch: pytest.MonkeyPatch, page: str, said: str
) -> None:
    found = {"two": [listing.Row("two", 1, {"execution_seconds": 61.2})], "empty": []}
    monkeypatch.setattr(listing, "rows", lambda env, names, cache: found[names[0]])
    monkeypatch.setattr(listing, "get_cache", lambda path: None)
    config = SimpleNamespace(nb_execution_cache_path="")
    settings = SimpleNamespace(env=SimpleNamespace(found_docs=set(found), config=config))
    inliner = SimpleNamespace(
        document=SimpleNamespace(settings=settings), reporter=SimpleNamespace(error=lambda text, line: text)
    )
    made, wrong = listing.RanRole()("ran", page, page, 1, inliner)
    assert said in (made[0].astext() if made else wrong[0])


def test_pages_come_in_reading_order(listing: ModuleType) -> None:
    children = {"index": ["b", "a"], "b": ["c"], "a": [], "c": []}
    site_map = {name: SimpleNamespace(child_files=lambda found=found: found) for name, found in children.items()}
    config = SimpleNamespace(external_site_map=site_map, root_doc="index")
    env = SimpleNamespace(config=config, found_docs={"index", "a", "b", "c"})
    assert listing.in_reading_order(env) == ["index", "b", "c", "a"]


def test_the_page_has_a_line_for_every_chapter_and_their_sum() -> None:
    page = BeautifulSoup((site.HTML / "execution_times.html").read_text(), "html.parser")
    rows = [[cell.get_text(" ", strip=True) for cell in row.select("td")] for row in page.select("article table tr")]
    rows = [row for row in rows if row]
    linked = [Path(str(a["href"])).stem for a in page.select("article table td:first-child a")]
    assert linked == [
        name for name in site.page_names() if "kernelspec:" in (site.BOOK / f"{name}.md").read_text()[:600]
    ]
    assert rows[-1][0] == f"all {len(linked)}"
    assert int(rows[-1][1]) == sum(int(row[1]) for row in rows[:-1])
    assert all(row[2] for row in rows)
