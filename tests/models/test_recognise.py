"""What a checkpoint seems to be that is no CLIP of open_clip."""

from __future__ import annotations

import tarfile
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from tests.models.published import CONFIG, small
from tutorial_lib import models
from tutorial_lib.models import CheckpointError, architecture
from tutorial_lib.models.recognise import difference, fitting, foreign, kind_of, other_file, seeming

CLIP = list(architecture.shapes(CONFIG))
VISUAL = [name for name in CLIP if name.startswith("visual.")]
TEXT = [name for name in CLIP if not name.startswith("visual.") and name != "logit_scale"]


@pytest.mark.parametrize(
    ("names", "said"),
    [
        (VISUAL, "the picture tower of a CLIP alone"),
        ([*VISUAL, "logit_scale"], "the picture tower of a CLIP alone"),
        ([name.removeprefix("visual.") for name in VISUAL], "the picture tower of a CLIP, or another network"),
        (TEXT, "the text tower of a CLIP alone"),
        (["vision_model.embeddings.class_embedding", "text_model.final_layer_norm.weight"], "a CLIP of Hugging Face"),
        (["vision_model.embeddings.class_embedding"], "one tower of a CLIP of Hugging Face"),
        (["vision_model.head.probe", "text_model.head.bias", "logit_bias"], "a SigLIP model of Hugging Face"),
        ([*CLIP, "logit_bias"], "a SigLIP model"),
        ([*CLIP, "text_decoder.ln_final.weight"], "a CoCa model"),
        ([*VISUAL, "text.transformer.embeddings.word_embeddings.weight"], "a model with a text tower of Hugging Face"),
        (["image_encoder.model.patch_embed.0.rbr_conv.0.conv.weight"], "a MobileCLIP in Apple's own form"),
        ([*VISUAL, "head.weight", "head.bias"], "a classifier that `clean --method supervised` saved: give its folder"),
        (["base.q_proj.lora_A.weight"], r"an adapter \(LoRA\)"),
        (["layer1.0.conv1.weight", "fc.weight"], "a network for pictures without a text tower"),
        (["cls_token", "blocks.0.attn.qkv.weight"], "a network for pictures without a text tower"),
    ],
)
def test_kinds_are_told_by_their_names(names: list[str], said: str, tmp_path: Path) -> None:
    save_file({name: torch.zeros(1) for name in names}, tmp_path / "other.safetensors")
    with pytest.raises(CheckpointError, match=rf"other.safetensors seems to hold {said}"):
        models.load(tmp_path / "other.safetensors")
    with pytest.raises(CheckpointError, match=rf"another architecture: .*; they seem to be {said}"):
        models.load(tmp_path / "other.safetensors", "tiny-rn")


def test_a_larger_vocabulary_is_another_tokenizer() -> None:
    found = architecture.shapes(CONFIG)
    assert foreign(found) == ""
    assert foreign(found | {"token_embedding.weight": (49409, 32)}).startswith("a model with a tokenizer of 49,409")
    assert "seem to be a model with a tokenizer" in seeming(found | {"token_embedding.weight": (49409, 32)})


def test_a_clip_and_an_unknown_network_are_none_of_these() -> None:
    assert kind_of(CLIP) == ""
    assert kind_of(["weight"]) == ""
    assert seeming({"weight": (1,)}) == "they fit no config of the course or of open_clip (1 tensor: 'weight')"


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("tiny-rn", ["tiny-rn"]),
        ("ViT-B-32", ["ViT-B-32", "ViT-B-32-quickgelu"]),
        ("convnext_base", ["convnext_base"]),
    ],
)
def test_configs_are_found_by_shapes(name: str, expected: list[str]) -> None:
    found = architecture.shapes(architecture.model_config(name))
    assert fitting(found) == expected
    pruned = found | {"token_embedding.weight": (500, found["token_embedding.weight"][1])}
    assert fitting(pruned) == expected
    assert fitting(pruned | {"text_projection": (3,)}) == []
    assert seeming(found).startswith(f"they are those of {name}")


def test_differences_are_named() -> None:
    expected = {"a": (2, 3), "b": (), "c.num_batches_tracked": ()}
    assert difference(expected, {"a": (2, 3), "b": ()}) == ""
    assert difference(expected, {"a": (2, 3), "b": (1,)}) == "b is 1 and not one number"
    assert difference(expected, {}) == "a is missing, and 1 more"
    assert difference(expected, {"a": (2, 3), "b": (), "x": (1,), "y": ()}) == "'x' is unknown, and 1 more"


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "is empty: fetch it again"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:ab\nsize 3\n", "is a pointer of Git LFS"),
        (b"\n <!DOCTYPE html><html>", "is a web page, not weights"),
        (b"<html>404</html>", "is a web page"),
        (b'<?xml version="1.0"?><Error><Code>AccessDenied', "is a web page"),
        (b'{"error": "Repository not found"}', "is JSON, not weights"),
        (b"\x1f\x8b\x08", "is compressed with gzip"),
        (b"\x89HDF\r\n", "is an HDF5 file"),
        (b"\x93NUMPY", "is a NumPy array"),
        (b"PK\x03\x04" + b"x" * 100, "ends early: fetch it again"),
        (b"PAR1", "is no file of weights"),
        (b"\x80\x02}q\x00.", "is a pickle, but not one of torch.save"),
    ],
)
def test_files_of_other_kinds_are_refused_by_name(content: bytes, said: str, tmp_path: Path) -> None:
    (tmp_path / "w.pt").write_bytes(content)
    with pytest.raises(CheckpointError, match=rf"w.pt {said}"):
        models.load(tmp_path / "w.pt", "tiny-rn")


def test_an_archive_of_files_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("x", "utf-8")
    with tarfile.open(tmp_path / "w.tar", "w") as archive:
        archive.add(tmp_path / "a.txt")
    assert other_file(tmp_path / "w.tar") == "is a tar archive: unpack it"
    torch.save(small().state_dict(), tmp_path / "w.pt")
    assert other_file(tmp_path / "w.pt") == ""
