"""The built course for the tests: its pages, a server for them, and a browser."""

from __future__ import annotations

import importlib
import shutil
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import ModuleType
from typing import Any

import yaml
from playwright.sync_api import Browser, Page, sync_playwright

#: What the fixture `unscripted` gives: opens an address, in a window of a width, without JavaScript.
Unscripted = Callable[..., Page]

ROOT = Path(__file__).resolve().parents[2]
BOOK = ROOT / "book"
HTML = ROOT / "_build" / "html"
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


def extension(name: str) -> ModuleType:
    """A Sphinx extension of the book, which may import its neighbours."""
    sys.path.insert(0, str(BOOK / "_ext"))
    try:
        return importlib.import_module(name)
    finally:
        sys.path.remove(str(BOOK / "_ext"))


def _files(entry: dict[str, Any]) -> Iterator[str]:
    for key in ("root", "file"):
        if key in entry:
            yield entry[key]
    for key in ("parts", "chapters", "sections"):
        for child in entry.get(key, []):
            yield from _files(child)


def page_names() -> list[str]:
    """Every page of `_toc.yml`, in reading order."""
    return list(_files(yaml.safe_load((ROOT / "_toc.yml").read_text())))


def chapter_names() -> list[str]:
    """The pages that have a number, in its order."""
    parts = yaml.safe_load((ROOT / "_toc.yml").read_text())["parts"]
    return [name for part in parts if part.get("numbered") for name in _files(part)]


class _QuietHandler(SimpleHTTPRequestHandler):
    def log_message(self, *args: object) -> None:
        pass


@contextmanager
def served(folder: Path = HTML) -> Iterator[str]:
    """Serve a folder on a free port of 127.0.0.1; gives its address."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(_QuietHandler, directory=str(folder)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


@contextmanager
def browser() -> Iterator[Browser]:
    """Chromium or Chrome as this machine has it; nothing is downloaded."""
    executable = next(filter(None, map(shutil.which, BROWSERS)), None)
    if executable is None:
        raise RuntimeError(
            f"the tests of the pages need a browser, and none of {', '.join(BROWSERS)} was found. Install one "
            "(Debian: `sudo apt install chromium`), or set NO_BROWSER=1 to leave these tests out."
        )
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=executable, args=FLAGS)
        try:
            yield chromium
        finally:
            chromium.close()


def settle(page: Page) -> None:
    """Scroll through the page once, and wait until its formulas, figures and widgets are there."""
    page.evaluate(
        """async () => {
            for (let y = 0; y < document.body.scrollHeight; y += innerHeight / 2) {
                scrollTo(0, y);
                await new Promise(requestAnimationFrame);
            }
            scrollTo(0, 0);
            await window.MathJax?.startup?.promise;
        }"""
    )
    page.wait_for_function(
        """() => [...document.querySelectorAll('.plotly-embed')].every((e) => e.querySelector('.main-svg'))
            && [...document.querySelectorAll('script[type="application/vnd.jupyter.widget-view+json"]')]
                .every((e) => e.parentElement.querySelector('.jupyter-widgets'))
            && [...document.querySelectorAll('.live-figure')].every((e) => e.matches('.live-ready'))""",
        timeout=30_000,
    )
    page.wait_for_load_state("networkidle")
