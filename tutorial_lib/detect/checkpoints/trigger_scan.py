"""The library's own triggers, stamped one after the other: does one of them send pictures to one class?"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from tutorial_lib.detect.checkpoints.base import CheckpointDetector, Found, Work
from tutorial_lib.detect.subject import Subject
from tutorial_lib.trials.schema import as_dict
from tutorial_lib.triggers import (
    TRIGGERS,
    Blended,
    FaintPatch,
    NoisePatches,
    Patch,
    Resampled,
    Sinusoid,
    Trigger,
    WaNet,
)

if TYPE_CHECKING:
    from torch import Tensor

Place = Literal["upper left", "upper right", "lower left", "lower right", "middle"]
PLACES: tuple[Place, ...] = ("upper left", "upper right", "lower left", "lower right", "middle")
#: Width of a patch, as shares of the picture's side: 16 of 224 pixels as published, and the course's 6 of 32.
SIZES = (1 / 14, 3 / 16, 1 / 4)
#: Cells along the side of a patch.
CELLS = 3
#: Pictures that are stamped, and triggers that are listed with their gains.
SEEN, LISTED = 128, 5


@dataclass(frozen=True)
class Candidate:
    """A trigger, and the place where it is put if it is a patch.

    Attributes:
        trigger: to stamp.
        place: of a patch; `None` for a trigger of the whole picture.

    Example:
        >>> from tutorial_lib.triggers import Checkerboard
        >>> Candidate(Checkerboard(), "middle").as_dict()["place"]
        'middle'
    """

    trigger: Trigger
    place: Place | None = None

    def as_dict(self) -> dict[str, Any]:
        """Plain data."""
        body: dict[str, Any] = as_dict(self.trigger)
        return body | ({} if self.place is None else {"place": self.place})

    @property
    def kind(self) -> str:
        """That of the trigger."""
        return self.trigger.kind

    def stamp(self, images: Tensor, seed: int = 0) -> Tensor:
        """Copies of pictures (N, 3, H, W), uint8, with the trigger."""
        if self.place is None or not isinstance(self.trigger, Patch):
            return self.trigger.stamp(images, seed)
        pattern, (height, width) = self.trigger.pattern().to(images.device), images.shape[-2:]
        size, edge = pattern.shape[-1], self.trigger.margin
        top = edge if "upper" in self.place else height - size - edge
        left = edge if "left" in self.place else width - size - edge
        if self.place == "middle":
            top, left = (height - size) // 2, (width - size) // 2
        out, alpha = images.clone(), self.trigger.alpha if isinstance(self.trigger, FaintPatch) else 1.0
        under = out[:, :, top : top + size, left : left + size]
        under.copy_((under + alpha * (pattern.float() - under)).round().to(images.dtype))
        return out


@dataclass(frozen=True)
class TriggerScan(CheckpointDetector):
    """The largest gain that a known kind of trigger gives to one class.

    Every kind of trigger that is registered, in some sizes and strengths, patches in the corners and in the middle. The
    gain is the share of the pictures that are called a class with the trigger less the share without it.

    A trigger that the library can make is found at once, and one that looks like it often: here models learn any
    patch in the place of theirs in part. Measured on models that were attacked with these very patterns, it is
    flattered.

    Attributes:
        patterns: drawn for each kind that has a seed.

    Raises:
        ValueError: `patterns` is below 1.

    Source: ours.

    Example:
        >>> {found.trigger.kind for found in TriggerScan().candidates(32)} >= {"checkerboard", "blended", "wanet"}
        True
    """

    kind: ClassVar[str] = "trigger-scan"
    title: ClassVar[str] = "scan with known triggers"
    measures: ClassVar[str] = (
        "share of pictures that the strongest known trigger moves to one class; higher, to 1, is worse"
    )
    fewest: ClassVar[int] = 32
    fewest_classes: ClassVar[int] = 2

    patterns: int = 2

    def __post_init__(self) -> None:
        super().__post_init__()
        self.require(patterns=1)

    def candidates(self, side: int) -> Iterator[Candidate]:
        """What is tried on pictures of that side, each once."""
        for cls in TRIGGERS.values():
            seeded = any(f.name == "pattern_seed" for f in fields(cls))
            for trigger in variations(cls(), side):
                for seed in range(self.patterns if seeded else 1):
                    drawn: Any = {"pattern_seed": seed} if seeded else {}
                    for place in PLACES if isinstance(trigger, Patch) else (None,):
                        yield Candidate(replace(trigger, **drawn), place)

    def work(self, subject: Subject) -> Work:
        return Work(sum(1 for _ in self.candidates(subject.side)) * min(SEEN, len(subject.images)))

    def search(self, subject: Subject) -> Found:
        from tutorial_lib.detect.stamping import gains
        from tutorial_lib.evaluate import embed_images
        from tutorial_lib.triggers.parts import mask_and_pattern

        images, before = subject.images[:SEEN], subject.embeddings[:SEEN]
        tried: list[tuple[float, int, Candidate]] = []
        for candidate in self.candidates(subject.side):
            gain = gains(subject.directions, before, embed_images(subject.model, candidate.stamp(images)))
            tried.append((gain.max().item(), int(gain.argmax()), candidate))
        tried.sort(key=lambda found: -found[0])  # stable: the first of equals stays first
        (score, target, best), *_ = tried
        strongest = [
            {"gain": round(gain, 4), "class": subject.names[number], "trigger": candidate.as_dict()}
            for gain, number, candidate in tried[:LISTED]
        ]
        about = {"strongest": strongest, "tried": len(tried)}
        try:
            mask, pattern = mask_and_pattern(best, images[:8])
        except ValueError:  # it moves or bends pictures
            return Found(score, subject.names[target], about=about)
        return Found(score, subject.names[target], mask, pattern, about)


def variations(trigger: Trigger, side: int) -> list[Trigger]:
    """Triggers of the same kind in some sizes or strengths, for pictures of that side; as it is where none are known.

    Example:
        >>> from tutorial_lib.triggers import Checkerboard
        >>> [made.size for made in variations(Checkerboard(), 224)]
        [15, 42, 57]
    """
    cell = max(1, side // 16)
    if isinstance(trigger, Patch | NoisePatches):
        cells = [max(1, round(side * share / CELLS)) for share in SIZES]
        edge = max(1, side // 32)
        return [replace(trigger, size=CELLS * c, cell=c, margin=edge) for c in cells]
    if isinstance(trigger, Blended):
        blends = [(a, c) for a in (0.1, 0.2, 0.3) for c in (cell, 2 * cell)]
        noise = [replace(trigger, pattern_kind="noise", alpha=a, cell=c) for a, c in blends]
        return [*noise, *(replace(trigger, pattern_kind="stripes", alpha=a, cell=c) for a, c in blends)]
    if isinstance(trigger, Sinusoid):
        return [replace(trigger, delta=d, frequency=f) for d in (20.0, 40.0, 60.0) for f in (3.0, 6.0, 12.0)]
    if isinstance(trigger, WaNet):
        return [replace(trigger, strength=share * side / 8) for share in (1, 2, 3)]
    if isinstance(trigger, Resampled):
        return [replace(trigger, share=share) for share in (0.5, 0.75)]
    return [trigger]
