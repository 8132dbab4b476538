"""DiverseScenes: a scene is a pure function of its number, and is what its layout says."""

import hashlib
import subprocess
import sys

import pytest
import torch

from tutorial_lib.data import emojicaps, grounds
from tutorial_lib.data.compose import packed_sprites
from tutorial_lib.data.diverse import COUNTS, SHARES, SLOTS, DiverseScenes
from tutorial_lib.data.scenes import EmojiScenes

SCENES = DiverseScenes(3_000_000)
LAYOUT = SCENES.layout(range(20_000))
THERE = LAYOUT.concept >= 0
EDGES = torch.tensor([round(32 * s) for s in SHARES])[LAYOUT.size]
SOME = [0, 1, 2, 3, 500, 65_535, 2_999_999]


def digest(scenes: DiverseScenes, indices) -> str:
    body = scenes.render(indices).numpy().tobytes() + "\n".join(scenes.captions(indices)).encode()
    return hashlib.sha256(body).hexdigest()[:12]


def test_scenes_are_those_of_this_version_in_any_batch_and_process() -> None:
    """A change of bytes or captions is a new version: trials are found by their settings."""
    assert (DiverseScenes.version, digest(SCENES, SOME)) == (1, "879d202c26c7")
    assert SCENES.captions([77])[0] == SCENES.captions([5, 77])[1]
    assert torch.equal(SCENES.render([77])[0], SCENES.render([5, 77])[1])
    code = (
        "import torch; torch.set_num_threads(1); from tests.data.test_diverse import SCENES, SOME, digest;"
        "print(digest(SCENES, SOME))"
    )
    other = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert other.stdout.strip() == digest(SCENES, SOME)


def test_the_number_of_scenes_changes_none_of_them_and_the_seed_all() -> None:
    few, other = DiverseScenes(600), DiverseScenes(600, seed=1)
    assert digest(few, SOME[:5]) == digest(SCENES, SOME[:5])
    assert not (few.render(range(600)) == other.render(range(600))).flatten(1).all(1).any()
    plain = EmojiScenes(600).layout(range(600)).concept[:, 0]
    assert (plain == few.layout(range(600)).concept[:, 0]).float().mean() < 0.02  # draws of its own
    assert len({few.fingerprint(), other.fingerprint(), DiverseScenes(601).fingerprint()}) == 3
    with pytest.raises(IndexError, match="there is no scene 600; they are numbered 0 to 599"):
        few.render([600])


def slow_scene(index: int) -> torch.Tensor:
    """One scene, pixel by pixel."""
    data, layout, side = emojicaps.load(), SCENES.layout([index]), SCENES.size
    colours = layout.colours[0].tolist()
    masks = [grounds.masks(side, "cpu")[m].tolist() if m >= 0 else None for m in layout.masks[0].tolist()]
    pixels = []
    for cell in range(side * side):
        pixel = colours[0]
        for mask, other in zip(masks, colours[1:], strict=True):
            if mask is not None:
                pixel = [(a * (128 - mask[cell]) + b * mask[cell]) >> 7 for a, b in zip(pixel, other, strict=True)]
        pixels.append(pixel)
    for slot in range(SLOTS):
        sprite = int(layout.sprite[0, slot])
        if sprite < 0:
            continue
        edge = round(side * SHARES[int(layout.size[0, slot])])
        drawn = packed_sprites(data.images[sprite : sprite + 1], edge).view(torch.uint8).view(edge, edge, 4)
        drawn = (drawn.flip(1) if layout.mirrored[0, slot] else drawn).tolist()
        light = int(layout.light[0, slot])
        for row in range(edge):
            for column in range(edge):
                *colour, alpha = drawn[row][column]
                cell = (int(layout.top[0, slot]) + row) * side + int(layout.left[0, slot]) + column
                under = [(2 * u * (255 - alpha) + 255) // 510 for u in pixels[cell]]
                pixels[cell] = [(c * light >> 7) + u for c, u in zip(colour, under, strict=True)]
    return torch.tensor(pixels, dtype=torch.uint8).view(side, side, 3).permute(2, 0, 1)


def test_a_scene_is_the_loop_over_its_pixels() -> None:
    for index in range(40):
        assert torch.equal(SCENES.render([index])[0], slow_scene(index)), index


def test_scenes_of_another_side_are_drawn() -> None:
    large = DiverseScenes(20, size=96)
    assert large.render(range(20)).shape == (20, 3, 96, 96)
    layout = large.layout(range(20))
    edges = torch.tensor([round(96 * s) for s in SHARES])[layout.size]
    assert (layout.top + edges <= 96).all()


def test_what_a_scene_holds_is_as_often_as_it_should_be() -> None:
    shown = torch.bincount(THERE.sum(1), minlength=6)[1:] / len(THERE)
    assert shown.tolist() == pytest.approx([c / sum(COUNTS) for c in COUNTS], abs=0.015)
    several = THERE[:, 1]
    assert LAYOUT.same[several].float().mean() == pytest.approx(1 / 6, abs=0.02)
    assert not LAYOUT.same[~several].any()
    for a in range(SLOTS):
        for b in range(a):
            both = THERE[:, a]
            equal = LAYOUT.concept[both, a] == LAYOUT.concept[both, b]
            assert torch.equal(equal, LAYOUT.same[both])
    data = emojicaps.load()
    concepts = LAYOUT.concept[THERE & ~LAYOUT.same[:, None]]
    used = torch.bincount(concepts, minlength=len(data.concepts)).double()
    used = used[used > 0]
    assert len(used) == 1660
    assert ((used - used.mean()).square() / used.mean()).sum() < len(used) + 6 * (2 * len(used)) ** 0.5
    assert {data.style[p] for p in LAYOUT.sprite[THERE].tolist()} == set(emojicaps.TRAIN_STYLES)
    assert torch.equal(data.concept[LAYOUT.sprite[THERE]], LAYOUT.concept[THERE])
    assert LAYOUT.mirrored[THERE].float().mean() > 0.15
    sided = [i for i, c in enumerate(data.concepts) if c.group == "symbols" or "left" in c.label]
    assert not LAYOUT.mirrored[THERE][torch.isin(LAYOUT.concept[THERE], torch.tensor(sided))].any()
    assert (LAYOUT.masks[:, 1] < 0).float().mean() == pytest.approx(0.5, abs=0.02)


def test_things_lie_inside_the_picture_the_largest_first_and_hide_little() -> None:
    for first in (LAYOUT.top, LAYOUT.left):
        assert (first >= 0).all()
        assert (first + EDGES <= 32).all()
    for a in range(1, SLOTS):
        assert (EDGES[:, a] <= EDGES[:, a - 1])[THERE[:, a]].all()
    hidden = torch.zeros(len(THERE))
    for a in range(SLOTS):
        for b in range(a + 1, SLOTS):  # drawn over it
            both, overlap = THERE[:, b], torch.ones(len(THERE))
            for first in (LAYOUT.top, LAYOUT.left):
                end = torch.minimum(first[:, a] + EDGES[:, a], first[:, b] + EDGES[:, b])
                overlap = overlap * (end - torch.maximum(first[:, a], first[:, b])).clamp(min=0)
            hidden = torch.maximum(hidden, (overlap / EDGES[:, a] ** 2) * both)
    assert hidden.max() < 0.65
    assert (hidden > 0.4).float().mean() < 0.05
