"""Sphinx extension: chapters that have to run do so side by side, one a core, before Sphinx reads the pages.

MyST-NB executes a notebook when its page is read, one after another, and small models gain little from a second
thread. Here each chapter has a kernel with one thread, so a page has the same numbers on two cores and on sixteen. What
comes out goes to the cache in which MyST-NB looks next, so nothing is executed twice. Chapters that took longest last
time begin first; one that fails ends the build with its traceback.
"""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import execution_cache
import nbformat
from jupyter_cache import get_cache
from jupyter_cache.base import CacheBundleIn, JupyterCacheAbstract
from myst_nb.core.read import create_nb_reader
from nbformat import NotebookNode
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment
from sphinx.errors import SphinxError
from sphinx.util import logging

#: Seconds that each chapter took when it last ran, by name.
SECONDS = execution_cache.CACHES / "seconds.json"
RUNNER = Path(__file__).with_name("run_notebook.py")
ONE_THREAD = {f"{library}_NUM_THREADS": "1" for library in ("OMP", "MKL", "OPENBLAS", "NUMBA")}

logger = logging.getLogger(__name__)


class ChapterError(SphinxError):
    """A cell of a chapter raised, took too long, or its kernel died."""

    category = "A chapter failed"


def run(notebook: NotebookNode, folder: Path, timeout: int) -> tuple[NotebookNode, float]:
    """Execute a notebook in a kernel of its own with one thread.

    Args:
        notebook: left as it is.
        folder: in which it runs.
        timeout: seconds that one cell may take.

    Returns:
        The executed notebook, and seconds.

    Raises:
        ChapterError: with what the cell raised.
    """
    started = time.monotonic()
    with tempfile.TemporaryDirectory() as scratch:
        path = Path(scratch, "chapter.ipynb")
        nbformat.write(notebook, path)
        command = [sys.executable, str(RUNNER), str(path), str(timeout)]
        done = subprocess.run(command, cwd=folder, env=os.environ | ONE_THREAD, capture_output=True, text=True)
        if done.returncode:
            raise ChapterError(done.stderr.strip())
        return nbformat.read(path, as_version=nbformat.NO_CONVERT), time.monotonic() - started


def made_with() -> dict[str, Any]:
    """What a chapter's outputs and its time depend on beside its code; `execution_table` shows it."""
    from tutorial_lib.practice.machine import machine  # loads torch, and most builds run no chapter

    found = machine()
    kept = {name: found[name] for name in ("cpu", "python", "versions")}
    return kept | {"finished": datetime.now(UTC).isoformat(timespec="minutes")}


def longest_first(names: Iterable[str], seconds: dict[str, float]) -> list[str]:
    """Chapters in the order in which they shall begin; those of unknown length before the others."""
    return sorted(names, key=lambda name: -seconds.get(name, math.inf))


def run_all(
    waiting: dict[str, NotebookNode], *, folder: Path, timeout: int, workers: int
) -> Iterator[tuple[str, NotebookNode, float]]:
    """Execute notebooks, so many at a time, begun in the order given; gives each when it is through.

    Raises:
        ChapterError: after a failure no other begins, and those that run beside it are finished and given first.
    """
    stop, failed = threading.Event(), []

    def begin(notebook: NotebookNode) -> tuple[NotebookNode, float] | None:
        if stop.is_set():
            return None
        try:
            return run(notebook, folder, timeout)
        except ChapterError:
            stop.set()  # here, and not where the failure is noticed: this thread takes the next one at once
            raise

    with ThreadPoolExecutor(workers) as pool:
        names = {pool.submit(begin, notebook): name for name, notebook in waiting.items()}
        try:
            for future in as_completed(names):
                if isinstance(error := future.exception(), ChapterError):
                    failed.append(f"{names[future]}\n{error}")
                elif (through := future.result()) is not None:
                    yield names[future], *through
        finally:
            stop.set()
    if failed:
        raise ChapterError("\n\n".join(failed))


def to_run(env: BuildEnvironment, docnames: Iterable[str], cache: JupyterCacheAbstract) -> dict[str, NotebookNode]:
    """Notebooks of the pages that will be read and whose outputs are not in the cache."""
    found = {}
    for name in docnames:
        path = Path(env.doc2path(name))
        text = path.read_text()
        reader = create_nb_reader(str(path), env.myst_config, env.mystnb_config, text)  # type: ignore[attr-defined]
        if reader is None:
            continue
        notebook = reader.read(text)
        try:
            cache.match_cache_notebook(notebook)
        except KeyError:
            found[name] = notebook
    return found


def fill_cache(app: Sphinx, env: BuildEnvironment, docnames: list[str]) -> None:
    """Run what MyST-NB would run, and keep it where MyST-NB will find it."""
    cache = get_cache(app.config.nb_execution_cache_path)
    waiting = to_run(env, docnames, cache)
    if not waiting:
        return
    seconds = json.loads(SECONDS.read_text()) if SECONDS.is_file() else {}
    workers = min(len(waiting), os.cpu_count() or 1)
    logger.info("running %d chapters, %d at a time", len(waiting), workers)
    ordered = {name: waiting[name] for name in longest_first(waiting, seconds)}
    folder, timeout = Path(env.srcdir), app.config.nb_execution_timeout
    for name, executed, took in run_all(ordered, folder=folder, timeout=timeout, workers=workers):
        made = made_with() | {"execution_seconds": took}
        bundle = CacheBundleIn(executed, env.doc2path(name), data=made)
        cache.cache_notebook_bundle(bundle, check_validity=False, overwrite=True)
        seconds[name] = round(took, 1)
        SECONDS.write_text(json.dumps(seconds, indent=1, sort_keys=True) + "\n")
        logger.info("%s ran in %.0f s", name, took)


def setup(app: Sphinx) -> dict[str, Any]:
    app.connect("env-before-read-docs", fill_cache)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
