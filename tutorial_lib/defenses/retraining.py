"""Training anew without the pairs that look poisoned. Introduced in the chapter on finding poisons."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar

from tutorial_lib.trials import Cleaned, Defense, DefenseError, Detector, Material, Recipe
from tutorial_lib.trials.defense import Need

if TYPE_CHECKING:
    import open_clip
    import torch
    from torch import Tensor

    from tutorial_lib.data.pairs import Pairs
    from tutorial_lib.models import Tokenizer


@dataclass(frozen=True)
class Retraining(Defense):
    """Rank the training pairs under the poisoned model, leave the most suspicious out, and begin from random weights.

    It needs no trusted pair, but the training pairs, and costs a pre-training.

    Attributes:
        recipe: of the new training, as a rule that of the first.
        detector: ranks the pairs; `None` leaves pairs out at random, which is the control.
        drop: share of the pairs that is left out.

    Raises:
        ValueError: `drop` is not in (0, 1), or `detector` is none.

    Source: Huang et al. (2025), section on filtering: what is left after the most suspicious 10 % are removed.

    Example:
        >>> Retraining(drop=0.05).needs
        frozenset({'training'})
    """

    kind: ClassVar[str] = "retraining"
    title: ClassVar[str] = "training anew without suspects"
    needs: ClassVar[frozenset[Need]] = frozenset({"training"})

    recipe: Recipe = field(default_factory=Recipe)
    detector: Detector | None = None
    drop: float = 0.1

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 0 < self.drop < 1:
            raise ValueError(f"drop is a share of the training pairs, in (0, 1), not {self.drop}")
        if self.detector is not None and not isinstance(self.detector, Detector):
            raise ValueError(f"detector must be detector settings or None, not {self.detector!r}")

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
        import torch

        from tutorial_lib.attacks.poison import count_poisons
        from tutorial_lib.training.loop import train

        training = material.training
        if training is None or material.fresh is None:
            raise DefenseError(f"{self.title} needs the training pairs and an untrained model, and these are not given")
        dropped = self._suspects(model, tokenizer, training, seed)
        left = torch.ones(len(training), dtype=torch.bool)
        left[dropped] = False
        kept = training.take(left.nonzero()[:, 0])
        if len(kept) < self.recipe.batch_size:
            raise DefenseError(f"{len(kept)} pairs are left, fewer than one batch of {self.recipe.batch_size}")
        new = material.fresh(seed=seed)
        history = train(new, tokenizer, kept, self.recipe, seed=seed, device=device, progress=progress)
        there = count_poisons(training)
        notes = {"isolated": len(dropped), "isolated_poisons": there - count_poisons(kept), "poisons": there}
        return Cleaned(new, history, notes)

    def _suspects(self, model: open_clip.CLIP, tokenizer: Tokenizer, training: Pairs, seed: int) -> Tensor:
        """Positions of the pairs that are left out."""
        import torch

        if self.detector is not None:
            return self.detector.suspects(model, tokenizer, training, self.drop)
        order = torch.randperm(len(training), generator=torch.Generator().manual_seed(seed))
        return order[: max(1, round(self.drop * len(training)))]
