"""Published photographs to shards: parts, labels, captions, licences; killed and called again, it goes on."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.practice.photo_makers import CLASSES, cifar_files, coco, flickr8k, photos, put
from tutorial_lib.cli.data import PHOTOS
from tutorial_lib.data.decoding import decode
from tutorial_lib.data.shards import ShardError, samples
from tutorial_lib.practice import import_folder
from tutorial_lib.practice.photos import SETS, folder_of, look_at_photos, open_photos, write_photos

TRAIN, TEST = photos(60, seed=3), photos(12, seed=4)
NAMES = [name.replace("_", " ") for name in CLASSES]


@pytest.fixture
def cifar(tmp_path: Path) -> Path:
    return put(tmp_path / "downloads", cifar_files(TRAIN, TEST, fine=True))


def test_cifar_becomes_three_folders(cifar: Path, tmp_path: Path) -> None:
    done = write_photos("cifar100", cifar, tmp_path / "data", shard_size=25)
    found = {part: list(samples(tmp_path / "data" / folder_of("cifar100", part))) for part in done.parts}  # type: ignore[arg-type]
    assert [*found] == ["train", "validation", "test"]
    assert len(found["train"]) + len(found["validation"]) == len(TRAIN)
    by_pixels = {photo.pixels.tobytes(): photo.label for photo in (*TRAIN, *TEST)}
    for part, some in found.items():
        folder = tmp_path / "data" / folder_of("cifar100", part)  # type: ignore[arg-type]
        assert (folder / "labels.txt").read_text().splitlines() == NAMES
        for sample in some:
            number = by_pixels[decode(sample.picture).tobytes()]
            assert (sample.label, sample.meta["label"], sample.suffix) == (number, NAMES[number], "webp")
            assert NAMES[number] in sample.caption
    assert len({decode(s.picture).tobytes() for some in found.values() for s in some}) == len(TRAIN) + len(TEST)
    notice = (tmp_path / "data" / "cifar100.LICENCE.txt").read_text()
    assert "do not publish the shards" in notice
    assert "Krizhevsky (2009)" in notice
    said = str(done)
    assert said.startswith("CIFAR-100 (Krizhevsky (2009), Learning multiple layers of features). Licence: its author")
    assert f"test: 12 pairs in 1 shard: {tmp_path / 'data' / 'cifar100-test'}" in said
    assert "next: tutorial run fig2_right fig3 --profile photos --dry-run" in said
    assert json.loads(json.dumps(done.as_dict()))["parts"]["test"]["pairs"] == 12


def test_an_interrupted_call_goes_on_and_a_finished_one_is_found(
    cifar: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = write_photos("cifar100", cifar, tmp_path / "whole", shard_size=10)
    complete, calls = import_folder.ImportFolder.complete, []

    def stop(self: import_folder.ImportFolder, *arguments: object) -> None:
        complete(self, *arguments)  # type: ignore[arg-type]
        calls.append(1)
        if len(calls) == 2:
            raise KeyboardInterrupt

    monkeypatch.setattr(import_folder.ImportFolder, "complete", stop)
    with pytest.raises(KeyboardInterrupt):
        write_photos("cifar100", cifar, tmp_path / "again", shard_size=10)
    again = write_photos("cifar100", cifar, tmp_path / "again", shard_size=10)
    assert again.parts["train"].resumed == 20  # type: ignore[union-attr]
    for part in whole.parts.values():
        for shard in part.shards:  # type: ignore[union-attr]
            other = Path(str(shard).replace("whole", "again"))
            assert other.read_bytes() == Path(shard).read_bytes()
    assert "was there already" in str(write_photos("cifar100", cifar, tmp_path / "again", shard_size=10))


def test_captions_keep_the_files_of_the_pictures(tmp_path: Path) -> None:
    some = photos(20, sides=(30, 24), captions=3)
    source = flickr8k(tmp_path / "in", some, validation=3, test=2)
    done = write_photos("flickr8k", source, tmp_path / "out")
    found = list(samples(tmp_path / "out" / "flickr8k"))
    assert len(found) == 3 * 15
    assert {s.picture for s in found} == {photo.encoded("JPEG") for photo in some[5:]}
    assert {s.caption for s in found} == {caption for photo in some[5:] for caption in photo.captions}
    assert len({s.key for s in found}) == len(found)
    assert not (tmp_path / "out" / "flickr8k" / "labels.txt").exists()
    assert "non-commercial research" in str(done)
    assert f"next: tutorial train {tmp_path / 'out' / 'flickr8k'} --out MODEL" in str(done)
    write_photos("flickr8k", source, tmp_path / "first", captions="first", side=16, limit=4)
    some_first = list(samples(tmp_path / "first" / "flickr8k"))
    assert len(some_first) == 4
    assert {decode(s.picture).shape for s in some_first} == {(16, 16, 3)}
    assert all(s.caption.startswith("caption 0") for s in some_first)


def test_a_dry_run_counts_and_writes_nothing(cifar: Path, tmp_path: Path) -> None:
    before = sorted(tmp_path.rglob("*"))
    found = look_at_photos("cifar100", cifar)
    assert sorted(tmp_path.rglob("*")) == before
    assert (found.out, found.problem) == ("", "")
    assert found.parts["train"].pairs + found.parts["validation"].pairs == len(TRAIN)
    said = str(found)
    assert "Licence: its author states no licence" in said
    assert "classes: 4 (airplane, sea otter, maple tree, cat)" in said
    assert "32x32 PNG" in said
    assert found.as_dict()["parts"]["test"]["total"] == 12


def test_pictures_that_are_gone_stop_it(tmp_path: Path) -> None:
    source = coco(tmp_path / "in", photos(30, captions=2), photos(6, seed=5, captions=2))
    for picture in sorted((source / "val2017").iterdir())[:2]:
        picture.unlink()
    problem = look_at_photos("coco", source).problem
    assert problem.startswith("test: 4 of 12 pairs, more than 1%, cannot be used: 4 whose picture is not in")
    with pytest.raises(ShardError, match="4 of 12 pairs"):
        write_photos("coco", source, tmp_path / "out")
    done = write_photos("coco", source, tmp_path / "out", skip_bad=0.4)
    assert done.parts["test"].pairs == 8
    assert "left out: 4 whose picture is not in" in str(done)


def test_every_data_set_has_a_licence_and_is_a_command() -> None:
    assert tuple(SETS) == PHOTOS
    for known in SETS.values():
        assert "belong to their owners" in known.licence
    with pytest.raises(ValueError, match="there is no data set 'mnist'; choose from cifar10, cifar100"):
        open_photos("mnist", Path())
