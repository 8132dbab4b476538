"""What can be examined, and what is refused."""

from __future__ import annotations

import pytest
import torch

from tests.detect.planted import CAPTIONS, LABELS, pictures, small, subject
from tutorial_lib.detect.subject import Subject, SubjectError
from tutorial_lib.evaluate import embed_texts, zero_shot_classifier


def test_labels_are_zero_shot_classes() -> None:
    examined = subject()
    expected = zero_shot_classifier(examined.model, examined.tokenizer, LABELS)
    assert torch.equal(examined.directions, expected)
    assert examined.names == LABELS


def test_groups_of_captions_stand_for_classes() -> None:
    model, tokenizer = small()
    captions = ("a small apple",) * 3 + ("an old cactus",) * 2
    examined = Subject(model, tokenizer, pictures(4), captions=captions)
    assert set(examined.names) == {"a small apple", "an old cactus"}
    points = embed_texts(model, tokenizer, captions)
    for name, direction in zip(examined.names, examined.directions.T, strict=True):
        mine = torch.stack([p for p, caption in zip(points, captions, strict=True) if caption == name])
        assert torch.allclose(direction, torch.nn.functional.normalize(mine.mean(0), dim=0), atol=1e-6)


def test_without_texts_there_are_no_classes() -> None:
    model, tokenizer = small()
    examined = Subject(model, tokenizer, pictures(4))
    assert examined.names == ()
    assert examined.directions.shape[1] == 0


def test_bad_input_is_refused() -> None:
    model, tokenizer = small()
    with pytest.raises(SubjectError, match="the model takes pictures of 32 x 32 pixels, not 16 x 16"):
        Subject(model, tokenizer, pictures(2, side=16))
    with pytest.raises(SubjectError, match=r"pictures are uint8 of shape \(N, 3, 32, 32\)"):
        Subject(model, tokenizer, pictures(2).float())
    with pytest.raises(SubjectError, match="give one of both"):
        Subject(model, tokenizer, pictures(2), labels=LABELS, captions=CAPTIONS)


def test_a_damaged_model_is_named_by_its_weight() -> None:
    model, tokenizer = small()
    model.visual.conv1.weight.data[0, 0, 0, 0] = float("nan")
    with pytest.raises(SubjectError, match=r"not all finite \(visual.conv1.weight\)"):
        Subject(model, tokenizer, pictures(2))


def test_embeddings_that_are_not_finite_or_all_alike_are_refused() -> None:
    model, tokenizer = small()
    model.ln_final.weight.data.fill_(1e38)  # finite, and too large for what follows
    model.text_projection.data.fill_(1e38)
    examined = Subject(model, tokenizer, pictures(2), labels=LABELS)
    with pytest.raises(SubjectError, match="embeddings of texts are not all finite"):
        examined.directions  # noqa: B018
    model, tokenizer = small()
    with pytest.raises(SubjectError, match="one embedding for all pictures"):
        Subject(model, tokenizer, pictures(1).expand(4, -1, -1, -1)).embeddings  # noqa: B018
    model.visual.attnpool.v_proj.weight.data.fill_(3e38)
    model.visual.attnpool.c_proj.weight.data.fill_(3e38)
    with pytest.raises(SubjectError, match="embeddings of pictures are not all finite"):
        Subject(model, tokenizer, pictures(4)).embeddings  # noqa: B018
