"""The same results with fewer operations. What is computed does not change, up to rounding.

At 32 pixels the last stages of a CLIP ResNet see maps of 2x2 and 1x1 pixels, where a convolution is a matrix product,
and most of a 3x3 kernel falls on padding. The attention pool asks for one token only, and the keys and values of its
mean token are the means of the others'. Of the text tower's last block, only the end-of-text token is read.
"""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import open_clip
import torch
import torch.nn.functional as F
from open_clip.modified_resnet import AttentionPool2d
from open_clip.transformer import ResidualAttentionBlock
from torch import Tensor, nn

#: Maps of at most so many pixels are multiplied as matrices where the kernel is 1x1.
SMALL = 4
#: Steps of a run from which on compiling is worth its minute.
WORTH_COMPILING = 10_000


class NotCompiledWarning(UserWarning):
    """A model is trained without compiled kernels, since they cannot be had."""


class SmallConv2d(nn.Conv2d):
    """A convolution that is a matrix product where the map is small.

    Example:
        >>> layer, x = SmallConv2d(8, 8, 3, padding=1, bias=False), torch.rand(4, 8, 2, 2)
        >>> torch.allclose(layer(x), nn.Conv2d.forward(layer, x), atol=1e-5)
        True
    """

    def forward(self, x: Tensor) -> Tensor:
        n, _, height, width = x.shape
        plain = self.stride == (1, 1) and self.groups == 1 and self.bias is None
        if plain and self.kernel_size == (1, 1) and height * width <= SMALL:
            rows = x.permute(0, 2, 3, 1).reshape(n * height * width, -1)
            y = F.linear(rows, self.weight.flatten(1))
            return y.view(n, height, width, -1).permute(0, 3, 1, 2)
        if plain and self.kernel_size == (3, 3) and self.padding == (1, 1) and (height, width) == (2, 2):
            rows = x.permute(0, 2, 3, 1).reshape(n, -1)  # (N, 4 C)
            return F.linear(rows, _dense(self.weight)).view(n, 2, 2, -1).permute(0, 3, 1, 2)
        return super().forward(x)


def _dense(kernel: Tensor) -> Tensor:
    """A padded 3x3 kernel on a 2x2 map as a matrix from (pixel, channel) to (pixel, channel), shape (4 O, 4 I)."""
    rows = []
    for out in range(4):
        y, x = 1 - out // 2, 1 - out % 2  # the tap that lies on the first pixel
        rows.append(kernel[:, :, y : y + 2, x : x + 2].permute(0, 2, 3, 1).flatten(1))  # (O, 4 I)
    return torch.cat(rows)


class OneQueryPool(AttentionPool2d):  # type: ignore[misc]  # open_clip has no types
    """Attention pooling whose products with keys and values leave out the mean token.

    Token 0 is the mean of the others, and a linear map of a mean is the mean of the maps; positions are added apart.

    Example:
        >>> pool, x = OneQueryPool(2, embed_dim=8, num_heads=2), torch.rand(4, 8, 2, 2)
        >>> torch.allclose(pool(x), AttentionPool2d.forward(pool, x), atol=1e-5)
        True
    """

    def forward(self, x: Tensor) -> Tensor:
        n, channels = x.shape[:2]
        heads = self.num_heads
        tokens = x.flatten(2).transpose(1, 2)  # (N, T, C)
        place = self.positional_embedding.to(tokens.dtype)  # (T + 1, C)
        weight = torch.cat([self.k_proj.weight, self.v_proj.weight])
        bias = torch.cat([self.k_proj.bias, self.v_proj.bias])
        own = F.linear(tokens, weight)  # (N, T, 2 C)
        both = torch.cat([own.mean(1, keepdim=True), own], 1) + F.linear(place, weight, bias)
        key, value = both.view(n, -1, 2, heads, channels // heads).unbind(2)  # (N, T + 1, heads, C / heads)
        query = self.q_proj(tokens.mean(1) + place[0]).view(n, 1, heads, -1)
        scores = (query * key).sum(-1) * (channels // heads) ** -0.5  # (N, T + 1, heads)
        pooled = (scores.softmax(1)[..., None] * value).sum(1)
        out: Tensor = self.c_proj(pooled.flatten(1))
        return out


@contextlib.contextmanager
def small_maps(model: nn.Module) -> Iterator[None]:
    """Let a model compute in this way in the block; its weights and their names stay.

    Example:
        >>> layer = nn.Conv2d(4, 4, 1, bias=False)
        >>> x = torch.ones(1, 4, 2, 2)
        >>> with torch.no_grad(), small_maps(layer):
        ...     quick = layer(x)
        >>> torch.allclose(quick, layer(x), atol=1e-6)
        True
    """
    swaps: dict[type[nn.Module], type[nn.Module]] = {nn.Conv2d: SmallConv2d, AttentionPool2d: OneQueryPool}
    changed = [(m, type(m)) for m in model.modules() if type(m) in swaps]
    for module, kind in changed:
        module.__class__ = swaps[kind]
    try:
        yield
    finally:
        for module, kind in changed:
            module.__class__ = kind


@contextlib.contextmanager
def compiled(model: nn.Module, device: torch.device, steps: int, *, backend: Any = "inductor") -> Iterator[None]:
    """Let the picture tower run as compiled kernels in the block where that pays: on a GPU and in a long run.

    Where the compiler cannot be had (an older GPU, no Triton), one warning is shown and the model runs as it is. An
    error of the compiler in the backward pass is not caught: the forward pass has been compiled by then.

    Args:
        model: with a picture tower `visual`; others are left alone.
        steps: of the run; compiling takes about a minute.
        backend: of `torch.compile`.

    Example:
        >>> from tutorial_lib import models
        >>> clip, _ = models.load(models.CHECKPOINTS / "clean")
        >>> with compiled(clip, torch.device("cpu"), steps=20_000):  # on a CPU it runs as it is
        ...     clip.visual(torch.zeros(1, 3, 32, 32)).shape
        torch.Size([1, 128])
    """
    tower = getattr(model, "visual", None)
    if tower is None or device.type != "cuda" or steps < WORTH_COMPILING or torch.distributed.is_initialized():
        yield  # processes that share a batch exchange tensors within the tower, which breaks a compiled one apart
        return
    with _compiled(tower, backend):
        yield


@contextlib.contextmanager
def _compiled(tower: nn.Module, backend: Any) -> Iterator[None]:
    from torch._dynamo.exc import TorchDynamoException  # the compiler takes a second to import

    plain: Callable[..., Any] = tower._call_impl
    quick = torch.compile(plain, backend=backend)

    def call(*args: Any, **kwargs: Any) -> Any:
        try:
            return quick(*args, **kwargs)
        except TorchDynamoException as error:
            reason = " ".join(str(error).split())[:200]
            message = f"the model cannot be compiled here and runs as it is: {reason}"
            warnings.warn(message, NotCompiledWarning, stacklevel=2)
            tower._compiled_call_impl = None
            return plain(*args, **kwargs)

    tower._compiled_call_impl = call  # what nn.Module.compile sets
    try:
        yield
    finally:
        tower._compiled_call_impl = None


def encode_text(model: open_clip.CLIP, text: Tensor) -> Tensor:
    """Normalised text embeddings, shape (N, d), as open_clip's `encode_text` gives them.

    Args:
        model: with a text tower of any kind; towers of other kinds than the course's take open_clip's own way.
        text: token ids, shape (N, L); L may be less than the context length, since padding has no effect.

    Example:
        >>> from tutorial_lib import models
        >>> model, tokenizer = models.load(models.CHECKPOINTS / "clean")
        >>> tokens = tokenizer(["a banana"])
        >>> torch.allclose(encode_text(model, tokens), model.encode_text(tokens, normalize=True), atol=1e-5)
        True
    """
    *earlier, last = model.transformer.resblocks
    length = text.shape[1]
    usual = (
        type(last) is ResidualAttentionBlock
        and model.transformer.batch_first
        and model.attn_mask is not None
        and model.text_pool_type == "argmax"
        and isinstance(model.text_projection, nn.Parameter)
    )
    if not usual:
        embedded: Tensor = model.encode_text(F.pad(text, (0, model.context_length - length)), normalize=True)
        return embedded
    x = model.token_embedding(text) + model.positional_embedding[:length]
    for block in earlier:
        x = block(x, attn_mask=model.attn_mask[:length, :length])
    x = model.ln_final(_one_token(last, x, text.argmax(dim=-1)))
    return F.normalize(x @ model.text_projection, dim=-1)


def _one_token(block: ResidualAttentionBlock, x: Tensor, position: Tensor) -> Tensor:
    """What a causal block gives at one position (N,) of each text, from its tokens (N, L, C), shape (N, C)."""
    n, length, width = x.shape
    attention, rows = block.attn, torch.arange(n, device=x.device)
    heads = attention.num_heads
    h = block.ln_1(x)
    own, others = attention.in_proj_weight.split([width, 2 * width])
    own_bias, other_bias = attention.in_proj_bias.split([width, 2 * width])
    query = F.linear(h[rows, position], own, own_bias).view(n, 1, heads, -1)
    key, value = F.linear(h, others, other_bias).view(n, length, 2, heads, width // heads).unbind(2)
    scores = (query * key).sum(-1) * (width // heads) ** -0.5  # (N, L, heads)
    later = torch.arange(length, device=x.device) > position[:, None]
    weight = scores.masked_fill(later[..., None], float("-inf")).softmax(1)
    pooled = (weight[..., None] * value).sum(1).flatten(1)  # (N, C)
    x = x[rows, position] + block.ls_1(attention.out_proj(pooled))
    out: Tensor = x + block.ls_2(block.mlp(block.ln_2(x)))
    return out
