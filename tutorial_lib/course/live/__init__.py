"""Figures that a reader plays with in a page: no server, no kernel, no other host.

A model becomes a script that a page loads, so that it works from a folder too, where a browser forbids to fetch files.
The scripts beside this file draw the figures; `engine.js` computes a CLIP ResNet's picture tower, and a test holds it
to PyTorch's numbers.
"""

from __future__ import annotations

import base64
import gzip
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import open_clip
import torch
from open_clip.modified_resnet import ModifiedResNet
from torch import Tensor

from tutorial_lib import evaluate
from tutorial_lib.models import parameter_count
from tutorial_lib.models.inputs import preprocessing_of
from tutorial_lib.models.tokenizer import Tokenizer

HERE = Path(__file__).resolve().parent
#: Parameters of a picture tower in a page: about 20 MB of script.
LARGEST = 8_000_000
#: Scripts of each kind of figure, in the order of loading; `live.js` itself stands on the page.
SCRIPTS = {
    "backdoor": ("engine.js", "pictures.js", "backdoor.js"),
    "path": ("engine.js", "pictures.js", "path.js"),
    "names": ("engine.js", "text.js", "pictures.js", "names.js"),
    "contrast": ("contrast.js",),
    "similarities": ("similarities.js",),
    "explore": ("explore.js",),
    "poisons": ("poisons.js",),
    "inversion": ("inversion.js",),
    "playground": tuple(
        f"playground/{name}"
        for name in (
            *("playground.css", "random.js", "products.js", "net.js", "attack.js", "measures.js", "training.js"),
            *("client.js", "plots.js", "try.js", "poison.js", "train.js", "dose.js", "defend.js", "playground.js"),
        )
    ),
}


def model_script(name: str, model: open_clip.CLIP, tokenizer: Tokenizer, labels: Sequence[str]) -> str:
    """JavaScript that hands a page a model's picture tower and the text embeddings of some classes.

    Args:
        name: how the page calls the model.
        model: with a ResNet as open_clip has it. Weights are stored in float16, as in the course's checkpoints: see
            `packed`.
        labels: the classes.

    Raises:
        ValueError: the picture tower is of another kind or too large, there are no classes, or a weight is too large
            for float16.
    """
    tower = model.visual
    if not isinstance(tower, ModifiedResNet):
        raise ValueError(f"a page computes open_clip's ResNets, not a {type(tower).__name__}")
    if (size := parameter_count(tower)) > LARGEST:
        raise ValueError(f"a picture tower of {size:,} parameters is too slow for a page; at most {LARGEST:,}")
    if not labels:
        raise ValueError("a model without classes says nothing: give at least one label")
    state = {k: v for k, v in tower.state_dict().items() if not k.endswith("num_batches_tracked")}
    classifier = evaluate.zero_shot_classifier(model, tokenizer, list(labels)).T.contiguous().numpy()  # (K, d)
    own = preprocessing_of(model)
    body = {
        "side": tower.image_size,
        "heads": tower.attnpool.num_heads,
        "mean": own.mean,
        "std": own.std,
        "scale": model.logit_scale.exp().item(),
        "labels": list(labels),
        "tensors": [[k, list(v.shape)] for k, v in state.items()],
        "weights": packed(state),
        "classifier": _base64(classifier.astype("<f4")),
    }
    return f"((globalThis.course ??= {{}}).models ??= {{}})[{json.dumps(name)}] = {json.dumps(body)};\n"


def packed(state: dict[str, Tensor]) -> str:
    """Weights in float16, gzipped: first the low bytes of all, then the high ones, which repeat. Base64.

    Raises:
        ValueError: a weight is too large for float16.
    """
    weights = np.concatenate([_half(name, value).ravel() for name, value in state.items()])
    planes = weights.view(np.uint8).reshape(-1, 2).T.tobytes()
    return base64.b64encode(gzip.compress(planes, mtime=0)).decode()


def _half(name: str, weight: Tensor) -> np.ndarray:
    half = weight.detach().cpu().numpy().astype("<f2")
    if not np.isfinite(half).all():
        raise ValueError(f"{name} holds values that float16 cannot")
    return half


def _base64(values: np.ndarray) -> str:
    return base64.b64encode(values.tobytes()).decode()


def pixels(picture: Tensor) -> str:
    """A picture, shape (3, H, W), uint8, as the bytes that the scripts take."""
    return _base64(picture.permute(1, 2, 0).contiguous().to(torch.uint8).numpy())


def mount(kind: str, data: dict[str, Any]) -> str:
    """HTML of the place where a script draws a figure.

    Args:
        kind: one of `SCRIPTS`.
        data: what the script is given. Models that it names are scripts in `models/` beside the others, each loaded
            when it is needed.
    """
    body = json.dumps(data, allow_nan=False).replace("<", "\\u003c")  # a label may hold a tag
    scripts = " ".join(SCRIPTS[kind])
    return (
        f'<div class="live-mount" data-kind="{kind}" data-scripts="{scripts}">'
        f'<script type="application/json">{body}</script></div>'
    )
