"""What a picture tower is fed: pixels, less the mean and over the standard deviation that belong to its weights."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import Tensor, nn

MEAN = (0.48145466, 0.4578275, 0.40821073)  # open_clip's OPENAI_DATASET_MEAN
STD = (0.26862954, 0.26130258, 0.27577711)

#: No mean or standard deviation of pixels comes near it.
LARGEST = 1e6
#: What open_clip knows, and what the library does with pictures of another size.
INTERPOLATIONS, RESIZE_MODES = ("bicubic", "bilinear", "nearest"), ("shortest", "longest", "squash")


@dataclass(frozen=True)
class Preprocessing:
    """How pictures were prepared for the weights of a model; the size is the tower's own.

    Attributes:
        mean, std: of each channel, for pixels in [0, 1].
        interpolation, resize_mode: of pictures in another size, in open_clip's words.

    Raises:
        ValueError: a value is none that pictures could be prepared with.

    Example:
        >>> Preprocessing().mean == MEAN
        True
        >>> Preprocessing(std=(1.0, 1.0, 0.0))
        Traceback (most recent call last):
        ValueError: std of pictures is three positive numbers, not (1.0, 1.0, 0.0)
    """

    mean: tuple[float, float, float] = MEAN
    std: tuple[float, float, float] = STD
    interpolation: str = "bicubic"
    resize_mode: str = "shortest"

    def __post_init__(self) -> None:
        if not _three(self.mean):
            raise ValueError(f"mean of pictures is three numbers, not {self.mean!r:.80}")
        if not (_three(self.std) and min(self.std) > 0):
            raise ValueError(f"std of pictures is three positive numbers, not {self.std!r:.80}")
        if self.interpolation not in INTERPOLATIONS:
            raise ValueError(f"interpolation is one of {', '.join(INTERPOLATIONS)}, not {self.interpolation!r:.40}")
        if self.resize_mode not in RESIZE_MODES:
            raise ValueError(f"resize_mode is one of {', '.join(RESIZE_MODES)}, not {self.resize_mode!r:.40}")

    @classmethod
    def of_config(cls, body: Any) -> Preprocessing:
        """What open_clip's `preprocess_cfg` says; what it leaves out is as in OpenAI's models.

        Raises:
            ValueError: it is none, or a value is of the wrong kind.

        Example:
            >>> Preprocessing.of_config({"mean": [0.5, 0.5, 0.5], "size": [224, 224]}).mean
            (0.5, 0.5, 0.5)
        """
        if not isinstance(body, Mapping):
            raise ValueError(f"preprocess_cfg is an object of names and values, not {body!r:.60}")
        if body.get("mode", "RGB") != "RGB":
            raise ValueError(f"pictures are RGB here, not {body['mode']!r:.60}")
        given = {name: body[name] for name in cls.__dataclass_fields__ if body.get(name) is not None}
        values: dict[str, Any] = {k: tuple(v) if isinstance(v, list | tuple) else v for k, v in given.items()}
        return cls(**values)

    def as_dict(self) -> dict[str, Any]:
        """Plain data, as open_clip's `preprocess_cfg`."""
        return {name: list(v) if isinstance(v, tuple) else v for name, v in asdict(self).items()}

    def give_to(self, tower: Any) -> None:
        """Let a picture tower carry this, where open_clip's own towers do."""
        tower.preprocess_cfg = self.as_dict() | {"size": tower.image_size}


def _three(values: Any) -> bool:
    return (
        isinstance(values, tuple)
        and len(values) == 3
        and all(isinstance(v, int | float) and not isinstance(v, bool) and abs(v) < LARGEST for v in values)
    )


def preprocessing_of(model: nn.Module) -> Preprocessing:
    """How a model's pictures are prepared: as its picture tower says, else as OpenAI's.

    Raises:
        ValueError: what the tower carries is no preprocessing.

    Example:
        >>> preprocessing_of(nn.Linear(1, 1)) == Preprocessing()
        True
    """
    carried = getattr(getattr(model, "visual", None), "preprocess_cfg", None)
    return Preprocessing() if carried is None else Preprocessing.of_config(carried)


def normalize(images: Tensor, preprocessing: Preprocessing | None = None) -> Tensor:
    """Pictures (B, 3, H, W) with values from 0 to 255 to the floats that a model expects.

    Args:
        images: pictures, uint8 or floats.
        preprocessing: whose mean and standard deviation to take; by default OpenAI's.

    Example:
        >>> normalize(torch.zeros(1, 3, 1, 1, dtype=torch.uint8)).flatten().tolist()  # doctest: +ELLIPSIS
        [-1.79..., -1.75..., -1.48...]
    """
    own = preprocessing or Preprocessing()
    values = (torch.tensor(v, dtype=torch.float32, device=images.device) for v in (own.mean, own.std))
    mean, std = (v.view(1, 3, 1, 1) for v in values)
    return torch.addcmul(-mean / std, images.float(), 1 / (255 * std))
