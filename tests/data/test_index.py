"""An index from headers alone: what it tells, what it leaves out, and what it refuses."""

from pathlib import Path

import pytest
import torch

from tutorial_lib.data.index import glance
from tutorial_lib.data.loading import read_pairs
from tutorial_lib.data.shard_writer import ShardWriter
from tutorial_lib.data.shards import ShardError, SkippedPairsWarning, samples


def write(folder: Path, count: int, *, side: int = 8, first: int = 0, prefix: str = "pairs", label: int = -1) -> None:
    picture = torch.randint(0, 255, (side, side, 3), dtype=torch.uint8).numpy()
    with ShardWriter(folder, prefix=prefix, shard_size=100) as writer:
        for i in range(first, first + count):
            writer.add(f"p{i}", picture, f"caption {i}", {}, label=label)


def damage(folder: Path, key: str, *, header: bool) -> None:
    """Overwrite a picture, or all of it but its header."""
    found = next(s for s in samples(folder) if s.key == key)
    content, kept = bytearray(found.shard.read_bytes()), 0 if header else 30
    end = found.offset + len(found.picture)
    content[found.offset + kept : end] = bytes(end - found.offset - kept)
    found.shard.write_bytes(content)


def test_entries_are_the_pairs_in_their_order(tmp_path: Path) -> None:
    write(tmp_path, 250, label=3)
    seen, pairs = glance(tmp_path), read_pairs(tmp_path)
    assert [e.key for e in seen.entries] == list(pairs.keys)
    assert [e.caption for e in seen.entries] == list(pairs.captions)
    assert [len(index.entries) for index in seen.indices] == [100, 100, 50]
    assert (seen.side, seen.lossy, seen.in_any_order, set(seen.classes)) == (8, 0, True, {3})
    for index in seen.indices:
        content = index.shard.read_bytes()
        for entry, sample in zip(index.entries, samples(index.shard), strict=True):
            assert content[entry.offset : entry.offset + entry.length] == sample.picture
    assert not list(tmp_path.glob("*.index"))


def test_only_a_broken_header_is_seen(tmp_path: Path) -> None:
    write(tmp_path, 250)
    damage(tmp_path, "p7", header=False)
    assert len(glance(tmp_path).entries) == 250
    damage(tmp_path, "p9", header=True)
    with pytest.warns(SkippedPairsWarning, match="1 of 250 pairs skipped: 1 with a corrupted picture .first: p9"):
        assert "p9" not in [e.key for e in glance(tmp_path).entries]
    for key in ("p10", "p11"):
        damage(tmp_path, key, header=True)
    with pytest.raises(ShardError, match="3 of 250 pairs, more than 1%"):
        glance(tmp_path)


def test_keys_of_two_shards_are_told_apart(tmp_path: Path) -> None:
    write(tmp_path / "a", 5)
    write(tmp_path / "b", 5, first=4)
    found = glance([tmp_path / "a", tmp_path / "b"])
    assert [e.key for e in found.entries] == [f"p{i}" for i in (0, 1, 2, 3, 4, 4, 5, 6, 7, 8)]
    assert len(set(found.keys)) == 10
    assert found.keys[:4] == ["p0", "p1", "p2", "p3"]
    assert [key[-3:] for key in found.keys[4:6]] == ["-p4", "-p4"]
    assert len(glance([tmp_path / "a", tmp_path / "a" / ".." / "a"]).entries) == 5


def test_a_key_that_occurs_twice_in_a_shard_is_refused(tmp_path: Path) -> None:
    write(tmp_path, 3)
    (shard,) = tmp_path.glob("*.tar")
    shard.write_bytes(shard.read_bytes() * 2)
    with pytest.raises(ValueError, match=r"the key p0 occurs twice in .*: `tutorial import` makes keys unique"):
        glance(tmp_path)


def test_several_sizes_need_one_side(tmp_path: Path) -> None:
    write(tmp_path / "a", 5)
    write(tmp_path / "b", 5, side=12, first=5)
    with pytest.raises(ValueError, match=r"several sizes \(8x8, 12x12, …\): give a `side`"):
        glance([tmp_path / "a", tmp_path / "b"])
    seen = glance([tmp_path / "a", tmp_path / "b"], resized=True)
    assert (seen.side, seen.sizes) == (None, {(8, 8), (12, 12)})
