"""The machine underneath. Imports nothing heavy."""

from __future__ import annotations

import os


def memory_bytes() -> int:
    """Memory of this machine, 0 where it cannot be found out."""
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (ValueError, OSError, AttributeError):
        return 0
