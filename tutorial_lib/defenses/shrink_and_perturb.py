"""Shrink, perturb, then finetune: forgetting helped along. Introduced in the chapter on CleanCLIP."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from tutorial_lib.defenses.finetune import Finetuning
from tutorial_lib.trials import Cleaned, Material

if TYPE_CHECKING:
    import open_clip
    import torch
    from torch import nn

    from tutorial_lib.models import Tokenizer


@dataclass(frozen=True)
class ShrinkAndPerturb(Finetuning):
    """First multiply all weights and add Gaussian noise, then finetune.

    Attributes:
        shrink: factor, in (0, 1]; 1 changes nothing.
        perturb: standard deviation of the noise.

    Raises:
        ValueError: `shrink` is not in (0, 1], `perturb` is negative, or `TrainedDefense` refuses another setting.

    Source: Ash & Adams (2020); Verma et al. (2023) try 0.95 and 1e-4 against backdoors in CLIP.

    Example:
        >>> ShrinkAndPerturb(shrink=1.5)
        Traceback (most recent call last):
        ValueError: shrink must be in (0, 1] and perturb at least 0, not 1.5 and 0.0001
    """

    kind: ClassVar[str] = "shrink-and-perturb"
    title: ClassVar[str] = "shrink, perturb, finetune"

    shrink: float = 0.95
    perturb: float = 1e-4

    def __post_init__(self) -> None:
        super().__post_init__()
        if not (0 < self.shrink <= 1 and self.perturb >= 0):
            raise ValueError(f"shrink must be in (0, 1] and perturb at least 0, not {self.shrink} and {self.perturb}")

    def clean(
        self,
        model: open_clip.CLIP,
        tokenizer: Tokenizer,
        material: Material,
        *,
        seed: int = 0,
        device: str | torch.device | None = None,
        progress: bool | None = False,
    ) -> Cleaned:
        self.check(material)
        shrink_and_perturb(model, self.shrink, self.perturb, seed)
        return super().clean(model, tokenizer, material, seed=seed, device=device, progress=progress)


def shrink_and_perturb(model: nn.Module, shrink: float, perturb: float, seed: int) -> None:
    """Multiply every parameter by `shrink` and add Gaussian noise of standard deviation `perturb`, in place.

    Args:
        model: its logit scale stays as it is.
        shrink: in (0, 1]; 1 changes nothing.
        perturb: standard deviation of the noise.
        seed: of the noise.

    Example:
        >>> import torch
        >>> layer = torch.nn.Linear(1, 1, bias=False)
        >>> before = layer.weight.item()
        >>> shrink_and_perturb(layer, shrink=0.5, perturb=0.0, seed=0)
        >>> layer.weight.item() == before / 2
        True
    """
    import torch

    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if name.endswith("logit_scale"):
                continue
            noise = torch.randn(parameter.shape, generator=generator).to(parameter.device)
            parameter.mul_(shrink).add_(perturb * noise)
