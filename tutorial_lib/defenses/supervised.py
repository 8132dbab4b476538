"""Supervised finetuning of the image tower with class labels. Introduced in chapter 8.

The captions play no part, so neither does the tie that the poisons made; the price is a model with a fixed list of
classes.

Source: Bansal et al. (2023), section on supervised finetuning: 50,000 labelled pictures, 10 epochs, all weights.
"""

from __future__ import annotations

import open_clip

from tutorial_lib.defenses.base import Cleaned, DefenseError, Material, Run
from tutorial_lib.supervised import Classifier, train_classifier
from tutorial_lib.tokenizer import Tokenizer
from tutorial_lib.trials import Defense


def supervised(model: open_clip.CLIP, tokenizer: Tokenizer, material: Material, defense: Defense, run: Run) -> Cleaned:
    """Train the image tower and a new linear head on the labelled pictures among the trusted ones.

    Raises:
        DefenseError: there are no labels.
    """
    labels = material.labels
    if labels is None or not (labels >= 0).any():
        raise DefenseError("supervised finetuning needs pictures with class labels, and none of the pairs has one")
    known = labels >= 0
    head = Classifier(model.visual, model.text_projection.shape[1], material.classes, seed=run.seed)
    images = material.pairs.images[known]
    history = train_classifier(head, images, labels[known], defense.recipe, seed=run.seed, device=run.device)
    missing = material.classes - len(labels[known].unique())
    return Cleaned(head, history, {"labelled": int(known.sum()), "classes_without_a_label": missing})
