"""Chapters without a reader: papermill runs each at a profile, and its figures are saved as HTML, PNG and SVG."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import time
import warnings
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
BOOK = ROOT / "book"
PLOTLY = "application/vnd.plotly.v1+json"


@dataclass(frozen=True)
class ChapterRun:
    """What became of a chapter.

    Attributes:
        name: of its file.
        seconds: of its execution.
        figures: files that were saved, HTML first.
        error: the last lines of what went wrong, empty if nothing did.
    """

    name: str
    seconds: float
    figures: tuple[Path, ...] = ()
    error: str = ""


@dataclass
class Saver:
    """Saves figures as HTML and, where a browser is found, as PNG and SVG.

    Attributes:
        why_not: why there are no pictures, if there are none.
    """

    why_not: str = ""

    def save(self, figures: dict[str, dict[str, Any]], folder: Path) -> list[Path]:
        """Write some figures, by name.

        Args:
            figures: what notebooks hold: `data` and `layout` of each.
            folder: made if it is not there.
        """
        import plotly.graph_objects as go
        import plotly.io

        folder.mkdir(parents=True, exist_ok=True)
        saved, drawn, files = [], [], []
        for name, figure in figures.items():
            fig = go.Figure(figure["data"], figure["layout"], skip_invalid=True)
            fig.write_html(folder / f"{name}.html", include_plotlyjs="directory", full_html=True)
            saved.append(folder / f"{name}.html")
            fig.update_layout(paper_bgcolor="white", width=760, height=fig.layout.height or 400)
            drawn += [fig, fig]
            files += [folder / f"{name}.png", folder / f"{name}.svg"]
        if files and not self.why_not:
            try:
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore")
                    plotly.io.write_images(drawn, files, scale=2)
                saved += files
            except Exception as error:  # kaleido passes on whatever its browser raises
                self.why_not = " ".join(str(error).split())[:200] or type(error).__name__
        return saved


def chapters() -> list[Path]:
    """The chapters that are notebooks, in the order of the book."""
    return sorted(p for p in BOOK.glob("[0-9]*_*.md") if "kernelspec:" in p.read_text()[:600])


def chosen(names: Iterable[str]) -> list[Path]:
    """Chapters by number or beginning of the name; all of them for none.

    Raises:
        ValueError: there is no such chapter.
    """
    known, wanted = chapters(), list(names)
    if not wanted:
        return known
    found = []
    for name in wanted:
        match = [c for c in known if c.stem == name or c.stem.split("_")[0] == name]
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
    """
    import jupytext

    out.mkdir(parents=True, exist_ok=True)
    saver = Saver()
    for path in paths:
        source, executed = out / f"{path.stem}.source.ipynb", out / f"{path.stem}.ipynb"
        jupytext.write(jupytext.read(path), source)
        started = time.monotonic()
        command = [sys.executable, "-m", "papermill", str(source), str(executed), "-p", "profile", profile]
        done = subprocess.run(
            [*command, "--cwd", str(BOOK), "--no-progress-bar", "--log-level", "WARNING"],
            capture_output=True,
            text=True,
        )
        seconds = time.monotonic() - started
        source.unlink()
        error = ""
        if done.returncode:
            plain = re.sub(r"\x1b\[[0-9;]*m", "", done.stderr)
            error = " ".join(plain.strip().splitlines()[-3:])[-400:]
        figures = tuple(saver.save(figures_of(executed), out / path.stem)) if executed.is_file() else ()
        yield ChapterRun(path.stem, seconds, figures, error)
    if saver.why_not:
        from tutorial_lib.cli._common import Note

        warnings.warn(f"figures were saved as HTML only: {saver.why_not}", Note, stacklevel=2)


def figures_of(notebook: Path) -> dict[str, dict[str, Any]]:
    """The plotly figures of an executed notebook, named by their number and the beginning of their alt text."""
    found: dict[str, dict[str, Any]] = {}
    for cell in json.loads(notebook.read_text())["cells"]:
        for output in cell.get("outputs", ()):
            figure = output.get("data", {}).get(PLOTLY)
            if figure is not None:
                alt = (figure["layout"].get("meta") or {}).get("alt", "")
                words = re.findall(r"[a-z0-9]+", alt.lower())[:6]
                found["-".join([f"{len(found) + 1:02d}", *words])] = figure
    return found
