"""A memory map of pictures: made once, continued, and mended where it is damaged."""

import errno
import json
import multiprocessing
import os
import resource
import shutil
from pathlib import Path

import pytest
import torch

from tutorial_lib.data import picture_map
from tutorial_lib.data.picture_map import mapped, room_needed
from tutorial_lib.files import NotWrittenError
from tutorial_lib.notes import Note

SIDE = 4
EACH = 3 * SIDE * SIDE


def picture(number: int) -> torch.Tensor:
    return torch.full((3, SIDE, SIDE), number % 251, dtype=torch.uint8)


class Drawing:
    """Draws and counts."""

    def __init__(self) -> None:
        self.drawn: list[int] = []

    def __call__(self, these: range) -> torch.Tensor:
        self.drawn += these
        return torch.stack([picture(i) for i in these])


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch):
    monkeypatch.setattr(picture_map, "BLOCK", 5)


@pytest.fixture
def draw() -> Drawing:
    return Drawing()


def right(found: torch.Tensor, count: int) -> bool:
    return torch.equal(found, torch.stack([picture(i) for i in range(count)]))


def test_a_map_is_made_once_and_serves_fewer_and_is_continued_for_more(tmp_path: Path, draw: Drawing) -> None:
    path = tmp_path / "new" / "a.map"
    assert room_needed(path, 12, SIDE) == 15 * EACH
    assert right(mapped(path, 12, SIDE, "numbers", draw), 12)
    assert draw.drawn == list(range(15))  # whole blocks
    assert right(mapped(path, 7, SIDE, "numbers", draw), 7)
    assert right(mapped(path, 15, SIDE, "numbers", draw), 15)
    assert len(draw.drawn) == 15
    assert right(mapped(path, 16, SIDE, "numbers", draw), 16)
    assert draw.drawn == list(range(20))
    assert path.stat().st_size == 20 * EACH
    assert room_needed(path, 20, SIDE) == 0


def test_what_is_written_into_the_tensor_does_not_reach_the_map(tmp_path: Path, draw: Drawing) -> None:
    found = mapped(tmp_path / "a.map", 5, SIDE, "numbers", draw)
    found[0] = 200
    assert found[0].unique().item() == 200
    assert right(mapped(tmp_path / "a.map", 5, SIDE, "numbers", draw), 5)


def cut(path: Path) -> None:
    with path.open("r+b") as file:
        file.truncate(6 * EACH)


def flip(path: Path) -> None:
    with path.open("r+b") as file:
        file.seek(7 * EACH)
        file.write(b"\xff")


def gone(path: Path) -> None:
    path.unlink()


@pytest.mark.parametrize(("damage", "redrawn"), [(cut, range(5, 15)), (flip, range(5, 10)), (gone, range(15))])
def test_a_damaged_block_is_drawn_anew(tmp_path: Path, draw: Drawing, damage, redrawn) -> None:
    path = tmp_path / "a.map"
    mapped(path, 15, SIDE, "numbers", draw)
    draw.drawn.clear()
    damage(path)
    with pytest.warns(Note, match=rf"{len(redrawn) // 5} of 3 blocks of .*a\.map are damaged: drawn anew"):
        assert right(mapped(path, 15, SIDE, "numbers", draw), 15)
    assert draw.drawn == list(redrawn)
    draw.drawn.clear()
    assert right(mapped(path, 15, SIDE, "numbers", draw), 15)
    assert draw.drawn == []


def test_a_damaged_note_makes_the_map_anew(tmp_path: Path, draw: Drawing) -> None:
    mapped(tmp_path / "a.map", 5, SIDE, "numbers", draw)
    (tmp_path / "a.json").write_text("{")
    assert right(mapped(tmp_path / "a.map", 5, SIDE, "numbers", draw), 5)
    assert len(draw.drawn) == 10
    assert json.loads((tmp_path / "a.json").read_text())["made"] == "numbers"


def test_a_map_of_other_pictures_is_refused(tmp_path: Path, draw: Drawing) -> None:
    mapped(tmp_path / "a.map", 5, SIDE, "numbers", draw)
    with pytest.raises(ValueError, match=r"a\.map holds other pictures \(numbers; these are letters\): remove it"):
        mapped(tmp_path / "a.map", 5, SIDE, "letters", draw)


def test_a_killed_process_leaves_blocks_to_go_on_from(tmp_path: Path, draw: Drawing) -> None:
    def stop(these: range) -> torch.Tensor:
        if these.start == 10:
            raise KeyboardInterrupt
        return draw(these)

    with pytest.raises(KeyboardInterrupt):
        mapped(tmp_path / "a.map", 15, SIDE, "numbers", stop)
    assert right(mapped(tmp_path / "a.map", 15, SIDE, "numbers", draw), 15)
    assert draw.drawn == list(range(15))


def test_a_disk_that_is_too_small_is_named_before_anything_is_drawn(tmp_path: Path, draw: Drawing, monkeypatch) -> None:
    free = shutil.disk_usage(tmp_path)._replace(free=10 * EACH)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: free)
    with pytest.raises(NotWrittenError, match=r"a\.map cannot be written: 0\.0 GB more are needed there, and 0\.0 GB"):
        mapped(tmp_path / "a.map", 15, SIDE, "numbers", draw)
    assert draw.drawn == []


def test_a_disk_that_is_full_in_the_middle_is_named_and_what_is_there_is_kept(tmp_path: Path, draw: Drawing) -> None:
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (7 * EACH, before[1]))
        with pytest.raises(NotWrittenError, match=r"a\.map cannot be written: File too large") as found:
            mapped(tmp_path / "a.map", 15, SIDE, "numbers", draw)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert found.value.errno == errno.EFBIG
    draw.drawn.clear()
    assert right(mapped(tmp_path / "a.map", 15, SIDE, "numbers", draw), 15)
    assert draw.drawn[0] == 5


@pytest.mark.skipif(os.geteuid() == 0, reason="nothing is forbidden to root")
def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path, draw: Drawing) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(NotWrittenError, match="Permission denied"):
        mapped(tmp_path / "a.map", 5, SIDE, "numbers", draw)


def _make(path: Path) -> None:
    picture_map.BLOCK = 5
    mapped(path, 30, SIDE, "numbers", Drawing())


def test_two_processes_make_one_map(tmp_path: Path, draw: Drawing) -> None:
    context = multiprocessing.get_context("fork")
    both = [context.Process(target=_make, args=(tmp_path / "a.map",)) for _ in range(2)]
    for process in both:
        process.start()
    for process in both:
        process.join(60)
    assert [process.exitcode for process in both] == [0, 0]
    assert right(mapped(tmp_path / "a.map", 30, SIDE, "numbers", draw), 30)
    assert draw.drawn == []
