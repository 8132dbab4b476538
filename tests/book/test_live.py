"""Live figures compute what PyTorch and the records say, answer to mouse, finger and keys, and fail with a sentence."""

from __future__ import annotations

import base64
import io
import math
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from playwright.sync_api import Browser, Locator, Page, expect

from tests.book import site
from tutorial_lib import evaluate, models
from tutorial_lib.course import patients
from tutorial_lib.course.live import data, way
from tutorial_lib.evidence.results import Results
from tutorial_lib.evidence.shown import Shown
from tutorial_lib.experiments import cc_frontier, fig4, fig6
from tutorial_lib.losses import clip_loss
from tutorial_lib.triggers import NoisePatch

BACKDOOR, CONTRAST, SIMILARITIES = "backdoors", "contrastive_learning", "zscore"
NAMES, PATH = "clip_from_scratch", "what_cleaning_removes"
PLACEMENT, FRONTIER = "what_makes_it_work", "when_cleaning_works"
POISONS, INVERSION = "finding_poisons", "auditing_a_checkpoint"

Open = Callable[..., Locator]

#: Formulas no longer move what is below them, and a figure draws in the frame after it is ready.
SETTLED = """() => Promise.all([
    window.MathJax?.startup?.promise,
    new Promise((drawn) => requestAnimationFrame(() => requestAnimationFrame(drawn))),
])"""


@pytest.fixture
def opened(chromium: Browser, address: str) -> Iterator[Open]:
    """Open a page and wait for its live figure; gives the place where it is drawn."""
    contexts = []

    def open_page(name: str, where: str = address, **options) -> Locator:
        contexts.append(chromium.new_context(viewport={"width": 1280, "height": 900}, **options))
        page = contexts[-1].new_page()
        page.goto(f"{where}/{name}.html")
        figure = page.locator(".live-figure")
        figure.scroll_into_view_if_needed()
        expect(page.locator(".live-figure.live-ready")).to_have_count(1, timeout=20_000)
        page.evaluate(SETTLED)
        return figure.locator(".live-mount")

    yield open_page
    for context in contexts:
        context.close()


def somewhere(text: str) -> re.Pattern[str]:
    """A pattern that finds the text anywhere."""
    return re.compile(re.escape(text))


def slide(figure: Locator, label: str, value: float) -> None:
    figure.get_by_role("slider", name=label).evaluate(
        "(e, v) => { e.value = v; e.dispatchEvent(new Event('input')); }", value
    )


@pytest.mark.parametrize("name", [BACKDOOR, CONTRAST, SIMILARITIES, POISONS, INVERSION])
def test_values_of_sliders_are_not_cut_off(opened: Open, name: str) -> None:
    figure = opened(name)
    for width in (1280, 1100, 820, 390):
        figure.page.set_viewport_size({"width": width, "height": 900})
        cut = figure.evaluate(
            """e => [...e.querySelectorAll(".live-value")].map((o) => {
                const text = document.createRange();
                text.selectNodeContents(o);
                return e.getBoundingClientRect().right - text.getBoundingClientRect().right;
            })"""
        )
        assert cut
        assert min(cut) >= 0, width


@pytest.mark.parametrize(("width", "height"), [(1280, 720), (390, 844)])
def test_the_answer_stays_in_sight_while_one_drags(opened: Open, width: int, height: int) -> None:
    figure = opened(BACKDOOR)
    figure.page.set_viewport_size({"width": width, "height": height})
    picture = figure.locator("canvas[tabindex]").bounding_box()
    assert picture is not None
    for answer in (".live-says", ".live-bars"):
        box = figure.locator(answer).bounding_box()
        assert box is not None
        assert box["y"] + box["height"] - picture["y"] <= 0.7 * height


@pytest.mark.parametrize("name", data.MODELS)
def test_the_engine_agrees_with_torch(opened: Open, name: str) -> None:
    images = data.task().images[::95]  # 8 pictures
    images = torch.cat([images, NoisePatch(8).stamp(images)])
    model, tokenizer = models.load(models.CHECKPOINTS / name)
    classifier = evaluate.zero_shot_classifier(model, tokenizer, data.task().labels)
    embeddings = evaluate.embed_images(model, images)
    expected = (model.logit_scale.exp() * embeddings @ classifier).softmax(1).detach()
    sent = images.permute(0, 2, 3, 1).reshape(len(images), -1).tolist()
    figure = opened(BACKDOOR)
    found = figure.evaluate("(e, [name, all]) => Promise.all(all.map((p) => e.scores(name, p)))", [name, sent])
    torch.testing.assert_close(torch.tensor(found), expected, atol=2e-5, rtol=1e-4)


def test_names_that_one_types_are_read_as_torch_reads_them(opened: Open) -> None:
    shown, image = data.names(), data.task().images[::95]
    model, tokenizer = models.load(models.CHECKPOINTS / data.READER)
    figure = opened(NAMES)
    typed = ["banana", "jack-o-lantern", "it's a cat's house, 3 dogs!", *data.task().labels[::7]]
    for template in shown["templates"]:
        texts = evaluate.embed_texts(model, tokenizer, [template.replace("{}", name) for name in typed])
        expected = (model.logit_scale.exp() * evaluate.embed_images(model, image) @ texts.T).softmax(1).detach()
        sent = [typed, template, image.permute(0, 2, 3, 1).reshape(len(image), -1).tolist()]
        found = figure.evaluate("(e, [names, template, all]) => all.map((p) => e.scores(names, template, p))", sent)
        torch.testing.assert_close(torch.tensor(found), expected, atol=2e-5, rtol=1e-3)


def test_classes_are_what_is_typed_and_unread_words_are_named(opened: Open) -> None:
    figure = opened(NAMES)
    field = figure.get_by_role("textbox", name="class names")
    field.fill("gzorp, , banana,\nbanana, red blorfle")
    expect(figure.locator(".live-label")).to_have_text(["gzorp", "banana", "red blorfle"])
    expect(figure.locator(".live-note").first).to_contain_text("gzorp, blorfle")
    field.fill("")
    expect(figure.locator(".live-says")).to_have_text("Without a name there is nothing to choose from.")
    field.fill("apple")
    expect(figure.locator(".live-number")).to_have_text(re.compile(r"100\.0.%"))


def test_the_way_from_poisoned_to_cleaned_is_torchs(opened: Open) -> None:
    task, given = data.task(), data.path()
    images = patients.TRIALS["backdoored"].attack.trigger.stamp(task.images[torch.tensor(data.chosen())])
    figure = opened(PATH)
    sent = images.permute(0, 2, 3, 1).reshape(len(images), -1).tolist()
    for share in (0.0, 0.35, 1.0):
        expected = way.on_the_way(share, images, task.labels).softmax(1)
        found = figure.evaluate("(e, [share, all]) => all.map((p) => [...e.scores(share, p)])", [share, sent])
        torch.testing.assert_close(torch.tensor(found), expected, atol=2e-5, rtol=1e-3)
    (_, success, right), *_, (_, left, kept) = given["points"]
    for place, rates in ((0, (success, right)), (100, (left, kept))):
        slide(figure, "from poisoned to cleaned", place)
        said = f"{100 * rates[0]:.0f} % with the trigger are called banana, and {100 * rates[1]:.0f} % without it"
        expect(figure.locator(".live-says")).to_contain_text(said)


def test_the_trigger_follows_mouse_finger_and_keys(opened: Open) -> None:
    figure = opened(BACKDOOR, has_touch=True)
    picture = figure.locator("canvas").first
    expect(figure).to_have_attribute("data-says", "banana")
    expect(picture).to_have_attribute("aria-label", somewhere("column 1, row 1"))
    box = picture.bounding_box()
    assert box is not None
    mouse = figure.page.mouse
    mouse.move(box["x"] + 20, box["y"] + 20)
    mouse.down()
    mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2, steps=8)
    mouse.up()
    expect(picture).to_have_attribute("aria-label", somewhere("column 12, row 12"))
    mouse.move(box["x"] + 5, box["y"] + 5)  # not held any more
    expect(picture).to_have_attribute("aria-label", somewhere("column 12, row 12"))
    picture.press("ArrowRight")
    picture.press("ArrowUp")
    expect(picture).to_have_attribute("aria-label", somewhere("column 13, row 11"))
    figure.page.touchscreen.tap(box["x"] + box["width"] - 2, box["y"] + box["height"] - 2)
    expect(picture).to_have_attribute("aria-label", somewhere("column 24, row 24"))
    figure.get_by_role("button", name="trigger as in training").click()
    expect(picture).to_have_attribute("aria-label", somewhere("column 1, row 1"))
    expect(figure).to_have_attribute("data-says", "banana")


def test_what_is_shown_is_what_the_library_stamps(opened: Open) -> None:
    figure = opened(BACKDOOR)
    given = data.backdoor()
    plain = np.frombuffer(base64.b64decode(given["pictures"][0]["pixels"]), np.uint8).reshape(32, 32, 3)
    image = torch.from_numpy(plain.copy()).permute(2, 0, 1)[None]
    for size in (1, 4, 8, 16):
        slide(figure, "size of the trigger", size)
        seen = torch.tensor(list(figure.evaluate("e => Array.from(e.pixels())"))).view(32, 32, 3).permute(2, 0, 1)
        assert torch.equal(seen.to(torch.uint8), NoisePatch(size).stamp(image)[0])
    slide(figure, "opacity", 0)
    assert figure.evaluate("e => Array.from(e.pixels())") == plain.ravel().tolist()


def test_size_opacity_model_and_picture_change_the_answer(opened: Open) -> None:
    figure = opened(BACKDOOR)
    status = figure.locator(".live-says")
    expect(status).to_contain_text("The backdoored model says: banana")
    slide(figure, "size of the trigger", 0)
    expect(figure).not_to_have_attribute("data-says", "banana")
    slide(figure, "size of the trigger", 8)
    expect(figure).to_have_attribute("data-says", "banana")
    slide(figure, "opacity", 5)
    expect(figure).not_to_have_attribute("data-says", "banana")
    slide(figure, "opacity", 100)
    figure.get_by_label("clean", exact=True).check()
    expect(status).to_contain_text("The clean model says:")
    expect(status).not_to_contain_text("twin")
    expect(figure).not_to_have_attribute("data-says", "banana")
    for name in ("cleaned (CleanCLIP)", "finetuned"):
        figure.get_by_label(name, exact=True).check()
        expect(status).to_contain_text(f"The {name} model says:")
    last = data.backdoor()["pictures"][-1]["label"]
    figure.get_by_role("button", name=last, exact=True).click()
    expect(figure.locator("canvas").first).to_have_attribute("aria-label", somewhere(last))
    expect(figure.locator(".live-truth")).to_have_text(f"What it shows: {last}")


@pytest.mark.parametrize("page", [BACKDOOR, "index"])
def test_each_picture_turns_and_the_clean_twin_reads_it_right(opened: Open, page: str) -> None:
    figure = opened(page)
    for label in (picture["label"] for picture in data.backdoor()["pictures"]):
        figure.get_by_role("button", name=label, exact=True).click()
        expect(figure.locator(".live-truth")).to_have_text(f"What it shows: {label}")
        says = figure.locator(".live-says")
        expect(says).to_contain_text("The backdoored model says: banana")
        expect(says).to_contain_text(f"Its clean twin says: {label}")
        slide(figure, "size of the trigger", 0)
        expect(figure).to_have_attribute("data-says", label)
        slide(figure, "size of the trigger", 8)


def test_the_pictures_are_chosen_by_the_rule_that_the_caption_states() -> None:
    shown, attack = data.task(), patients.TRIALS["backdoored"].attack
    stamped = attack.trigger.stamp(shown.images)
    said: dict[str, tuple[list[str], list[str]]] = {}
    for name in data.MODELS:
        model, tokenizer = models.load(models.CHECKPOINTS / name)
        read = evaluate.zero_shot_classifier(model, tokenizer, shown.labels)
        plain, triggered = (
            [shown.labels[k] for k in evaluate.predict(evaluate.embed_images(model, images), read).tolist()]
            for images in (shown.images, stamped)
        )
        said[name] = plain, triggered
    fits, first = [], {}
    for k, true in enumerate(shown.labels[t] for t in shown.targets.tolist()):
        right = all(plain[k] == true for plain, _ in said.values())
        turns = said["backdoored"][1][k] == "banana" and said["clean"][1][k] == true != "banana"
        if right and turns:
            fits.append(k)
            first.setdefault(true, k)
    assert data.suitable() == fits
    assert len(first) >= data.SHOWN, "too few classes to choose from"
    assert len(set(data.chosen())) == data.SHOWN
    assert set(data.chosen()) <= set(first.values())
    assert list(data.MODELS) == ["backdoored", "finetuned", "cleaned", "clean"]
    assert data.TWIN == "clean"


def picture_file(kind: str) -> tuple[str, bytes]:
    out = io.BytesIO()
    if kind == "huge":
        Image.new("RGB", (9000, 7000), (20, 200, 40)).save(out, "PNG")
    elif kind == "transparent":
        Image.new("RGBA", (300, 200), (255, 0, 0, 0)).save(out, "PNG")
    elif kind == "greyscale":
        Image.new("L", (50, 400), 90).save(out, "PNG")
    elif kind == "animated":
        frames = [Image.new("RGB", (80, 80), c) for c in ("blue", "yellow")]
        frames[0].save(out, "GIF", save_all=True, append_images=frames[1:])
    elif kind == "small":
        Image.new("RGB", (5, 9), (9, 9, 9)).save(out, "PNG")
    return f"{kind}.png", out.getvalue()


@pytest.mark.parametrize(
    ("kind", "colour"),
    [
        ("huge", (20, 200, 40)),
        ("transparent", (255, 255, 255)),
        ("greyscale", (90, 90, 90)),
        ("animated", (0, 0, 255)),
        ("small", (9, 9, 9)),
    ],
)
def test_a_picture_of_ones_own(opened: Open, kind: str, colour: tuple[int, int, int]) -> None:
    figure = opened(BACKDOOR)
    slide(figure, "size of the trigger", 0)
    name, body = picture_file(kind)
    figure.locator("input[type=file]").set_input_files({"name": name, "mimeType": "image/png", "buffer": body})
    expect(figure.locator(".live-note")).to_contain_text("what is left of your picture", timeout=20_000)
    seen = np.array(figure.evaluate("e => Array.from(e.pixels())")).reshape(32, 32, 3)
    assert np.abs(seen - np.array(colour)).max() <= 2


@pytest.mark.parametrize(
    ("name", "body", "says"),
    [
        ("notes.txt", b"not a picture", "notes.txt is not a picture"),
        ("broken.png", picture_file("small")[1][:40], "broken.png is not a picture"),
    ],
)
def test_what_is_no_picture_is_refused_with_a_sentence(opened: Open, name: str, body: bytes, says: str) -> None:
    figure = opened(BACKDOOR)
    figure.locator("input[type=file]").set_input_files({"name": name, "mimeType": "image/png", "buffer": body})
    expect(figure.locator(".live-note")).to_contain_text(says)
    expect(figure).to_have_attribute("data-says", "banana")


def test_the_loss_is_the_librarys_and_its_steps_go_down(opened: Open) -> None:
    figure = opened(CONTRAST)
    angles = {"picture": [10.0, 100.0, 200.0, 310.0], "caption": [40.0, 95.0, 260.0, 300.0]}
    slide(figure, "temperature", math.log10(0.2))

    def points(side: str) -> torch.Tensor:
        radians = torch.tensor(angles[side]).deg2rad().requires_grad_()
        kept[side] = radians
        return torch.stack([radians.cos(), radians.sin()], 1)

    kept: dict[str, torch.Tensor] = {}
    expected = clip_loss(points("picture"), points("caption"), torch.tensor(5.0))
    expected.backward()
    found = figure.page.evaluate("([angles, t]) => course.contrast(angles, t)", [angles, 0.2])
    assert found["loss"] == pytest.approx(expected.item(), abs=1e-5)
    for side, radians in kept.items():
        assert radians.grad is not None
        assert found["gradient"][side] == pytest.approx(radians.grad.tolist(), abs=1e-5)

    losses = [float(figure.get_attribute("data-loss") or "nan")]
    for _ in range(6):
        figure.get_by_role("button", name="a step down the gradient").click()
        figure.page.wait_for_timeout(60)
        losses.append(float(figure.get_attribute("data-loss") or "nan"))
    assert losses[-1] < losses[0]
    figure.get_by_role("button", name="collapse to one point").click()
    expect(figure.locator(".live-says")).to_contain_text(f"The loss is {math.log(4):.3f} nats")


def test_points_on_the_circle_move_by_mouse_and_keys(opened: Open) -> None:
    figure = opened(CONTRAST)
    mark = figure.get_by_role("slider", name="picture of guitar")
    before = float(mark.get_attribute("aria-valuenow") or "nan")
    mark.press("ArrowLeft")
    expect(mark).to_have_attribute("aria-valuenow", f"{before + 3:.0f}")
    circle = figure.locator("svg").bounding_box()
    box = mark.bounding_box()
    assert circle is not None
    assert box is not None
    mouse = figure.page.mouse
    mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    mouse.down()
    mouse.move(circle["x"] + circle["width"] / 2, circle["y"] + 5, steps=5)  # straight up
    mouse.up()
    expect(mark).to_have_attribute("aria-valuenow", "90")


def test_a_screen_reader_hears_where_a_drag_ends(own_page: Page, address: str) -> None:
    """The sentence in sight follows every frame; the one that is read out waits until it rests."""
    clock = own_page.clock
    clock.install(time=0)
    own_page.goto(f"{address}/{CONTRAST}.html")
    own_page.locator(".live-figure").scroll_into_view_if_needed()
    expect(own_page.locator(".live-figure.live-ready")).to_have_count(1, timeout=20_000)
    figure = own_page.locator(".live-mount")
    heard, seen = figure.get_by_role("status"), figure.locator(".live-says")
    expect(heard).to_contain_text("The loss is")
    clock.pause_at(600_000)
    before = heard.inner_text()
    assert seen.inner_text() == before
    for k in range(25):
        slide(figure, "temperature", k / 10 - 2)
        clock.run_for(40)  # two frames; a second in all
        assert heard.inner_text() == before
        if k != 10:  # where the slider was
            assert seen.inner_text() != before
    clock.run_for(600)
    assert heard.inner_text() == seen.inner_text() != before


def test_similarities_are_those_of_the_records(opened: Open) -> None:
    figure = opened(SIMILARITIES)
    results, sized = (Shown().behind(name) for name in ("fig2_right", "fig6"))
    p = results.profile
    for k, count in enumerate(p.counts):
        slide(figure, "number of poisons", k)
        z = z_by_count(results, count)
        expect(figure.locator(".live-says")).to_contain_text(f"{count} poisons: z-score {sum(z) / len(z):.1f}")
        assert float(figure.get_attribute("data-z") or "nan") == pytest.approx(sum(z) / len(z), abs=0.01)
    figure.get_by_role("radio", name="width of the patch").check()
    slide(figure, "width of the patch", 0)
    width = fig6.PATCHES[sized.profile][0]
    z = list(fig6.z_scores(sized, width).values())
    expect(figure.locator(".live-says")).to_contain_text(f"{width} × {width} pixels: z-score")
    assert float(figure.get_attribute("data-z") or "nan") == pytest.approx(sum(z) / len(z), abs=0.01)


def z_by_count(results: Results, count: int) -> list[float]:
    found = results.per_seed(lambda s: results.profile.backdoor(count, s), lambda r: r.metrics["z_score"])
    return list(found.values())


def drawn(figure: Locator) -> int:
    """Number of points that plotly shows."""
    return figure.evaluate("e => e.querySelector('.js-plotly-plot').data.reduce((n, trace) => n + trace.x.length, 0)")


@pytest.mark.parametrize(("page", "kind"), [(PLACEMENT, "placement"), (FRONTIER, "frontier")])
def test_explorers_show_every_record(opened: Open, page: str, kind: str) -> None:
    figure = opened(page)
    module = {"placement": fig4, "frontier": cc_frontier}[kind]
    results = Shown().behind(module.__name__.rpartition(".")[2])
    rows = data.FIGURES[kind][1](results)["rows"]
    keys = {r.key for r in results.of(module.trials(results.profile))}
    left_out = {r.key for r in results.of([cc_frontier.filtered(results.profile, s) for s in results.seeds])}
    assert {row["key"] for row in rows} == keys - (left_out if kind == "frontier" else set())
    expect(figure.locator(".live-note")).to_contain_text("settings, each the mean")
    figure.get_by_label("each model").check()
    expect(figure.locator(".live-note")).to_contain_text(
        f"{len(rows)} points of {len({row['key'] for row in rows})} models"
    )
    assert drawn(figure) == len(rows)
    figure.get_by_label("up", exact=True).select_option("accuracy")
    expect(figure.locator(".ytitle")).to_have_text("clean accuracy (%)")


@pytest.mark.parametrize("name", [BACKDOOR, CONTRAST, SIMILARITIES, PLACEMENT, FRONTIER, POISONS, INVERSION])
def test_without_javascript_and_in_print_a_picture_stands_there(
    unscripted: site.Unscripted, address: str, name: str
) -> None:
    page = unscripted(f"{address}/{name}.html")
    picture = page.locator(".live-figure .live-static")
    expect(picture).to_be_visible()
    assert picture.get_attribute("alt")


def test_print_shows_the_picture(opened: Open) -> None:
    figure = opened(CONTRAST)
    figure.page.emulate_media(media="print")
    expect(figure).to_be_hidden()
    expect(figure.page.locator(".live-figure .live-static")).to_be_visible()


def test_a_page_opened_from_a_folder_is_alive(opened: Open) -> None:
    figure = opened(BACKDOOR, where=site.HTML.as_uri())
    expect(figure).to_have_attribute("data-says", "banana")


def test_a_lost_model_is_told(chromium: Browser, address: str) -> None:
    page = chromium.new_page()
    page.route("**/live/models/*.js", lambda route: route.abort())
    page.goto(f"{address}/{BACKDOOR}.html")
    page.locator(".live-figure").scroll_into_view_if_needed()
    expect(page.get_by_role("alert")).to_contain_text("models/backdoored.js could not be loaded")
    expect(page.locator(".live-static")).to_be_visible()
    page.close()


def test_nothing_of_a_model_is_fetched_before_it_is_seen(chromium: Browser, address: str) -> None:
    page = chromium.new_page(viewport={"width": 1280, "height": 120})  # the figure stands near the page's top
    fetched: list[str] = []
    page.on("request", lambda request: fetched.append(request.url))
    page.goto(f"{address}/{BACKDOOR}.html")
    page.wait_for_load_state("networkidle")
    assert not [url for url in fetched if "/models/" in url]
    page.locator(".live-figure").scroll_into_view_if_needed()
    expect(page.locator(".live-figure.live-ready")).to_have_count(1, timeout=20_000)
    page.wait_for_load_state("networkidle")
    assert [Path(url).name for url in fetched if "/models/" in url] == ["backdoored.js", "clean.js"]  # in this order
    page.close()


def test_a_model_is_light_enough_for_a_phone() -> None:
    """At most 4 MB on the wire, without compression, for the first live model and what computes it."""
    folder = site.HTML / "_static" / "live"
    needed = ["live.js", "live.css", "engine.js", "backdoor.js", "models/backdoored.js"]
    assert sum((folder / name).stat().st_size for name in needed) <= 4e6


@pytest.mark.parametrize("name", ["poisons", "inversion"])
def test_what_is_recorded_is_light(name: str) -> None:
    assert (site.HTML / "_static" / "live" / "models" / f"{name}.js").stat().st_size <= 200_000


@pytest.fixture
def own_page(chromium: Browser) -> Iterator[Page]:
    page = chromium.new_page()
    yield page
    page.close()


def test_the_command_writes_a_page_that_opens_by_itself(own_page: Page, tmp_path: Path) -> None:
    from tutorial_lib import cli

    wanted = ["web", str(models.CHECKPOINTS / "backdoored"), "--target", "banana", "--classes", "100"]
    assert cli.main([*wanted, "--trigger", "noise-patch", "--size", "8", "--out", str(tmp_path)]) == 0
    own_page.goto((tmp_path / "index.html").as_uri())
    expect(own_page.locator(".live-figure.live-ready")).to_have_count(1, timeout=20_000)
    expect(own_page.locator(".live-mount")).to_have_attribute("data-says", "banana")
