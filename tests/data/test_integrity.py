"""Checksums of the shipped pictures."""

import hashlib
import shutil

import pytest

from tutorial_lib.data import emojicaps, integrity
from tutorial_lib.data.emojicaps import FOLDER, CorruptDataError


@pytest.fixture
def copy(tmp_path):
    shutil.copytree(FOLDER, tmp_path / "data")
    return tmp_path / "data"


def test_a_damaged_shard_is_noticed(copy) -> None:
    integrity.verify(copy)
    published = hashlib.sha256((copy / "fxemoji.tar.gz").read_bytes()).hexdigest()
    body = bytearray((copy / "fxemoji.tar.gz").read_bytes())
    body[len(body) // 2] ^= 1
    (copy / "fxemoji.tar.gz").write_bytes(body)
    with pytest.raises(CorruptDataError, match=rf"fxemoji.tar.gz is damaged: .*, expected {published[:12]}…"):
        emojicaps.load(("noto",), copy)
    (copy / "fxemoji.tar.gz").unlink()
    with pytest.raises(CorruptDataError, match=r"fxemoji.tar.gz is missing: reinstall the package or run data_scripts"):
        integrity.verify(copy)


def test_the_fingerprint_follows_the_checksums(copy) -> None:
    assert integrity.fingerprint(copy) == integrity.fingerprint()
    with (copy / "SHA256SUMS").open("a") as file:
        file.write("\n")
    assert integrity.fingerprint(copy) != integrity.fingerprint()
