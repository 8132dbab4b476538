"""Too little memory or disk is said before anything starts, with the number and with what fits."""

import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from tutorial_lib import places
from tutorial_lib.data import picture_map
from tutorial_lib.data.scenes import EmojiScenes
from tutorial_lib.evidence.sweeps import run_figures
from tutorial_lib.notes import Note
from tutorial_lib.runs import room
from tutorial_lib.runs.room import memory_needed, require_room
from tutorial_lib.trials import Seeds, Trial

GIB = 1 << 30
LARGE = Trial(scenes=3_000_000)


@pytest.fixture
def machine(monkeypatch, tmp_path: Path):
    """A machine with so much memory and disk."""
    monkeypatch.setenv("TUTORIAL_SCENES", str(tmp_path / "scenes"))

    def has(memory: float, disk: float = 1000.0) -> None:
        monkeypatch.setattr(room, "memory_bytes", lambda: int(memory * GIB))
        usage = shutil.disk_usage(tmp_path)._replace(free=int(disk * GIB))
        monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)

    return has


def test_what_fits_is_begun_without_a_word(machine, recwarn) -> None:
    machine(memory=16)
    require_room([LARGE, Trial(scenes=1000), Trial()])
    require_room([])
    machine(memory=0)  # cannot be found out
    require_room([LARGE], jobs=50)
    assert not recwarn


def test_too_little_memory_is_said_with_what_fits(machine) -> None:
    machine(memory=2)
    with pytest.raises(
        MemoryError,
        match=r"3,000,000 scenes needs about 2\.4 GiB of memory, and there are 2\.0 GiB: up to 1,000,000 scenes fit$",
    ):
        require_room([Trial(scenes=1000), LARGE])
    require_room([Trial(scenes=100_000)])
    machine(memory=4)
    with pytest.raises(
        MemoryError, match=r"with 2 at a time 4\.8 GiB, .* 4\.0 GiB: up to .* scenes fit, or lower `jobs`"
    ):
        require_room([LARGE], jobs=2)
    machine(memory=0.1)
    with pytest.raises(MemoryError, match="not even 30,000 scenes fit"):
        require_room([Trial(scenes=100)])


def test_a_map_that_does_not_fit_into_memory_is_slow_and_not_refused(machine) -> None:
    machine(memory=8)
    with pytest.warns(Note, match=r"3,000,000 scenes, 8\.6 GiB, do not fit into memory beside the models"):
        require_room([LARGE])


def test_too_little_disk_is_said_with_what_fits(machine) -> None:
    machine(memory=16, disk=4)
    with pytest.raises(
        OSError, match=r"3,000,000 scenes take 8\.6 GiB more in .*scenes, and there are 3\.8 GiB: up to 1,"
    ):
        require_room([LARGE])
    require_room([Trial(scenes=1_000_000)])
    with pytest.raises(OSError, match="TUTORIAL_SCENES"):  # two maps
        require_room([Trial(scenes=1_000_000), Trial(scenes=1_000_000, seeds=Seeds(data=1))])


def test_data_sets_of_one_seed_take_one_map_and_what_is_there_counts(machine) -> None:
    machine(memory=16, disk=10)
    require_room([LARGE, replace(LARGE, scenes=2_000_000), replace(LARGE, seeds=Seeds(init=1))])
    path = EmojiScenes(3_000_000).map_in(places.scenes())
    path.parent.mkdir()
    with path.open("wb") as file:
        file.truncate(8 * GIB)  # a sparse file
    machine(memory=16, disk=1)
    require_room([LARGE])
    assert picture_map.room_needed(path, 3_000_000, 32) < 0.7 * GIB


def test_a_sweep_says_it_before_it_begins(machine, tmp_path: Path) -> None:
    machine(memory=2)
    with pytest.raises(MemoryError, match="3,000,000 scenes"):
        run_figures(["fig2_right"], "gpu", store=tmp_path / "runs", jobs=1, device="cpu")
    assert not (tmp_path / "runs").exists()
    plan = run_figures(["fig2_right"], "gpu", store=tmp_path / "runs", jobs=1, device="cpu", dry_run=True)
    assert plan.missing == plan.trials


def test_memory_grows_with_the_pairs() -> None:
    assert memory_needed(EmojiScenes(2_000_000)) - memory_needed(EmojiScenes(1_000_000)) == room.PAIR * 1_000_000
    small = memory_needed(EmojiScenes(200_000)) - memory_needed(EmojiScenes(100_000))
    assert small == 100_000 * (room.PAIR + 3 * 32 * 32)  # in memory
