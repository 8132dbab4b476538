"""Detectors at test time: does this picture carry a trigger that the model knows?

One frozen class a file; a class scores pictures, and torch is imported only where it does.
"""

from __future__ import annotations

from tutorial_lib.detect.pictures.base import PictureDetector
from tutorial_lib.detect.pictures.bdetclip import BDetCLIP
from tutorial_lib.detect.pictures.strip import STRIP
from tutorial_lib.plugins import Kinds

__all__ = ["PICTURE_DETECTORS", "STRIP", "BDetCLIP", "PictureDetector"]

#: Detectors of triggered pictures by kind; those of other packages register as `tutorial_lib.detect.pictures`.
PICTURE_DETECTORS: Kinds[PictureDetector] = Kinds(
    PictureDetector, __name__, "detector of triggered pictures", helpers=("base",)
)
