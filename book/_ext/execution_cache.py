"""Sphinx extension: keep a chapter's outputs only while the code and the data behind them are the same.

jupyter-cache looks at the cells alone: after an edit in `tutorial_lib` it would show old numbers. So each
state of the library, the lock file and the shipped data has a cache of its own.
"""

from __future__ import annotations

import hashlib
import shutil
import sys
from pathlib import Path
from typing import Any

from sphinx.application import Sphinx
from sphinx.config import Config

ROOT = Path(__file__).resolve().parents[2]
CACHES = ROOT / "_build" / ".jupyter_cache"
KEPT = 3


def inputs(root: Path = ROOT) -> list[Path]:
    """The files, besides its own cells, that a chapter's outputs depend on.

    Committed records are not among them: `records` draws what shows them when a page is read.
    """
    library = root / "tutorial_lib"
    found = [*library.rglob("*.py"), *library.rglob("*.json"), *library.rglob("SHA256SUMS")]
    found += library.glob("models/checkpoints/*/*")
    return sorted({*found, root / "requirements.lock"})


def fingerprint(root: Path = ROOT) -> str:
    """Sixteen hexadecimal digits that change with any of `inputs` and with the Python version."""
    digest = hashlib.sha256(repr(sys.version_info[:2]).encode())
    for path in inputs(root):
        digest.update(str(path.relative_to(root)).encode() + b"\0")
        digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()[:16]


def prune(folder: Path, keep: int = KEPT) -> None:
    """Delete all but the caches used last."""
    caches = sorted((p for p in folder.iterdir() if p.is_dir()), key=lambda p: p.stat().st_mtime, reverse=True)
    for old in caches[keep:]:
        shutil.rmtree(old)


def choose_cache(app: Sphinx, config: Config) -> None:
    cache = CACHES / fingerprint()
    cache.mkdir(parents=True, exist_ok=True)
    cache.touch()  # used now, so pruned last
    prune(CACHES)
    config.nb_execution_cache_path = str(cache)


def setup(app: Sphinx) -> dict[str, Any]:
    app.connect("config-inited", choose_cache)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
