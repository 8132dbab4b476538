"""The live figures of detection count as the library does, answer to mouse, finger and keys, and play a search."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Locator, expect

from tests.book.test_live import slide
from tutorial_lib.course.live import detection, page
from tutorial_lib.data.pairs import POISON
from tutorial_lib.detect import Ranking

STEPS = 4
#: A short search, made once.
searched = functools.cache(lambda: detection.inversion(STEPS))


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A page of its own for each figure; the search is a short one."""
    folder = tmp_path_factory.mktemp("figures")
    scripts = {"poisons": detection.script("poisons")}
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(detection.RECORDED, "inversion", searched)
        scripts["inversion"] = detection.script("inversion")
    return {name: page.write(folder / name, name, name, {}, {name: body}) for name, body in scripts.items()}


@pytest.fixture
def figures(chromium: Browser, recorded: dict[str, Path]) -> Iterator[Any]:
    """Opens a figure; gives the place where it is drawn."""
    contexts = []

    def opened(name: str, **options: Any) -> Locator:
        contexts.append(chromium.new_context(viewport={"width": 1100, "height": 900}, **options))
        there = contexts[-1].new_page()
        there.goto(recorded[name].as_uri())
        expect(there.locator(".live-figure.live-ready")).to_have_count(1, timeout=20_000)
        return there.locator(".live-mount")

    yield opened
    for context in contexts:
        context.close()


def number(figure: Locator, name: str) -> float:
    return float(figure.get_attribute(f"data-{name}") or "nan")


@pytest.mark.parametrize("name", detection.DETECTORS)
def test_precision_and_recall_are_the_rankings(figures: Any, name: str) -> None:
    pairs, points = detection.training_points()
    truth = pairs.origin == POISON
    ranking = Ranking(detection.DETECTORS[name].of_points(points), truth)
    figure = figures("poisons")
    figure.get_by_role("radio", name=name, exact=True).check()
    for count in (1, 40, 206, 800):
        slide(figure, "pairs to flag", count)
        expect(figure).to_have_attribute("data-count", str(count))
        assert number(figure, "precision") == pytest.approx(ranking.precision(count / len(pairs)))
        assert number(figure, "recall") == pytest.approx(ranking.recall(count / len(pairs)))
        said = f"{int(number(figure, 'hits'))} of {int(truth.sum())} poisons"
        expect(figure.locator(".live-says")).to_contain_text(said)


def test_the_threshold_follows_mouse_finger_and_keys(figures: Any) -> None:
    figure = figures("poisons", has_touch=True)
    expect(figure).to_have_attribute("data-count", "206")
    grip, plot = figure.locator(".live-threshold"), figure.locator("svg")
    box, around = grip.bounding_box(), plot.bounding_box()
    middle, mouse = box["y"] + box["height"] / 2, figure.page.mouse
    mouse.move(box["x"] + 200, middle)
    mouse.down()
    mouse.move(box["x"] + 200, middle + 40, steps=5)
    mouse.up()
    figure.page.wait_for_timeout(100)
    lower = number(figure, "count")
    assert lower > 206
    assert figure.get_by_role("slider", name="pairs to flag").input_value() == str(int(lower))
    mouse.move(box["x"] + 200, middle - 40)  # not held any more
    figure.page.wait_for_timeout(100)
    assert number(figure, "count") == lower
    figure.page.touchscreen.tap(around["x"] + around["width"] / 2, around["y"] + around["height"] * 0.2)
    figure.page.wait_for_timeout(100)
    higher = number(figure, "count")
    assert 1 <= higher < 206
    figure.get_by_role("slider", name="pairs to flag").press("ArrowRight")
    expect(figure).to_have_attribute("data-count", str(int(higher) + 1))


def test_the_defenders_view_tells_nothing_that_she_cannot_know(figures: Any) -> None:
    figure = figures("poisons")
    says, legend = figure.locator(".live-says"), figure.locator(".live-legend")
    expect(says).to_contain_text("recall")
    assert figure.locator(".live-point-poison").get_attribute("d")
    figure.get_by_role("radio", name="the defender’s view").check()
    expect(says).to_contain_text("How many of them are poisons?")
    expect(says).not_to_contain_text("recall")
    expect(legend).not_to_contain_text("poison")
    assert not figure.locator(".live-point-poison").get_attribute("d")


def test_a_search_unfolds_by_slider_and_by_itself(figures: Any) -> None:
    given = searched()["models"]
    figure = figures("inversion")
    for name in detection.WATCHED:
        figure.get_by_role("radio", name=name, exact=True).check()
        for step in range(STEPS + 1):
            slide(figure, "step", step)
            expect(figure).to_have_attribute("data-step", str(step))
            (label, count), *_ = given[name]["called"][step]
            expect(figure).to_have_attribute("data-says", label)
            assert number(figure, "share") == pytest.approx(count / given[name]["asked"])
            expect(figure.locator(".live-says")).to_contain_text(f"Step {step}, {name} model")
    slide(figure, "step", STEPS)
    figure.get_by_role("button", name="play").click()
    expect(figure.get_by_role("button", name="pause")).to_be_visible()
    expect(figure).to_have_attribute("data-step", str(STEPS), timeout=5_000)
    expect(figure.get_by_role("button", name="play")).to_be_visible()
    slide(figure, "step", 0)
    figure.get_by_role("slider", name="step").press("ArrowRight")
    expect(figure).to_have_attribute("data-step", "1")


def test_the_patch_is_where_the_search_put_it(figures: Any) -> None:
    figure = figures("inversion")
    given = searched()["models"]["backdoored"]
    (top, left), size = given["place"], given["size"]
    read = "e => Array.from(e.getContext('2d').getImageData(0, 0, e.width, e.height).data)"
    slide(figure, "step", STEPS)
    figure.page.wait_for_timeout(100)
    picture, patch = figure.locator("canvas").nth(0).evaluate(read), figure.locator("canvas").nth(1).evaluate(read)
    side = searched()["side"]
    for row in range(size):
        start = 4 * ((top + row) * side + left)
        assert picture[start : start + 4 * size] == patch[4 * row * size : 4 * (row + 1) * size]
