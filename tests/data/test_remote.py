"""Shards by address: fetched once, with the reader's own error where that fails."""

import functools
import http.server
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.data.tars import some_pairs
from tutorial_lib import places
from tutorial_lib.data import remote
from tutorial_lib.data.loading import read_pairs
from tutorial_lib.data.remote import FetchError, fetched, is_address
from tutorial_lib.data.shard_writer import write_pairs
from tutorial_lib.data.shards import ShardError, expand


@pytest.fixture
def shard(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("TUTORIAL_DATA", str(tmp_path / "data"))
    return write_pairs(tmp_path / "there", some_pairs())[0]


@pytest.fixture
def server(shard: Path) -> Iterator[tuple[str, list[str]]]:
    asked: list[str] = []

    class Handler(http.server.SimpleHTTPRequestHandler):
        def log_message(self, form: str, *args: object) -> None:
            asked.append(self.path)

    handler = functools.partial(Handler, directory=str(shard.parent))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as found:
        threading.Thread(target=found.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{found.server_port}", asked
        found.shutdown()


def test_a_shard_of_the_web_is_read_and_fetched_once(server: tuple[str, list[str]], shard: Path) -> None:
    address, asked = server
    for _ in range(2):
        assert read_pairs(f"{address}/{shard.name}").captions == some_pairs().captions
    assert asked == [f"/{shard.name}"]
    assert read_pairs(address + "/pairs-{00000..00000}.tar").keys == some_pairs().keys
    assert not list((places.data() / "fetched").glob("*.part"))


def test_a_command_of_ones_own_gives_a_shard(shard: Path) -> None:
    assert read_pairs(f"pipe:cat {shard}").keys == some_pairs().keys
    assert read_pairs(f"pipe:cat {shard} | cat").keys == some_pairs().keys


@pytest.mark.parametrize(
    ("address", "said"),
    [
        ("pipe:false", "pipe:false cannot be fetched|nothing came from"),
        ("pipe:true", "nothing came from pipe:true"),
        ("http://127.0.0.1:9/x.tar", "http://127.0.0.1:9/x.tar cannot be fetched|nothing came"),
        ("https://example.org/x'; touch y; '.tar", "is no part of an address"),
        ("s3://bucket/$(touch y)", "is no part of an address"),
    ],
)
def test_what_cannot_be_fetched_is_named(shard: Path, address: str, said: str) -> None:
    with pytest.raises(FetchError, match=said):
        fetched(address)
    with pytest.raises(ShardError, match=said):
        expand([address])
    assert not list(places.data().rglob("*.part"))
    assert not Path("y").exists()


def test_addresses_that_webdataset_lacks_are_said_in_its_words() -> None:
    assert remote._for_webdataset("s3://bucket/0.tar") == "pipe:aws s3 cp 's3://bucket/0.tar' -"
    hub = "https://huggingface.co/datasets/owner/name/resolve/main/train/0.tar"
    assert remote._for_webdataset("hf://datasets/owner/name/train/0.tar") == hub
    assert remote._for_webdataset("https://example.org/0.tar") == "https://example.org/0.tar"


def test_paths_are_no_addresses() -> None:
    assert not any(map(is_address, ("a.tar", "/a/b.tar", "a:b.tar", "c:/x.tar", "httpx/0.tar", "~/x.tar")))
