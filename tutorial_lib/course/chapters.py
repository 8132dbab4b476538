"""Chapters without a reader: papermill runs each at a profile, and its figures are saved as HTML, PNG and SVG."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from tutorial_lib import places

PLOTLY = "application/vnd.plotly.v1+json"
WIDTH = 760  # pixels of a picture before it is scaled by two
DRAWING = 120  # seconds that the pictures of one chapter may take


@dataclass(frozen=True)
class ChapterRun:
    """What became of a chapter.

    Attributes:
        name: of its file.
        seconds: of its execution.
        figures: files that were saved.
        error: the last lines of what went wrong, empty if nothing did.
    """

    name: str
    seconds: float
    figures: tuple[Path, ...] = ()
    error: str = ""


def save_html(figures: dict[str, dict[str, Any]], folder: Path) -> list[Path]:
    """Write figures as HTML; they share one copy of plotly.js in the folder.

    Args:
        figures: what notebooks hold, `data` and `layout` of each, by name.
        folder: made if it is not there.
    """
    import plotly.graph_objects as go

    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / f"{name}.html" for name in figures]
    for path, figure in zip(paths, figures.values(), strict=True):
        fig = go.Figure(figure["data"], figure["layout"], skip_invalid=True)
        fig.write_html(path, include_plotlyjs="directory", full_html=True)
    return paths


def draw(notebook: Path, folder: Path) -> None:
    """Write the figures of an executed notebook as PNG and SVG; needs Chrome or Chromium."""
    import plotly.graph_objects as go
    import plotly.io

    drawn, files, heights = [], [], []
    for name, figure in figures_of(notebook).items():
        fig = go.Figure(figure["data"], figure["layout"], skip_invalid=True)
        fig.update_layout(paper_bgcolor="white")
        drawn += [fig, fig]
        files += [folder / f"{name}.png", folder / f"{name}.svg"]
        heights += [fig.layout.height or 400] * 2
    if files:
        plotly.io.write_images(drawn, files, scale=2, width=WIDTH, height=heights)  # it does not ask the layout


def draw_apart(notebook: Path, folder: Path) -> str:
    """`draw` in a process of its own: kaleido's browser does not start a second time in one process.

    Returns:
        Why there are no pictures; empty if there are.
    """
    import psutil

    command = [sys.executable, "-m", "tutorial_lib.course.chapters", str(notebook), str(folder)]
    with tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace") as said:
        process = psutil.Popen(command, stdout=subprocess.DEVNULL, stderr=said)
        try:
            process.wait(timeout=DRAWING)
        except psutil.TimeoutExpired:
            return f"the browser did not answer within {DRAWING} seconds"
        finally:
            if process.is_running():
                for each in [*process.children(recursive=True), process]:
                    each.kill()
                process.wait()
        said.seek(0)
        return "" if process.returncode == 0 else (said.read().strip().splitlines() or ["unknown"])[-1][:200]


def chapters() -> list[Path]:
    """The chapters that are notebooks, in the order of the book's table of contents; they have a number."""
    parts = yaml.safe_load(places.table_of_contents().read_text(encoding="utf-8"))["parts"]
    listed = [part for part in parts if part.get("numbered")]
    paths = [places.book() / f"{entry['file']}.md" for part in listed for entry in part["chapters"]]
    return [path for path in paths if "kernelspec:" in path.read_text(encoding="utf-8")[:600]]


def chosen(names: Iterable[str]) -> list[Path]:
    """Chapters by number or name; all of them for none.

    Raises:
        ValueError: there is no such chapter.
    """
    known, wanted = chapters(), list(names)
    if not wanted:
        return known
    found = []
    for name in wanted:
        match = [c for k, c in enumerate(known, 1) if name in (c.stem, str(k))]
        if not match:
            raise ValueError(f"there is no chapter {name!r}; choose from {', '.join(c.stem for c in known)}")
        found += match
    return found


def run_chapters(paths: Iterable[Path], profile: str, out: Path) -> Iterator[ChapterRun]:
    """Execute chapters one after the other, each in a process of its own; a failing one does not stop the others.

    Args:
        paths: from `chosen`.
        profile: injected as the parameter `profile`.
        out: executed notebooks go here, figures into a folder per chapter.

    Raises:
        ValueError: what runs notebooks is not installed.
    """
    try:
        import jupytext
    except ImportError as missing:
        raise ValueError(
            "running chapters needs Jupyter and papermill: pip install 'backdooring-clip[book]', or make setup in a "
            "checkout"
        ) from missing
    out.mkdir(parents=True, exist_ok=True)
    why_not = ""
    for path in paths:
        source, executed = out / f"{path.stem}.source.ipynb", out / f"{path.stem}.ipynb"
        jupytext.write(jupytext.read(path), source)
        started = time.monotonic()
        command = [sys.executable, "-m", "papermill", str(source), str(executed), "-p", "profile", profile]
        done = subprocess.run(
            [*command, "--cwd", str(places.book()), "--no-progress-bar", "--log-level", "WARNING"],
            capture_output=True,
            encoding="utf-8",
        )
        seconds = time.monotonic() - started
        source.unlink()
        error = ""
        if done.returncode:
            plain = re.sub(r"\x1b\[[0-9;]*m", "", done.stderr)
            error = " ".join(plain.strip().splitlines()[-3:])[-400:]
        folder = out / path.stem
        if executed.is_file():
            save_html(figures_of(executed), folder)
            why_not = why_not or draw_apart(executed, folder)
        figures = sorted(p for p in folder.glob("*") if p.suffix in (".html", ".png", ".svg"))
        yield ChapterRun(path.stem, seconds, tuple(figures), error)
    if why_not:
        from tutorial_lib.notes import Note

        warnings.warn(f"figures were saved as HTML only: {why_not}", Note, stacklevel=2)


def figures_of(notebook: Path) -> dict[str, dict[str, Any]]:
    """The plotly figures of an executed notebook, named by their number and the beginning of their alt text."""
    found: dict[str, dict[str, Any]] = {}
    for cell in json.loads(notebook.read_text(encoding="utf-8"))["cells"]:
        for output in cell.get("outputs", ()):
            figure = output.get("data", {}).get(PLOTLY)
            if figure is not None:
                alt = (figure["layout"].get("meta") or {}).get("alt", "")
                words = re.findall(r"[a-z0-9]+", alt.lower())[:6]
                found["-".join([f"{len(found) + 1:02d}", *words])] = figure
    return found


if __name__ == "__main__":
    draw(Path(sys.argv[1]), Path(sys.argv[2]))
