"""Sphinx extension and command: a deck of slides for every chapter, one file each, that needs nothing else.

python book/_ext/decks.py build/slides [CHAPTER …]      what `make slides` calls; executes no chapter, and shows the
                                                        results of the pages' build where there is one
```{slides}```                                          links to the decks, which the HTML build writes to slides/
"""

from __future__ import annotations

import hashlib
import os
import sys
from collections.abc import Iterable
from functools import partial
from html import escape
from pathlib import Path
from typing import Any

import execution_cache
import records
import run_outputs
from docutils import nodes
from run_outputs import Run
from slides import Deck, Slide, title_of
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

from tutorial_lib import places
from tutorial_lib.course.chapters import chapters, chosen

HERE = Path(__file__).resolve().parent
STATIC = HERE / "static"
#: A browser may load nothing for a deck, from nowhere.
POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src 'unsafe-inline'"
KEYS = (
    "Arrow keys, space or a tap: forth and back. N: notes. O: overview. F: full screen. D: dark. "
    "Print with notes on the screen to print them too."
)


def _section(slide: Slide, number: int, count: int, chapter: str) -> str:
    notes = f'<aside class="notes" aria-label="Speaker notes">{"".join(slide.notes)}</aside>' if slide.notes else ""
    return (
        f'<section class="slide {slide.kind}" id="{number}" aria-label="Slide {number} of {count}">'
        f'<div class="stage"><h2>{escape(slide.title)}</h2><div class="body">{"".join(slide.body)}</div>'
        f"<footer><span>{escape(chapter)}</span><span>{number} / {count}</span></footer></div>{notes}</section>"
    )


def made_of(path: Path, run: Run | None = None) -> str:
    """Changes with all that a chapter's deck is made of: its text and run, the records, the drawings, this code."""
    code = [*HERE.glob("*.py"), *STATIC.glob("slides.*"), *(places.PACKAGE / "course" / "drawings").glob("*.py")]
    parts = [each.read_bytes() for each in (path, *sorted(code))]
    return hashlib.sha256(b"".join(parts) + (records.state() + repr(run)).encode()).hexdigest()


def is_current(deck: Path, chapter: Path, run: Run | None = None) -> bool:
    """Whether a deck was made of what is there now."""
    return deck.is_file() and f'content="{made_of(chapter, run)}"' in deck.read_text()


def page(deck: Deck) -> str:
    """A deck as one HTML page."""
    first = Slide("title", deck.title, [f"<p>{deck.question}</p>"], [f"<p>{KEYS}</p>"])
    slides = [first, *(slide for slide in deck.slides if slide.body)]
    sections = "\n".join(_section(s, k, len(slides), deck.title) for k, s in enumerate(slides, 1))
    style, script = ((STATIC / f"slides.{kind}").read_text() for kind in ("css", "js"))
    title = f"{escape(deck.title)}: slides"
    return (
        f'<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n<title>{title}</title>\n'
        f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">\n'
        f'<meta name="made-of" content="{made_of(deck.path, deck.run)}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<style>\n{style}</style>\n</head>\n<body>\n<main>\n{sections}\n</main>\n"
        f'<p class="sr-only" aria-live="polite"></p>\n<script>\n{script}</script>\n</body>\n</html>\n'
    )


def write(decks: Iterable[Deck], out: Path) -> list[Path]:
    """Write decks into a folder, which is made if it is not there."""
    out.mkdir(parents=True, exist_ok=True)
    written = []
    for deck in decks:
        written.append(out / f"{deck.name}.html")
        written[-1].write_text(page(deck))
    return written


class SlidesDirective(SphinxDirective):
    """A list of the decks."""

    def run(self) -> list[nodes.Node]:
        names = [path.stem for path in chapters()]
        links = (f'<li><a href="slides/{name}.html">{escape(title_of(name))}</a></li>' for name in names)
        return [nodes.raw("", f"<ul>{''.join(links)}</ul>", format="html")]


def write_beside_pages(app: Sphinx, exception: Exception | None) -> None:
    """Write the decks whose chapter, records or code have changed, and remove those of chapters that are gone."""
    if exception is not None or app.builder.name != "html":
        return
    out, known = Path(app.outdir, "slides"), chapters()
    for gone in set(out.glob("*.html")) - {out / f"{path.stem}.html" for path in known}:
        gone.unlink()
    executed, cache = Path(app.outdir).parent / "jupyter_execute", Path(app.config.nb_execution_cache_path)
    run = {path: run_outputs.of_chapter(path.stem, executed, cache) for path in known}
    old = (path for path in known if not is_current(out / f"{path.stem}.html", path, run[path]))
    write((Deck(path, run=run[path]) for path in old), out)


def setup(app: Sphinx) -> dict[str, Any]:
    app.add_directive("slides", SlidesDirective)
    app.connect("build-finished", write_beside_pages)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit("usage: python book/_ext/decks.py FOLDER [CHAPTER …]")
    out = Path(sys.argv[1]).resolve()
    built = HERE.parents[1] / "_build"
    pages = Path(os.path.relpath(built / "html", out)).as_posix()
    run = partial(
        run_outputs.of_chapter,
        executed=built / "jupyter_execute",
        cache=execution_cache.CACHES / execution_cache.fingerprint(),
    )
    made_decks = (Deck(path, pages=pages, run=run(path.stem)) for path in chosen(sys.argv[2:]))
    for made in write(made_decks, out):
        print(f"{made}: {made.stat().st_size / 1e6:.2f} MB")
