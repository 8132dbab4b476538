"""What a wheel holds besides the package: its own copy of the chapters and of the committed records.

An installed package has no checkout beside it, and claims are judged on those records; `tutorial_lib/places.py` finds
either. An editable install reads the checkout's own and gets no copy.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

COPIED = ("*.md", "references.bib", "results/**/*.jsonl", "results/bench/*.json")


class CopyOfTheBook(BuildHookInterface):
    """Puts the book into the package."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Name the files and their places in the wheel, before it is built."""
        if version == "editable":
            return
        root = Path(self.root)
        found = [path for pattern in COPIED for path in sorted((root / "book").glob(pattern))]
        if not any(path.suffix == ".jsonl" for path in found):
            raise FileNotFoundError(f"{root / 'book'} has no records: a wheel without them could judge no claim")
        copies = {str(path): f"tutorial_lib/{path.relative_to(root).as_posix()}" for path in found}
        build_data["force_include"] |= {**copies, str(root / "_toc.yml"): "tutorial_lib/book/_toc.yml"}
