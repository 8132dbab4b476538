"""open_clip models: small configs, checkpoints in every published form, CLIP's tokenizer, and shortcuts."""

import open_clip

from tutorial_lib.models.architecture import CONFIGS, build, config_side, model_config, tokenizer_for
from tutorial_lib.models.classifier import Classifier, is_classifier, load_classifier, save_classifier
from tutorial_lib.models.clip import CHECKPOINTS, Checkpoint, load, pretrained, read, save
from tutorial_lib.models.errors import CheckpointError
from tutorial_lib.models.properties import facts, parameter_count, picture_side
from tutorial_lib.models.tokenizer import Tokenizer

#: What is measured: a CLIP model, or a supervised classifier.
Model = open_clip.CLIP | Classifier

__all__ = [
    "CHECKPOINTS",
    "CONFIGS",
    "Checkpoint",
    "CheckpointError",
    "Classifier",
    "Model",
    "Tokenizer",
    "build",
    "config_side",
    "facts",
    "is_classifier",
    "load",
    "load_classifier",
    "model_config",
    "parameter_count",
    "picture_side",
    "pretrained",
    "read",
    "save",
    "save_classifier",
    "tokenizer_for",
]
