"""What is said of a model."""

from tests.models.published import CONFIG, VIT, small
from tutorial_lib import models
from tutorial_lib.models.inputs import Preprocessing
from tutorial_lib.models.properties import facts, has_quick_gelu, picture_side


def test_facts_are_those_of_the_config() -> None:
    model = models.build(VIT | {"quick_gelu": True, "preprocess_cfg": {"mean": [0.5, 0.5, 0.5]}})
    assert facts(model, models.Tokenizer(12)) == {
        "parameters": sum(p.numel() for p in model.parameters()),
        "side": 32,
        **(Preprocessing().as_dict() | {"mean": [0.5, 0.5, 0.5]}),
        "activation": "QuickGELU",
        "context_length": 12,
        "tokens": 49408,
    }
    assert "tokens" not in facts(model)


def test_towers_of_other_libraries_have_a_side_and_an_activation() -> None:
    tower = {"timm_model_name": "resnet10t", "timm_proj": "linear", "timm_pool": "", "image_size": 64}
    model = small(CONFIG | {"vision_cfg": tower})
    assert picture_side(model) == 64
    assert not has_quick_gelu(model)
    assert has_quick_gelu(small(quick=True))
