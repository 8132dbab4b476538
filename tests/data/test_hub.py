"""Fetching from a hub that fails in every way, and CC3M's script on the layout of its mirror."""

import io
import os
import shutil
import tarfile
from collections import namedtuple

import huggingface_hub.constants
import pytest
from PIL import Image

from data_scripts import cc3m
from tests.data.hub_server import serving
from tutorial_lib.data import hub
from tutorial_lib.data.hub import HubError
from tutorial_lib.data.loading import read_pairs

REPO = cc3m.REPO


def shard(first: int, count: int = 3) -> bytes:
    """A WebDataset shard with pictures, captions and json, as the mirror has them."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        for number in range(first, first + count):
            picture = io.BytesIO()
            Image.effect_noise((40, 30), 90).convert("RGB").save(picture, "JPEG")
            for suffix, body in (("jpg", picture.getvalue()), ("txt", f"a thing {number}".encode()), ("json", b"{}")):
                info = tarfile.TarInfo(f"{number:09d}.{suffix}")
                info.size = len(body)
                tar.addfile(info, io.BytesIO(body))
    return out.getvalue()


@pytest.fixture
def server(monkeypatch):
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_DOWNLOAD_TIMEOUT", 1)
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_DISABLE_XET", True)
    monkeypatch.setattr(huggingface_hub.constants, "DOWNLOAD_CHUNK_SIZE", 1024)  # 10 MB, more than a shard here
    files = {f"cc3m-train-{i:04d}.tar": shard(10 * i) for i in range(4)}
    files |= {"cc3m-validation-0000.tar": shard(100), "README.md": b"about"}
    with serving(files, REPO) as made:
        yield made


def run(server, out, *words) -> int:
    return cc3m.main(["--out", str(out), "--endpoint", server.address, "--jobs", "2", *words])


def fetched(server) -> list[str]:
    return sorted(path for path, _ in server.gets)


def test_a_dry_run_says_how_much_and_fetches_nothing(server, tmp_path, capsys):
    assert run(server, tmp_path, "--dry-run") == 0
    said = capsys.readouterr().out
    assert "train: 4 shards" in said
    assert "validation: 1 shards" in said
    assert "4 to fetch" in said
    assert fetched(server) == []
    assert list(tmp_path.iterdir()) == []


def test_shards_arrive_whole_where_the_library_looks_for_them(server, tmp_path, monkeypatch):
    assert run(server, tmp_path) == 0
    monkeypatch.setenv("TUTORIAL_DATA", str(tmp_path))
    pairs = read_pairs(tmp_path / "cc3m", side=16)
    assert len(pairs) == 12
    assert pairs.captions[-1] == "a thing 32"
    assert len(read_pairs(tmp_path / "cc3m-validation", side=16)) == 3
    sums = (tmp_path / "cc3m" / hub.SUMS).read_text().splitlines()
    assert [line.split("  ")[1] for line in sums] == [f"cc3m-train-{i:04d}.tar" for i in range(4)]
    assert run(server, tmp_path, "--verify") == 0


def test_what_is_there_is_not_fetched_again(server, tmp_path):
    assert run(server, tmp_path, "--split", "train", "--shards", "2") == 0
    assert fetched(server) == ["cc3m-train-0000.tar", "cc3m-train-0001.tar"]
    assert run(server, tmp_path, "--split", "train", "--shards", "3") == 0
    assert fetched(server)[2:] == ["cc3m-train-0002.tar"]


def test_a_connection_that_breaks_is_taken_up_where_it_was(server, tmp_path):
    server.cut["cc3m-train-0001.tar"] = 2
    assert run(server, tmp_path, "--split", "train") == 0
    asked = [first for path, first in server.gets if path == "cc3m-train-0001.tar"]
    assert asked[0] == 0
    assert len(asked) == 3
    assert 0 < asked[1] < asked[2]
    assert (tmp_path / "cc3m" / "cc3m-train-0001.tar").read_bytes() == server.files["cc3m-train-0001.tar"]


def test_a_server_that_hangs_is_asked_again(server, tmp_path):
    server.slow["cc3m-train-0000.tar"] = 2.5
    assert run(server, tmp_path, "--split", "train", "--shards", "1") == 0
    assert len(server.gets) >= 2


def test_a_shard_that_is_gone_does_not_stop_the_others(server, tmp_path, capsys):
    server.gone.add("cc3m-train-0002.tar")
    assert run(server, tmp_path, "--split", "train") == 1
    assert "cc3m-train-0002.tar could not be fetched" in capsys.readouterr().err
    assert sorted(hub.checked(tmp_path / "cc3m")) == [f"cc3m-train-000{i}.tar" for i in (0, 1, 3)]
    server.gone.clear()
    assert run(server, tmp_path, "--split", "train") == 0
    assert len(hub.checked(tmp_path / "cc3m")) == 4


def test_a_wrong_checksum_is_tried_once_more_and_then_named(server, tmp_path, capsys):
    path = "cc3m-train-0003.tar"
    changed = bytearray(server.files[path])
    changed[700] ^= 1
    server.announced[path] = bytes(changed)
    assert run(server, tmp_path, "--split", "train") == 1
    assert f"{path} has a wrong SHA-256 after 2 tries" in capsys.readouterr().err
    assert not (tmp_path / "cc3m" / path).exists()
    assert len(hub.checked(tmp_path / "cc3m")) == 3
    assert fetched(server).count(path) == 2


def test_a_truncated_shard_on_disk_is_found(server, tmp_path, capsys):
    assert run(server, tmp_path, "--split", "train") == 0
    broken = tmp_path / "cc3m" / "cc3m-train-0001.tar"
    half = broken.stat().st_size // 1024 * 512
    for size, said in ((half + 100, "is truncated"), (half, "")):
        os.truncate(broken, size)
        assert run(server, tmp_path, "--split", "train", "--verify") == 1
        assert f"cc3m-train-0001.tar {said}" in capsys.readouterr().err
    broken.unlink()
    assert run(server, tmp_path, "--split", "train", "--verify") == 1
    assert "cc3m-train-0001.tar was fetched once and is gone" in capsys.readouterr().err
    assert run(server, tmp_path, "--split", "train") == 0  # fetched anew
    assert run(server, tmp_path, "--split", "train", "--verify") == 0


def test_too_little_space_is_said_before_the_first_byte(server, tmp_path, monkeypatch, capsys):
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage(10, 10, 5))
    assert run(server, tmp_path, "--split", "train") == 2
    assert "GiB free" in capsys.readouterr().err
    assert fetched(server) == []


def test_a_hub_that_is_not_there_is_named(tmp_path, server, capsys):
    assert cc3m.main(["--out", str(tmp_path), "--endpoint", server.address + "/nowhere", "--dry-run"]) == 2
    assert f"the list of files of {REPO} could not be fetched" in capsys.readouterr().err
    assert run(server, tmp_path / "typo", "--verify") == 2
    assert "there are no shards in" in capsys.readouterr().err
    with pytest.raises(HubError, match=r"has no file that matches x-\*"):
        hub.files(REPO, ["x-*"], endpoint=server.address)
