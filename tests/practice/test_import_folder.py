"""The folder of an import: nothing of another is touched, nothing half-written has a final name."""

import errno
import json
import tarfile
from pathlib import Path

import pytest

from tutorial_lib.data.sources.found import Reasons
from tutorial_lib.practice.import_folder import PART, ImportFolder, Progress

ASKED = {"side": 32, "fingerprint": "f"}


def write(out: Path, shards: int, finish: bool = True, resume: bool = True) -> Progress:
    with ImportFolder(out, resume=resume) as folder:
        progress = folder.begin(ASKED)
        for i in range(len(progress.shards), shards):
            folder.add(f"{i}", {"txt": b"a dog"})
            progress.position += 2
            progress.left.note("without a caption", f"{i}.jpg")
            progress.measure(3 + i, 9 - i)
            folder.complete(progress, [bytes([i]) * 16])
        if finish:
            folder.finish({"pairs": progress.pairs}, progress, ("dog", "café"))
    return progress


def test_shards_appear_when_all_are_complete(tmp_path: Path) -> None:
    out = tmp_path / "out"
    write(out, 2, finish=False)
    assert [p.name for p in out.iterdir()] == [PART]
    assert not list(out.rglob("*.tar"))
    progress = write(out, 3)
    assert sorted(p.name for p in out.iterdir()) == [
        "import.json",
        "labels.txt",
        "pairs-00000.tar",
        "pairs-00001.tar",
        "pairs-00002.tar",
        "sizes.json",
    ]
    assert progress.position == 6
    assert progress.left == Reasons({"without a caption": (3, "0.jpg")})
    assert progress.sizes == (3, 7, 5, 9)
    assert (out / "labels.txt").read_text("utf-8") == "dog\ncafé\n"
    with tarfile.open(out / "pairs-00002.tar") as tar:
        assert tar.getnames() == ["2.txt"]


def test_duplicates_are_remembered(tmp_path: Path) -> None:
    write(tmp_path, 2, finish=False)
    with ImportFolder(tmp_path) as folder:
        folder.begin(ASKED)
        assert folder.digests == {bytes(16), b"\1" * 16}


def test_a_journal_that_was_cut_is_read_up_to_there(tmp_path: Path) -> None:
    write(tmp_path, 2, finish=False)
    journal = tmp_path / PART / "journal"
    journal.write_bytes(journal.read_bytes()[:-5])
    progress = write(tmp_path, 2)
    assert progress.shards == {"pairs-00000.tar": 1, "pairs-00001.tar": 1}


def test_two_at_a_time_are_refused(tmp_path: Path) -> None:
    with ImportFolder(tmp_path / "out"), pytest.raises(ValueError, match="another import writes to"):
        ImportFolder(tmp_path / "out").__enter__()
    assert not (tmp_path / "out").exists()


def test_an_interrupted_import_of_other_things_is_kept(tmp_path: Path) -> None:
    write(tmp_path, 1, finish=False)
    with ImportFolder(tmp_path) as folder, pytest.raises(ValueError, match="it had another side"):
        folder.begin(ASKED | {"side": 8})
    assert write(tmp_path, 2).pairs == 2
    assert write(tmp_path, 1, resume=False).pairs == 1
    assert len(list(tmp_path.glob("*.tar"))) == 1


def test_a_record_that_is_damaged(tmp_path: Path) -> None:
    write(tmp_path, 1)
    (tmp_path / "import.json").write_text("{")
    with ImportFolder(tmp_path) as folder, pytest.raises(ValueError, match=r"import.json is damaged: `resume=False`"):
        folder.finished(ASKED)


def test_an_error_leaves_nothing(tmp_path: Path) -> None:
    def fail() -> None:
        with ImportFolder(tmp_path / "a" / "out") as folder:
            folder.begin(ASKED)
            folder.add("1", {"txt": b"a dog"})
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert not (tmp_path / "a" / "out").exists()


def test_a_full_disk_names_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    write(tmp_path, 1, finish=False)
    with ImportFolder(tmp_path) as folder:
        folder.begin(ASKED)
        monkeypatch.setattr(tarfile.TarFile, "addfile", full)
        monkeypatch.setattr(tarfile.TarFile, "close", full)
        with pytest.raises(OSError, match=r"No space left on device: .*pairs-00001.tar.part"):
            folder.add("1", {"txt": b"a dog"})
    monkeypatch.undo()
    assert not list((tmp_path / PART).glob("*.part"))
    assert write(tmp_path, 2).pairs == 2


def test_a_folder_that_cannot_be_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(Path, "mkdir", refuse)
    with pytest.raises(ValueError, match="out cannot be written: Permission denied"):
        ImportFolder(tmp_path / "out").__enter__()


def test_what_is_kept_says_what_was_asked(tmp_path: Path) -> None:
    write(tmp_path, 1)
    assert json.loads((tmp_path / "import.json").read_text("utf-8")) == {"asked": ASKED, "result": {"pairs": 1}}
    with ImportFolder(tmp_path) as folder:
        assert folder.finished(ASKED) == {"pairs": 1}
