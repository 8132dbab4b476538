"""What a model's vocabulary can read: a pruned one turns unknown words into one token, and classes into one another."""

from __future__ import annotations

import json
import warnings
from collections.abc import Sequence
from pathlib import Path

from tutorial_lib.data import emojicaps
from tutorial_lib.data.captions import plain_label
from tutorial_lib.data.tasks import class_concepts
from tutorial_lib.models import Tokenizer
from tutorial_lib.notes import Note

#: Classes of the course's task where a model does not say what it knows.
CLASSES = 320
#: Token of all that a pruned vocabulary lacks.
UNKNOWN = 1


def unread(tokenizer: Tokenizer, labels: Sequence[str]) -> list[str]:
    """The labels that hold a token which the vocabulary lacks.

    Example:
        >>> unread(Tokenizer.for_texts(["a small dog"], context_length=8), ["dog", "small whale"])
        ['small whale']
        >>> unread(Tokenizer(), ["whale"])
        []
    """
    if tokenizer.vocab is None:
        return []
    lacking = (tokenizer(list(labels)) == UNKNOWN).any(1).tolist()
    return [label for label, lacks in zip(labels, lacking, strict=True) if lacks]


def require_readable(tokenizer: Tokenizer, labels: Sequence[str]) -> list[str]:
    """The labels that a model cannot read, with a note; an error where they are most.

    Raises:
        ValueError: the vocabulary lacks words of more than half of the labels, so that little would be measured but
            chance.

    Example:
        >>> require_readable(Tokenizer.for_texts(["a dog, a cat"], context_length=8), ["dog", "cat"])
        []
        >>> require_readable(Tokenizer.for_texts(["a dog"], context_length=8), ["cat", "whale", "dog"])
        Traceback (most recent call last):
        ValueError: the model's vocabulary lacks words of 2 of 3 classes (cat, whale): ask for classes that it was ...
    """
    lacking = unread(tokenizer, labels)
    if not lacking:
        return []
    some = ", ".join(lacking[:5]) + (", …" if len(lacking) > 5 else "")
    said = f"the model's vocabulary lacks words of {len(lacking)} of {len(labels)} classes ({some})"
    if len(lacking) > len(labels) / 2:
        raise ValueError(f"{said}: ask for classes that it was trained on, with `classes` or `labels`")
    warnings.warn(f"{said}: these are read as one unknown word", Note, stacklevel=3)
    return lacking


def classes_of(checkpoint: Path) -> int:
    """How many classes of the course's task a model was trained on, as its folder says; 320 where it does not.

    Example:
        >>> from tutorial_lib import models
        >>> classes_of(models.CHECKPOINTS / "backdoored"), classes_of(Path("nowhere"))
        (100, 320)
    """
    record, log = checkpoint / "record.json", checkpoint / "train.json"
    try:
        if record.is_file():
            return int(json.loads(record.read_text("utf-8"))["trial"]["classes"])
        labels = json.loads(log.read_text("utf-8"))["asked"]["labels"] if log.is_file() else None
    except (OSError, ValueError, KeyError, TypeError):  # damaged, or another program's file of that name
        name = record.name if record.is_file() else log.name
        warnings.warn(
            f"{name} in {checkpoint} does not say which classes the model knows: {CLASSES} of the course's task are "
            "taken; `classes` asks for others",
            Note,
            stacklevel=2,
        )
        return CLASSES
    if not isinstance(labels, list) or not 2 <= len(labels) <= CLASSES:
        return CLASSES
    drawn = emojicaps.load()
    own = [plain_label(drawn.concepts[c].label) for c in class_concepts(drawn, len(labels))]
    return len(labels) if set(own) == set(labels) else CLASSES
