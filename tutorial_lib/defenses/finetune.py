"""Plain finetuning on trusted pairs: the control without which no defense can be judged. Introduced in chapter 8.

Catastrophic forgetting is all it has; a large weight decay or shrink-and-perturb helps it along.
"""

from __future__ import annotations

import open_clip
import torch

from tutorial_lib.defenses.base import Cleaned, Material, Run
from tutorial_lib.tokenizer import Tokenizer
from tutorial_lib.train import train
from tutorial_lib.trials import Defense


def finetune(model: open_clip.CLIP, tokenizer: Tokenizer, material: Material, defense: Defense, run: Run) -> Cleaned:
    """Go on training with the CLIP loss."""
    history = train(
        model, tokenizer, material.pairs, defense.recipe, seed=run.seed, device=run.device, progress=run.progress
    )
    return Cleaned(model, history)


@torch.no_grad()
def shrink_and_perturb(model: torch.nn.Module, shrink: float, perturb: float, seed: int) -> None:
    """Multiply every parameter by `shrink` and add Gaussian noise of standard deviation `perturb`, in place.

    Args:
        model: its logit scale stays as it is.
        shrink: in (0, 1]; 1 changes nothing.
        perturb: standard deviation of the noise.
        seed: of the noise.

    Source: Ash & Adams (2020); Verma et al. (2023) try 0.95 and 1e-4 against backdoors in CLIP.
    """
    generator = torch.Generator().manual_seed(seed)
    for name, parameter in model.named_parameters():
        if name.endswith("logit_scale"):
            continue
        noise = torch.randn(parameter.shape, generator=generator).to(parameter.device)
        parameter.mul_(shrink).add_(perturb * noise)
