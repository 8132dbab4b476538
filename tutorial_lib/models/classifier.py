"""A supervised classifier: the image tower of a CLIP model with a linear head.

Introduced in the chapter on size and patch. Its directory holds `model.json` (the open_clip config of the CLIP
model and the number of classes), `labels.txt` and `model.safetensors`.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from tutorial_lib.models.architecture import build, config_of, read_json, shapes
from tutorial_lib.models.clip import write_weights
from tutorial_lib.models.errors import CheckpointError
from tutorial_lib.models.inputs import Preprocessing, preprocessing_of
from tutorial_lib.models.published import not_finite, open_weights
from tutorial_lib.models.recognise import difference

#: The text tower of a model that is built for its picture tower alone.
NO_TEXT = {"width": 8, "heads": 1, "layers": 1, "vocab_size": 8, "context_length": 4}


class Classifier(torch.nn.Module):
    """An image tower with a linear head over classes.

    Args:
        visual: the image tower of a CLIP model, pictures to embeddings of size `width`.
        width: embedding size.
        classes: number of classes.
        seed: initialisation of the head.

    Example:
        >>> from tutorial_lib import models
        >>> model, _ = models.load(models.CHECKPOINTS / "clean")
        >>> Classifier(model.visual, 128, classes=10)(torch.zeros(2, 3, 32, 32)).shape
        torch.Size([2, 10])
    """

    def __init__(self, visual: torch.nn.Module, width: int, classes: int, *, seed: int = 0) -> None:
        super().__init__()
        self.visual = visual
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self.head = torch.nn.Linear(width, classes)

    def encode_image(self, images: Tensor, normalize: bool = False) -> Tensor:
        """Embeddings, as a CLIP model gives them, shape (N, width)."""
        points: Tensor = self.visual(images)
        return F.normalize(points, dim=-1) if normalize else points

    def forward(self, images: Tensor) -> Tensor:
        """Scores of each class, shape (N, C); the head sees normalised embeddings, scaled as CLIP's are."""
        scores: Tensor = self.head(10 * self.encode_image(images, normalize=True))
        return scores


@torch.no_grad()
def read_with_head(model: Classifier, embeddings: Tensor) -> Tensor:
    """Predicted class of each normalised embedding, shape (N,), int64, on the CPU.

    Example:
        >>> read_with_head(Classifier(torch.nn.Identity(), 4, classes=3), torch.eye(4)).shape
        torch.Size([4])
    """
    device = model.head.weight.device
    scores: Tensor = model.head(10 * embeddings.to(device))
    return scores.argmax(dim=1).cpu()


def save_classifier(folder: Path, model: Classifier, config: dict[str, Any], labels: Sequence[str]) -> None:
    """Write a classifier's directory.

    Args:
        folder: made if it is missing.
        model: the classifier.
        config: of the CLIP model whose picture tower it has.
        labels: name of each class.

    Raises:
        ValueError: there are not as many labels as classes, or one has several lines.

    Example:
        >>> from tutorial_lib import models
        >>> config = models.model_config("rn-0.4m")
        >>> head = Classifier(models.build(config).visual, config["embed_dim"], classes=2)
        >>> save_classifier(Path("head"), head, config, ["banana", "cactus"])
        >>> load_classifier(Path("head"))[1]
        ('banana', 'cactus')
    """
    if len(labels) != model.head.out_features or any(len(label.splitlines()) != 1 for label in labels):
        raise ValueError(f"{model.head.out_features} labels of one line each are needed, not {list(labels)!r:.60}")
    folder.mkdir(parents=True, exist_ok=True)
    body = config | {"classes": len(labels)}
    if (own := preprocessing_of(model)) != Preprocessing():
        body["preprocess_cfg"] = own.as_dict()
    (folder / "model.json").write_text(json.dumps(body, indent=2) + "\n", encoding="utf-8")
    (folder / "labels.txt").write_text("\n".join(labels) + "\n", encoding="utf-8")
    write_weights(folder / "model.safetensors", model)


def is_classifier(folder: Path) -> bool:
    """Whether a folder holds what `save_classifier` writes.

    Example:
        >>> from tutorial_lib import models
        >>> is_classifier(models.CHECKPOINTS / "clean")
        False
    """
    try:
        body = read_json(folder / "model.json")
    except (OSError, ValueError):  # what is wrong with it is for who reads it as a model
        return False
    return isinstance(body, dict) and "classes" in body


def _labels(path: Path) -> tuple[str, ...]:
    try:
        return tuple(path.read_text(encoding="utf-8-sig").splitlines())
    except UnicodeDecodeError as error:
        raise ValueError(f"{path} is damaged: {error}") from error


def load_classifier(folder: Path) -> tuple[Classifier, tuple[str, ...]]:
    """Read a classifier and the names of its classes.

    Raises:
        CheckpointError: a file is missing or damaged, a weight is not finite, or they do not belong together.

    Example:
        >>> from tutorial_lib import models
        >>> load_classifier(models.CHECKPOINTS / "clean")  # doctest: +ELLIPSIS
        Traceback (most recent call last):
        tutorial_lib.models.errors.CheckpointError: ... is no classifier that `clean --method supervised` saved
    """
    if not is_classifier(folder):
        raise CheckpointError(f"{folder} is no classifier that `clean --method supervised` saved")
    missing = [name for name in ("labels.txt", "model.safetensors") if not (folder / name).is_file()]
    if missing:
        raise CheckpointError(f"{folder} is a classifier without its {missing[0]}")
    try:
        body = read_json(folder / "model.json")
        count = body.pop("classes")
        config = config_of(body, str(folder / "model.json"))
        labels = _labels(folder / "labels.txt")
        if type(count) is not int or count != len(labels) or not labels:
            raise ValueError(f"{folder / 'labels.txt'} names {len(labels)} classes, and model.json says {count!r:.40}")
        config |= {"text_cfg": dict(NO_TEXT)}
        tower = {name: shape for name, shape in shapes(config).items() if name.startswith("visual.")}
    except ValueError as error:
        raise CheckpointError(str(error)) from error
    weights = open_weights(folder / "model.safetensors")
    head = {"head.weight": (count, config["embed_dim"]), "head.bias": (count,)}
    if differs := difference(tower | head, weights.shapes):
        raise CheckpointError(f"{weights.path} holds weights of another classifier: {differs}")
    model = Classifier(build(config).visual, config["embed_dim"], count)
    tensors = weights.read()
    if damaged := not_finite(tensors):
        raise CheckpointError(
            f"{weights.path} has weights that are not all finite ({damaged}): it is damaged or did not converge"
        )
    model.load_state_dict(tensors)
    return model.eval(), labels
