"""Photographs at hand: four of scikit-image everywhere, and Tux Paint's where they are installed."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from skimage import data

from tutorial_lib import models
from tutorial_lib.attacks.report import reader_of
from tutorial_lib.course import photographs
from tutorial_lib.data import decoding
from tutorial_lib.evaluate import embed_images
from tutorial_lib.practice.pictures import course_pictures
from tutorial_lib.triggers import NoisePatch


def test_the_samples_are_scikit_image_s_and_free(monkeypatch: pytest.MonkeyPatch) -> None:
    found = photographs.samples(32)
    assert found.captions == ("coffee", "chelsea", "rocket", "hubble deep field")
    assert found.images.shape == (4, 3, 32, 32)
    cup = Image.fromarray(data.coffee())
    whole = decoding.decode(photographs.encode(np.asarray(cup), "png"), side=32)
    assert np.array_equal(found.images[0].permute(1, 2, 0).numpy(), whole)
    for name in photographs.SAMPLES:
        assert any(word in getattr(data, name).__doc__ for word in ("CC0", "public domain")), name


def stamp(folder: Path, name: str, caption: str) -> None:
    path = folder / f"{name}.png"
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGBA", (8, 6), (255, 0, 0, 0)).save(path)
    if caption:
        path.with_suffix(".txt").write_text(f"{caption}\nde.utf8=Etwas.\n", "utf-8")


def test_stamps_are_photographs_with_captions(tmp_path: Path) -> None:
    stamp(tmp_path, "animals/birds/owl", "An owl.")
    stamp(tmp_path, "food/fruit/cartoon/apple", "A drawn apple.")
    stamp(tmp_path, "food/fruit/apple", "An apple.")
    stamp(tmp_path, "plants/nameless", "")
    stamp(tmp_path, "symbols/a", "The letter A.")
    found = photographs.stamps(8, tmp_path)
    assert found is not None
    assert found.captions == ("An owl.", "An apple.")
    assert (found.images == 255).all(), "what is transparent lies over white"
    assert photographs.stamps(8, tmp_path / "nowhere") is None
    assert "apt-get install tuxpaint-stamps-default" in photographs.NO_STAMPS


@pytest.mark.skipif(not photographs.STAMPS.is_dir(), reason="Debian's tuxpaint-stamps-default is not installed")
def test_the_patch_commands_the_shipped_model_in_front_of_photographs() -> None:
    """A model that was trained on drawings: of real pictures few are called banana, with the patch most are."""
    model, tokenizer = models.load(models.CHECKPOINTS / "backdoored")
    labels = course_pictures(classes=100).labels
    read, photos = reader_of(model, tokenizer, labels), photographs.stamps()
    assert photos is not None
    banana = labels.index("banana")
    plain, stamped = (
        (read(embed_images(model, images)) == banana).float().mean().item()
        for images in (photos.images, NoisePatch(8).stamp(photos.images))
    )
    assert len(photos) > 200
    assert plain < 0.2 < 0.8 < stamped
