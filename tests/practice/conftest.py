from pathlib import Path

import pytest

from tutorial_lib import models
from tutorial_lib.data import emojicaps
from tutorial_lib.data.captions import prompt_captions
from tutorial_lib.data.pairs import Pairs
from tutorial_lib.data.tasks import ZeroShotTask, class_concepts, training_pairs, zero_shot_task
from tutorial_lib.practice.shards import write_emojicaps

CLASSES = 60
CONFIG = {
    "embed_dim": 32,
    "vision_cfg": {"image_size": 32, "layers": [1, 1, 1, 1], "width": 8, "head_width": 16},
    "text_cfg": {"context_length": 16, "vocab_size": 49408, "width": 32, "heads": 2, "layers": 1},
}


@pytest.fixture(scope="session")
def clean(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of clean shards with labels.txt; two of them, so that pictures lie in several files."""
    out = tmp_path_factory.mktemp("practice") / "clean"
    write_emojicaps(out, classes=CLASSES, copies=2, shard_size=400)
    return out


@pytest.fixture(scope="session")
def course() -> tuple[Pairs, ZeroShotTask]:
    """The same pairs in memory, and the task of their classes."""
    drawn = emojicaps.load()
    concepts = class_concepts(drawn, CLASSES)
    return training_pairs(drawn, concepts, copies=2), zero_shot_task(drawn, concepts)


@pytest.fixture(scope="session")
def checkpoint(tmp_path_factory: pytest.TempPathFactory, course: tuple[Pairs, ZeroShotTask]) -> Path:
    """A model directory; nothing was trained."""
    pairs, task = course
    texts = [*pairs.captions, *(p for label in task.labels for p in prompt_captions(label))]
    tokenizer = models.tokenizer_for(CONFIG, texts)
    out = tmp_path_factory.mktemp("practice") / "model"
    models.save(out, models.build(CONFIG, tokenizer), CONFIG, tokenizer)
    return out
