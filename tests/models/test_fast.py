"""The fast path computes what open_clip computes: outputs and gradients, in double precision."""

import copy
import warnings

import pytest
import torch
from open_clip.modified_resnet import AttentionPool2d
from torch import nn

from tutorial_lib import models
from tutorial_lib.models import fast
from tutorial_lib.models.fast import NotCompiledWarning, OneQueryPool, SmallConv2d, compiled, encode_text, small_maps
from tutorial_lib.models.tokenizer import Tokenizer


def outcome(module: nn.Module, x: torch.Tensor) -> dict[str, torch.Tensor]:
    module.zero_grad()
    x = x.clone().requires_grad_()
    y = module(x)
    (y * torch.arange(y.numel(), dtype=y.dtype).view_as(y).sin()).sum().backward()
    return {"output": y.detach(), "input": x.grad} | {name: p.grad for name, p in module.named_parameters()}


def agree(module: nn.Module, x: torch.Tensor, *, kind: type[nn.Module]) -> None:
    fast = copy.deepcopy(module)
    expected = outcome(module, x)
    with small_maps(fast):
        assert any(type(m) is kind for m in fast.modules())
        found = outcome(fast, x)
    assert expected.keys() == found.keys()
    for name in expected:
        torch.testing.assert_close(found[name], expected[name], rtol=1e-9, atol=1e-9, msg=name)


@pytest.mark.parametrize("side", [1, 2, 3, 4])
@pytest.mark.parametrize(("kernel", "padding", "stride"), [(1, 0, 1), (3, 1, 1), (3, 1, 2), (3, 0, 1)])
def test_convolutions(side: int, kernel: int, padding: int, stride: int) -> None:
    if side + 2 * padding < kernel:
        pytest.skip("the kernel is larger than the padded map")
    torch.manual_seed(side)
    layer = nn.Sequential(nn.Conv2d(5, 7, kernel, stride=stride, padding=padding, bias=False)).double()
    for memory in (torch.contiguous_format, torch.channels_last):
        x = torch.randn(3, 5, side, side, dtype=torch.float64).contiguous(memory_format=memory)
        agree(layer, x, kind=SmallConv2d)


def test_convolutions_with_bias_groups_or_oblong_maps_are_left_alone() -> None:
    torch.manual_seed(0)
    for layer in (
        nn.Conv2d(4, 4, 1),
        nn.Conv2d(4, 4, 1, groups=2, bias=False),
        nn.Conv2d(4, 4, 3, padding=1, bias=False),
    ):
        agree(nn.Sequential(layer).double(), torch.randn(2, 4, 1, 2, dtype=torch.float64), kind=SmallConv2d)


@pytest.mark.parametrize("side", [1, 2, 7])
def test_the_attention_pool(side: int) -> None:
    torch.manual_seed(side)
    pool = nn.Sequential(AttentionPool2d(side, 24, 3, 10)).double()
    nn.init.normal_(pool[0].k_proj.bias)
    nn.init.normal_(pool[0].v_proj.bias)
    agree(pool, torch.randn(4, 24, side, side, dtype=torch.float64), kind=OneQueryPool)


@pytest.mark.parametrize("name", ["tiny-rn", "rn-5m"])
def test_a_whole_tower_and_it_is_as_it_was_afterwards(name: str) -> None:
    tower = models.build(name, models.tokenizer_for(models.model_config(name), ["a"])).visual.double().train()
    kinds = [type(m) for m in tower.modules()]
    agree(tower, torch.randn(4, 3, 32, 32, dtype=torch.float64), kind=OneQueryPool)
    with pytest.raises(RuntimeError, match="stop"), small_maps(tower):
        raise RuntimeError("stop")
    assert [type(m) for m in tower.modules()] == kinds


@pytest.mark.parametrize("layers", [1, 3])
def test_the_text_tower(layers: int) -> None:
    texts = ["a cat", "a very small dog!", "two birds and one more thing than fits", "!"]
    config = models.model_config("tiny-rn")
    config["text_cfg"] |= {"layers": layers}
    tokenizer = Tokenizer.for_texts(texts, context_length=config["text_cfg"]["context_length"])
    model = models.build(config, tokenizer, seed=1).double()
    for parameter in model.transformer.parameters():
        torch.nn.init.normal_(parameter, std=0.3, generator=torch.Generator().manual_seed(0))
    tokens = tokenizer(texts)
    short = tokens[:, : int(tokens.argmax(1).max()) + 1]
    weight = torch.randn(len(texts), 128, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    found = []
    for embed, text in (
        (lambda t: model.encode_text(t, normalize=True), tokens),
        (lambda t: encode_text(model, t), short),
    ):
        model.zero_grad()
        points = embed(text)
        (points * weight).sum().backward()
        gradients = {n: p.grad.clone() for n, p in model.named_parameters() if p.grad is not None}
        found.append((points.detach(), gradients))
    torch.testing.assert_close(found[1][0], found[0][0], rtol=1e-9, atol=1e-9)
    assert found[0][1].keys() == found[1][1].keys()
    for name, expected in found[0][1].items():
        wanted = expected[: short.shape[1]] if name == "positional_embedding" else expected
        assert torch.allclose(found[1][1][name][: len(wanted)], wanted, rtol=1e-8, atol=1e-9), name


def test_a_text_tower_of_another_kind_takes_open_clip_s_way() -> None:
    config = models.model_config("tiny-rn")
    config["text_cfg"] |= {"pool_type": "last"}
    model = models.build(config, Tokenizer.for_texts(["a cat"], context_length=16)).eval()
    text = torch.randint(1, model.vocab_size, (3, 16))
    assert torch.equal(encode_text(model, text), model.encode_text(text, normalize=True))


@pytest.fixture
def tower() -> nn.Module:
    model = models.build("tiny-rn", Tokenizer(16), seed=0).double()
    for block in model.visual.modules():
        if isinstance(block, nn.BatchNorm2d):
            nn.init.uniform_(block.weight)  # blocks start with a zero
    return model


def test_a_compiled_tower_gives_the_same_outputs_and_gradients(tower: nn.Module) -> None:
    x = torch.randn(4, 3, 32, 32, dtype=torch.float64)
    expected = outcome(tower.visual, x)
    with small_maps(tower), fast._compiled(tower.visual, "aot_eager"):
        found = outcome(tower.visual, x)
    for name in expected:
        torch.testing.assert_close(found[name], expected[name], rtol=1e-8, atol=1e-8, msg=name)
    assert tower.visual._compiled_call_impl is None


def test_without_a_compiler_the_model_runs_as_it_is_with_one_warning(tower: nn.Module) -> None:
    def broken(graph, inputs):
        raise RuntimeError("no such GPU")

    x = torch.randn(2, 3, 32, 32, dtype=torch.float64)
    expected = tower.visual(x)
    with fast._compiled(tower.visual, broken):
        with pytest.warns(NotCompiledWarning, match=r"runs as it is.*no such GPU"):
            found = tower.visual(x)
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            again = tower.visual(x)
    torch.testing.assert_close(found, expected)
    torch.testing.assert_close(again, expected)


def test_on_a_cpu_nothing_is_compiled(tower: nn.Module) -> None:
    with compiled(tower, torch.device("cpu"), 1_000_000):
        assert tower.visual._compiled_call_impl is None
