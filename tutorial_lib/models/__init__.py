"""open_clip models: small configs, weights as safetensors, CLIP's tokenizer; the same results with fewer operations."""

import open_clip

from tutorial_lib.models.classifier import Classifier
from tutorial_lib.models.clip import (
    CHECKPOINTS,
    CONFIGS,
    CheckpointError,
    build,
    config_side,
    load,
    model_config,
    parameter_count,
    picture_side,
    pretrained,
    save,
    tokenizer_for,
)
from tutorial_lib.models.tokenizer import Tokenizer

#: What is measured: a CLIP model, or a supervised classifier.
Model = open_clip.CLIP | Classifier

__all__ = [
    "CHECKPOINTS",
    "CONFIGS",
    "CheckpointError",
    "Classifier",
    "Model",
    "Tokenizer",
    "build",
    "config_side",
    "load",
    "model_config",
    "parameter_count",
    "picture_side",
    "pretrained",
    "save",
    "tokenizer_for",
]
