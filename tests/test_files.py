"""Files appear whole or not at all, whatever happens to the disk."""

import errno
import os
import resource
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from tutorial_lib import files
from tutorial_lib.files import NotWrittenError, remove_stale, system_error, whole

STATE = {"a": torch.zeros(100_000), "b": torch.ones(300_000)}  # 1.6 MB


def test_a_file_takes_the_place_of_the_old_one(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_text("old")
    with whole(path) as part:
        part.write_text("new")
        assert path.read_text() == "old"
    assert path.read_text() == "new"
    assert os.listdir(tmp_path) == ["a.json"]


@pytest.mark.parametrize("alone", [False, True])
def test_after_an_error_the_old_one_is_there_and_nothing_else(tmp_path: Path, alone: bool) -> None:
    path = tmp_path / "a.json"
    path.write_text("old")
    for error in (KeyError("mine"), KeyboardInterrupt()):

        def half(part: Path, error: BaseException = error) -> None:
            part.write_text("half of")
            raise error

        with pytest.raises(type(error)), whole(path, alone=alone) as part:
            half(part)
    assert (os.listdir(tmp_path), path.read_text()) == (["a.json"], "old")


def test_what_a_killed_process_left_is_written_over(tmp_path: Path) -> None:
    (tmp_path / "a.pt.part").write_text("left" * 100)
    with whole(tmp_path / "a.pt", alone=True) as part:
        part.write_text("all")
    assert (os.listdir(tmp_path), (tmp_path / "a.pt").read_text()) == (["a.pt"], "all")


def write_text(part: Path) -> None:
    part.write_text("x" * 2_000_000)


def write_torch(part: Path) -> None:
    with part.open("wb") as file:
        torch.save(STATE, file)


def write_safetensors(part: Path) -> None:
    save_file(STATE, part)


WRITERS = pytest.mark.parametrize("write", [write_text, write_torch, write_safetensors])


@WRITERS
def test_a_file_that_grows_too_large_is_named(tmp_path: Path, write) -> None:
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (500_000, before[1]))
    try:
        with pytest.raises(NotWrittenError) as said, whole(tmp_path / "state") as part:
            write(part)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert str(said.value) == f"{tmp_path / 'state'} cannot be written: File too large"
    assert said.value.errno in files.FULL
    assert os.listdir(tmp_path) == []


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of one megabyte."""
    folder = tmp_path / "disk"
    folder.mkdir()
    made = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(folder)], capture_output=True)
    if made.returncode:
        pytest.skip("only root may mount a disk, and not everywhere")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


@WRITERS
def test_a_full_disk_is_one_line_and_left_empty(small_disk: Path, write) -> None:
    with pytest.raises(NotWrittenError) as said, whole(small_disk / "state") as part:
        write(part)
    assert str(said.value) == f"{small_disk / 'state'} cannot be written: No space left on device"
    assert os.listdir(small_disk) == []


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    begun = []
    with (
        pytest.raises(NotWrittenError, match="nowhere/a cannot be written: No such file"),
        whole(tmp_path / "nowhere/a"),
    ):
        begun.append("without a place to write to")
    assert not begun


def test_weights_may_be_read_by_those_who_read_other_files(tmp_path: Path) -> None:
    with whole(tmp_path / "a") as part:
        save_file(STATE, part)
    (tmp_path / "b").touch()
    assert (tmp_path / "a").stat().st_mode == (tmp_path / "b").stat().st_mode


def test_the_system_is_found_behind_an_error() -> None:
    try:
        try:
            raise OSError(errno.ENOSPC, "full")
        except OSError:
            raise RuntimeError("unexpected pos 2 vs 1")  # noqa: B904 - as PyTorch does it
    except RuntimeError as error:
        found = system_error(error)
    assert found is not None
    assert found.errno == errno.ENOSPC
    assert system_error(RuntimeError("something else")) is None
    assert system_error(OSError("without a number")) is None


def test_only_old_parts_are_removed(tmp_path: Path) -> None:
    for name in ("old.part", "new.part", "old.json"):
        (tmp_path / name).touch()
    for name in ("old.part", "old.json"):
        os.utime(tmp_path / name, (1e9, 1e9))
    assert remove_stale(tmp_path) == 1
    assert sorted(os.listdir(tmp_path)) == ["new.part", "old.json"]
