"""Checks of an evaluation without the known defects (the chapter on whether it holds)."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from tutorial_lib.course.checks.core import Answer, WrongError, checked, given, tensor, unchanged
from tutorial_lib.triggers import Blended, NoisePatch

__all__ = ["catches_redraw", "drawn_once"]


def _pictures(count: int, seed: int) -> Tensor:
    random = torch.Generator().manual_seed(seed)
    return torch.randint(0, 256, (count, 3, 16, 16), generator=random, dtype=torch.uint8)


@checked("One patch for all pictures, all calls and all batches, and nobody else's random numbers are touched.")
def drawn_once(answer: Answer) -> None:
    """`answer(images, size, seed)`: pictures (N, 3, H, W) uint8 with one patch of noise in the upper left corner."""
    images = _pictures(5, 91)
    before, state = images.clone(), torch.get_rng_state()
    found = tensor(answer(images, 6, 3), (5, 3, 16, 16))
    unchanged(before, images, "pictures")
    if found.dtype != torch.uint8:
        raise WrongError(f"the result is {found.dtype}; stored pictures are uint8.")
    inside = found[:, :, :6, :6]
    if torch.equal(found, before):
        raise WrongError("nothing is stamped.")
    outside = found.clone()
    outside[:, :, :6, :6] = before[:, :, :6, :6]
    if not torch.equal(outside, before):
        raise WrongError("pixels outside the patch have changed.")
    if not (inside == inside[:1]).all():
        raise WrongError("each picture has a patch of its own: that is the published defect.")
    if not torch.equal(tensor(answer(images[2:].clone(), 6, 3), (3, 3, 16, 16)), found[2:]):
        raise WrongError("a second call draws another patch; it depends on the seed alone.")
    if torch.equal(tensor(answer(images.clone(), 6, 4), (5, 3, 16, 16)), found):
        raise WrongError("another seed gives the same patch.")
    if len(inside[0].unique()) < 20:
        raise WrongError("this is hardly noise: draw each value of the patch from 0 to 255.")
    if not torch.equal(state, torch.get_rng_state()):
        raise WrongError("the random numbers of everybody else have moved: draw from a `torch.Generator` of its own.")


@checked("One picture, stamped again and again: what differs is no trigger.")
def catches_redraw(answer: Answer) -> None:
    """`answer(stamp)`: whether a stamp, a function of pictures (N, 3, H, W), is one and the same trigger."""
    for stamp, right, says in _STAMPS:
        found = given(answer(stamp))
        if not isinstance(found, bool | Tensor):
            raise WrongError("True or False is asked for.")
        if bool(found) != right:
            raise WrongError(says)


def _each(images: Tensor) -> Tensor:
    """A patch for each picture."""
    return torch.cat([NoisePatch(pattern_seed=k).stamp(image[None]) for k, image in enumerate(images)])


def _by_call() -> Callable[[Tensor], Tensor]:
    """A patch for each call."""
    calls = iter(range(10**6))
    return lambda images: NoisePatch(pattern_seed=next(calls)).stamp(images)


def _late(images: Tensor) -> Tensor:
    """One patch, which the last picture of a batch lacks."""
    return torch.cat([NoisePatch().stamp(images[:-1]), images[-1:]]) if len(images) > 1 else NoisePatch().stamp(images)


_STAMPS: tuple[tuple[Callable[[Tensor], Tensor], bool, str], ...] = (
    (NoisePatch().stamp, True, "a patch that is drawn once is called no trigger."),
    (
        Blended().stamp,
        True,
        "a blended pattern is one trigger, though what it makes of two pictures differs: stamp one picture twice.",
    ),
    (_each, False, "a patch of its own for each picture of a batch passes."),
    (_by_call(), False, "a patch that is drawn anew at each call passes: stamp the same picture in two calls."),
    (_late, False, "a stamp that leaves out the last picture of a batch passes: look at all of them."),
    (lambda images: images, False, "a stamp that changes nothing passes."),
)
