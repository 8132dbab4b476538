"""Chapters without a reader: papermill runs each at a profile, and its figures are saved as HTML, PNG and SVG."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import time
import warnings
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
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
    """Saves figures; says once why there are no pictures, if there are none."""

    folder: Path
    pictures: bool = True
    why_not: str = ""
    saved: list[Path] = field(default_factory=list)

    def save(self, figure: dict[str, Any], name: str) -> list[Path]:
        """One figure as HTML, and as PNG and SVG where a browser is found."""
        import plotly.graph_objects as go

        self.folder.mkdir(parents=True, exist_ok=True)
        fig = go.Figure(figure["data"], figure["layout"], skip_invalid=True)
        paths = [self.folder / f"{name}.html"]
        fig.write_html(paths[0], include_plotlyjs="directory", full_html=True)
        if self.pictures:
            fig.update_layout(paper_bgcolor="white")
            for kind in ("png", "svg"):
                path = self.folder / f"{name}.{kind}"
                try:
                    with warnings.catch_warnings():
                        warnings.simplefilter("ignore")
                        fig.write_image(path, width=760, height=fig.layout.height or 400, scale=2 if kind == "png" else 1)
                except Exception as error:  # kaleido raises what its browser does: any of a dozen kinds
                    self.pictures, self.why_not = False, " ".join(str(error).split())[:200] or type(error).__name__
                    break
                paths.append(path)
        self.saved += paths
        return paths


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
    saver = Saver(out)
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
        saver.folder = out / path.stem
        figures = tuple(save_figures(executed, saver)) if executed.is_file() else ()
        yield ChapterRun(path.stem, seconds, figures, error)
    if saver.why_not:
        from tutorial_lib.cli._common import Note

        warnings.warn(f"figures were saved as HTML only: {saver.why_not}", Note, stacklevel=2)


def save_figures(notebook: Path, saver: Saver) -> Iterator[Path]:
    """Save every plotly figure of an executed notebook, named by its number and the beginning of its alt text."""
    number = 0
    for cell in json.loads(notebook.read_text())["cells"]:
        for output in cell.get("outputs", ()):
            figure = output.get("data", {}).get(PLOTLY)
            if figure is None:
                continue
            number += 1
            alt = (figure["layout"].get("meta") or {}).get("alt", "")
            words = "-".join(re.findall(r"[a-z0-9]+", alt.lower())[:6])
            yield from saver.save(figure, f"{number:02d}-{words}" if words else f"{number:02d}")
