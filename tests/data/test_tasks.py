"""The zero-shot task: no class, drawing or style leaks from training into the test."""

import pytest
import torch

from tutorial_lib.data import emojicaps, tasks


@pytest.fixture(scope="module")
def data():
    return emojicaps.load()


@pytest.fixture(scope="module")
def concepts(data):
    return tasks.class_concepts(data, 40)


def test_classes_are_drawn_in_the_test_style_and_look_unlike_the_trigger(data, concepts):
    test = set(data.concept[data.of_styles(emojicaps.TEST_STYLE)].tolist())
    assert set(concepts) <= test
    assert len(concepts) == len(set(concepts)) == 40
    assert all(data.concepts[c].group in emojicaps.CLASS_GROUPS for c in tasks.class_concepts(data, None))
    assert not {data.concepts[c].code for c in tasks.class_concepts(data, None)} & set(emojicaps.TRIGGER_LIKE)


def test_no_style_family_is_divided():
    for family in emojicaps.FAMILIES:
        sides = {
            "train": set(family) & set(emojicaps.TRAIN_STYLES),
            "test": {emojicaps.TEST_STYLE} & set(family),
            "validation": {emojicaps.VALIDATION_STYLE} & set(family),
        }
        assert sum(bool(s) for s in sides.values()) <= 1, family


@pytest.mark.parametrize("split", ["test", "validation"])
def test_pictures_to_classify_have_no_twin_in_training(data, concepts, split):
    task = tasks.zero_shot_task(data, concepts, split=split, draws=2)
    assert task.style == tasks.STYLE[split]
    assert len(task) == 2 * len(set(task.sprite.tolist()))
    kept = torch.unique(task.sprite)
    assert {data.style[p] for p in kept.tolist()} == {task.style}
    training = tasks.training_sprites(data, concepts)
    small = emojicaps.over_white(data.images, side=16).flatten(1)
    for p in kept[:5].tolist():  # slow truth for a few
        distances = [(small[p] - small[q]).square().mean().sqrt().item() for q in training.tolist()]
        assert min(distances) >= tasks.TWIN_THRESHOLD
    shown = [data.concepts[int(data.concept[p])].code for p in task.sprite.tolist()]
    assert shown == [data.concepts[concepts[t]].code for t in task.targets.tolist()]


def test_task_is_the_same_each_time_and_splits_differ(data, concepts):
    one, two = (tasks.zero_shot_task(data, concepts, draws=2) for _ in range(2))
    assert torch.equal(one.images, two.images)
    other = tasks.zero_shot_task(data, concepts, split="validation", draws=2)
    assert other.images.shape != one.images.shape or not torch.equal(other.images, one.images)


def test_class_of_concept_inverts_the_list_of_classes(data, concepts):
    task = tasks.zero_shot_task(data, concepts, draws=1)
    asked = torch.tensor([*concepts, -1, next(c for c in range(len(data.concepts)) if c not in concepts)])
    assert task.class_of_concept(asked).tolist() == [*range(len(concepts)), -1, -1]


def test_bad_input_names_what_would_be_right(data, concepts):
    with pytest.raises(ValueError, match=r"100000 classes were asked for; between 2 and \d+"):
        tasks.class_concepts(data, 100_000)
    task = tasks.zero_shot_task(data, concepts, draws=1)
    with pytest.raises(ValueError, match="there is no class 'unicorns'"):
        task.class_of("unicorns")
    with pytest.raises(ValueError, match=f"did you mean .*{task.labels[0]}"):
        task.class_of(task.labels[0] + "s")
    with pytest.raises(ValueError, match=r"did you mean banana\?"):
        tasks.class_number("bananna", ("banana", "cactus"))
    with pytest.raises(ValueError, match="for example banana, cactus"):
        tasks.class_number("", ("banana", "cactus"))
    with pytest.raises(ValueError, match="'test' or 'validation'"):
        tasks.zero_shot_task(data, concepts, split="train")
