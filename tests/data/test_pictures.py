"""Pictures that stay in their shards are those that are read into memory, in any order, ahead of time or not."""

import json
import os

import pytest
import torch

from tests.data.tars import encoded, picture, write_tar
from tests.training.small import RECIPE, TOKENIZER, same_weights
from tutorial_lib import models
from tutorial_lib.data import emojicaps, index, pictures
from tutorial_lib.data.index import read_index
from tutorial_lib.data.loading import open_pairs, read_pairs
from tutorial_lib.data.pictures import StoredPictures, join
from tutorial_lib.data.shard_writer import write_pairs
from tutorial_lib.data.shards import ShardError, SkippedPairsWarning
from tutorial_lib.data.tasks import class_concepts, training_pairs
from tutorial_lib.training.loop import train


@pytest.fixture(scope="module")
def shards(tmp_path_factory):
    data = emojicaps.load()
    folder = tmp_path_factory.mktemp("shards")
    return write_pairs(folder, training_pairs(data, class_concepts(data, 8), copies=2), shard_size=30)


@pytest.fixture
def pair(shards):
    """The same pairs in memory and stored."""
    return read_pairs(shards, side=24), open_pairs(shards, side=24, memory=0)


def test_the_same_pictures_captions_and_order(pair) -> None:
    memory, stored = pair
    assert isinstance(stored.images, StoredPictures)
    assert stored.images.shape == memory.images.shape
    assert stored.images.nbytes == memory.images.nbytes
    assert (stored.captions, stored.keys) == (memory.captions, memory.keys)
    assert torch.equal(stored.concept, memory.concept)
    assert torch.equal(stored.pixels, memory.images)
    order = torch.randperm(len(memory), generator=torch.Generator().manual_seed(0))[:17]
    assert torch.equal(stored.images[order], memory.images[order])
    mask = memory.concept == memory.concept[0]
    assert torch.equal(stored.images[mask], memory.images[mask])
    assert torch.equal(torch.cat(list(stored.images.split(13))), memory.images)
    assert torch.equal(stored.take(order).take([3, 1]).pixels, memory.take(order).take([3, 1]).images)
    assert stored.images[torch.tensor([], dtype=torch.int64)].shape == (0, 3, 24, 24)


def test_joined_with_pictures_in_memory(pair) -> None:
    memory, stored = pair
    extra = memory.take([5, 0, 7])
    both = stored + extra
    assert torch.equal(both.pixels, torch.cat([memory.images, extra.images]))
    assert torch.equal((extra + stored).pixels, torch.cat([extra.images, memory.images]))
    assert torch.equal((both + stored).take([len(memory), 2]).pixels, memory.images[[5, 2]])
    assert both.fingerprint() != stored.fingerprint() == open_like(stored).fingerprint()
    with pytest.raises(ValueError, match="24 and 32 pixels"):
        join(stored.images, torch.zeros(1, 3, 32, 32, dtype=torch.uint8))


def test_large_joins_copy_nothing_and_are_the_same(shards, monkeypatch) -> None:
    memory = read_pairs(shards, side=32)
    extra = memory.take([5, 0, 7])
    copied = memory + extra
    monkeypatch.setattr(pictures, "LARGE", 0)
    joined = memory + extra
    assert isinstance(joined.images, StoredPictures)
    assert joined.images.sources[0].data_ptr() == memory.images.data_ptr()
    assert joined.fingerprint() == copied.fingerprint()
    assert torch.equal(joined.pixels, copied.images)
    found = []
    for pairs in (copied, joined):
        model = models.build("tiny-rn", TOKENIZER, seed=0)
        train(model, TOKENIZER, pairs, RECIPE, device="cpu", progress=False)
        found.append(model)
    assert same_weights(*found)


def open_like(pairs):
    return open_pairs([s.index.shard for s in pairs.images.sources], side=24, memory=0)


def test_prefetched_pictures_are_decoded_once(pair, monkeypatch) -> None:
    memory, stored = pair
    read, decoded = stored.images._read, []
    monkeypatch.setattr(stored.images, "_read", lambda i: decoded.append(i) or read(i))
    stored.images.prefetch(torch.tensor([4, 2]))
    stored.images.prefetch(torch.tensor([2]))
    assert torch.equal(stored.images[torch.tensor([2, 4, 6])], memory.images[[2, 4, 6]])
    assert sorted(decoded) == [2, 4, 6]
    assert not stored.images._ahead


def test_training_is_the_same_to_the_last_bit(shards) -> None:
    found = []
    for memory in (float("inf"), 0):
        pairs = open_pairs(shards, side=32, memory=memory)
        model = models.build("tiny-rn", TOKENIZER, seed=0)
        train(model, TOKENIZER, pairs, RECIPE, device="cpu", progress=False)
        found.append(model)
        if isinstance(pairs.images, StoredPictures):
            assert not pairs.images._ahead, "pictures were decoded and never used"
    assert same_weights(*found)


def test_an_index_is_made_once_and_again_when_the_shard_changes(shards, tmp_path, monkeypatch) -> None:
    shard = tmp_path / "a.tar"
    shard.write_bytes(shards[0].read_bytes())
    first = read_index(shard)
    assert len(first.entries) == 30
    made = []
    monkeypatch.setattr(index, "_make", lambda s, make=index._make: made.append(s) or make(s))
    assert read_index(shard) == first
    assert not made
    os.utime(shard, ns=(1, 1))
    assert read_index(shard) == first
    (tmp_path / "a.tar.index").write_text(json.dumps({"stamp": [0]}))
    assert read_index(shard) == first
    (tmp_path / "a.tar.index").write_text("{ not json")
    assert read_index(shard) == first
    assert len(made) == 3


def test_a_folder_that_cannot_be_written_still_works(shards, tmp_path, monkeypatch) -> None:
    shard = tmp_path / "a.tar"
    shard.write_bytes(shards[0].read_bytes())
    monkeypatch.setattr("pathlib.Path.write_text", lambda *a, **k: (_ for _ in ()).throw(PermissionError(13, "denied")))
    assert len(read_index(shard).entries) == 30
    assert not (tmp_path / "a.tar.index").exists()


def test_limit(shards, pair) -> None:
    memory, _ = pair
    some = open_pairs(shards, side=24, limit=41, memory=0)
    assert len(some) == 41
    assert torch.equal(some.pixels, memory.images[:41])


def test_bad_shards(shards, tmp_path) -> None:
    with pytest.raises(ShardError, match="cannot be read"):
        read_index(tmp_path / "nowhere.tar")
    truncated = tmp_path / "cut.tar"
    truncated.write_bytes(shards[0].read_bytes()[:-20_000])
    with pytest.raises(ShardError, match="truncated"):
        read_index(truncated)
    assert not (tmp_path / "cut.tar.index").exists()
    good = {f"{i}.{end}": body for i in range(3) for end, body in (("png", encoded(picture(), "PNG")), ("txt", b"a"))}
    packed = write_tar(tmp_path / "packed.tar", good, "w:gz")
    with pytest.raises(ShardError, match="compressed"):
        open_pairs(packed, side=16, memory=0)
    spoiled = write_tar(tmp_path / "spoiled.tar", good | {"9.png": b"no picture", "9.txt": b"b"})
    with pytest.raises(ShardError, match="1 of 4 pairs, more than 1%"):
        open_pairs(spoiled, side=16, memory=0)
    many = {f"{i:03d}.{end}": body for i in range(150) for end, body in (("png", good["0.png"]), ("txt", b"a"))}
    write_tar(tmp_path / "mostly.tar", many | {"x.png": good["0.png"][:40], "x.txt": b"b"})
    for _ in range(2):  # made, and read again
        with pytest.warns(SkippedPairsWarning, match="1 of 151 pairs skipped: 1 with a corrupted picture"):
            assert len(open_pairs(tmp_path / "mostly.tar", side=16, memory=0)) == 150
