"""Pairs: what may be stored together, and stored pictures drawn once and for all."""

import hashlib
from dataclasses import replace

import pytest
import torch

from tutorial_lib.data import emojicaps
from tutorial_lib.data.captions import captions_for
from tutorial_lib.data.compose import Atlas, random_below
from tutorial_lib.data.pairs import CLEAN, COVER, POISON, Pairs, draw_pairs


def some(n: int = 5, seed: int = 0, name: str = "k") -> Pairs:
    images = torch.randint(0, 256, (n, 3, 8, 8), dtype=torch.uint8, generator=torch.Generator().manual_seed(seed))
    captions, keys = tuple(f"caption {i}" for i in range(n)), tuple(f"{name}{i}" for i in range(n))
    return Pairs(images, captions, keys, torch.arange(n))


@pytest.fixture(scope="module")
def data() -> emojicaps.EmojiCaps:
    return emojicaps.load(("fxemoji",))


def test_union_and_take_keep_pictures_captions_keys_and_concepts_together() -> None:
    a, b = some(4, 1), some(3, 2, "other")
    both = a + b
    order = [6, 0, 3, 3, 5]
    taken = both.take(order)
    assert len(both) == 7
    for i, p in enumerate(order):
        source, k = (a, p) if p < 4 else (b, p - 4)
        assert torch.equal(taken.images[i], source.images[k])
        assert (taken.captions[i], taken.keys[i]) == (source.captions[k], source.keys[k])
        assert taken.concept[i] == source.concept[k]


def test_pairs_are_clean_unless_they_say_otherwise_and_say_it_wherever_they_go() -> None:
    a = some(3)
    b = replace(some(4, 1, "other"), origin=torch.tensor([POISON, COVER, CLEAN, POISON]))
    assert a.origin.tolist() == [CLEAN] * 3
    both = a + b
    assert both.origin.tolist() == [CLEAN, CLEAN, CLEAN, POISON, COVER, CLEAN, POISON]
    assert both.take([6, 0, 4, 3]).origin.tolist() == [POISON, CLEAN, COVER, POISON]
    assert both.fingerprint() == replace(both, origin=torch.zeros(7, dtype=torch.int64)).fingerprint()


def test_fingerprint_covers_every_pixel_and_every_caption() -> None:
    pairs = some()
    body = pairs.images.numpy().tobytes() + b"".join(c.encode() + b"\0" for c in pairs.captions)
    assert pairs.fingerprint() == hashlib.sha256(body).hexdigest()[:12]
    images = pairs.images.clone()
    images[4, 2, 7, 7] ^= 1
    moved = ("caption 0c", "aption 1", *pairs.captions[2:])
    others = [
        Pairs(images, pairs.captions, pairs.keys, pairs.concept),
        Pairs(pairs.images, moved, pairs.keys, pairs.concept),
        pairs.take([1, 0, 2, 3, 4]),
    ]
    assert len({p.fingerprint() for p in [pairs, *others]}) == 4


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"captions": ("a",)}, "5 pictures, 1 captions, 5 keys, 5 concepts and 5 origins: one of each"),
        ({"concept": torch.arange(4)}, "5 pictures, 5 captions, 5 keys, 4 concepts and 5 origins"),
        ({"origin": torch.zeros(6)}, "5 pictures, 5 captions, 5 keys, 5 concepts and 6 origins"),
        ({"images": torch.zeros(5, 3, 8, 8)}, r"uint8 of shape \(N, 3, H, W\), not torch.float32 \(5, 3, 8, 8\)"),
        ({"images": torch.zeros(5, 8, 8, dtype=torch.uint8)}, r"not torch.uint8 \(5, 8, 8\)"),
        ({"captions": ("a", "b", " \n", "d", "e")}, "the caption of 'k2' is empty"),
    ],
)
def test_pairs_that_do_not_fit_together_are_refused(change, message) -> None:
    good = {k: getattr(some(), k) for k in ("images", "captions", "keys", "concept")}
    with pytest.raises(ValueError, match=message):
        Pairs(**good | change)


def test_drawn_pairs_are_what_their_seed_says(data) -> None:
    positions = torch.arange(0, len(data), 9)
    pairs = draw_pairs(data, positions, side=24, copies=3, seed=4, name="t")
    again, other = (draw_pairs(data, positions, side=24, copies=3, seed=s, name="t") for s in (4, 5))
    assert again.fingerprint() == pairs.fingerprint()
    assert other.fingerprint() != pairs.fingerprint()
    assert pairs.images.shape == (3 * len(positions), 3, 24, 24)
    assert len(set(pairs.keys)) == len(pairs)
    concepts = [data.concepts[int(data.concept[p])] for p in positions.tolist() for _ in range(3)]
    assert [data.concepts[c] for c in pairs.concept.tolist()] == concepts
    assert list(pairs.captions) == captions_for(concepts, 4, torch.arange(len(concepts)))
    assert pairs.keys[4] == f"t-{concepts[4].code}-fxemoji-1"


def test_a_drawn_picture_is_its_sprite_over_its_background(data) -> None:
    positions = torch.tensor([3, 50, 200])
    side, seed, sizes = 20, 11, (14, 16, 18, 20)
    pairs = draw_pairs(data, positions, side=side, copies=40, seed=seed)
    atlas = Atlas.of(data.images[positions], side=side, sizes=sizes)
    used = set()
    for i in range(0, len(pairs), 7):
        one = torch.tensor([i])
        size = int(random_below(4, seed, one, 0))
        room = side - sizes[size] + 1
        top, left = (int(random_below(1 << 16, seed, one, k)) * room >> 16 for k in (1, 2))
        background = atlas.background(seed, one, 3)
        expected = atlas.paste(
            background, torch.tensor([i // 40]), torch.tensor([size]), torch.tensor([top]), torch.tensor([left])
        )
        assert torch.equal(pairs.images[i].permute(1, 2, 0).int(), expected[0])
        assert top + sizes[size] <= side
        assert left + sizes[size] <= side
        used.add(size)
    assert used == {0, 1, 2, 3}


def test_copies_of_a_sprite_differ(data) -> None:
    pairs = draw_pairs(data, torch.tensor([10]), copies=50)
    assert len({image.numpy().tobytes() for image in pairs.images}) == 50
