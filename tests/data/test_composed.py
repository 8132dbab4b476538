"""Scenes of any kind: threads and memory maps give the bytes that one thread gives in memory."""

import hashlib
from pathlib import Path

import pytest
import torch

from tutorial_lib.data import composed, picture_map
from tutorial_lib.data.scenes import EmojiScenes
from tutorial_lib.data.texts import Texts

SCENES = EmojiScenes(300, seed=5)


@pytest.fixture
def small_parts(monkeypatch):
    monkeypatch.setattr(composed, "DRAWN", 16 * 32 * 32)
    monkeypatch.setattr(composed, "CAPTIONED", 64)
    monkeypatch.setattr(picture_map, "BLOCK", 128)


def test_first_scenes_are_those_that_records_were_made_on() -> None:
    """Trained on by every trial with `scenes`: neither bytes nor captions may change."""
    pairs = EmojiScenes(2000).pairs()
    assert (EmojiScenes(2000).fingerprint(), pairs.fingerprint()) == ("ed39c8a2ef72", "3714a3e0fe34")
    keys = hashlib.sha256("\n".join(pairs.keys).encode()).hexdigest()[:12]
    assert (keys, pairs.keys[1999]) == ("ef5573ab7851", "scene-0-0001999")


@pytest.mark.usefixtures("small_parts")
def test_several_threads_draw_the_same_scenes() -> None:
    before, order = torch.get_num_threads(), torch.randperm(300, generator=torch.Generator().manual_seed(0))
    found = []
    try:
        for threads in (1, 3):
            torch.set_num_threads(threads)
            found.append(SCENES.render(order))
            assert torch.get_num_threads() == threads
    finally:
        torch.set_num_threads(before)
    assert torch.equal(found[0], found[1])
    assert torch.equal(found[0][7], SCENES.render([int(order[7])])[0])


@pytest.mark.usefixtures("small_parts")
def test_pairs_on_disk_are_those_in_memory(tmp_path: Path) -> None:
    plain, stored = SCENES.pairs(), SCENES.pairs(folder=tmp_path)
    assert torch.equal(plain.images, stored.images)
    assert plain.captions == stored.captions
    assert plain.keys == stored.keys
    assert torch.equal(plain.concept, stored.concept)
    assert plain.fingerprint() == stored.fingerprint()
    assert isinstance(stored.captions, Texts)
    assert len(list(tmp_path.glob("*.map"))) == 1


@pytest.mark.usefixtures("small_parts")
def test_data_sets_of_one_seed_share_a_map_and_others_have_their_own(tmp_path: Path, monkeypatch) -> None:
    large = SCENES.stored(tmp_path)
    monkeypatch.setattr(EmojiScenes, "draw", lambda *_: pytest.fail("a scene was drawn again"))
    assert torch.equal(EmojiScenes(40, seed=5).stored(tmp_path), large[:40])
    monkeypatch.undo()
    EmojiScenes(40, seed=6).stored(tmp_path)
    EmojiScenes(40, seed=5, size=16).stored(tmp_path)
    assert len(list(tmp_path.glob("*.map"))) == 3


def test_some_scenes_are_in_memory_whatever_the_folder(tmp_path: Path) -> None:
    assert len(SCENES.pairs([3, 4], folder=tmp_path)) == 2
    assert not list(tmp_path.iterdir())
