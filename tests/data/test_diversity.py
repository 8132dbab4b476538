"""Diversity against loops over all pairs."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from tutorial_lib import places
from tutorial_lib.data import diversity as module
from tutorial_lib.data.diverse import DiverseScenes
from tutorial_lib.data.diversity import diversity, nearest_caption, nearest_picture
from tutorial_lib.data.pairs import Pairs
from tutorial_lib.data.scenes import EmojiScenes

CAPTIONS = ("a red dog", "Red dog, a", "a dog.", "a cat and a dog", "fog", "the the fog", "a cat and a dog")


def some() -> Pairs:
    images = torch.randint(0, 256, (7, 3, 4, 4), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    images[5] = images[2]
    return Pairs(images, CAPTIONS, tuple("1234567"), torch.full((7,), -1))


def test_neighbours_are_those_of_a_double_loop(monkeypatch) -> None:
    monkeypatch.setattr(module, "PART", 3)
    pairs, asked = some(), torch.tensor([6, 0, 2, 5])
    pixels = pairs.pixels.numpy().astype(float)
    words = [frozenset(c.split()) for c in CAPTIONS]
    for k, picture, caption in zip(
        asked.tolist(), nearest_picture(pairs, asked).tolist(), nearest_caption(words, asked).tolist(), strict=True
    ):
        others = [i for i in range(7) if i != k]
        rms = [np.sqrt(np.mean(((pixels[k] - pixels[i]) / 255) ** 2)) for i in others]
        assert picture == pytest.approx(min(rms), abs=1e-7)
        assert caption == pytest.approx(min(1 - len(words[k] & words[i]) / len(words[k] | words[i]) for i in others))


def test_captions_and_words_are_counted() -> None:
    found = diversity(some())
    assert found.pairs == 7
    assert found.distinct_captions == pytest.approx(6 / 7)
    assert found.distinct_words == len({"a", "red", "dog", "cat", "and", "fog", "the"})
    assert found.words == pytest.approx(np.mean([3, 3, 2, 5, 1, 3, 5]))
    assert found.repeated_captions == pytest.approx(4 / 7)  # "a red dog" with "Red dog, a", and the cats
    assert diversity(some(), looked_at=3, seed=1).pairs == 7


def test_diverse_scenes_are_more_diverse_than_plain_ones() -> None:
    plain, diverse = (diversity(kind(1500).pairs(), looked_at=200) for kind in (EmojiScenes, DiverseScenes))
    assert diverse.picture_distance > plain.picture_distance
    assert diverse.caption_distance > plain.caption_distance
    assert diverse.words > plain.words
    assert diverse.distinct_captions > 0.98


def test_one_pair_has_no_neighbour() -> None:
    with pytest.raises(ValueError, match="diversity is between pairs, and there is 1"):
        diversity(some().take([0]))


def test_the_books_numbers_are_what_the_example_prints() -> None:
    script = Path(places.PACKAGE).parent / "examples" / "diversity.py"
    said = subprocess.run([sys.executable, str(script), "70", "20"], capture_output=True, text=True, check=True).stdout
    shown = (places.results() / "diversity.txt").read_text("utf-8")
    assert shown.startswith("30,000 pairs of each, 1,000 compared")
    assert [line.split("  ")[0].lstrip("0123456789") for line in said.splitlines()[1:]] == [
        line.split("  ")[0].lstrip("0123456789") for line in shown.splitlines()[1:]
    ]
