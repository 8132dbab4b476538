"""What is written is read, the same bytes each time, and nothing is overwritten."""

import json
from pathlib import Path

import numpy as np
import pytest

from tests.data.tars import some_pairs
from tutorial_lib.data.decoding import decode
from tutorial_lib.data.loading import read_pairs
from tutorial_lib.data.pairs import Pairs
from tutorial_lib.data.shard_writer import encode, write_pairs
from tutorial_lib.data.shards import samples


@pytest.mark.parametrize("codec", ["webp", "png"])
def test_read_gives_what_was_written(tmp_path: Path, codec: str) -> None:
    pairs = some_pairs()
    written = write_pairs(tmp_path, pairs, shard_size=3, codec=codec)
    assert [path.name for path in written] == ["pairs-00000.tar", "pairs-00001.tar", "pairs-00002.tar"]
    found = read_pairs(tmp_path)
    assert found.images.equal(pairs.images)
    assert (found.captions, found.keys) == (pairs.captions, pairs.keys)
    assert found.concept.equal(pairs.concept)
    assert found.fingerprint() == pairs.fingerprint()
    assert json.loads((tmp_path / "sizes.json").read_text()) == {
        p.name: n for p, n in zip(written, (3, 3, 1), strict=True)
    }
    assert all(sample.lossless for sample in samples(tmp_path))


def test_same_pairs_same_bytes(tmp_path: Path) -> None:
    for name in ("a", "b"):
        write_pairs(tmp_path / name, some_pairs(), shard_size=4)
    a, b = (sorted((tmp_path / name).iterdir()) for name in ("a", "b"))
    assert [p.name for p in a] == [p.name for p in b]
    assert all(x.read_bytes() == y.read_bytes() for x, y in zip(a, b, strict=True))


def test_labels_are_stored_for_evaluation(tmp_path: Path) -> None:
    write_pairs(tmp_path, some_pairs(3), labels=["cat", "dog", "cat"])
    assert [sample.meta["label"] for sample in samples(tmp_path)] == ["cat", "dog", "cat"]
    with pytest.raises(ValueError, match="2 labels for 3 pairs"):
        write_pairs(tmp_path / "other", some_pairs(3), labels=["cat", "dog"])


def test_nothing_is_overwritten_and_nothing_is_left_half_written(tmp_path: Path) -> None:
    write_pairs(tmp_path, some_pairs(3))
    with pytest.raises(FileExistsError, match=r"already holds pairs-00000\.tar"):
        write_pairs(tmp_path, some_pairs(3))
    broken = some_pairs(5)
    broken = Pairs(broken.images, broken.captions, (*broken.keys[:4], "a.b"), broken.concept)
    with pytest.raises(ValueError, match="has a dot"):
        write_pairs(tmp_path / "broken", broken, shard_size=2)
    assert not list((tmp_path / "broken").iterdir())


def test_other_settings_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="codec must be one of webp, png, not 'jpg'"):
        write_pairs(tmp_path, some_pairs(), codec="jpg")
    with pytest.raises(ValueError, match="shard_size must be at least 1"):
        write_pairs(tmp_path, some_pairs(), shard_size=0)


def test_encoding_loses_nothing() -> None:
    image = np.random.default_rng(0).integers(0, 256, (32, 32, 3), dtype=np.uint8)
    for codec in ("webp", "png"):
        assert np.array_equal(decode(encode(image, codec)), image)
        assert encode(image, codec) == encode(image, codec)
