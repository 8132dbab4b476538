"""Checksums of the shipped pictures. Imports nothing heavy: every trial carries the fingerprint."""

from __future__ import annotations

import hashlib
from pathlib import Path

FOLDER = Path(__file__).resolve().parent / "emojicaps"


class CorruptDataError(RuntimeError):
    """The shipped data is missing or differs from its checksum."""


def fingerprint(folder: Path = FOLDER) -> str:
    """Short hash of the shards' checksums: changes when any shipped picture does.

    Example:
        >>> from tutorial_lib.trials import Trial
        >>> Trial().data == fingerprint()
        True
    """
    return hashlib.sha256((folder / "SHA256SUMS").read_bytes()).hexdigest()[:12]


def verify(folder: Path = FOLDER) -> None:
    """Compare every shard with its SHA-256.

    Raises:
        CorruptDataError: a shard is missing or its checksum differs.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     _ = Path(folder, "SHA256SUMS").write_text("ba7816bf  noto.tar.gz")
        ...     verify(Path(folder))
        Traceback (most recent call last):
        tutorial_lib.data.integrity.CorruptDataError: ...noto.tar.gz is missing: reinstall the package or run ...
    """
    for line in (folder / "SHA256SUMS").read_text(encoding="utf-8").splitlines():
        expected, name = line.split()
        path = folder / name
        if not path.is_file():
            raise CorruptDataError(f"{path} is missing: reinstall the package or run data_scripts/emojicaps.py")
        found = hashlib.sha256(path.read_bytes()).hexdigest()
        if found != expected:
            raise CorruptDataError(
                f"{path} is damaged: its SHA-256 is {found[:12]}…, expected {expected[:12]}…; "
                "reinstall the package or run data_scripts/emojicaps.py"
            )
