"""papermill runs every chapter at the `test` profile, in a process of its own, and saves its figures."""

import json
import time
from pathlib import Path

import nbformat
import plotly.graph_objects as go
import psutil
import pytest
import yaml
from nbformat.v4 import new_code_cell, new_notebook, new_output
from PIL import Image

from tutorial_lib.cli import main
from tutorial_lib.course import chapters as figures


@pytest.mark.parametrize("chapter", [p.stem for p in figures.chapters()])
def test_chapter_runs_headlessly_at_the_test_profile(chapter, tmp_path, capsys, monkeypatch, miniature):
    monkeypatch.setenv("TUTORIAL_STORE", str(miniature.store.folder))  # what figures need is trained once
    code = main(["figures", chapter, "--profile", "test", "--out", str(tmp_path), "--json"])
    body = json.loads(capsys.readouterr().out)
    assert code == 0, body["chapters"]
    (done,) = body["chapters"]
    notebook = json.loads((tmp_path / f"{chapter}.ipynb").read_text())
    injected = [c for c in notebook["cells"] if "injected-parameters" in c["metadata"].get("tags", ())]
    assert 'profile = "test"' in "".join(injected[0]["source"])
    assert len(list((tmp_path / chapter).glob("*.html"))) >= 1
    assert done["figures"] >= 1


def test_a_failing_chapter_does_not_stop_the_others(tmp_path, monkeypatch, capsys):
    head = "---" + figures.chapters()[0].read_text().split("---")[1] + "---\n\n"  # that of a real chapter
    cells = {
        "bad": '```{code-cell} ipython3\n:tags: [parameters]\nprofile = "demo"\n```\n\n'
        '```{code-cell} ipython3\nraise ValueError("this chapter is broken")\n```\n',
        "good": '```{code-cell} ipython3\n:tags: [parameters]\nprofile = "demo"\n```\n\n'
        "```{code-cell} ipython3\nimport plotly.graph_objects as go\n"
        'go.Figure(layout={"meta": {"alt": "An empty figure"}})\n```\n',
    }
    for name, text in cells.items():
        (tmp_path / f"{name}.md").write_text(head + text)
    listed = {"parts": [{"chapters": [{"file": name} for name in cells]}]}
    (tmp_path / "_toc.yml").write_text(yaml.safe_dump(listed))
    monkeypatch.setattr(figures.places, "book", lambda: tmp_path)
    monkeypatch.setattr(figures.places, "table_of_contents", lambda: tmp_path / "_toc.yml")
    out = tmp_path / "out"
    code = main(["figures", "--profile", "test", "--out", str(out), "--json"])
    body = json.loads(capsys.readouterr().out)
    assert code == 1
    bad, good = body["chapters"]
    assert "this chapter is broken" in bad["error"]
    assert (good["error"], (out / "good" / "01-an-empty-figure.html").is_file()) == ("", True)


def executed_notebook(path: Path) -> Path:
    """A notebook with one figure, as papermill leaves it."""
    figure = json.loads(go.Figure(go.Scatter(y=[1, 2]), {"meta": {"alt": "A line"}, "height": 640}).to_json())
    output = new_output("display_data", data={figures.PLOTLY: figure})
    nbformat.write(new_notebook(cells=[new_code_cell("", outputs=[output])]), path)
    return path


def test_figures_are_drawn_as_png_and_svg(tmp_path):
    assert figures.draw_apart(executed_notebook(tmp_path / "done.ipynb"), tmp_path) == ""
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
    monkeypatch.setattr(figures, "DRAWING", 10)
    why = figures.draw_apart(executed_notebook(tmp_path / "done.ipynb"), tmp_path)
    assert why == "the browser did not answer within 10 seconds"
    (pid,) = started.read_text().split()
    deadline = time.monotonic() + 20
    while psutil.pid_exists(int(pid)):  # until whoever inherits it takes notice
        assert time.monotonic() < deadline, "it still runs"
        time.sleep(0.1)


def test_chapters_are_found_by_number_and_name():
    names = [p.stem for p in figures.chosen(["5", "what_makes_it_work"])]
    assert names == ["zscore", "what_makes_it_work"]
    assert len(figures.chosen([])) == len(figures.chapters())
