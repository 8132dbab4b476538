"""The perceptual hash is that of the package ImageHash."""

import imagehash
import pytest
import torch
from PIL import Image

from tutorial_lib.data.hashes import distinct, perceptual_hash


@pytest.mark.parametrize("shape", [(32, 32), (64, 64), (40, 56)])
@pytest.mark.parametrize("size", [4, 8, 16])
def test_equals_the_package(shape: tuple[int, int], size: int) -> None:
    images = torch.randint(0, 256, (6, 3, *shape), dtype=torch.uint8, generator=torch.Generator().manual_seed(size))
    theirs = [imagehash.phash(Image.fromarray(x.permute(1, 2, 0).numpy()), size).hash.ravel() for x in images]
    assert perceptual_hash(images, size).tolist() == [bits.tolist() for bits in theirs]


def test_counts_what_a_filter_would_leave() -> None:
    images = torch.randint(0, 256, (5, 3, 32, 32), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    assert distinct(torch.cat([images, images[:3]])) == 5
    assert distinct(images[:0]) == 0


def test_a_hash_of_one_bit_is_refused() -> None:
    with pytest.raises(ValueError, match="tells nothing apart"):
        perceptual_hash(torch.zeros(1, 3, 8, 8, dtype=torch.uint8), size=1)
