"""Supervised finetuning of the image tower with class labels. Introduced in the chapter on CleanCLIP.

The captions play no part, so neither does the tie that the poisons made; the price is a model with a fixed list of
classes.

Source: Bansal et al. (2023), section on supervised finetuning: 50,000 labelled pictures, 10 epochs, all weights.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from tutorial_lib.trials import Cleaned, Material, TrainedDefense
from tutorial_lib.trials.defense import Need

if TYPE_CHECKING:
    import open_clip
    import torch

    from tutorial_lib.models import Tokenizer


@dataclass(frozen=True)
class SupervisedFinetuning(TrainedDefense):
    """Train the image tower and a new linear head on the labelled pictures among the trusted ones.

    Example:
        >>> sorted(SupervisedFinetuning.needs)
        ['labels', 'pairs']
    """

    kind: ClassVar[str] = "supervised"
    title: ClassVar[str] = "supervised finetuning"
    needs: ClassVar[frozenset[Need]] = frozenset({"pairs", "labels"})

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
        from tutorial_lib.models.classifier import Classifier
        from tutorial_lib.training.supervised import train_classifier

        self.check(material)
        given = material.labels
        assert given is not None  # checked
        known = given >= 0
        labels = given[known]
        head = Classifier(model.visual, model.text_projection.shape[1], material.classes, seed=seed)
        images = material.pairs.images[known]
        history = train_classifier(head, images, labels, self.recipe, seed=seed, device=device, progress=progress)
        missing = material.classes - len(labels.unique())
        return Cleaned(head, history, {"labelled": int(known.sum()), "classes_without_a_label": missing})
