"""Pictures and classes of an audit: the course's for its models, else shards."""

from __future__ import annotations

import io
import tarfile
from pathlib import Path

import pytest
import torch
from PIL import Image

from tutorial_lib import models
from tutorial_lib.data.decoding import decode
from tutorial_lib.data.shards import ShardError, samples
from tutorial_lib.models import Tokenizer
from tutorial_lib.notes import Note
from tutorial_lib.practice.audit_pictures import from_shards, shown
from tutorial_lib.practice.pictures import course_pictures

COURSE = models.load(models.CHECKPOINTS / "unknown-1")[1]


def test_a_model_of_the_course_is_shown_its_test_pictures() -> None:
    task = course_pictures(classes=100)
    seen = shown(COURSE, 32, pictures=50, classes=100)
    assert seen.labels == task.labels
    assert seen.images.shape == (50, 3, 32, 32)
    whole = {picture.numpy().tobytes() for picture in task.images}
    assert all(picture.numpy().tobytes() in whole for picture in seen.images)
    assert len(seen.about["fingerprint"]) > 0
    of_class = {p.numpy().tobytes(): task.labels[k] for p, k in zip(task.images, task.targets.tolist(), strict=True)}
    assert seen.shows == tuple(of_class[picture.numpy().tobytes()] for picture in seen.images)


def test_classes_that_a_small_vocabulary_cannot_read_are_left_out() -> None:
    """The folder of this model does not say how many classes it knows: it is asked for all."""
    with pytest.warns(Note, match="lacks words of .* of the course's 320 classes"):
        seen = shown(COURSE, 32, pictures=8, classes=320)
    assert 100 <= len(seen.labels) < 320
    assert set(course_pictures(classes=100).labels) <= set(seen.labels)


@pytest.mark.parametrize("tokenizer", [Tokenizer(), Tokenizer.for_texts(["a gearbox"], context_length=8)])
def test_another_model_needs_pictures(tokenizer: Tokenizer) -> None:
    with pytest.raises(ValueError, match=r"clean pictures are needed, .* give shards of some as `data`"):
        shown(tokenizer, 32, pictures=8, classes=100)


def test_labels_that_the_vocabulary_lacks_are_named(tmp_path: Path) -> None:
    (tmp_path / "labels.txt").write_text("banana\ngearbox\ncarburettor\n")
    with pytest.raises(ValueError, match=r"lacks words of 2 of 3 labels \(gearbox, carburettor\)"):
        shown(COURSE, 32, pictures=8, classes=100, labels=tmp_path / "labels.txt")


def test_labels_of_shards_and_captions_without(clean: Path, tmp_path: Path) -> None:
    (tmp_path / "labels.txt").write_text("banana\ncactus\n")
    both = shown(Tokenizer(), 32, pictures=20, classes=9, shards=[clean], labels=tmp_path / "labels.txt")
    assert both.labels == ("banana", "cactus")
    assert both.captions == ()
    with pytest.warns(Note, match=r"groups of captions stand for classes; .*labels.txt names some"):
        alone = shown(Tokenizer(), 32, pictures=20, classes=9, shards=[clean])
    assert alone.labels == ()
    assert len(alone.captions) > 20


def test_pictures_are_spread_over_the_shards(clean: Path) -> None:
    tars = sorted(clean.glob("*.tar"))
    assert len(tars) > 1
    images, captions, about = from_shards(tars, 32, pictures=24)
    looked = [s for tar in tars for s in list(samples([tar]))[: 4 * 24 // len(tars)]]
    assert captions == tuple(s.caption for s in looked)
    places = [round(k * (len(looked) - 1) / 23) for k in range(24)]
    for picture, place in zip(images, places, strict=True):
        expected = torch.from_numpy(decode(looked[place].picture, side=32)).permute(2, 0, 1)
        assert torch.equal(picture, expected)
    assert about["fingerprint"] == from_shards(tars, 32, pictures=24)[2]["fingerprint"]


def write_tar(path: Path, members: dict[str, bytes]) -> Path:
    with tarfile.open(path, "w") as tar:
        for name, body in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(body)
            tar.addfile(info, io.BytesIO(body))
    return path


def png(colour: int) -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (8, 8), (colour, colour, colour)).save(file, "PNG")
    return file.getvalue()


def test_captions_are_not_needed_and_bad_pictures_are_counted(tmp_path: Path) -> None:
    path = write_tar(tmp_path / "a.tar", {f"{k}.png": png(k) for k in range(12)})
    images, captions, _ = from_shards([path], 8, pictures=5)
    assert captions == ()
    assert [int(x) for x in images[:, 0, 0, 0]] == [0, 3, 6, 8, 11]
    broken = write_tar(tmp_path / "b.tar", {f"{k}.png": b"no picture" for k in range(4)})
    with pytest.raises(ShardError, match="corrupted picture"):
        from_shards([broken], 8, pictures=4)
    with pytest.raises(ShardError, match="no shards match"):
        from_shards([tmp_path / "none.tar"], 8, pictures=4)
