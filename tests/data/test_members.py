"""The files of an archive, compressed or not, and how their names are cut."""

from __future__ import annotations

import bz2
import gzip
import lzma
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from tutorial_lib.data.members import TruncatedError, members, opened, split
from tutorial_lib.data.pairs import Pairs
from tutorial_lib.data.shard_writer import write_pairs


@pytest.fixture
def shard(tmp_path: Path) -> Path:
    images = torch.zeros(2, 3, 8, 8, dtype=torch.uint8)
    (path,) = write_pairs(tmp_path, Pairs(images, ("a dog", "a cat"), ("1", "2"), torch.tensor([-1, -1])))
    return path


@pytest.mark.parametrize(
    ("name", "parts"),
    [
        ("000017.png", ("000017", "png")),
        ("a/b/17.image.png", ("a/b/17", "image.png")),
        ("a.b/17.txt", ("a.b/17", "txt")),
        ("17", ("17", "")),
    ],
)
def test_names_are_cut_at_the_first_dot_of_the_last_part(name: str, parts: tuple[str, str]) -> None:
    assert split(name) == parts


@pytest.mark.parametrize("pack", [bytes, gzip.compress, bz2.compress, lzma.compress])
def test_compression_is_seen_in_the_content(shard: Path, pack: Callable[[bytes], bytes]) -> None:
    with opened(shard) as file:
        plain = [(name, body) for name, body, _ in members(file, shard)]
    packed = shard.with_name("packed.tar")
    packed.write_bytes(pack(shard.read_bytes()))
    with opened(packed) as file:
        assert [(name, body) for name, body, _ in members(file, packed)] == plain
    assert [split(name) for name, _ in plain] == [(k, s) for k in "12" for s in ("webp", "txt", "json")]


@pytest.mark.parametrize(("left", "error"), [(600, tarfile.ReadError), (1100, TruncatedError)])
def test_an_archive_that_was_cut_says_so(shard: Path, left: int, error: type[Exception]) -> None:
    """Within a file tarfile says it itself, within a header it takes the rest for the end."""
    shard.write_bytes(shard.read_bytes()[:left])
    with opened(shard) as file, pytest.raises(error):
        list(members(file, shard))
