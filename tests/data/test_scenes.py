"""EmojiScenes: a scene is a pure function of its number, and its caption tells the truth."""

import hashlib
import subprocess
import sys

import pytest
import torch

from tutorial_lib.data import emojicaps, integrity
from tutorial_lib.data.captions import plain_label
from tutorial_lib.data.compose import packed_sprites
from tutorial_lib.data.scenes import BIG, CHOICES, SHARES, SMALL, SMALLEST, EmojiScenes

SCENES = EmojiScenes(3_000_000, size=32, seed=0)
SOME = [0, 1, 2, 3, 500, 65_535, 2_999_999]


def digest(scenes: EmojiScenes, indices) -> str:
    body = scenes.render(indices).numpy().tobytes() + "\n".join(scenes.captions(indices)).encode()
    return hashlib.sha256(body).hexdigest()


def test_the_same_number_in_two_batches_is_the_same_scene() -> None:
    batch = torch.randperm(3000, generator=torch.Generator().manual_seed(1))
    batch[[0, 1500, 2999]] = torch.tensor([77, 5, 2_999_999])
    images, captions, concepts = SCENES.render(batch), SCENES.captions(batch), SCENES.concepts(batch)
    for position in (0, 1, 1499, 1500, 2999):
        alone = [int(batch[position])]
        assert torch.equal(SCENES.render(alone)[0], images[position])
        assert SCENES.captions(alone)[0] == captions[position]
        assert torch.equal(SCENES.concepts(alone)[0], concepts[position])
    pairs = SCENES.pairs(batch[:50])
    assert torch.equal(pairs.images, images[:50])
    assert pairs.captions == tuple(captions[:50])


def test_another_process_makes_the_same_scenes() -> None:
    code = (
        "import hashlib, torch; torch.set_num_threads(1); from tutorial_lib.data.scenes import EmojiScenes;"
        f"s, some = EmojiScenes(3_000_000, size=32, seed=0), {SOME};"
        "body = s.render(some).numpy().tobytes() + '\\n'.join(s.captions(some)).encode();"
        "print(hashlib.sha256(body).hexdigest())"
    )
    other = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert other.stdout.strip() == digest(SCENES, SOME)


def test_the_number_of_scenes_changes_none_of_them_and_the_seed_all() -> None:
    few, other = EmojiScenes(600, size=32, seed=0), EmojiScenes(600, size=32, seed=1)
    assert digest(few, SOME[:5]) == digest(SCENES, SOME[:5])
    same = (few.render(range(600)) == other.render(range(600))).flatten(1).all(1)
    assert not same.any()
    assert len(few) == 600


def test_threads_are_left_as_they_were() -> None:
    before = torch.get_num_threads()
    SCENES.render(SOME)
    assert torch.get_num_threads() == before


def slow_scene(scenes: EmojiScenes, index: int) -> torch.Tensor:
    """One scene, pixel by pixel, over the background that the renderer drew."""
    data = emojicaps.load()
    layout = scenes.layout([index])
    side = scenes.size
    ground = scenes._background(torch.tensor([index])).view(torch.uint8).view(side, side, 8)[..., 0:6:2].tolist()
    for slot in range(3):
        sprite = int(layout.sprite[0, slot])
        if sprite < 0:
            continue
        edge = round(side * SHARES[int(layout.size[0, slot])])
        pixels = packed_sprites(data.images[sprite : sprite + 1], edge).view(torch.uint8).view(edge, edge, 4).tolist()
        for row in range(edge):
            for column in range(edge):
                *colour, alpha = pixels[row][column]
                y, x = int(layout.top[0, slot]) + row, int(layout.left[0, slot]) + column
                under = [(2 * u * (255 - alpha) + 255) // 510 for u in ground[y][x]]  # rounded
                ground[y][x] = [c + u for c, u in zip(colour, under, strict=True)]
    return torch.tensor(ground, dtype=torch.uint8).permute(2, 0, 1)


def test_a_scene_is_the_loop_over_its_pixels() -> None:
    for index in range(24):
        assert torch.equal(SCENES.render([index])[0], slow_scene(SCENES, index))


def test_large_scenes_show_the_sprites_enlarged() -> None:
    scenes = EmojiScenes(10, size=128)  # sprites of up to 115 pixels, from drawings of 64
    for index in range(10):
        difference = scenes.render([index])[0].int() - slow_scene(scenes, index).int()
        assert difference.abs().max() <= 3  # fixed-point against floating-point interpolation
        assert difference.abs().float().mean() < 0.2


def test_backgrounds_mix_two_colours() -> None:
    pixels = SCENES._background(torch.arange(400)).view(torch.uint8).view(400, -1, 8)
    assert (pixels[..., 1::2] == 0).all()  # no lane runs over into the next
    assert (pixels[..., 6] == 0).all()
    colours = pixels[..., 0:6:2].double()
    for scene in colours[:50]:  # all on one line between two points of the colour cube
        centred = scene - scene.mean(0)
        assert torch.linalg.svdvals(centred)[1] / len(scene) ** 0.5 < 1.0
    assert (colours.std(1).amax(1) < 2).float().mean() < 0.5  # few are quite plain
    assert colours.mean(1).std(0).min() > 30  # and no two alike


def test_what_a_scene_holds_is_balanced_and_allowed() -> None:
    data, layout = emojicaps.load(), SCENES.layout(range(30_000))
    there = layout.concept >= 0
    assert torch.bincount(there.sum(1)).tolist()[1:] == pytest.approx([10_000] * 3, abs=450)
    assert torch.equal(there, layout.sprite >= 0)
    assert {data.style[p] for p in layout.sprite[there].tolist()} == set(emojicaps.TRAIN_STYLES)
    assert torch.equal(data.concept[layout.sprite[there]], layout.concept[there])
    used = torch.bincount(layout.concept[there], minlength=len(data.concepts))
    trained = set(data.concept[data.of_styles(*emojicaps.TRAIN_STYLES)].tolist())
    hidden = {i for i, c in enumerate(data.concepts) if c.code in emojicaps.TRIGGER_LIKE}
    assert hidden
    assert set(used.nonzero()[:, 0].tolist()) == trained - hidden
    mean = there.sum().item() / len(trained - hidden)
    chi_square = sum((used[c].item() - mean) ** 2 / mean for c in trained - hidden)
    assert chi_square < len(trained) + 6 * (2 * len(trained)) ** 0.5
    three = layout.concept[there.all(1)]
    assert (three[:, 0] != three[:, 1]).all()
    assert (three[:, 0] != three[:, 2]).all()
    assert (three[:, 1] != three[:, 2]).all()
    edges = torch.tensor([round(32 * s) for s in SHARES])[layout.size]
    for first in (layout.top, layout.left):
        assert (first >= 0).all()
        assert (first + edges <= 32).all()


def test_no_sprite_hides_another() -> None:
    layout = SCENES.layout(range(5000))
    edges = torch.tensor([round(32 * s) for s in SHARES])[layout.size]
    for a, b in ((0, 1), (0, 2), (1, 2)):
        both = (layout.concept[:, a] >= 0) & (layout.concept[:, b] >= 0)
        overlap = torch.ones(len(both))
        for first in (layout.top, layout.left):
            end = torch.minimum(first[:, a] + edges[:, a], first[:, b] + edges[:, b])
            overlap = overlap * (end - torch.maximum(first[:, a], first[:, b])).clamp(min=0)
        assert (overlap / edges[:, a] ** 2)[both].max() < 0.4


def test_captions_name_everything_that_is_there() -> None:
    data, n = emojicaps.load(), 4000
    layout, captions = SCENES.layout(range(n)), SCENES.captions(range(n))
    sized = beside = above = 0
    for i, caption in enumerate(captions):
        shown = [(s, c) for s, c in enumerate(layout.concept[i].tolist()) if c >= 0]
        for slot, concept in shown:
            label = plain_label(data.concepts[concept].label)
            assert label in caption
            rank = int(layout.size[i, slot]) - SMALLEST[len(shown) - 1]
            if len(shown) > 1 and any(f"{w} {label}" in caption for w in SMALL):
                assert rank == 0 or label.split()[0] in SMALL
                sized += 1
            if len(shown) > 1 and any(f"{w} {label}" in caption for w in BIG):
                assert rank == CHOICES[len(shown) - 1] - 1
                sized += 1
        if " to the left of " in caption:
            beside += 1
            assert layout.left[i, 0] < layout.left[i, 1]
        if " above " in caption and len(shown) == 2:
            above += 1
            assert layout.top[i, 0] < layout.top[i, 1]
    assert min(beside, above) > 20
    assert sized > 500
    assert len(set(captions)) > 0.99 * n
    keywords = [", " in c and len(c.split(", ")[-1].split()) == 1 for c in captions]
    assert 0.3 < sum(keywords) / n < 0.7


def test_fingerprint_covers_everything_and_renders_nothing(monkeypatch) -> None:
    monkeypatch.setattr(emojicaps, "load", lambda: pytest.fail("the pictures were read"))
    names = [EmojiScenes(10, 32, 0), EmojiScenes(11, 32, 0), EmojiScenes(10, 33, 0), EmojiScenes(10, 32, 1)]
    prints = [scenes.fingerprint() for scenes in names]
    assert len(set(prints)) == 4
    assert EmojiScenes(10, 32, 0).fingerprint() == prints[0]
    monkeypatch.setattr(integrity, "fingerprint", lambda: "other pictures")
    assert EmojiScenes(10, 32, 0).fingerprint() != prints[0]


def test_pairs_hold_every_scene_once() -> None:
    scenes = EmojiScenes(70, seed=3)
    pairs = scenes.pairs()
    assert pairs.images.shape == (70, 3, 32, 32)
    assert len(set(pairs.keys)) == 70
    assert torch.equal(pairs.concept, scenes.concepts(range(70))[:, 0])
    assert scenes.pairs(range(5, 9)).keys == pairs.keys[5:9]


@pytest.mark.parametrize("index", [-1, 10, 10**9])
def test_a_scene_that_does_not_exist_is_refused(index: int) -> None:
    scenes = EmojiScenes(10)
    for call in (scenes.render, scenes.captions, scenes.concepts, scenes.pairs):
        with pytest.raises(IndexError, match=f"there is no scene {index}; they are numbered 0 to 9"):
            call([3, index])


@pytest.mark.parametrize(
    ("settings", "message"),
    [({"n": 0}, "at least 1 scene, not 0"), ({"n": 5, "size": 15}, "at least 16 pixels, .* not 15")],
)
def test_impossible_data_sets_are_refused(settings, message) -> None:
    with pytest.raises(ValueError, match=message):
        EmojiScenes(**settings)
