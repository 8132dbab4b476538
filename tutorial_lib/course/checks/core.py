"""How a check of an exercise works: it tries the reader's answer and says in one sentence what is wrong."""

from __future__ import annotations

import functools
import html
import math
import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

__all__ = ["Feedback"]  # what readers see of it; the other modules import the rest by name


@dataclass(frozen=True)
class Feedback:
    """What a check found: whether the answer is right, and a sentence."""

    right: bool
    sentence: str

    def __str__(self) -> str:
        return ("Right. " if self.right else "Not yet: ") + self.sentence

    __repr__ = __str__

    def _repr_html_(self) -> str:
        word = "Right." if self.right else "Not yet:"
        return f'<p class="check"><strong>{word}</strong> {html.escape(self.sentence)}</p>'


#: What a reader wrote: a function, whose arguments and result a check documents.
Answer = Callable[..., Any]


class WrongError(Exception):
    """An answer is wrong; the message is the sentence."""


def checked(praise: str) -> Callable[[Callable[..., None]], Callable[..., Feedback]]:
    """A check from a function that raises `WrongError` where an answer is wrong; what else it raises is the answer's.

    Args:
        praise: what a right answer has understood.
    """

    def wrap(check: Callable[..., None]) -> Callable[..., Feedback]:
        @functools.wraps(check)
        def run(answer: Any, *args: Any) -> Feedback:
            try:
                check(answer, *args)
            except WrongError as error:
                return Feedback(False, str(error))
            except Exception as error:  # the reader's code may raise anything
                line = _line(error, answer)
                return Feedback(False, f"{type(error).__name__}{line}: {error}")
            return Feedback(True, praise)

        return run

    return wrap


def _line(error: Exception, answer: Any) -> str:
    """Where in the reader's function an error arose."""
    code = getattr(answer, "__code__", None)
    for frame in reversed(traceback.extract_tb(error.__traceback__)):
        if code is not None and frame.name == code.co_name and frame.filename == code.co_filename:
            return f" in line {(frame.lineno or 0) - code.co_firstlineno + 1} of your function"
    return ""


def given(found: Any, what: str = "your function") -> Any:
    """What the reader returned.

    Raises:
        WrongError: it is nothing.
    """
    if found is None or found is ...:
        raise WrongError(f"{what} returns nothing; replace the three dots and return the result.")
    return found


def number(found: Any, what: str = "your function") -> float:
    """A finite number from what the reader returned.

    Raises:
        WrongError: it is nothing, not a number, or not finite.
    """
    found = given(found, what)
    if isinstance(found, Tensor):
        if found.numel() != 1:
            raise WrongError(f"{what} returns a tensor of shape {tuple(found.shape)}; one number is asked for.")
        found = found.item()
    if isinstance(found, str):
        raise WrongError(f"{what} returns a text; one number is asked for.")
    try:
        value = float(found)
    except (TypeError, ValueError):
        raise WrongError(f"{what} returns a {type(found).__name__}; one number is asked for.") from None
    if not math.isfinite(value):
        raise WrongError(f"{what} returns {value}; are large numbers exponentiated, or is something divided by zero?")
    return value


def tensor(found: Any, shape: tuple[int, ...], what: str = "your function") -> Tensor:
    """A tensor of a shape from what the reader returned.

    Raises:
        WrongError: it is nothing, no tensor, or of another shape.
    """
    found = given(found, what)
    if isinstance(found, np.ndarray):
        found = torch.from_numpy(found)
    if not isinstance(found, Tensor):
        raise WrongError(f"{what} returns a {type(found).__name__}; a tensor of shape {shape} is asked for.")
    if tuple(found.shape) != shape:
        raise WrongError(f"{what} returns a tensor of shape {tuple(found.shape)}; {shape} is asked for.")
    return found.detach()


def same(
    found: float | Tensor, expected: float | Tensor, mistakes: Mapping[str, Any] | None = None, *, rel: float = 1e-4
) -> None:
    """Compare an answer with the right one.

    Args:
        found: what the reader returned.
        expected: the right answer.
        mistakes: sentences about well-known wrong answers, each with what it gives here.
        rel: relative tolerance.

    Raises:
        WrongError: they differ; with the sentence of the mistake that gives the same.
    """
    if _close(found, expected, rel):
        return
    for sentence, value in (mistakes or {}).items():
        if _close(found, value, rel):
            raise WrongError(sentence)
    if isinstance(found, Tensor) and isinstance(expected, Tensor):
        at = int((found.double() - expected.double()).abs().argmax())
        here, there = found.flatten()[at].item(), expected.flatten()[at].item()
        raise WrongError(
            f"for the inputs of this check the result differs, most at entry {at}: {here:.4g}, not {there:.4g}."
        )
    raise WrongError(f"for the inputs of this check the result is {found:.6g}, and {expected:.6g} is right.")


def _close(found: Any, expected: Any, rel: float) -> bool:
    if isinstance(found, Tensor) != isinstance(expected, Tensor):
        return False
    if isinstance(found, Tensor):
        return found.shape == expected.shape and torch.allclose(found.double(), expected.double(), rtol=rel, atol=1e-6)
    return math.isclose(found, expected, rel_tol=rel, abs_tol=1e-6)


def unchanged(before: Tensor, after: Tensor, what: str) -> None:
    """Raises WrongError if the reader's function wrote into what it was given."""
    if not torch.equal(before, after):
        raise WrongError(f"your function changes the {what} that it is given; work on a copy (`.clone()`).")


def unit(*shape: int, seed: int = 0) -> Tensor:
    """Random embeddings of length 1, in double precision."""
    random = torch.Generator().manual_seed(seed)
    return torch.nn.functional.normalize(torch.randn(*shape, generator=random, dtype=torch.float64), dim=-1)
