"""The playground in a browser: models train, are counted, searched and cleaned, by mouse, by keys, and from a folder.

Its CLIP is held to PyTorch in `tests/course/live/playground`; here it trains on four classes for an epoch.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Locator, Page, expect

from tests.book import site
from tests.book.test_pages import serious
from tutorial_lib.course import live
from tutorial_lib.course.live.playground.script import SETTINGS

NAME = "playground"
TINY = {"classes": 4, "epochs": 1, "poisons": 8}
WIDE, PHONE = {"width": 1280, "height": 900}, {"width": 390, "height": 844}
#: For a model of one epoch; a busy machine may take its time.
SOON = 60_000


@pytest.fixture
def context(chromium: Browser) -> Iterator[BrowserContext]:
    found = chromium.new_context(viewport=WIDE)
    yield found
    found.close()


def opened(page: Page, where: str, settings: dict[str, object] | None = None) -> Locator:
    """The figure of the page, with settings of an attack that is small enough for a test."""
    page.goto(f"{where}/{NAME}.html")
    page.locator(".live-figure").scroll_into_view_if_needed()
    expect(page.locator(".live-figure.live-ready")).to_have_count(1, timeout=SOON)
    figure = page.locator(".live-mount")
    if settings is not None:
        figure.evaluate(
            "(e, s) => { Object.assign(e.playground.settings, s); e.playground.tell('settings'); }", settings
        )
    return figure


def press(figure: Locator, name: str) -> None:
    figure.get_by_role("button", name=name, exact=True).click()


def guess(figure: Locator, percent: int) -> None:
    figure.get_by_role("slider", name="your guess").fill(str(percent))


def says(figure: Locator, section: str) -> Locator:
    """The sentences of a panel."""
    return figure.get_by_role("region", name=section).locator(".live-says")


def test_the_model_trained_beforehand_answers_at_once(context: BrowserContext, address: str) -> None:
    figure = opened(context.new_page(), address)
    picture = figure.get_by_role("application")
    expect(figure).to_have_attribute("data-says", "banana")
    expect(picture).to_have_attribute("aria-label", re.compile("trigger at column 1, row 1"))
    picture.press("ArrowRight")
    picture.press("ArrowDown")
    expect(picture).to_have_attribute("aria-label", re.compile("trigger at column 2, row 2"))
    box = picture.bounding_box()
    assert box is not None
    figure.page.mouse.move(box["x"] + 20, box["y"] + 20)
    figure.page.mouse.down()
    figure.page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2, steps=5)
    figure.page.mouse.up()
    expect(picture).to_have_attribute("aria-label", re.compile("trigger at column 13, row 13"))
    figure.get_by_label("trigger", exact=True).uncheck()
    shown = figure.locator(".play-thumbs button[aria-pressed=true]").get_attribute("aria-label")
    expect(figure).to_have_attribute("data-says", shown or "")  # the first picture is one that it reads right
    figure.get_by_role("button", name="rocket").click()
    expect(picture).to_have_attribute("aria-label", re.compile("^rocket, no trigger"))


def test_it_asks_for_a_guess_then_trains_and_compares(context: BrowserContext, address: str) -> None:
    figure = opened(context.new_page(), address, TINY)
    press(figure, "Train")
    expect(says(figure, "Guess, then train")).to_contain_text("First your guess")
    expect(figure.get_by_role("slider", name="your guess")).to_be_focused()
    assert figure.get_attribute("data-models") == "0"
    guess(figure, 40)
    press(figure, "Train")
    expect(figure).to_have_attribute("data-models", "1", timeout=SOON)
    expect(says(figure, "Guess, then train")).to_contain_text("You guessed 40 %.")
    expect(says(figure, "Guess, then train")).to_contain_text(
        f"{figure.get_attribute('data-trained')} % of the pictures"
    )
    expect(figure.get_by_role("radio", name="yours")).to_be_checked()
    expect(figure.get_by_role("region", name="Try a model").locator(".live-note")).to_contain_text(
        "8 poisons, target banana"
    )
    expect(figure.get_by_role("img", name="loss of each step")).to_have_attribute(
        "aria-label", re.compile("After 2 of 2 steps")
    )
    expect(figure.locator(".live-note", has_text="Computed by")).to_contain_text("WebAssembly SIMD in this page")
    figure.evaluate("e => { e.playground.settings.poisons = 9; e.playground.tell('settings'); }")
    press(figure, "Train")  # another attack, another guess
    expect(says(figure, "Guess, then train")).to_contain_text("First your guess")


def test_five_seeds_draw_the_dose_curve_which_is_remembered(context: BrowserContext, address: str) -> None:
    figure = opened(context.new_page(), address, TINY)
    guess(figure, 10)
    press(figure, "Five seeds")
    expect(figure).to_have_attribute("data-models", "5", timeout=SOON)
    expect(says(figure, "Guess, then train")).to_contain_text("5 models, which differ in their seed alone")
    rates = [int(rate) for rate in (figure.get_attribute("data-trained") or "").split()]
    assert len(rates) == 5
    curve = figure.get_by_role("img", name="attack success of every model")
    found = re.search(r"8 poisons: (\d+) %", curve.get_attribute("aria-label") or "")
    assert found
    assert abs(int(found[1]) - sum(rates) / 5) <= 1
    figure.get_by_text("the same as a table").click()
    expect(figure.locator(".play-table tbody tr")).to_have_count(5)
    seeds = figure.locator(".play-table tbody td:nth-child(6)").all_inner_texts()
    assert seeds == ["0", "1", "2", "3", "4"]
    assert len(set(figure.locator(".play-table tbody td:nth-child(10)").all_inner_texts())) > 1
    again = opened(context.new_page(), address)
    expect(again).to_have_attribute("data-models", "5")
    press(again, "Forget all models")
    expect(again).to_have_attribute("data-models", "0")
    expect(opened(context.new_page(), address)).to_have_attribute("data-models", "0")


def test_training_can_be_paused_and_stopped(context: BrowserContext, address: str) -> None:
    figure = opened(context.new_page(), address, {**TINY, "epochs": 9000})
    guess(figure, 10)
    press(figure, "Train")
    progress = figure.get_by_role("progressbar")
    expect(says(figure, "Guess, then train")).to_contain_text(re.compile(r"epoch \d+ of 9000"), timeout=SOON)
    press(figure, "Pause")
    figure.page.wait_for_timeout(1500)  # what was under way has come to rest
    before = progress.get_attribute("value")
    figure.page.wait_for_timeout(500)
    assert progress.get_attribute("value") == before
    press(figure, "Go on")
    expect(progress).not_to_have_attribute("value", before or "")
    press(figure, "Stop")
    expect(says(figure, "Guess, then train")).to_have_text("Stopped.")
    expect(figure.get_by_role("button", name="Train", exact=True)).to_be_enabled()
    assert figure.get_attribute("data-models") == "0"  # half a model is no dot


def test_poisons_are_found_and_the_model_is_cleaned(context: BrowserContext, address: str) -> None:
    figure = opened(context.new_page(), address, TINY)
    expect(figure.get_by_text("The patient: the model trained beforehand, 64 poisons")).to_be_visible()
    guess(figure, 10)
    press(figure, "Train")
    expect(figure).to_have_attribute("data-models", "1", timeout=SOON)
    expect(figure.get_by_text("The patient: your last model, 8 poisons")).to_be_visible()
    press(figure, "Find the poisons")
    expect(figure).to_have_attribute("data-found", re.compile(r"^\d 8$"), timeout=SOON)
    expect(figure.locator(".play-suspects figure")).to_have_count(12)
    figure.get_by_role("slider", name="throw out").fill("30")
    expect(says(figure, "Defend").first).to_contain_text("Among the 50 most suspicious pairs are")  # of 168
    press(figure, "Train anew without them")
    expect(figure).to_have_attribute("data-cleaned", re.compile("^anew "), timeout=SOON)
    for method, name in (("plain", "plain finetuning"), ("cleanclip", "CleanCLIP")):
        figure.get_by_role("radio", name=name).check()
        figure.get_by_role("slider", name="trusted pairs").fill("50")
        press(figure, "Clean it")
        expect(figure).to_have_attribute("data-cleaned", re.compile(f"^{method} "), timeout=SOON)
        expect(figure.get_by_role("radio", name=f"cleaned ({name})")).to_be_checked()
    expect(figure.get_by_role("img", name="attack success over accuracy")).to_have_attribute(
        "aria-label", re.compile("Last: ")
    )
    assert serious(figure.page) == []


def test_by_keyboard_alone(context: BrowserContext, address: str) -> None:
    """From the picture on by Tab: a poison more, a guess, training, a search and a cleaning."""
    figure = opened(context.new_page(), address, TINY)
    keyboard = figure.page.keyboard

    def tab_to(role: str, name: str) -> Locator:
        wanted = figure.get_by_role(role, name=name, exact=True)  # type: ignore[arg-type]
        for _ in range(80):
            if wanted.evaluate("e => e === document.activeElement"):
                return wanted
            keyboard.press("Tab")
        pytest.fail(f"no way to {name!r} by Tab")

    figure.get_by_role("application").focus()
    keyboard.press("ArrowRight")
    tab_to("slider", "size")
    keyboard.press("ArrowLeft")
    expect(figure.get_by_role("slider", name="size")).to_have_attribute("aria-valuetext", "5 × 5 pixels")
    tab_to("slider", "your guess")
    keyboard.press("ArrowRight")
    tab_to("button", "Train")
    keyboard.press("Enter")
    expect(figure).to_have_attribute("data-models", "1", timeout=SOON)
    tab_to("button", "Find the poisons")
    keyboard.press("Enter")
    expect(figure).to_have_attribute("data-found", re.compile(r"^\d 8$"), timeout=SOON)
    tab_to("button", "Clean it")
    keyboard.press("Enter")
    expect(figure).to_have_attribute("data-cleaned", re.compile("^cleanclip "), timeout=SOON)


def test_a_screen_reader_hears_what_came_of_it(context: BrowserContext, address: str) -> None:
    figure = opened(context.new_page(), address, TINY)
    guess(figure, 10)
    press(figure, "Train")
    heard = figure.get_by_role("region", name="Guess, then train").get_by_role("status")
    expect(heard).to_contain_text("You guessed 10 %", timeout=SOON)
    unnamed = figure.evaluate(
        "e => [...e.querySelectorAll('svg, input, button, select, progress, canvas:not([aria-hidden])')]"
        ".filter(x => !(x.ariaLabel || x.labels?.length || x.textContent.trim())).map(x => x.outerHTML.slice(0, 80))"
    )
    assert unnamed == []


def test_it_works_from_a_folder_and_asks_nobody(context: BrowserContext) -> None:
    page = context.new_page()
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    figure = opened(page, site.HTML.as_uri(), TINY)
    guess(figure, 10)
    press(figure, "Train")
    expect(figure).to_have_attribute("data-models", "1", timeout=SOON)
    assert [url for url in asked if not url.startswith(("file:", "data:", "blob:"))] == []


def test_without_worker_and_webassembly_it_is_slower_and_the_same(context: BrowserContext, address: str) -> None:
    page = context.new_page()
    page.add_init_script("delete globalThis.Worker; delete globalThis.WebAssembly;")
    figure = opened(page, address, TINY)
    expect(figure.locator(".live-note", has_text="Computed by")).to_contain_text(
        "Computed by JavaScript, without a worker"
    )
    guess(figure, 10)
    press(figure, "Train")
    expect(figure).to_have_attribute("data-models", "1", timeout=SOON)


def test_a_phone_begins_with_less(chromium: Browser, address: str) -> None:
    phone = chromium.new_context(viewport=PHONE, has_touch=True)
    figure = opened(phone.new_page(), address)
    settings = figure.evaluate("e => e.playground.settings")
    assert settings["classes"] < SETTINGS["classes"]
    assert settings["epochs"] < SETTINGS["epochs"]
    answer, picture = (
        figure.locator(".live-says").first.bounding_box(),
        figure.get_by_role("application").bounding_box(),
    )
    assert answer is not None
    assert picture is not None
    assert (
        answer["y"] + answer["height"] - picture["y"] < PHONE["height"] - 100
    )  # in sight while the trigger is dragged
    assert figure.page.evaluate("() => document.documentElement.scrollWidth") <= PHONE["width"]
    phone.close()


def test_what_goes_wrong_is_told(context: BrowserContext, address: str) -> None:
    page = context.new_page()
    page.add_init_script(
        """
        const context = CanvasRenderingContext2D.prototype, own = context.getImageData;
        context.getImageData = function (...box) {
            const found = own.apply(this, box);
            found.data.fill(7);
            return found;
        };
        """
    )
    page.goto(f"{address}/{NAME}.html")
    page.locator(".live-figure").scroll_into_view_if_needed()
    expect(page.get_by_role("alert")).to_contain_text("hides the pixels of pictures", timeout=SOON)
    expect(page.locator(".live-static")).to_be_visible()


def test_without_javascript_there_is_a_picture_and_a_sentence(unscripted: site.Unscripted, address: str) -> None:
    page = unscripted(f"{address}/{NAME}.html")
    picture = page.locator(".live-figure .live-static")
    expect(picture).to_be_visible()
    assert picture.get_attribute("alt")
    expect(page.locator("article noscript")).to_be_visible()


def test_it_is_light_enough_for_a_phone() -> None:
    """At most 1.5 MB, without compression, for everything that the figure loads."""
    folder: Path = site.HTML / "_static" / "live"
    needed = ["live.js", "live.css", *live.SCRIPTS["playground"], "models/playground.js"]
    assert sum((folder / name).stat().st_size for name in needed) <= 1.5e6
