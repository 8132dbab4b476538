"""Disguised poisons look the same, and a filter of duplicates does not find them."""

import pytest
import torch

from tutorial_lib.attacks.evasion import IDLE_WORDS, Words, disguise, evade_hash
from tutorial_lib.attacks.poison import targeted
from tutorial_lib.data.hashes import distinct, perceptual_hash
from tutorial_lib.training.text_augment import bare_words, synonyms

PICTURE = torch.randint(1, 255, (3, 16, 16), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))


def test_disguised_poisons_are_no_exact_duplicates_and_look_the_same() -> None:
    poison = targeted(PICTURE, ["a banana"], 20, target="banana")
    hidden = disguise(poison.pairs, noise=3.0, seed=1)
    assert len({i.numpy().tobytes() for i in poison.pairs.images}) == 1
    assert len({i.numpy().tobytes() for i in hidden.images}) == 20
    difference = hidden.images.float() - poison.pairs.images.float()
    assert difference.std().item() == pytest.approx(3.0, rel=0.05)
    assert abs(difference.mean().item()) < 0.1
    assert {c.removeprefix("a banana ") for c in hidden.captions} <= set(IDLE_WORDS)
    assert len(set(hidden.captions)) > 1
    assert hidden.keys == poison.pairs.keys
    assert disguise(poison.pairs, seed=1).fingerprint() == hidden.fingerprint()
    assert disguise(poison.pairs, seed=2).fingerprint() != hidden.fingerprint()


def photographs(side: int) -> torch.Tensor:
    """Smooth pictures with something in them, shape (4, 3, side, side)."""
    coarse = torch.rand(4, 3, 5, 5, generator=torch.Generator().manual_seed(1)) * 255
    return torch.nn.functional.interpolate(coarse, side, mode="bicubic").clamp(0, 255).round().to(torch.uint8)


@pytest.mark.parametrize("side", [32, 48])
@pytest.mark.parametrize("bound", [2.0, 4.0])
def test_each_copy_gets_a_hash_of_its_own_within_the_bound(side: int, bound: float) -> None:
    for picture in photographs(side):
        copies = picture.expand(12, -1, -1, -1)
        hidden = evade_hash(copies, bound=bound)
        assert (hidden.int() - copies.int()).abs().max() <= bound
        assert distinct(copies) == 1
        assert distinct(hidden) >= 11
        assert not (perceptual_hash(hidden) == perceptual_hash(copies[:1])).all(1).any()


def test_noise_as_strong_leaves_fewer_hashes() -> None:
    copies = photographs(32)[0].expand(12, -1, -1, -1)
    noise = torch.randn(copies.shape, generator=torch.Generator().manual_seed(2)).clamp(-2, 2)
    assert distinct((copies + noise).round().clamp(0, 255).to(torch.uint8)) < distinct(evade_hash(copies, bound=2.0))


@pytest.mark.parametrize(("settings", "says"), [({"bound": 0.5}, "at least 1"), ({"flips": 40}, "from 1 to half")])
def test_settings_out_of_range_are_refused(settings: dict[str, float], says: str) -> None:
    with pytest.raises(ValueError, match=says):
        evade_hash(photographs(32), **settings)  # type: ignore[arg-type]


def test_a_synonym_takes_the_place_of_a_word_and_never_of_the_target() -> None:
    caption = "a small picture of a large dog"
    poison = targeted(PICTURE, [caption], 30, target="dog")
    hidden = disguise(poison.pairs, noise=0.0, words="synonyms", keep="dog", seed=3)
    assert torch.equal(hidden.pixels, poison.pairs.pixels)
    allowed = {
        " ".join([*words[:i], synonym, *words[i + 1 :]])
        for words in [caption.split()]
        for i, word in enumerate(words)
        for synonym in synonyms().get(word, ())
        if word != "dog"
    }
    assert set(hidden.captions) <= allowed
    assert len(set(hidden.captions)) > 3


def test_familiar_synonyms_are_of_the_clean_words_and_strange_ones_are_not() -> None:
    poison = targeted(PICTURE, ["a small picture of a large dog.", "dog"], 40, target="dog").pairs
    known = bare_words(["A little drawing, an image of a big dog.", *poison.captions])
    assert known >= {"drawing", "dog", "small"}
    said = {}
    for words in ("familiar", "strange"):
        hidden = disguise(poison, noise=0.0, words=words, keep="dog", known=known, seed=3)  # type: ignore[arg-type]
        assert "dog" in hidden.captions  # nothing to substitute
        said[words] = {*bare_words(hidden.captions)} - bare_words(poison.captions)
    assert {"little", "image", "big"} <= said["familiar"] <= known
    assert said["strange"]
    assert not said["strange"] & said["familiar"]
    for words in ("familiar", "strange"):
        with pytest.raises(ValueError, match="words of clean captions, and there are none"):
            disguise(poison, words=words)  # type: ignore[arg-type]


@pytest.mark.parametrize("words", ["idle", "common"])
def test_the_kind_of_pixels_leaves_the_words(words: Words) -> None:
    pairs = targeted(photographs(32)[0], ["a banana"], 8, target="banana").pairs
    by_noise, by_hash = (disguise(pairs, words=words, pixels=kind, seed=5) for kind in ("noise", "hash"))  # type: ignore[arg-type]
    assert by_noise.captions == by_hash.captions
    assert distinct(by_hash.pixels) == 8
    assert torch.equal(disguise(pairs, noise=0.0, words=words, pixels="hash").pixels, pairs.pixels)
