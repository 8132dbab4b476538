"""A reader opens a notebook in JupyterLab, runs it and turns the knobs: real server, real kernel, real browser."""

from __future__ import annotations

import os
import re
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import jupytext
import pytest
from playwright.sync_api import Browser, Page, expect

TRIGGER = """
from tutorial_lib import evaluate, models
from tutorial_lib.course.live import data
from tutorial_lib.course.widgets import trigger_explorer
from tutorial_lib.triggers import NoisePatch

model, tokenizer = models.load(models.CHECKPOINTS / "backdoored")
task = data.task()
classifier = evaluate.zero_shot_classifier(model, tokenizer, task.labels)

def scores(image):
    logits = 100 * evaluate.embed_images(model, image[None]) @ classifier
    return dict(zip(task.labels, logits.softmax(1)[0].tolist()))

rose = task.targets == task.class_of("rose")
trigger_explorer(task.images[rose][:3], scores, trigger=NoisePatch(size=8))
"""

RECORDS = """
from tutorial_lib.course.widgets import similarity_explorer

similarity_explorer()
"""


def answers(address: str, server: subprocess.Popen) -> bool:
    """Wait until a server answers, for a minute at most or until it ends."""
    for _ in range(300):
        try:
            urllib.request.urlopen(f"{address}/api", timeout=5)
            return True
        except OSError:
            if server.poll() is not None:
                return False
            time.sleep(0.2)
    return False


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[str]:
    """A JupyterLab of its own in an empty folder that holds two notebooks."""
    for name, source in (("trigger", TRIGGER), ("records", RECORDS)):
        notebook = jupytext.reads(source, fmt="py:percent")
        notebook.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3", "language": "python"}
        jupytext.write(notebook, tmp_path / f"{name}.ipynb")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    options = ["--no-browser", "--allow-root", "--ServerApp.token=", "--ServerApp.password=", f"--port={port}"]
    command = [sys.executable, "-m", "jupyterlab", *options, f"--notebook-dir={tmp_path}", "--expose-app-in-browser"]
    quiet = {"JUPYTER_CONFIG_DIR": str(tmp_path / "config"), "JUPYTERLAB_SETTINGS_DIR": str(tmp_path / "settings")}
    with (tmp_path / "server.log").open("w") as log:
        server = subprocess.Popen(command, stdout=log, stderr=log, env=os.environ | quiet, cwd=tmp_path)
        try:
            address = f"http://127.0.0.1:{port}"
            if not answers(address, server):
                pytest.fail(f"JupyterLab did not answer:\n{(tmp_path / 'server.log').read_text()}")
            yield address
        finally:
            server.terminate()
            server.wait(timeout=30)


# Before the kernel is there, the indicator says "idle" too, and running a cell asks which kernel to take.
KERNEL_READY = """() => {
    const context = window.jupyterapp.shell.currentWidget?.sessionContext;
    const kernel = context?.session?.kernel;
    return Boolean(context?.isReady && kernel?.connectionStatus === "connected" && kernel.status === "idle");
}"""


def open_and_run(page: Page, address: str, name: str) -> None:
    page.goto(f"{address}/lab/tree/{name}.ipynb?reset")
    page.locator(".jp-Notebook").wait_for(timeout=90_000)
    page.wait_for_function(KERNEL_READY, timeout=90_000)
    assert page.locator(".jp-Dialog").all_inner_texts() == []
    page.get_by_role("menuitem", name="Run", exact=True).click()
    page.get_by_role("menuitem", name=re.compile("^Run All Cells")).click()
    expect(page.locator(".jp-InputArea-prompt").first).to_have_text(re.compile(r"[*\d]"), timeout=30_000)


def test_knobs_move_the_real_model(chromium: Browser, lab: str) -> None:
    page = chromium.new_page(viewport={"width": 1400, "height": 1000})
    try:
        open_and_run(page, lab, "trigger")
        says = page.locator(".jp-OutputArea .widget-html-content")
        expect(says).to_contain_text("banana", timeout=90_000)
        before = says.inner_text()
        assert before.startswith("banana")
        # size: from six pixels down to none, by the keyboard
        handle = page.locator(".widget-slider", has_text="size (px)").locator(".noUi-handle")
        handle.focus()
        for _ in range(6):
            handle.press("ArrowLeft")
        expect(says).not_to_contain_text(re.compile("^banana"), timeout=30_000)
        assert says.inner_text() != before
        assert page.locator(".jp-OutputArea img").count() >= 1
    finally:
        page.close()


def test_knobs_draw_the_records_anew(chromium: Browser, lab: str) -> None:
    page = chromium.new_page(viewport={"width": 1400, "height": 1000})
    try:
        open_and_run(page, lab, "records")
        drawn = page.locator(".jp-OutputArea .js-plotly-plot")
        expect(drawn).to_have_count(1, timeout=90_000)
        assert drawn.locator(".scatterlayer .trace path").count() >= 2
        title = drawn.locator(".gtitle")
        before = title.text_content() or ""
        assert "z-score" in before
        handle = page.locator(".widget-slider", has_text="setting").locator(".noUi-handle")
        handle.focus()
        handle.press("ArrowLeft")
        expect(title).not_to_have_text(before, timeout=30_000)
        expect(drawn).to_have_count(1)
    finally:
        page.close()
