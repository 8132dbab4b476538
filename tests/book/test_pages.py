"""Every page as a reader without a network sees it, in a real browser."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, Request, Response

from tests.book import site
from tests.course.test_page_lengths import DIVIDED, SCREENS, VERDICTS
from tutorial_lib.evidence.shown import Shown

#: pydata-sphinx-theme says this on a first visit, before it has stored a choice; nothing is wrong.
HARMLESS = "Got invalid theme mode"


@dataclass
class Visit:
    """A page that has been opened and scrolled through, and what went wrong meanwhile."""

    page: Page
    errors: list[str] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)
    foreign: list[str] = field(default_factory=list)
    sizes: dict[str, int] = field(default_factory=dict)  # bytes by address, without compression


@pytest.fixture(scope="module", params=site.page_names())
def visit(request: pytest.FixtureRequest, chromium: Browser, address: str) -> Iterator[Visit]:
    page = chromium.new_page(viewport={"width": 1280, "height": 900})
    seen = Visit(page)

    def note_request(sent: Request) -> None:
        if not sent.url.startswith((address, "data:", "blob:")):
            seen.foreign.append(sent.url)

    page.on("request", note_request)

    def note_response(got: Response) -> None:
        if got.status >= 400:
            seen.failed.append(f"{got.url}: {got.status}")
        seen.sizes[got.url] = int(got.headers.get("content-length", 0))

    page.on("requestfailed", lambda sent: seen.failed.append(f"{sent.url}: {sent.failure}"))
    page.on("response", note_response)
    page.on("pageerror", lambda error: seen.errors.append(str(error)))
    page.on("console", lambda said: seen.errors.append(said.text) if said.type == "error" else None)
    page.goto(f"{address}/{request.param}.html")
    site.settle(page)
    yield seen
    page.close()


def test_no_request_fails_or_leaves_this_machine(visit: Visit) -> None:
    assert visit.failed == []
    assert visit.foreign == []


def test_no_error_in_the_console(visit: Visit) -> None:
    assert [error for error in visit.errors if HARMLESS not in error] == []


def test_math_is_typeset(visit: Visit) -> None:
    raw = visit.page.eval_on_selector_all(
        "article .math", "found => found.filter(e => !e.querySelector('mjx-container')).map(e => e.textContent)"
    )
    assert raw == []
    assert visit.page.locator("mjx-merror").count() == 0
    text = visit.page.eval_on_selector("article", "e => e.innerText")
    assert not [mark for mark in ("$$", r"\(", r"\[") if mark in text]


def test_every_plotly_figure_is_drawn(visit: Visit) -> None:
    """A surface of some size, and in it at least one mark: a path, a picture, or a WebGL canvas."""
    empty = visit.page.eval_on_selector_all(
        ".plotly-embed",
        """figures => figures.filter((figure) => {
            const { width, height } = figure.querySelector('.main-svg').getBoundingClientRect();
            const marks = '.trace path, .trace image, .imagelayer image, .barlayer path, .heatmaplayer image, canvas';
            return width < 100 || height < 50 || !figure.querySelector(marks);
        }).map(figure => figure.ariaLabel)""",
    )
    assert empty == []


def test_figures_follow_the_dark_mode(visit: Visit) -> None:
    """A figure's text must stand out from the page in both modes."""
    if not visit.page.locator(".plotly-embed .ytick text").count():
        return
    lightness = """mode => {
        document.documentElement.dataset.theme = mode;
        return new Promise((resolve) => setTimeout(() => {
            const colour = getComputedStyle(document.querySelector('.plotly-embed .ytick text')).fill;
            resolve(colour.match(/\\d+/g).slice(0, 3).reduce((sum, part) => sum + Number(part), 0) / 3);
        }, 300));
    }"""
    assert visit.page.evaluate(lightness, "dark") > 128
    legend = "found => found.map(e => getComputedStyle(e).fillOpacity)"  # a white one would hide light letters
    assert set(visit.page.eval_on_selector_all(".plotly-embed .legend > .bg", legend)) <= {"0"}
    assert visit.page.evaluate(lightness, "light") < 128


def test_every_figure_says_what_it_shows(visit: Visit) -> None:
    """For readers who cannot see it. The default of a picture is its file name: not good enough."""
    labels = visit.page.eval_on_selector_all(".plotly-embed, .picture-sheet", "found => found.map(e => e.ariaLabel)")
    labels += visit.page.eval_on_selector_all(
        ".drawing svg", "found => found.map(e => e.querySelector('title').textContent)"
    )
    labels += visit.page.eval_on_selector_all(
        "article img", "found => found.map(e => e.alt.match(/\\.(png|svg|jpe?g|webp)$/) ? '' : e.alt)"
    )
    assert all(label and label.strip() for label in labels), labels


def test_print_unfolds_the_quizzes_and_folds_them_again(visit: Visit) -> None:
    """Also in a browser without `::details-content`."""
    folded = visit.page.locator(".quiz details:not([open])")
    before = folded.count()
    visit.page.evaluate("() => dispatchEvent(new Event('beforeprint'))")
    assert folded.count() == 0
    visit.page.evaluate("() => dispatchEvent(new Event('afterprint'))")
    assert folded.count() == before
    if Path(visit.page.url).stem in site.chapter_names():
        assert before >= 8


def test_a_page_with_code_offers_its_notebook(visit: Visit) -> None:
    link = visit.page.locator("a.btn-download-notebook-button")
    has_code = visit.page.locator("div.cell").count() > 0
    assert link.count() == has_code
    if not has_code:
        return
    answer = visit.page.request.get(link.evaluate("a => a.href"))
    assert answer.ok
    notebook = answer.json()
    assert notebook["nbformat"] == 4
    assert any(cell["cell_type"] == "code" for cell in notebook["cells"])


def test_no_traceback_in_the_text(visit: Visit) -> None:
    """Nothing failed while the page was made; the examples of the reference may show the error that they expect."""
    outputs = visit.page.locator("article :text('Traceback (most recent call last)'):not(.doctest *)")
    assert outputs.all_inner_texts() == []


#: What reaches beyond the page's text, and cannot be reached by scrolling a box that lies within it.
CUT = """() => {
    const article = document.querySelector('article'), edge = article.getBoundingClientRect().right + 1;
    const scrolls = (e) => {
        for (let box = e.parentElement; box && box !== article; box = box.parentElement)
            if (getComputedStyle(box).overflowX === 'auto' && box.getBoundingClientRect().right <= edge) return true;
        return false;
    };
    const kinds = 'p, pre, table, img, figure, mjx-container, .strip, .drawing svg, .claim, .still-wide > svg';
    const all = article.querySelectorAll(kinds);
    // A live figure and its caption may be wider than the text on purpose, where they stay in sight.
    const wide = (e) => e.closest('.live-figure') && e.getBoundingClientRect().right <= innerWidth;
    return [...all].filter((e) => e.getClientRects().length && !e.closest('.live-mount') && !wide(e))
        .filter((e) => e.getBoundingClientRect().right > edge && !scrolls(e))
        .map((e) => `${e.tagName}.${e.getAttribute('class')}: ${e.textContent.slice(0, 60)}`);
}"""
#: Boxes of code, printouts and formulas in which a reader has to scroll.
SCROLLING = """() => [...document.querySelectorAll('.cell_input pre, .cell_output pre, mjx-container[display]')]
    .filter((e) => e.scrollWidth > e.clientWidth + 1).map((e) => e.textContent.trim().slice(0, 60))"""


def test_nothing_is_cut_at_a_desk(visit: Visit) -> None:
    """At 1280 pixels, beside both sidebars; and code, printouts and formulas fit."""
    assert visit.page.evaluate(CUT) == []
    assert visit.page.evaluate(SCROLLING) == []


def test_a_divided_page_is_short(visit: Visit) -> None:
    """What readers gave up on: no page of these is longer than a sitting, with what is folded left folded."""
    if Path(visit.page.url).stem not in DIVIDED:
        return
    visit.page.set_viewport_size({"width": 1280, "height": 720})
    found = visit.page.evaluate("() => document.querySelector('article').getBoundingClientRect().height / innerHeight")
    visit.page.set_viewport_size({"width": 1280, "height": 900})
    assert 5 <= found <= SCREENS
    assert visit.page.locator(".claim").count() <= VERDICTS


def test_nothing_is_wider_than_a_phone(visit: Visit) -> None:
    visit.page.set_viewport_size({"width": 390, "height": 844})
    for _ in range(20):  # figures are drawn anew, one after another
        visit.page.wait_for_timeout(300)
        width = visit.page.evaluate("() => document.documentElement.scrollWidth")
        if width <= 390:
            break
    cut = visit.page.evaluate(CUT)
    formulas = visit.page.eval_on_selector_all(
        "article mjx-container[display]", "found => found.filter(e => e.scrollWidth > e.clientWidth + 1).length"
    )
    words = visit.page.eval_on_selector_all(
        ".claim, .claim .verdict, .strip", "found => found.map(e => e.getBoundingClientRect().right)"
    )
    visit.page.set_viewport_size({"width": 1280, "height": 900})
    assert width <= 390
    assert cut == []
    assert formulas == 0
    assert max(words, default=0) <= 390


def test_the_page_is_light(visit: Visit, capsys: pytest.CaptureFixture[str]) -> None:
    """At most 2 MB of its own; libraries and styles are shared by all pages, live models come when they are seen."""
    own, shared, models = 0, 0, 0
    for address, size in visit.sizes.items():
        if "/live/models/" in address:
            models += size
        elif "/_static/" in address:
            shared += size
        else:
            own += size
    with capsys.disabled():
        name = visit.page.url.rsplit("/", 1)[-1]
        print(
            f"\n{name:30s} own {own / 1e6:5.2f} MB, shared {shared / 1e6:5.2f} MB, models {models / 1e6:5.2f} MB",
            end="",
        )
    assert 0 < own <= 2e6
    assert models <= 4e6  # a model and its clean twin, in the live backdoor


def serious(page: Page, *rules: str) -> list[tuple]:
    """What axe-core calls critical or serious, by all rules or by some."""
    options = {"resultTypes": ["violations"]} | ({"runOnly": [*rules]} if rules else {})
    violations = Axe().run(page, options=options).response["violations"]
    return [
        (v["id"], v["impact"], len(v["nodes"]), v["nodes"][0]["html"][:200], v["nodes"][0]["failureSummary"][:300])
        for v in violations
        if v["impact"] in ("critical", "serious")
    ]


@pytest.mark.parametrize(("theme", "rules"), [("light", ()), ("dark", ("color-contrast",))], ids=["light", "dark"])
def test_axe_finds_nothing_serious(visit: Visit, theme: str, rules: tuple[str, ...]) -> None:
    """An automatic accessibility check by day, and by night of what differs there: the colours."""
    visit.page.evaluate("theme => { document.documentElement.dataset.theme = theme; }", theme)
    visit.page.wait_for_timeout(300)  # figures take the new colours
    found = serious(visit.page, *rules)
    visit.page.evaluate("() => { document.documentElement.dataset.theme = 'light'; }")
    assert found == []


@pytest.mark.parametrize(("name", "experiment"), [("backdoors", "fig2_right"), ("what_cleaning_removes", "cc_attacks")])
def test_figures_that_are_drawn_on_a_phone_can_be_read_there(
    chromium: Browser, address: str, name: str, experiment: str
) -> None:
    """Stamps wrap below their plots; labels keep a width, and what scrolls can be scrolled by the keyboard."""
    page = chromium.new_page(viewport={"width": 390, "height": 844})
    try:
        page.goto(f"{address}/{name}.html")
        site.settle(page)
        stamps = page.locator(".plotly-stamp")
        assert stamps.count() >= 2
        assert f"profile {Shown().behind(experiment).profile.name}" in " ".join(stamps.all_inner_texts())
        rights = stamps.evaluate_all("found => found.map(e => e.getBoundingClientRect().right)")
        assert max(rights) <= 390
        wide = page.locator(".plotly-figure[tabindex='0']")
        assert wide.count() >= (name == "what_cleaning_removes")  # maps side by side
        assert wide.count() == 0 or min(wide.evaluate_all("found => found.map(e => e.scrollWidth)")) >= 560
        assert page.evaluate("() => document.documentElement.scrollWidth") <= 390
        assert page.locator(".modebar").count() == 0, "it would cover the legend"
        titles = page.locator(".plotly-embed :is(.xtitle, .ytitle)")
        for box in titles.evaluate_all("found => found.map(e => e.getBoundingClientRect().toJSON())"):
            assert box["left"] >= 0
            assert box["right"] <= 390 or box["width"] > 390  # of a figure that scrolls by itself
        assert serious(page) == []
    finally:
        page.close()


def test_a_figure_is_fitted_anew_when_its_window_is_narrowed(chromium: Browser, address: str) -> None:
    page = chromium.new_page(viewport={"width": 1280, "height": 900})
    try:
        page.goto(f"{address}/backdoors.html")
        site.settle(page)
        assert page.locator(".plotly-stamp").count() == 0
        page.set_viewport_size({"width": 390, "height": 844})
        page.wait_for_function("() => document.querySelector('.plotly-stamp')")
        page.set_viewport_size({"width": 1280, "height": 900})
        page.wait_for_function("() => !document.querySelector('.plotly-stamp')")
    finally:
        page.close()


@pytest.mark.parametrize("name", ["backdoors", "stealthier_triggers"])
def test_without_javascript_figures_are_still_pictures(unscripted: site.Unscripted, address: str, name: str) -> None:
    page = unscripted(f"{address}/{name}.html")
    charts = page.locator(".plotly-embed")
    stills = page.locator(".plotly-embed svg.still")
    assert charts.count() == stills.count() > 0
    for box, still in zip(charts.all(), stills.all(), strict=True):
        around, inside = box.bounding_box(), still.bounding_box()
        assert around is not None
        assert inside is not None
        assert inside["width"] > 500
        assert around["height"] < inside["height"] + 40
    sheets = page.locator(".picture-sheet .still-wide svg")
    assert sheets.count() > 0
    assert page.locator("noscript:has-text('JavaScript')").count() == 0


@pytest.mark.parametrize("name", ["zscore", "table"])
def test_without_javascript_formulas_are_drawn(unscripted: site.Unscripted, address: str, name: str) -> None:
    """As MathML, and nobody sees the TeX that MathJax would have drawn."""
    page = unscripted(f"{address}/{name}.html")
    formulas = page.locator("article math")
    assert formulas.count() == page.locator("article .math").count() > 0
    assert not any(one.is_visible() for one in page.locator("article .math").all())
    shown = page.locator("article math[display=block]").first.bounding_box()
    assert shown is not None
    assert shown["width"] > 100
    assert shown["height"] > 20
    assert "\\(" not in page.locator("article").inner_text()
