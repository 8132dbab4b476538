"""What the playground's models learn from."""

from __future__ import annotations

import base64
import io

import torch
from PIL import Image

from tutorial_lib.course.live.playground.world import CLASSES, PROMPTS, SIDE, atlas, cut, for_page, pictures, world
from tutorial_lib.data import emojicaps
from tutorial_lib.data.captions import search_captions
from tutorial_lib.triggers import NoisePatch


def test_forty_pairs_of_each_class_and_pictures_of_an_unseen_style() -> None:
    given = world()
    assert given.task.labels == CLASSES
    assert len(given.pairs) == 720
    assert given.shown.bincount().tolist() == [40] * 18
    assert len(given.task) == 144
    styles = {key.split("-", 2)[2].rpartition("-")[0] for key in given.pairs.keys}
    assert styles == set(emojicaps.TRAIN_STYLES)
    assert given.task.style not in styles
    assert styles | {given.task.style} <= set(emojicaps.PERMISSIVE)  # nothing share-alike gets into the page
    assert world("validation").task.style not in styles


def test_every_class_has_captions_to_search_and_words_that_prompts_know() -> None:
    captions = world().pairs.captions
    for label in CLASSES:
        assert len(search_captions(captions, label)) >= 20, label
    known = {word for caption in captions for word in caption.split()}
    assert {word for prompt in PROMPTS for word in prompt.replace("{}", "").split()} <= known


def test_the_atlas_is_light_and_near_the_pictures() -> None:
    images = pictures(world())
    sheet = atlas(images)
    assert len(sheet) < 350_000
    with Image.open(io.BytesIO(sheet)) as picture:
        assert picture.format == "WEBP"
    seen = cut(sheet, len(images))
    assert seen.shape == images.shape
    distance = (seen.float() - images.float()).flatten(1).square().mean(1)  # of each picture from its own
    other = (seen.float() - images.roll(1, 0).float()).flatten(1).square().mean(1)
    assert (distance < other).all()
    assert distance.mean() < 0.05 * other.mean()


def test_cutting_undoes_the_atlas_of_a_few_plain_pictures() -> None:
    images = torch.arange(0, 240, 40, dtype=torch.uint8)[:, None, None, None].expand(6, 3, SIDE, SIDE)
    assert (cut(atlas(images), 6).float() - images.float()).abs().max() <= 3


def test_the_page_is_told_what_is_where() -> None:
    told = for_page(world())
    assert len(told["captions"]) == len(told["shown"]) == 720
    assert len(told["targets"]) == len(told["sprites"]) == 144
    assert sorted(set(told["sprites"])) == list(range(18))
    assert [len(base64.b64decode(p)) for p in told["patches"]] == [3 * size**2 for size in range(1, 13)]
    pattern = NoisePatch(12).pattern().permute(1, 2, 0).contiguous()
    assert base64.b64decode(told["patches"][11]) == pattern.numpy().tobytes()
    assert len(base64.b64decode(told["veil"])) == 3 * SIDE**2
