"""Where things lie: the book with its records, the run store, the user's data. Imports nothing heavy.

In a checkout these are the folders beside the package. An installed package brings its own copy of the chapters and the
records, and keeps what it makes in the current folder, never beside itself.
"""

from __future__ import annotations

import os
from pathlib import Path

PACKAGE = Path(__file__).resolve().parent


def checkout() -> Path | None:
    """The folder of the checkout that the package lies in, `None` where it was installed.

    Example:
        >>> checkout() in (None, PACKAGE.parent)
        True
    """
    root = PACKAGE.parent
    return root if (root / "_toc.yml").is_file() and (root / "book").is_dir() else None


def book() -> Path:
    """The chapters and, in `results/`, the committed records: of the checkout, or the package's own copy.

    Example:
        >>> (book() / "backdoors.md").is_file()
        True
    """
    root = checkout()
    return root / "book" if root else PACKAGE / "book"


def table_of_contents() -> Path:
    """The book's `_toc.yml`: at the root of the checkout, or in the package's copy of the book.

    Example:
        >>> "file: backdoors" in table_of_contents().read_text()
        True
    """
    return (checkout() or book()) / "_toc.yml"


def results() -> Path:
    """Committed records: one sorted JSON-lines file per experiment, in a folder per profile.

    Example:
        >>> (results() / "pilot" / "fig6.jsonl").is_file()
        True
    """
    return book() / "results"


def store() -> Path:
    """Where records go while a sweep runs: `$TUTORIAL_STORE`, or `build/runs` of the checkout or the current folder.

    Example:
        >>> from unittest import mock
        >>> with mock.patch.dict(os.environ, TUTORIAL_STORE="elsewhere"):
        ...     str(store())
        'elsewhere'
    """
    if chosen := os.environ.get("TUTORIAL_STORE"):
        return Path(chosen)
    return built() / "runs"


def built() -> Path:
    """Where commands put what they make unless they are told: `build` in the checkout, or in the current folder.

    Example:
        >>> built().relative_to(checkout() or Path.cwd()).as_posix()
        'build'
    """
    return (checkout() or Path.cwd()) / "build"


def scenes() -> Path:
    """Where memory maps of large sets of scenes lie: `$TUTORIAL_SCENES`, or `build/scenes`; they can be made again.

    Example:
        >>> from unittest import mock
        >>> with mock.patch.dict(os.environ, TUTORIAL_SCENES="elsewhere"):
        ...     str(scenes())
        'elsewhere'
    """
    if chosen := os.environ.get("TUTORIAL_SCENES"):
        return Path(chosen)
    return built() / "scenes"


def data() -> Path:
    """The user's own data sets: `$TUTORIAL_DATA`, or `data` of the checkout or the current folder.

    Example:
        >>> from unittest import mock
        >>> with mock.patch.dict(os.environ, TUTORIAL_DATA="elsewhere"):
        ...     str(data() / "cc3m")
        'elsewhere/cc3m'
    """
    if chosen := os.environ.get("TUTORIAL_DATA"):
        return Path(chosen)
    return (checkout() or Path.cwd()) / "data"
