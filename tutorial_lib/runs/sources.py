"""What a trial trains on and is measured on: EmojiCaps, composed scenes, or the user's own photographs."""

from __future__ import annotations

import torch
from torch import Tensor

from tutorial_lib import places
from tutorial_lib.data import emojicaps, photographs, tasks
from tutorial_lib.data import own as folders
from tutorial_lib.data.composed import Scenes
from tutorial_lib.data.diverse import DiverseScenes
from tutorial_lib.data.pairs import Pairs
from tutorial_lib.data.scenes import EmojiScenes
from tutorial_lib.data.tasks import ZeroShotTask
from tutorial_lib.trials import Trial

#: Labelled pictures that a linear probe is fitted on (Carlini & Terzis 2022, section 4.2).
PROBED = 50_000
#: Kinds of scenes, as trials call them, and bytes of pictures beyond which scenes lie in a memory map on disk.
SCENERY: dict[str, type[Scenes]] = {"plain": EmojiScenes, "diverse": DiverseScenes}
MAPPED = 1 << 30


def scenes_of(trial: Trial) -> Scenes | None:
    """The scenes that a trial trains on, `None` where it trains on something else.

    Example:
        >>> scenes_of(Trial(scenes=100, scenery="diverse")).kind
        'DiverseScenes'
    """
    if not trial.scenes or trial.shards:
        return None
    return SCENERY[trial.scenery](trial.scenes, size=trial.side, seed=trial.seeds.data)


def training_pairs(trial: Trial) -> Pairs:
    """The clean pairs of a trial; the pictures of large sets of scenes lie in a memory map (`places.scenes`).

    Raises:
        FileNotFoundError: the shards are not in the data directory.
        NotWrittenError: a memory map does not fit on its disk.

    Example:
        >>> len(training_pairs(Trial(classes=16, copies=2)))  # 16 classes in five styles, twice each
        160
    """
    if trial.shards:
        return folders.shard_pairs(trial.shards, side=trial.side, limit=trial.limit)
    if (scenes := scenes_of(trial)) is not None:
        return scenes.pairs(folder=places.scenes() if scenes.nbytes > MAPPED else None)
    pictures = emojicaps.load()
    concepts = tasks.class_concepts(pictures, trial.classes)
    return tasks.training_pairs(pictures, concepts, copies=trial.copies, side=trial.side, seed=trial.seeds.data)


def zero_shot_task(trial: Trial) -> ZeroShotTask:
    """The pictures to classify.

    Raises:
        FileNotFoundError: ImageNet, or the photographs, are not in the data directory.

    Example:
        >>> task = zero_shot_task(Trial(classes=16))
        >>> len(task.labels), task.style
        (16, 'twemoji')
    """
    if trial.task == "imagenet":
        return folders.imagenet_task(side=trial.side, shards=trial.shards or "cc3m")
    if trial.task != "emoji":
        return photographs.photograph_task(trial.task, side=trial.side)
    pictures = emojicaps.load()
    concepts = tasks.class_concepts(pictures, trial.classes)
    return tasks.zero_shot_task(pictures, concepts, split=trial.split, side=trial.side)


def validation_pictures(trial: Trial) -> tuple[Tensor, Tensor, Tensor]:
    """Pictures on which a defender may choose settings, their classes and drawings; no result is measured on them.

    EmojiCaps has a style for it. Of ImageNet these are training pictures, which a zero-shot model has not seen either;
    of photographs, pictures that are kept apart of those that train.

    Example:
        >>> trial = Trial(classes=16)
        >>> images, classes, drawings = validation_pictures(trial)
        >>> images.shape[1:], torch.equal(images, zero_shot_task(trial).images)  # drawn in another style
        (torch.Size([3, 32, 32]), False)
    """
    if trial.task == "imagenet":
        images, classes = folders.imagenet_validation(side=trial.side)
        return images, classes, torch.arange(len(images))
    if trial.task != "emoji":
        images, classes = photographs.photograph_validation(trial.task, side=trial.side)
        return images, classes, torch.arange(len(images))
    pictures = emojicaps.load()
    concepts = tasks.class_concepts(pictures, trial.classes)
    task = tasks.zero_shot_task(pictures, concepts, split="validation", side=trial.side)
    return task.images, task.targets, task.sprite


def labelled_pictures(trial: Trial, clean: Pairs, task: ZeroShotTask) -> tuple[Tensor, Tensor]:
    """Clean pictures with class labels for a linear probe and for neighbours, and the labels, shape (N,).

    Source: Carlini & Terzis (2022), section 4.2: 50,000 random pictures of ImageNet's training set.

    Example:
        >>> trial = Trial(classes=16, copies=4)
        >>> images, classes = labelled_pictures(trial, training_pairs(trial), zero_shot_task(trial))
        >>> len(images), len(set(classes.tolist()))  # a copy of each drawing
        (80, 16)
    """
    if trial.task == "imagenet":
        return folders.imagenet_labelled(side=trial.side, count=PROBED, seed=trial.seeds.data)
    if trial.task != "emoji":
        return photographs.photograph_training(trial.task, side=trial.side, count=PROBED, seed=trial.seeds.data)
    if trial.scenes or trial.shards:  # nobody has labelled these
        pictures = emojicaps.load()
        clean = tasks.training_pairs(pictures, task.concepts, copies=2, side=trial.side, seed=trial.seeds.data)
    shown = task.class_of_concept(clean.concept)
    share = 1 if trial.scenes or trial.shards else 4  # a quarter of the pictures, every drawing
    chosen = (torch.arange(len(shown)) % share == 0) & (shown >= 0)
    return clean.images[chosen], shown[chosen]
