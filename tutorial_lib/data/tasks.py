"""The course's zero-shot tasks: which concepts are classes, which pictures train and which test.

Introduced in the chapter on CLIP from scratch. Classes are concepts; the pictures to classify are drawn in an art style
that no training picture has, on other backgrounds, and none of them has a near-duplicate in training.
"""

from __future__ import annotations

import difflib
import functools
import warnings
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from tutorial_lib.data import emojicaps
from tutorial_lib.data.captions import plain_label
from tutorial_lib.data.emojicaps import EmojiCaps
from tutorial_lib.data.pairs import Pairs, draw_pairs
from tutorial_lib.data.text import Names
from tutorial_lib.notes import Note

#: Seeds of the pictures to classify; the same for every model.
SPLIT_SEED = {"test": 1001, "validation": 1002}
STYLE = {"test": emojicaps.TEST_STYLE, "validation": emojicaps.VALIDATION_STYLE}
TWIN_THRESHOLD = 0.1
#: Likeness of letters, from 0 to 1, from which on another class may have been meant.
ALIKE = 0.7


def class_number(label: str, labels: Sequence[str]) -> int:
    """Number of the class with that label; case, spaces and underscores may differ, with a note.

    Raises:
        ValueError: there is no such class; names the nearest labels.

    Example:
        >>> class_number("cactus", ("banana", "cactus"))
        1
    """
    if label in labels:
        return labels.index(label)
    names = Names(labels)
    if (number := names.number(label)) >= 0:
        warnings.warn(names.note, Note, stacklevel=3)
        return number
    said = label.lower()
    near = [name for name in labels if said and (said in name.lower() or name.lower() in said)]
    near += [name for name in difflib.get_close_matches(said, labels, 5, ALIKE) if name not in near]
    near = near[:5]
    hint = f"did you mean {', '.join(near)}?" if near else f"for example {', '.join(labels[:5])}"
    raise ValueError(f"there is no class {label!r} among {len(labels)}; {hint}")


Spare = Callable[[int, int, torch.Generator], tuple[Tensor, Tensor]]


@dataclass(frozen=True, kw_only=True)
class LabelledPictures:
    """Pictures to classify, of the course or of the user.

    Attributes:
        labels: name of each class, C strings.
        images: shape (N, 3, side, side), uint8.
        targets: true class, shape (N,), int64.
        sprite: which drawing each picture shows, shape (N,), int64; pictures of one drawing are not independent.
        about: where the pictures are from, plain data.

    Example:
        >>> pictures = LabelledPictures(
        ...     labels=("banana", "cactus"),
        ...     images=torch.zeros(1, 3, 8, 8, dtype=torch.uint8),
        ...     targets=torch.tensor([1]),
        ...     sprite=torch.tensor([0]),
        ... )
        >>> pictures.class_of("bananas")
        Traceback (most recent call last):
        ValueError: there is no class 'bananas' among 2; did you mean banana?
    """

    labels: tuple[str, ...]
    images: Tensor
    targets: Tensor
    sprite: Tensor
    about: Mapping[str, Any] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.images)

    def class_of(self, label: str) -> int:
        """Number of the class with that label.

        Raises:
            ValueError: there is no such class; names the nearest labels.
        """
        return class_number(label, self.labels)


@dataclass(frozen=True, kw_only=True)
class ZeroShotTask(LabelledPictures):
    """The pictures to classify of a trial.

    Attributes:
        concepts: index of each class's concept in the data, C numbers.
        style: the art style of the pictures.
        twins: drawings left out because training has a near-duplicate.
        other: the same classes in another style that training lacks, with the same numbers; `None` where there is none.
        spare: (count, seed, generator) to that many pictures of neither training nor test, and their classes, -1
            where unknown; what targeted attacks aim at.

    Example:
        >>> drawn = emojicaps.load()
        >>> task = zero_shot_task(drawn, class_concepts(drawn, 16), draws=1)
        >>> len(task.labels), task.style
        (16, 'twemoji')
    """

    concepts: tuple[int, ...]
    style: str
    twins: int
    other: LabelledPictures | None = None
    spare: Spare | None = None

    def class_of_concept(self, concept: Tensor) -> Tensor:
        """Class of each concept index, -1 where it is none, any shape."""
        table = torch.full((int(max(max(self.concepts), int(concept.max()))) + 1,), -1)
        table[list(self.concepts)] = torch.arange(len(self.concepts))
        return torch.where(concept < 0, -1, table[concept.clamp(min=0)])


def class_concepts(data: EmojiCaps, count: int | None) -> tuple[int, ...]:
    """The concepts that serve as classes: drawn in the test style, and in the most training styles first.

    Args:
        data: the pictures.
        count: number of classes, or `None` for all that are drawn in at least two training styles.

    Raises:
        ValueError: there are not so many.

    Example:
        >>> len(class_concepts(emojicaps.load(), 100))
        100
    """
    drawn = Counter(data.concept[data.of_styles(*emojicaps.TRAIN_STYLES)].tolist())
    test = set(data.concept[data.of_styles(emojicaps.TEST_STYLE)].tolist())
    validation = set(data.concept[data.of_styles(emojicaps.VALIDATION_STYLE)].tolist())
    usable = [
        c
        for c in test
        if drawn[c] >= 2
        and data.concepts[c].group in emojicaps.CLASS_GROUPS
        and data.concepts[c].code not in emojicaps.TRIGGER_LIKE
    ]
    usable.sort(key=lambda c: (-drawn[c] - (c in validation), data.concepts[c].code))
    if count is not None and not 2 <= count <= len(usable):
        raise ValueError(f"{count} classes were asked for; between 2 and {len(usable)} can be had")
    return tuple(sorted(usable[:count]))


def training_sprites(data: EmojiCaps, concepts: tuple[int, ...]) -> Tensor:
    """Positions of the training-style pictures of the given concepts, shape (M,), int64.

    Example:
        >>> drawn = emojicaps.load()
        >>> sprites = training_sprites(drawn, class_concepts(drawn, 16))
        >>> {drawn.style[p] for p in sprites.tolist()} <= set(emojicaps.TRAIN_STYLES)
        True
    """
    wanted = set(concepts)
    positions = data.of_styles(*emojicaps.TRAIN_STYLES).tolist()
    return torch.tensor([p for p in positions if int(data.concept[p]) in wanted])


def training_pairs(data: EmojiCaps, concepts: tuple[int, ...], *, copies: int, side: int = 32, seed: int = 0) -> Pairs:
    """The clean training set: every training-style drawing of the concepts, `copies` pictures of each.

    Example:
        >>> drawn = emojicaps.load()
        >>> len(training_pairs(drawn, class_concepts(drawn, 16), copies=2)) == 2 * 16 * 5
        True
    """
    return draw_pairs(data, training_sprites(data, concepts), side=side, copies=copies, seed=seed, name="train")


def zero_shot_task(
    data: EmojiCaps, concepts: tuple[int, ...], *, split: str = "test", draws: int = 8, side: int = 32
) -> ZeroShotTask:
    """Pictures of an unseen style to classify among `concepts`.

    Args:
        data: the pictures.
        concepts: the classes, as `class_concepts` gives them.
        split: "test" for results, "validation" for choosing a recipe.
        draws: pictures per drawing, each on a background of its own.
        side: width and height in pixels.

    Raises:
        ValueError: `split` is none of these.

    Example:
        >>> drawn = emojicaps.load()
        >>> zero_shot_task(drawn, class_concepts(drawn, 16), draws=2, side=16).images.shape[1:]
        torch.Size([3, 16, 16])
    """
    if split not in STYLE:
        raise ValueError(f"split must be 'test' or 'validation', not {split!r}")
    own = _held_out(data, concepts, split, draws, side)
    return ZeroShotTask(
        labels=own.labels,
        images=own.images,
        targets=own.targets,
        sprite=own.sprite,
        concepts=tuple(concepts),
        style=STYLE[split],
        twins=own.about["twins"],
        other=_held_out(data, concepts, next(s for s in STYLE if s != split), draws, side),
        spare=functools.partial(_validation_pictures, data, concepts, side),
    )


def _held_out(data: EmojiCaps, concepts: tuple[int, ...], split: str, draws: int, side: int) -> LabelledPictures:
    """Pictures of the concepts in the style of a split, without those that training has a twin of."""
    wanted = set(concepts)
    positions = torch.tensor([p for p in data.of_styles(STYLE[split]).tolist() if int(data.concept[p]) in wanted])
    twin = emojicaps.twins(data, positions, training_sprites(data, concepts), threshold=TWIN_THRESHOLD)
    kept = positions[~twin]
    pictures = draw_pairs(data, kept, side=side, copies=draws, seed=SPLIT_SEED[split], name=split)
    place = {c: i for i, c in enumerate(concepts)}
    return LabelledPictures(
        labels=tuple(plain_label(data.concepts[c].label) for c in concepts),
        images=pictures.pixels,
        targets=torch.tensor([place[c] for c in pictures.concept.tolist()]),
        sprite=kept.repeat_interleave(draws),
        about={"style": STYLE[split], "twins": int(twin.sum())},
    )


def _validation_pictures(
    data: EmojiCaps, concepts: tuple[int, ...], side: int, count: int, seed: int, generator: torch.Generator
) -> tuple[Tensor, Tensor]:
    """Random drawings of the validation style, each once, and their classes."""
    class_of = {c: k for k, c in enumerate(concepts)}
    usable = [p for p in data.of_styles(emojicaps.VALIDATION_STYLE).tolist() if int(data.concept[p]) in class_of]
    if count > len(usable):
        raise ValueError(f"{count} targets were asked for, and {len(usable)} pictures can serve: lower `targets`")
    chosen = torch.tensor(usable)[torch.randperm(len(usable), generator=generator)[:count]]
    images = draw_pairs(data, chosen, side=side, seed=seed + 7000, name="target").pixels
    return images, torch.tensor([class_of[int(data.concept[p])] for p in chosen])
