"""The decks: of every chapter, whole, small, without a request, and led by keys alone."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest
from bs4 import BeautifulSoup
from playwright.sync_api import Browser, Page

from tests.book import site
from tutorial_lib.course.chapters import chapters

decks, slides, run_outputs = (site.extension(name) for name in ("decks", "slides", "run_outputs"))
execution_cache, records = (site.extension(name) for name in ("execution_cache", "records"))
LARGEST = 3_000_000  # bytes
NAMES = [path.stem for path in chapters()]


def run_of(name: str) -> run_outputs.Run | None:
    cache = execution_cache.CACHES / execution_cache.fingerprint()
    return run_outputs.of_chapter(name, site.ROOT / "_build" / "jupyter_execute", cache)


@pytest.fixture(scope="module")
def made(address: str) -> dict[str, slides.Deck]:
    """With what the cells showed when the pages were built."""
    return {path.stem: slides.Deck(path, run=run_of(path.stem)) for path in chapters()}


def figures_of(text: str) -> Iterator[str]:
    """The figures of a chapter that its deck shows: those of records that no page folds, drawings and live ones."""
    cells = re.findall(r"```\{code-cell\}.*?\n```", text, re.S)
    unfolded = "\n".join(cell for cell in cells if not re.search("hide-(output|cell)", cell))
    for name, part in records.CALL.findall(unfolded):
        yield name if part in ("", "plot") else f"{name}-{part.replace('_', '-')}"
    for kind, prefix in (("drawing", "drawing-"), ("live-figure", "live-")):
        yield from (prefix + name for name in re.findall(rf"^```\{{{kind}\}} ([\w-]+)", text, re.M))


@pytest.fixture(scope="module")
def folder(made: dict[str, slides.Deck], tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("slides")
    assert [path.stem for path in decks.write(made.values(), out)] == NAMES
    return out


@pytest.fixture
def page(folder: Path, chromium: Browser) -> Iterator[Page]:
    found = chromium.new_page(viewport={"width": 1280, "height": 720}, color_scheme="light")
    yield found
    found.close()


@pytest.mark.parametrize("name", NAMES)
def test_a_deck_is_whole_and_small(folder: Path, made: dict[str, slides.Deck], name: str) -> None:
    path = folder / f"{name}.html"
    assert path.stat().st_size < LARGEST
    source, text = (site.BOOK / f"{name}.md").read_text(), path.read_text()
    found = BeautifulSoup(text, "html.parser")
    assert len(found.select(".slide")) >= 6
    assert all(s.select_one(".body").get_text(strip=True) or s.select_one("svg, img") for s in found.select(".slide"))
    figures = [s.figure for s in made[name].slides if s.figure]
    assert sorted(figures) == sorted(figures_of(source))
    assert len(found.select(":is(.figure, .drawing, .table, .live) :is(svg, img, table)")) >= len(figures)
    for section in re.findall(r"^## (.+)$", source, re.M):
        if section not in ("Check yourself", "Further reading"):
            assert section.split("$")[0].strip("\"' ")[:8] in found.get_text()


@pytest.mark.parametrize("name", NAMES)
def test_the_built_deck_shows_what_the_cells_showed(made: dict[str, slides.Deck], name: str) -> None:
    deck = made[name]
    built = (site.HTML / "slides" / f"{name}.html").read_text()
    assert f'content="{decks.made_of(deck.path, deck.run)}"' in built
    printed = [out for outputs in deck.run.shown.values() for out in outputs if out.kind == "text"]
    assert ('class="printed"' in built) == any(0 < len(p.value.splitlines()) <= slides.LINES for p in printed)
    assert slides.UNKNOWN not in built


@pytest.mark.parametrize("name", NAMES)
def test_a_deck_asks_for_nothing(folder: Path, name: str) -> None:
    found = BeautifulSoup((folder / f"{name}.html").read_text(), "html.parser")
    assert not found.select("link, iframe, script[src], object, embed")
    assert all(image["src"].startswith("data:") for image in found.select("img"))
    assert all(image["alt"] for image in found.select("img"))
    style = "".join(s.get_text() for s in found.select("style"))
    assert "url(" not in style
    assert "@import" not in style


def test_a_build_writes_what_has_changed(
    folder: Path, made: dict[str, slides.Deck], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    two = chapters()[:2]
    monkeypatch.setattr(decks, "chapters", lambda: two)
    monkeypatch.setattr(decks, "Deck", lambda path, run: made[path.stem])
    out = tmp_path / "slides"
    out.mkdir()
    (out / f"{NAMES[0]}.html").write_text((folder / f"{NAMES[0]}.html").read_text() + "<!-- kept -->")
    (out / f"{NAMES[1]}.html").write_text("of an earlier build")
    (out / "gone.html").write_text("of a chapter that is gone")
    config = SimpleNamespace(nb_execution_cache_path=str(execution_cache.CACHES / execution_cache.fingerprint()))
    app = SimpleNamespace(outdir=str(tmp_path), builder=SimpleNamespace(name="html"), config=config)
    monkeypatch.setattr(run_outputs, "of_chapter", lambda name, *_: made[name].run)
    decks.write_beside_pages(app, RuntimeError("a build that failed"))
    assert (out / "gone.html").exists()
    decks.write_beside_pages(app, None)
    assert sorted(path.stem for path in out.iterdir()) == sorted(NAMES[:2])
    assert "<!-- kept -->" in (out / f"{NAMES[0]}.html").read_text()
    assert (out / f"{NAMES[1]}.html").read_text() == (folder / f"{NAMES[1]}.html").read_text()


def test_keys_lead_through_a_deck(folder: Path, page: Page) -> None:
    asked, wrong = [], []
    page.on("request", lambda sent: asked.append(sent.url))
    page.on("console", lambda said: wrong.append(said.text))
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.goto((folder / "backdoors.html").as_uri())

    def now() -> str:
        return page.locator(".slide.now").get_attribute("id") or ""

    assert now() == "1"
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Space")
    assert now() == "3"
    page.keyboard.press("ArrowLeft")
    assert now() == "2"
    page.keyboard.press("End")
    assert int(now()) == page.locator(".slide").count()
    page.keyboard.press("Home")
    assert not page.locator(".slide.now .notes").is_visible()
    page.keyboard.press("n")
    assert page.locator(".slide.now .notes").is_visible()
    page.keyboard.press("o")
    assert page.locator(".slide:visible").count() > 6
    page.keyboard.press("Escape")
    assert page.locator(".slide:visible").count() == 1
    assert len(asked) == 1
    assert not wrong


def test_a_question_is_answered_before_one_goes_on(folder: Path, page: Page) -> None:
    page.goto((folder / "backdoors.html").as_uri())
    first = page.locator(".slide.quiz").first.get_attribute("id")
    page.goto(f"{(folder / 'backdoors.html').as_uri()}#{first}")
    page.reload()
    weight = "e => getComputedStyle(e).fontWeight"
    right = page.locator(".slide.now .right")
    before = right.evaluate(weight)
    page.keyboard.press("ArrowRight")
    assert page.locator(".slide.now").get_attribute("id") == first
    assert int(right.evaluate(weight)) > int(before)
    page.keyboard.press("ArrowRight")
    assert page.locator(".slide.now").get_attribute("id") == str(int(first or 0) + 1)


@pytest.mark.parametrize("name", NAMES)
def test_everything_is_on_its_stage(folder: Path, page: Page, name: str) -> None:
    page.goto((folder / f"{name}.html").as_uri())
    for _ in range(page.locator(".slide").count()):
        outside = page.evaluate(
            """() => {
                const slide = document.querySelector(".slide.now"), body = slide.querySelector(".body");
                return body.scrollHeight > body.clientHeight + 2 || body.scrollWidth > body.clientWidth + 2
                    ? slide.id : "";
            }"""
        )
        assert not outside
        page.keyboard.press("ArrowRight")
        if page.locator(".slide.now.answered").count():
            page.keyboard.press("ArrowRight")


def test_a_deck_prints_a_page_a_slide(folder: Path, page: Page) -> None:
    page.goto((folder / "capstone.html").as_uri())
    printed = page.pdf(prefer_css_page_size=True, print_background=True)
    assert len(re.findall(rb"/Type\s*/Page\b", printed)) == page.locator(".slide").count()
