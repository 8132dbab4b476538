"""A page of its own with a live figure, for models that are not the course's."""

from __future__ import annotations

import html
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tutorial_lib.course import live

_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<link rel="stylesheet" href="live/live.css">
<script defer src="live/live.js"></script>
<style>body {{ max-width: 60rem; margin: 2rem auto; padding: 0 1rem; font-family: system-ui, sans-serif; }}</style>
</head>
<body>
<main>
<h1>{title}</h1>
<figure class="live-figure" style="margin: 0">
<noscript><p>This figure needs JavaScript.</p></noscript>
{figure}
</figure>
</main>
</body>
</html>
"""


#: By which a page of ours is known.
MARK = "live/live.js"


def write(folder: Path, title: str, kind: str, data: dict[str, Any], scripts: Mapping[str, str]) -> Path:
    """Write a folder with a page, its scripts and its models; a browser opens it without a server.

    Args:
        folder: made if it is missing; files of an earlier page are replaced.
        title: heading of the page.
        kind: of the figure: "backdoor", "contrast" or "similarities"; "explore" needs the book's plotly.js.
        data: what the figure is given.
        scripts: by the models' names, what `live.model_script` gives.

    Returns:
        The page.

    Raises:
        ValueError: the figure needs what only the book has.
    """
    if kind == "explore":
        raise ValueError("a figure to explore needs plotly.js, which only the book's pages load")
    there = folder / "live"
    (there / "models").mkdir(parents=True, exist_ok=True)
    for old in (there / "models").glob("*.js"):
        old.unlink()
    for name in ("live.js", "live.css", *live.SCRIPTS[kind]):
        (there / name).parent.mkdir(exist_ok=True)
        shutil.copyfile(live.HERE / name, there / name)
    for name, script in scripts.items():
        (there / "models" / f"{name}.js").write_text(script, "utf-8")
    page = folder / "index.html"
    page.write_text(_PAGE.format(title=html.escape(title), figure=live.mount(kind, data)), "utf-8")
    return page
