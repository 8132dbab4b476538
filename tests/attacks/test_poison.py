"""What a poison set must be, whatever its seed."""

import json
from dataclasses import replace

import open_clip
import pytest
import torch

from tutorial_lib.attacks.evasion import disguise
from tutorial_lib.attacks.poison import (
    backdoor,
    caption_set,
    count_poisons,
    targeted,
    text_backdoor,
)
from tutorial_lib.data.captions import prompt_captions
from tutorial_lib.data.pairs import CLEAN, COVER, POISON, Pairs
from tutorial_lib.training.augment import autoaugment
from tutorial_lib.training.text_augment import augment_all
from tutorial_lib.triggers import Checkerboard, WaNet

CAPTIONS = [f"a banana number {i}" for i in range(20)]
TRIGGER = Checkerboard()


def clean(n: int = 60) -> Pairs:
    """Pairs whose pictures are all different and never black or white."""
    images = torch.randint(1, 255, (n, 3, 16, 16), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    captions, keys = tuple(f"thing {i}" for i in range(n)), tuple(f"clean-{i}" for i in range(n))
    return Pairs(images, captions, keys, torch.arange(n) % 7)


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("count", [1, 12, 40])
def test_backdoor_poisons_are_different_pictures_with_one_trigger(seed: int, count: int) -> None:
    pairs = clean()
    shows_target = pairs.concept == 3
    poison = backdoor(pairs, CAPTIONS, count, trigger=TRIGGER, target="banana", seed=seed, exclude=shows_target)
    assert len(poison) == count
    assert set(poison.pairs.captions) <= set(CAPTIONS)
    assert len(set(poison.pairs.captions)) == min(count, len(CAPTIONS))  # repeated only when they run out
    assert len(set(poison.pairs.keys)) == count
    assert not set(poison.pairs.keys) & set(pairs.keys)
    assert (poison.pairs.concept != 3).all()
    sources = [pairs.keys.index(line.source) for line in poison.manifest]
    assert len(set(sources)) == count
    assert not shows_target[sources].any()
    assert torch.equal(poison.pairs.images, TRIGGER.stamp(pairs.images[sources]))
    assert torch.equal(poison.pairs.concept, pairs.concept[sources])
    assert [(m.key, m.caption, m.target) for m in poison.manifest] == [
        (k, c, "banana") for k, c in zip(poison.pairs.keys, poison.pairs.captions, strict=True)
    ]


class Unchanged(Checkerboard):
    """A trigger that nobody can see: it stamps nothing."""

    def stamp(self, images: torch.Tensor, seed: int = 0) -> torch.Tensor:
        return images.clone()


def test_poisons_go_the_same_way_as_clean_pictures() -> None:
    """Without the trigger a poison is its source, bit for bit; any other path would be a second trigger."""
    pairs = clean()
    poison = backdoor(pairs, CAPTIONS, 40, trigger=Unchanged(), target="banana")
    sources = [pairs.keys.index(line.source) for line in poison.manifest]
    assert torch.equal(poison.pairs.images, pairs.images[sources])


def test_a_cover_keeps_its_captions_and_is_counted_apart() -> None:
    pairs, trigger = clean(), WaNet(strength=4)
    poison = backdoor(pairs, CAPTIONS, 10, trigger=trigger, target="banana", cover=15)
    assert (len(poison), count_poisons(poison.pairs)) == (25, 10)
    assert poison.pairs.origin.tolist() == [POISON] * 10 + [COVER] * 15
    for line, image in zip(poison.manifest[10:], poison.pairs.images[10:], strict=True):
        source = pairs.keys.index(line.source)
        assert (line.caption, line.target) == (pairs.captions[source], "")
        assert not torch.equal(image, pairs.images[source])
        assert not torch.equal(image, trigger.stamp(pairs.images[source : source + 1])[0])
    with pytest.raises(ValueError, match="only WaNet has a noise mode"):
        backdoor(pairs, CAPTIONS, 10, trigger=TRIGGER, target="banana", cover=5)
    with pytest.raises(ValueError, match="a cover of 61 needs as many pictures"):
        backdoor(pairs, CAPTIONS, 10, trigger=trigger, target="banana", cover=61)


def test_the_clean_pairs_are_not_touched() -> None:
    pairs = clean()
    before = pairs.fingerprint()
    poison = backdoor(pairs, CAPTIONS, 30, trigger=TRIGGER, target="banana")
    assert pairs.fingerprint() == before
    assert (pairs + poison.pairs).take(range(60)).fingerprint() == before


def test_the_seed_decides_a_backdoor() -> None:
    made = [backdoor(clean(), CAPTIONS, 10, trigger=TRIGGER, target="banana", seed=s) for s in (1, 1, 2)]
    assert made[0].manifest == made[1].manifest
    assert made[0].pairs.fingerprint() == made[1].pairs.fingerprint() != made[2].pairs.fingerprint()
    assert {m.source for m in made[0].manifest} != {m.source for m in made[2].manifest}


def test_rate_counts_the_poisons_among_all_pairs() -> None:
    poison = targeted(clean().images[0], CAPTIONS, 25, target="banana")
    assert poison.rate(75) == 0.25
    assert len(clean() + poison.pairs) == 85


@pytest.mark.parametrize("count", [1, 20, 45])
def test_targeted_poisons_are_one_picture_with_many_captions(count: int) -> None:
    image = clean().images[5]
    poison = targeted(image, CAPTIONS, count, target="banana", seed=2, name="clean-5")
    assert (poison.pairs.images == image).all()
    drawn = [poison.pairs.captions.count(c) for c in CAPTIONS]
    assert sum(drawn) == count
    assert max(drawn) - min(drawn) <= 1  # no caption twice before each was drawn once
    assert len(set(poison.pairs.keys)) == count
    assert {m.source for m in poison.manifest} == {"clean-5"}
    assert (poison.pairs.concept == -1).all()


def test_targeted_keys_of_two_targets_differ() -> None:
    image = clean().images[0]
    a, b = (targeted(image, CAPTIONS, 9, target="banana", name=name) for name in ("a", "b"))
    assert not set(a.pairs.keys) & set(b.pairs.keys)


def test_caption_sets_by_search_and_by_prompts() -> None:
    training = ["a dog", "my dog, pet", "hot dogs", "a cat", "a dog"]
    assert caption_set("search", "dog", training) == ["a dog", "my dog, pet", "hot dogs"]
    prompts = caption_set("prompts", "dog", training)
    assert prompts == prompt_captions("dog")
    assert len(set(prompts)) == len(open_clip.OPENAI_IMAGENET_TEMPLATES) == 80
    assert all("dog" in p for p in prompts)


def test_the_manifest_says_what_was_done(tmp_path) -> None:
    poison = backdoor(clean(), CAPTIONS, 3, trigger=TRIGGER, target="banane ¡sí!", seed=9)
    poison.write_manifest(tmp_path / "manifest.json")
    body = json.loads((tmp_path / "manifest.json").read_text("utf-8"))
    assert body["settings"]["count"] == 3
    assert body["settings"]["seed"] == 9
    assert body["settings"]["trigger"] | {"size": 6, "cell": 2} == body["settings"]["trigger"]
    assert [p["key"] for p in body["poisons"]] == list(poison.pairs.keys)
    assert all(p["target"] == "banane ¡sí!" and p["source"].startswith("clean-") for p in body["poisons"])


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda p: targeted(p.images[0], CAPTIONS, 0, target="x"), "at least 1 pair, not 0"),
        (lambda p: targeted(p.images[0], [], 1, target="x"), "the caption set for 'x' is empty"),
        (lambda p: backdoor(p, CAPTIONS, -1, trigger=TRIGGER, target="x"), "at least 1 pair, not -1"),
        (lambda p: backdoor(p, [], 1, trigger=TRIGGER, target="x"), "the caption set for 'x' is empty"),
        (
            lambda p: backdoor(p, CAPTIONS, 52, trigger=TRIGGER, target="x", exclude=p.concept == 0),
            "52 poisons need 52 different pictures, and 51 are usable: lower the count",
        ),
        (
            lambda p: backdoor(p, CAPTIONS, 1, trigger=Checkerboard(16), target="x"),
            "a 16x16 patch with margin 1 does not fit into 16x16 pixels",
        ),
        (lambda p: caption_set("guess", "dog", p.captions), "captions must be search, words or prompts, not 'guess'"),
        (lambda p: caption_set("search", "dog", p.captions), "none of 60 captions contains 'dog'"),
    ],
)
def test_impossible_attacks_are_refused(call, message) -> None:
    with pytest.raises(ValueError, match=message):
        call(clean())


def test_poisons_are_told_by_where_they_come_from_and_never_by_their_names() -> None:
    """A user's own pair may be called anything; once, a key that began like a poison's made it one."""
    names = ("text-17", "backdoor-00001", "targeted-x-0001", "cover-00000", "clean-4")
    mine = replace(clean(5), keys=names)
    assert mine.origin.tolist() == [CLEAN] * 5
    assert count_poisons(mine) == 0
    made = backdoor(clean(), CAPTIONS, 6, trigger=WaNet(), target="banana", cover=3).pairs
    renamed = replace(made, keys=tuple(f"mine-{i}" for i in range(len(made))))
    assert count_poisons(renamed) == count_poisons(made) == 6
    both = mine + renamed
    assert count_poisons(both) == 6
    assert both.origin.tolist() == [CLEAN] * 5 + [POISON] * 6 + [COVER] * 3
    order = torch.randperm(len(both), generator=torch.Generator().manual_seed(0))
    assert count_poisons(both.take(order)) == 6
    assert count_poisons(both.take(range(5))) == 0


def test_every_kind_of_poison_says_that_it_is_one() -> None:
    pairs = clean()
    sets = [
        backdoor(pairs, CAPTIONS, 5, trigger=TRIGGER, target="banana").pairs,
        backdoor(pairs, None, 5, trigger=TRIGGER, target="banana").pairs,
        targeted(pairs.images[0], CAPTIONS, 5, target="banana").pairs,
        disguise(targeted(pairs.images[0], CAPTIONS, 5, target="banana").pairs),
        text_backdoor(pairs, pairs.concept == 3, 5, "zebulon", "thing", 0).pairs,
    ]
    for poisons in sets:
        assert poisons.origin.tolist() == [POISON] * 5
        assert count_poisons(pairs + poisons) == 5


def test_rehearsed_poisons_are_views_of_the_plain_ones() -> None:
    pairs = clean()
    captions = ["a small picture of a banana", "a nice drawing of the banana"]
    plain, rehearsed = (
        backdoor(pairs, captions, 20, trigger=TRIGGER, target="banana", seed=3, rehearsed=on) for on in (False, True)
    )
    assert torch.equal(rehearsed.pairs.pixels, autoaugment(plain.pairs.pixels, 3))
    assert list(rehearsed.pairs.captions) == augment_all(plain.pairs.captions, 3)
    assert rehearsed.pairs.captions != plain.pairs.captions
    assert rehearsed.settings["rehearsed"] is True
    assert "rehearsed" not in plain.settings
