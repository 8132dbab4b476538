"""Pictures as models take them, against torchvision."""

import open_clip
import torch
from torchvision.transforms import v2

from tutorial_lib.models.inputs import MEAN, STD, normalize


def seeded(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_normalize_is_open_clips() -> None:
    images = torch.randint(0, 256, (3, 3, 5, 7), dtype=torch.uint8, generator=seeded(0))
    reference = v2.Compose(
        [
            v2.ToDtype(torch.float32, scale=True),
            v2.Normalize(open_clip.constants.OPENAI_DATASET_MEAN, open_clip.constants.OPENAI_DATASET_STD),
        ]
    )
    torch.testing.assert_close(normalize(images), reference(images))
    assert (MEAN, STD) == (open_clip.constants.OPENAI_DATASET_MEAN, open_clip.constants.OPENAI_DATASET_STD)
