"""Findings of an audit that was interrupted: kept one by one, so that the next audit goes on where it ended."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from torch import Tensor

from tutorial_lib.detect.checkpoints import Finding
from tutorial_lib.files import whole
from tutorial_lib.practice.inverted import read_inverted, write_inverted
from tutorial_lib.trials.schema import digest


@dataclass(frozen=True)
class Parts:
    """A folder with what is finished of an audit.

    Attributes:
        folder: `None` keeps nothing.
        identity: what the findings hang on besides the detector: weights, pictures, classes; plain data.

    Example:
        >>> parts = Parts(Path("parts"), {"weights": "abc"})
        >>> parts.keep(Finding(0.5, detector={"kind": "decree"}, title="DECREE"))
        >>> parts.kept({"kind": "decree"}).score, parts.kept({"kind": "decree", "seed": 1})
        (0.5, None)
    """

    folder: Path | None
    identity: Mapping[str, Any]

    def _path(self, detector: Mapping[str, Any]) -> Path:
        assert self.folder is not None  # asked before
        key = digest({"detector": dict(detector), **self.identity})
        return self.folder / f"{detector['kind']}-{key}.json"

    def keep(self, finding: Finding) -> None:
        """Write a finding; it appears whole or not at all.

        Raises:
            NotWrittenError: the disk is full or the folder cannot be written.
        """
        if self.folder is None:
            return
        self.folder.mkdir(parents=True, exist_ok=True)
        path = self._path(finding.detector)
        if finding.mask is not None and finding.pattern is not None:
            write_inverted(path.with_suffix(".safetensors"), finding.mask, finding.pattern)
        with whole(path) as part:
            part.write_text(json.dumps(finding.as_dict() | {"score": finding.score}), "utf-8")

    def kept(self, detector: Mapping[str, Any]) -> Finding | None:
        """The finding of a detector with these settings, without its threshold; `None` where none can be read."""
        if self.folder is None or not (path := self._path(detector)).is_file():
            return None
        try:
            body = json.loads(path.read_text("utf-8"))
            return Finding(
                float(body["score"]),
                body["suspected_target"],
                *_trigger(path.with_suffix(".safetensors")),
                body["about"],
                detector=body["detector"],
                title=body["title"],
                seconds=float(body["seconds"]),
            )
        except (OSError, ValueError, KeyError, TypeError, SafetensorError):
            return None  # it is made again

    def clear(self) -> None:
        """Remove the folder."""
        if self.folder is not None:
            shutil.rmtree(self.folder, ignore_errors=True)


def _trigger(path: Path) -> tuple[Tensor | None, Tensor | None]:
    return read_inverted(path) if path.is_file() else (None, None)
