"""Chapters are found and listed, and their figures drawn."""

import json
import re
import time
from pathlib import Path

import nbformat
import plotly.graph_objects as go
import psutil
from nbformat.v4 import new_code_cell, new_notebook, new_output
from PIL import Image

from tutorial_lib import places
from tutorial_lib.course import chapters


def executed_notebook(path: Path) -> Path:
    """A notebook with one figure, as papermill leaves it."""
    figure = json.loads(go.Figure(go.Scatter(y=[1, 2]), {"meta": {"alt": "A line"}, "height": 640}).to_json())
    output = new_output("display_data", data={chapters.PLOTLY: figure})
    nbformat.write(new_notebook(cells=[new_code_cell("", outputs=[output])]), path)
    return path


def test_figures_are_drawn_as_png_and_svg(tmp_path):
    assert chapters.draw_apart(executed_notebook(tmp_path / "done.ipynb"), tmp_path) == ""
    with Image.open(tmp_path / "01-a-line.png") as picture:
        assert picture.size == (1520, 1280)
        assert len(picture.convert("RGB").getcolors(1 << 20)) > 2
    assert "<svg" in (tmp_path / "01-a-line.svg").read_text()[:200]


def test_a_browser_that_does_not_answer_is_ended(tmp_path, monkeypatch):
    started = tmp_path / "started"
    browser = tmp_path / "browser"
    browser.write_text(f"#!/bin/sh\necho $$ >> {started}\nexec sleep 1000\n")
    browser.chmod(0o755)
    monkeypatch.setenv("BROWSER_PATH", str(browser))
    monkeypatch.setattr(chapters, "DRAWING", 10)
    why = chapters.draw_apart(executed_notebook(tmp_path / "done.ipynb"), tmp_path)
    assert why == "the browser did not answer within 10 seconds"
    (pid,) = started.read_text().split()
    deadline = time.monotonic() + 20
    while psutil.pid_exists(int(pid)):  # until whoever inherits it takes notice
        assert time.monotonic() < deadline, "it still runs"
        time.sleep(0.1)


def test_chapters_are_found_by_number_and_name():
    names = [p.stem for p in chapters.chosen(["6", "what_makes_it_work"])]
    assert names == ["zscore", "what_makes_it_work"]
    assert len(chapters.chosen([])) == len(chapters.chapters())


def test_the_first_page_lists_every_chapter_in_its_order() -> None:
    text = (places.book() / "index.md").read_text()
    rows = re.findall(r"^\| \[\]\((\w+)\.md\) \| [^|]+\? \| [^|]+ \|$", text, re.M)
    assert rows == [path.stem for path in chapters.chapters()], "the table of book/index.md"
