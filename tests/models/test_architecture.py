"""Configs: what is known, what is refused, and by which words."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import open_clip
import pytest
import torch

from tests.models.published import CONFIG, VIT, embedded
from tutorial_lib import models
from tutorial_lib.models import architecture
from tutorial_lib.models.architecture import check_config, config_of, known_configs, model_config, unsupported
from tutorial_lib.models.fast import encode_text


@pytest.mark.parametrize("name", known_configs())
def test_every_config_that_is_offered_is_accepted(name: str) -> None:
    check_config(model_config(name))


def test_configs_are_those_of_open_clip_but_for_what_is_refused() -> None:
    theirs = set(open_clip.list_models())
    refused = theirs - set(known_configs())
    assert len(known_configs()) > 100
    assert all(unsupported(open_clip.get_model_config(name)) for name in refused)
    kinds = {unsupported(open_clip.get_model_config(name)).split(":")[0].split(" '")[0] for name in refused}
    assert kinds == {
        "a SigLIP model",
        "a CoCa model",
        "a model with the text tower",
        "a model with the tokenizer",
    }


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("ViT-B-16-SigLIP", "'ViT-B-16-SigLIP' is a SigLIP model: its sigmoid loss and its own tokenizer"),
        ("coca_ViT-B-32", "'coca_ViT-B-32' is a CoCa model: its captioning loss"),
        ("roberta-ViT-B-32", "the text tower 'roberta-base' of Hugging Face"),
        ("ViT-L-14-CLIPA", "the tokenizer 'bert-base-uncased', and only CLIP's own is supported"),
        ("hf-hub:laion/x", "there is no model config 'hf-hub:laion/x'"),
        ("RN5O", "there is no model config 'RN5O'"),
    ],
)
def test_what_cannot_be_honoured_is_refused_by_name(name: str, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        model_config(name)


def changed(**parts: Any) -> dict[str, Any]:
    """The small config with other values; `vision__width` stands for the width within."""
    config = copy.deepcopy(CONFIG)
    for name, value in parts.items():
        tower, _, inner = name.partition("__")
        if inner:
            config[f"{tower}_cfg"][inner] = value
        else:
            config[name] = value
    return config


@pytest.mark.parametrize(
    ("config", "said"),
    [
        ([1], "an object of names and values is needed"),
        ({}, "embed_dim is missing"),
        ({"embed_dim": 16}, "vision_cfg is missing"),
        (changed(embed_dim="16"), "embed_dim is a whole number, not '16'"),
        (changed(embed_dim=True), "embed_dim is a whole number, not True"),
        (changed(embed_dim=0), "embed_dim is 0, not within 1 and"),
        (changed(vision_cfg=[]), r"vision_cfg is an object, not \[\]"),
        (changed(text_cfg="ViT"), "text_cfg is an object"),
        (changed(quick_gelu="yes"), "quick_gelu is true or false"),
        (changed(depth=3), "it has no field 'depth'"),
        (changed(vision__depth=3), "vision_cfg has no field 'depth'"),
        (changed(text__width="32"), "text_cfg has width '32', a value of the wrong type"),
        (changed(text__width=None), "text_cfg has width None"),
        (changed(text__layers=10**9), "text_cfg.layers is 1000000000, not within 1 and 256"),
        (changed(text__width=-4), "text_cfg.width is -4"),
        (changed(text__heads=3), "text_cfg has width 32, which 3 heads do not divide"),
        (changed(text__context_length=2), "context_length below 3"),
        (changed(vision__layers=[1, 1, 1]), "vision_cfg has layers .*wrong type"),
        (changed(vision__layers=[1, 1, 1, "1"]), "vision_cfg has layers .*wrong type"),
        (changed(vision__head_width=24), "vision_cfg has width 256, which heads of width 24 do not divide"),
        (changed(vision__image_size=33), "a ResNet's is a multiple of 32"),
        (changed(vision__image_size=[32, 64]), "32 x 64, and pictures are square here"),
        (changed(vision__timm_model_name="local-dir:/tmp"), "a picture tower 'local-dir:/tmp' that timm does not have"),
        (changed(vision__timm_model_name="resnet5O"), "a picture tower 'resnet5O' that timm does not have"),
        (changed(text__norm_kwargs={"elementwise_affine": False}), "text_cfg has norm_kwargs .* eps can be set"),
        (changed(preprocess_cfg={"std": [0, 1, 1]}), "std of pictures is three positive numbers"),
        (changed(preprocess_cfg=3), "preprocess_cfg is an object"),
        (VIT | {"vision_cfg": {"image_size": 32, "layers": 1, "patch_size": None}}, "no patch_size"),
        (VIT | {"vision_cfg": {"image_size": 4, "layers": 1, "patch_size": 8}}, "smaller than patches of 8"),
        (VIT | {"vision_cfg": {"width": 30, "layers": 1}}, "width 30, which heads of width 64 do not divide"),
    ],
)
def test_what_is_no_config_is_said_in_one_line(config: Any, said: str, tmp_path: Path) -> None:
    (tmp_path / "c.json").write_text(json.dumps(config), "utf-8")
    with pytest.raises(ValueError, match=rf"c.json does not describe an open_clip model: .*{said}") as error:
        model_config(tmp_path / "c.json")
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (changed(init_logit_bias=-10), "c.json describes a SigLIP model"),
        (changed(multimodal_cfg={}), "c.json describes a CoCa model"),
        (changed(text__hf_model_name="bert"), "the text tower 'bert' of Hugging Face"),
        (changed(text__hf_tokenizer_name="bert"), "the tokenizer 'bert'"),
        (changed(text__pool_type="last"), "has pool_type 'last', and only 'argmax' is supported"),
        (changed(text__embed_cls=True), "has embed_cls True"),
        (changed(vision__output_tokens=True), "picture tower also gives tokens"),
        ({"model_type": "clip", "vision_config": {}}, "a config of Hugging Face transformers .'clip'."),
    ],
)
def test_other_kinds_are_refused_by_name(change: Any, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        config_of(change, "c.json")


@pytest.mark.parametrize("text", ["{", "[" * 100_000, "1" * 5000, '"\\ud800"x'])
def test_damaged_json_is_named(text: str, tmp_path: Path) -> None:
    (tmp_path / "c.json").write_text(text, "utf-8")
    with pytest.raises(ValueError, match=r"c.json is damaged"):
        model_config(tmp_path / "c.json")


def test_json_of_other_programs_is_read(tmp_path: Path) -> None:
    (tmp_path / "bom.json").write_text(json.dumps(CONFIG), "utf-8-sig")
    assert model_config(tmp_path / "bom.json") == CONFIG
    (tmp_path / "hub.json").write_text(
        json.dumps({"model_cfg": CONFIG, "preprocess_cfg": {"mean": [0, 0, 0]}}), "utf-8"
    )
    assert model_config(tmp_path / "hub.json") == CONFIG | {"preprocess_cfg": {"mean": [0, 0, 0]}}


def test_shapes_are_those_of_the_built_model() -> None:
    built = {name: tuple(tensor.shape) for name, tensor in models.build(CONFIG).state_dict().items()}
    assert architecture.shapes(CONFIG) == built


def test_what_open_clip_cannot_build_is_said() -> None:
    with pytest.raises(ValueError, match="open_clip cannot build what the config describes"):
        models.build(changed(vision__layers="many"))


def test_no_weights_are_fetched_for_a_tower(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = {}

    def clip(**config: Any) -> None:
        asked.update(config["vision_cfg"])
        raise TypeError("stop")

    monkeypatch.setattr(open_clip, "CLIP", clip)
    with pytest.raises(ValueError, match="stop"):
        models.build(changed(vision__timm_model_name="resnet10t", vision__timm_model_pretrained=True))
    assert asked["timm_model_pretrained"] is False


def test_towers_with_custom_text_are_open_clips() -> None:
    """open_clip has another class for these configs, with the same arithmetic; some see later words too."""
    text = CONFIG["text_cfg"] | {"no_causal_mask": True}
    config = CONFIG | {"text_cfg": text}
    theirs = open_clip.model.CustomTextCLIP(**config).eval()
    ours = models.build(config).eval()
    state = {k.removeprefix("text."): v for k, v in theirs.state_dict().items()}
    ours.load_state_dict(state)
    assert torch.equal(embedded(ours), embedded(theirs))
    tokens = models.Tokenizer(12)(["a small dog"])
    with torch.no_grad():
        quick, slow = encode_text(ours, tokens[:, :5]), theirs.encode_text(tokens, normalize=True)
    torch.testing.assert_close(quick, slow)


def test_architectures_are_compared_without_their_vocabulary() -> None:
    assert architecture.same_architecture(CONFIG, changed(text__vocab_size=500, text__context_length=20))
    assert not architecture.same_architecture(CONFIG, changed(text__width=64))
    assert not architecture.same_architecture(CONFIG, changed(quick_gelu=True))
    assert not architecture.full_vocabulary(changed(text__vocab_size=500))
