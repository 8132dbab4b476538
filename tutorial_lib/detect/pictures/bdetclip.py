"""BDetCLIP: a picture with a trigger does not care whether a description of its class makes sense."""

from __future__ import annotations

import functools
import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from tutorial_lib.detect.pictures.base import PictureDetector
from tutorial_lib.detect.subject import Subject

if TYPE_CHECKING:
    from torch import Tensor

    from tutorial_lib.models import Tokenizer

#: Sentences that describe a class, and that are made nonsense of.
SENTENCES = (
    "a photo of {}",
    "a picture of {}",
    "a drawing of {}",
    "this is {}",
    "close-up of {}",
    "an image of {}",
    "the {}",
)


@dataclass(frozen=True)
class BDetCLIP(PictureDetector):
    """How little a picture prefers sensible descriptions of the classes to nonsense about them, summed over classes.

    The score is minus the sum over the classes of the cosine with the mean of its sensible descriptions less the cosine
    with the mean of its nonsense.

    Attributes:
        benign: sensible descriptions of a class.
        words: idle words that make nonsense of a description.
        seed: draws the words.

    Raises:
        ValueError: a number is too small, or there are fewer sentences than asked for.

    Source: Niu et al. (2025). Their descriptions, seven a class, are written by a language model, as is the nonsense; a
    course has none at hand. Here they are sentences around the label, with keywords of the emoji data where the label
    is there, and the nonsense is the same sentences followed by words of the vocabulary that no label has.

    Example:
        >>> BDetCLIP().benign
        7
    """

    kind: ClassVar[str] = "bdetclip"
    title: ClassVar[str] = "BDetCLIP"

    benign: int = 7
    words: int = 6
    seed: int = 0

    def __post_init__(self) -> None:
        super().__post_init__()
        self.require(benign=1, words=1)
        if self.benign > len(SENTENCES):
            raise ValueError(f"benign is at most {len(SENTENCES)} sentences, not {self.benign}")

    def scores(self, subject: Subject, images: Tensor) -> Tensor:
        from tutorial_lib.evaluate import embed_images

        self.check(subject, images)
        sensible, nonsense = (self.directions(subject, texts) for texts in self.descriptions(subject))
        return -(embed_images(subject.model, images) @ (sensible - nonsense)).sum(1)

    def descriptions(self, subject: Subject) -> tuple[list[list[str]], list[list[str]]]:
        """Sensible descriptions of each class, and nonsense about it."""
        draw, known = random.Random(f"words {self.seed}"), keywords()
        idle = idle_words(subject.tokenizer, subject.labels)
        sensible, nonsense = [], []
        for label in subject.labels:
            more = [word for word in known.get(label, ()) if word not in label]
            plain = [sentence.format(label) for sentence in SENTENCES[: self.benign]]
            sensible.append([f"{text}, {more[k % len(more)]}" if more else text for k, text in enumerate(plain)])
            nonsense.append([f"{text}, {' '.join(draw.sample(idle, min(self.words, len(idle))))}" for text in plain])
        return sensible, nonsense

    def directions(self, subject: Subject, texts: list[list[str]]) -> Tensor:
        """The normalised mean embedding of each class's texts, shape (d, C)."""
        import torch
        import torch.nn.functional as F

        from tutorial_lib.evaluate import embed_texts

        points = embed_texts(subject.model, subject.tokenizer, [text for some in texts for text in some])
        means = [part.mean(0) for part in points.split([len(some) for some in texts])]
        return F.normalize(torch.stack(means), dim=1).T


@functools.lru_cache(maxsize=1)
def keywords() -> dict[str, tuple[str, ...]]:
    """What the emoji data says about each of its labels.

    Example:
        >>> "fruit" in keywords()["banana"]
        True
    """
    from tutorial_lib.data import emojicaps
    from tutorial_lib.data.captions import plain_label

    return {plain_label(concept.label): concept.keywords for concept in emojicaps.load().concepts}


def idle_words(tokenizer: Tokenizer, labels: Sequence[str]) -> list[str]:
    """Whole words of a vocabulary that no label has, sorted.

    Example:
        >>> from tutorial_lib.models import Tokenizer
        >>> idle_words(Tokenizer.for_texts(["a small dog"], context_length=8), ["dog"])
        ['small']
    """
    words = (tokenizer.word(number) for number in range(tokenizer.vocab_size))
    taken = {word for label in labels for word in label.lower().split()}
    return sorted({word for word in words if len(word) > 2 and word.isascii() and word.isalpha()} - taken)
