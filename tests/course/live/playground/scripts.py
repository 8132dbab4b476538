"""What the tests of the playground's scripts share: bytes and numbers to and from JavaScript, and its world."""

from __future__ import annotations

import base64
import functools
from typing import Any

import numpy as np
import torch

from tutorial_lib.course.live.playground import engine
from tutorial_lib.course.live.playground.world import for_page, pictures, world

Json = dict[str, Any]

#: Helpers of the functions that tests hand over: a model of some rows, and bytes from and to base64.
HELPERS = """
const { lib } = course, bytes = (text) => Uint8Array.from(Buffer.from(text, "base64"));
const floats = (array) => Buffer.from(array.buffer, array.byteOffset, array.byteLength).toString("base64");
const model = ({ code, words, rows }) => new lib.Clip(
  code ? lib.fastProducts(bytes(code), lib.memoryOf(words, rows)) : lib.plainProducts(), words, rows);
"""


def ask(body: str, given: Json) -> Any:
    """What the body of a function of `given` returns."""
    return engine.ask(f"(given) => {{ {HELPERS} {body} }}", given)


def code(fast: bool = True) -> str | None:
    """The assembled loop, or nothing, which asks for plain JavaScript."""
    return base64.b64encode(engine.assembled()).decode() if fast else None


def floats(text: str) -> torch.Tensor:
    return torch.from_numpy(np.frombuffer(base64.b64decode(text), "<f4").copy())


def coded(array: np.ndarray) -> str:
    return base64.b64encode(array.tobytes()).decode()


def numbers(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal(shape, dtype=np.float32)


@functools.cache
def page_world() -> Json:
    """The page's world with the pictures themselves."""
    pixels = pictures(world()).permute(0, 2, 3, 1).contiguous().numpy()
    return {**for_page(world()), "pixels": coded(pixels)}
