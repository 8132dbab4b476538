"""open_clip's weights: from the cache, from a server, or one line where there is none."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
import torch

from tests.models.published import embedded, small
from tutorial_lib import models
from tutorial_lib.models import CheckpointError
from tutorial_lib.models import clip as reading
from tutorial_lib.models import fetch as module
from tutorial_lib.models.fetch import fetch, unreachable

NOWHERE = "http://localhost:9"


@pytest.fixture
def server() -> Iterator[str]:
    """A server that knows nothing."""

    class Nothing(BaseHTTPRequestHandler):
        def do_HEAD(self) -> None:
            self.send_error(404)

        def log_message(self, *_: object) -> None: ...

    here = HTTPServer(("localhost", 0), Nothing)
    threading.Thread(target=here.serve_forever, daemon=True).start()
    yield f"http://localhost:{here.server_port}"
    here.shutdown()


@pytest.fixture(autouse=True)
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module.constants, "ENDPOINT", NOWHERE)
    monkeypatch.setattr(module, "try_to_load_from_cache", lambda *_: None)


def test_a_server_that_answers_is_reachable(server: str) -> None:
    assert unreachable(server) == ""
    assert unreachable(NOWHERE).startswith("no connection to localhost:9 (")
    assert unreachable("") == "no connection to a server (unknown url type: '')"


def test_without_a_network_one_line_says_so() -> None:
    said = "the weights 'openai' of RN50 could not be fetched: no connection to localhost:9 .*give the file or folder"
    with pytest.raises(CheckpointError, match=said):
        models.load("RN50", pretrained="openai")
    with pytest.raises(CheckpointError, match=said):
        models.pretrained("openai", "RN50")


def test_what_is_in_the_cache_is_not_fetched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def cached(repository: str, file: str) -> str | None:
        asked.append((repository, file))
        return str(tmp_path / file) if file.endswith(".bin") else None

    monkeypatch.setattr(module, "try_to_load_from_cache", cached)
    about = {"hf_hub": "timm/resnet50_clip.openai/"}
    assert fetch(about, "w") == tmp_path / "open_clip_pytorch_model.bin"
    assert asked[0] == ("timm/resnet50_clip.openai", "open_clip_model.safetensors")
    assert fetch({"hf_hub": "apple/x/own.bin"}, "w") == tmp_path / "own.bin"


def test_a_failure_of_the_network_is_said(server: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(about: object) -> None:
        raise RuntimeError("connection\n reset")

    monkeypatch.setattr(module, "download_pretrained", fails)
    with pytest.raises(CheckpointError, match="w could not be fetched: connection reset"):
        fetch({"url": f"{server}/w.pt"}, "w")


@pytest.mark.parametrize("quick", [True, False])
def test_what_open_clip_knows_of_its_weights_is_kept(
    quick: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its config "RN50" lacks quick_gelu and its tag "openai" has it; a tag may have another mean."""
    model = small(models.model_config("tiny-rn"), quick=quick)
    torch.save(model.state_dict(), tmp_path / "w.pt")
    about = {"url": "u", "quick_gelu": quick, "mean": (0.5,) * 3, "std": (0.5,) * 3, "interpolation": "bilinear"}
    monkeypatch.setattr(reading, "get_pretrained_cfg", lambda name, tag: about if tag == "mine" else {})
    monkeypatch.setattr(reading, "fetch", lambda about, what: tmp_path / "w.pt")
    read = models.read("tiny-rn", pretrained="mine")
    facts = models.facts(read.model, read.tokenizer)
    assert facts["interpolation"] == "bilinear"
    assert facts["activation"] == ("QuickGELU" if quick else "GELU")
    assert facts["mean"] == [0.5, 0.5, 0.5]
    tokenizer = models.Tokenizer(16)
    assert torch.equal(embedded(read.model, tokenizer), embedded(model, tokenizer))
    models.save(tmp_path / "m", read.model, read.config, read.tokenizer)
    again = models.read(tmp_path / "m")
    assert models.facts(again.model, again.tokenizer) == facts


@pytest.mark.parametrize(
    ("path", "options", "said"),
    [
        ("RN50", {"pretrained": "openia"}, "open_clip has no weights 'openia' of RN50; it has openai, yfcc15m, cc12m"),
        ("RN5O", {"pretrained": "openai"}, "there is no model config 'RN5O'"),
        ("ViT-B-16-SigLIP", {"pretrained": "webli"}, "is a SigLIP model"),
        ("RN50", {"pretrained": "openai", "model": "RN50"}, "leave `model` out"),
        ("tests", {"pretrained": "openai"}, "is a checkpoint of its own"),
        ("RN50", {}, "no checkpoint at RN50; for open_clip's RN50 name weights with `pretrained`: openai, yfcc15m"),
        ("ViT-e-14", {}, "no checkpoint at ViT-e-14; open_clip has no weights of ViT-e-14"),
        ("openai", {}, "no checkpoint at openai; for open_clip's weights 'openai' name the architecture too: RN50"),
        ("hf-hub:laion/x", {}, "fetch it first, and give the folder or the file"),
    ],
)
def test_names_that_cannot_be_honoured(
    path: str, options: dict[str, str], said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(Path(__file__).parents[2])
    with pytest.raises((CheckpointError, ValueError), match=said):
        models.load(path, **options)
