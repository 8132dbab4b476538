"""What the cells of a chapter printed and drew when the pages were built; read from the cache, nothing is run."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nbformat
from jupyter_cache import get_cache

PLOTLY = "application/vnd.plotly.v1+json"
GLUED = "application/papermill.record/"


@dataclass(frozen=True)
class Output:
    """What a cell shows: a text, a table as HTML, or a figure as plotly's JSON.

    Attributes:
        kind: "text", "html" or "figure".
        value: of that kind.
    """

    kind: str
    value: Any


@dataclass(frozen=True)
class Run:
    """An executed chapter.

    Attributes:
        shown: outputs by the code of their cell.
        glued: numbers and texts that the run handed to the page, by name.
    """

    shown: dict[str, list[Output]]
    glued: dict[str, Any]


def of_chapter(name: str, executed: Path, cache: Path) -> Run | None:
    """The outputs of a chapter; `None` where it was not run as it stands.

    Args:
        name: of the chapter.
        executed: the build's folder of notebooks, `jupyter_execute`.
        cache: the build's cache of outputs.
    """
    path = executed / f"{name}.ipynb"
    if not path.is_file() or not cache.is_dir():
        return None
    kept = get_cache(cache)
    try:
        record = kept.match_cache_notebook(nbformat.read(path, 4))
    except KeyError:
        return None
    cells = [c for c in kept.get_cache_bundle(record.pk).nb.cells if c.cell_type == "code"]
    glued = {key: value for cell in cells for out in cell.outputs for key, value in _glued(out)}
    return Run({cell.source.strip(): list(_outputs(cell.outputs)) for cell in cells}, glued)


def _glued(out: Any) -> Iterator[tuple[str, Any]]:
    name = out.get("metadata", {}).get("scrapbook", {}).get("name")
    if name is None:
        return
    text = next((v for k, v in out.data.items() if k.removeprefix(GLUED) == "text/plain"), None)
    if text is None:
        return
    try:
        yield name, json.loads(text)
    except json.JSONDecodeError:
        yield name, text.strip("'")


def _outputs(outputs: list[Any]) -> Iterator[Output]:
    for out in outputs:
        data = out.get("data", {})
        if out.output_type == "stream" and out.name == "stdout":
            yield Output("text", out.text.rstrip())
        elif PLOTLY in data:
            yield Output("figure", data[PLOTLY])
        elif "text/html" in data:
            yield Output("html", data["text/html"])
