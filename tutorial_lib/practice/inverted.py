"""An inverted trigger in a file: a mask and a pattern, from the audit of a checkpoint to its cleaning."""

from __future__ import annotations

from pathlib import Path

from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from tutorial_lib.files import whole


def write_inverted(path: Path, mask: Tensor, pattern: Tensor) -> None:
    """Write a trigger as `tutorial_lib.trials.Material` has it; the file appears whole or not at all.

    Raises:
        NotWrittenError: the disk is full or the folder cannot be written.

    Example:
        >>> import torch
        >>> write_inverted(Path("trigger.safetensors"), torch.zeros(1, 8, 8), torch.ones(3, 8, 8))
        >>> [x.shape for x in read_inverted(Path("trigger.safetensors"))]
        [torch.Size([1, 8, 8]), torch.Size([3, 8, 8])]
    """
    tensors = {name: x.detach().float().cpu().contiguous() for name, x in (("mask", mask), ("pattern", pattern))}
    with whole(path) as part:
        save_file(tensors, part)


def read_inverted(path: Path) -> tuple[Tensor, Tensor]:
    """The mask and the pattern of a file.

    Raises:
        ValueError: there is no such file, or it holds no trigger.

    Example:
        >>> read_inverted(Path("nothing.safetensors"))
        Traceback (most recent call last):
        ValueError: there is no inverted trigger nothing.safetensors
    """
    if not path.is_file():
        raise ValueError(f"there is no inverted trigger {path}")
    try:
        found = load_file(path)
    except (SafetensorError, OSError) as error:
        raise ValueError(f"{path} cannot be read as an inverted trigger: {error}") from error
    if missing := {"mask", "pattern"} - found.keys():
        raise ValueError(f"{path} holds no inverted trigger: it has no {' and no '.join(sorted(missing))}")
    return found["mask"].float(), found["pattern"].float()
