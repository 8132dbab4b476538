"""Chapters without a reader, all in a row: their notebooks, their figures, and what the claims say then."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tutorial_lib import places, profiles
from tutorial_lib.costs import duration
from tutorial_lib.course.chapters import ChapterRun, chosen, run_chapters
from tutorial_lib.evidence import claims, registry
from tutorial_lib.evidence.shown import Shown
from tutorial_lib.evidence.sweeps import require_hardware
from tutorial_lib.machine import ASKED


@dataclass(frozen=True)
class SavedFigures:
    """What became of some chapters, and the verdicts on the records that they show."""

    profile: str
    folder: str
    chapters: tuple[ChapterRun, ...]
    verdicts: Mapping[str, int]

    @property
    def failed(self) -> int:
        """Chapters that raised an error."""
        return sum(bool(c.error) for c in self.chapters)

    def as_dict(self) -> dict[str, Any]:
        """Plain data."""
        return {
            "profile": self.profile,
            "folder": self.folder,
            "chapters": [
                {"name": c.name, "seconds": round(c.seconds, 1), "figures": len(c.figures), "error": c.error}
                for c in self.chapters
            ],
            "verdicts": dict(self.verdicts),
        }

    def __str__(self) -> str:
        lines = [f"{'chapter':28s} {'':8s} {'time':>8s} {'files':>6s}"]
        for c in self.chapters:
            word = "failed" if c.error else "ok"
            lines.append(f"{c.name:28s} {word:8s} {duration(c.seconds):>8s} {len(c.figures):6d}")
            lines += [f"  {c.error}"] if c.error else []
        lines.append("claims: " + ", ".join(f"{n} {word}" for word, n in self.verdicts.items() if n))
        lines.append(f"notebooks and figures: {self.folder}")
        if self.failed:
            lines.append(f"run what failed again with: tutorial figures --profile {self.profile} CHAPTER")
        return "\n".join(lines)


def save_figures(
    names: Sequence[str] = (),
    profile: str = "demo",
    *,
    out: Path | None = None,
    device: str | None = None,
    say: Callable[[str], None] | None = None,
) -> SavedFigures:
    """Run chapters at a profile and save their notebooks and figures; a failing one does not stop the others.

    Args:
        names: chapters by number or name; by default all.
        profile: name of the profile.
        out: folder; by default one of the profile under `tutorial_lib.places.built()`.
        device: that chapters train on; "cpu" insists on running a profile for a GPU without one.
        say: is told each chapter that ends.

    Raises:
        ValueError: there is no such chapter, profile or device, or the profile cannot run here.
    """
    found, paths = profiles.get(profile), chosen(names)
    require_hardware(found, device)
    folder = (out or places.built() / "figures" / found.name).resolve()
    done: list[ChapterRun] = []
    with _on(device):
        for chapter in run_chapters(paths, found.name, folder):
            done.append(chapter)
            if say is not None:
                word = "failed" if chapter.error else "done"
                say(f"[{len(done)}/{len(paths)}] {chapter.name} {word} in {duration(chapter.seconds)}")
    source = Shown(found.name) if found.references else registry.results(found.name)
    verdicts = claims.summary(claims.judge_all(source))
    return SavedFigures(found.name, str(folder), tuple(done), verdicts)


@contextlib.contextmanager
def _on(device: str | None) -> Iterator[None]:
    """Let the processes of chapters take a device unless their cells name one."""
    before = os.environ.get(ASKED)
    if device:
        os.environ[ASKED] = device
    try:
        yield
    finally:
        if before is not None:
            os.environ[ASKED] = before
        elif device:
            del os.environ[ASKED]
