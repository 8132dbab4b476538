"""Pictures in four colours, and a classifier of them."""

import torch

from tests.training.small import CONFIG
from tutorial_lib import models
from tutorial_lib.models.classifier import Classifier
from tutorial_lib.models.tokenizer import Tokenizer


def coloured(n=64):
    """Pictures in four plain colours, which are their classes."""
    labels = torch.arange(n) % 4
    colours = torch.tensor([[255, 0, 0], [0, 255, 0], [0, 0, 255], [255, 255, 0]], dtype=torch.uint8)
    return colours[labels][:, :, None, None].expand(-1, -1, 32, 32).contiguous(), labels


def classifier(seed=0):
    visual = models.build(CONFIG, Tokenizer(12), seed=seed).visual
    return Classifier(visual, CONFIG["embed_dim"], 4, seed=seed)
