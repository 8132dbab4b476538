"""What every detector of checkpoints is: a model in, a finding out."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar

from tutorial_lib.detect.checkpoints.thresholds import Calibration, Threshold, calibrated
from tutorial_lib.detect.subject import Subject, SubjectError
from tutorial_lib.trials.detector import AnyDetector
from tutorial_lib.trials.schema import Settings, as_dict

if TYPE_CHECKING:
    import open_clip
    from PIL import Image
    from torch import Tensor

    from tutorial_lib.data.pairs import Pairs
    from tutorial_lib.models import Tokenizer

#: Pictures that `invert` takes of the pairs.
SHOWN = 256


@dataclass(frozen=True)
class Work:
    """About how much a search costs.

    Attributes:
        forward: pictures that only go forward through the model.
        backward: pictures that also go backward.
        texts: that are read, a backward pass counted as two.
        at_once: pictures whose way back is kept at one time.

    Example:
        >>> Work(forward=256, backward=32_000, at_once=32).texts
        0
    """

    forward: int = 0
    backward: int = 0
    texts: int = 0
    at_once: int = 0


@dataclass(frozen=True, eq=False)
class Found:
    """What a search comes back with.

    Attributes:
        score: higher is more suspicious.
        target: name of the class that the trigger leads to, `None` where the search names none.
        mask: of the inverted trigger, shape (1, side, side), from 0 to 1.
        pattern: of it, shape (3, side, side), from 0 to 1; a picture becomes x (1 - mask) + 255 mask * pattern.
        about: what else was seen, plain data.

    Example:
        >>> Found(0.4, "banana").mask is None
        True
    """

    score: float
    target: str | None = None
    mask: Tensor | None = None
    pattern: Tensor | None = None
    about: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class Finding(Found):
    """What a detector says of a model.

    Attributes:
        detector: kind and settings.
        title: of the detector.
        threshold: above which a model is called backdoored, with where it comes from; `None` where nobody knows one.
        seconds: that the search took.

    Example:
        >>> limit = Threshold(0.9, "published", "a mask below a tenth of the picture")
        >>> Finding(0.95, detector={"kind": "decree"}, title="DECREE", threshold=limit).suspicious
        True
    """

    detector: Mapping[str, Any] = field(default_factory=dict)
    title: str = ""
    threshold: Threshold | None = None
    seconds: float = 0.0

    @property
    def suspicious(self) -> bool | None:
        """Whether the score is above the threshold, `None` without one."""
        return None if self.threshold is None else self.score > self.threshold.value

    @property
    def picture(self) -> Image.Image | None:
        """The inverted trigger on a grey picture; `None` where it is none that can be seen."""
        if self.mask is None or self.pattern is None:
            return None
        from PIL import Image

        from tutorial_lib.detect.stamping import stamped

        grey = self.pattern.new_full(self.pattern.shape, 127.0)
        body = stamped(grey[None], self.mask, self.pattern)[0].round().clamp(0, 255).byte()
        return Image.fromarray(body.permute(1, 2, 0).cpu().numpy())

    def as_dict(self) -> dict[str, Any]:
        """Plain data, without the trigger."""
        return {
            "detector": dict(self.detector),
            "title": self.title,
            "score": round(self.score, 6),
            "threshold": None if self.threshold is None else self.threshold.as_dict(),
            "suspicious": self.suspicious,
            "suspected_target": self.target,
            "seconds": round(self.seconds, 2),
            "about": dict(self.about),
        }


@dataclass(frozen=True)
class CheckpointDetector(Settings, AnyDetector):
    """Searches a model for a trigger. Subclasses are frozen dataclasses, one a file of `detect/checkpoints/`.

    The same settings, seed, pictures and number of threads give the same finding.

    Attributes:
        published: the threshold of its paper, `None` where it has none that holds for what is computed here.
        measures: what its score is, and which way is worse, for a reader of a report.
        fewest: pictures that it needs.
        fewest_classes: classes that it needs, 0 where it asks for none.

    Example:
        >>> from tutorial_lib.detect.checkpoints import CHECKPOINT_DETECTORS
        >>> CHECKPOINT_DETECTORS["decree"]().published.value
        0.9
    """

    published: ClassVar[Threshold | None] = None
    measures: ClassVar[str] = ""
    fewest: ClassVar[int] = 0
    fewest_classes: ClassVar[int] = 0

    @abstractmethod
    def search(self, subject: Subject) -> Found:
        """Look for a trigger; the model is in evaluation mode, and its weights are fixed.

        Args:
            subject: that has the pictures and classes which the detector needs.
        """

    @abstractmethod
    def work(self, subject: Subject) -> Work:
        """What the search will cost, without the embeddings of the subject."""

    def check(self, subject: Subject) -> None:
        """Whether the detector can work.

        Raises:
            SubjectError: there are too few pictures or classes, or embeddings are not finite.
        """
        if len(subject.images) < self.fewest:
            raise SubjectError(
                f"{self.kind} needs at least {self.fewest} pictures, and there are {len(subject.images)}: give more"
            )
        if self.fewest_classes and (known := subject.directions.shape[1]) < self.fewest_classes:
            raise SubjectError(
                f"{self.kind} needs at least {self.fewest_classes} classes, and there are {known}: give more `labels`"
            )
        if self.fewest:
            assert subject.embeddings.isfinite().all()  # says what is wrong with them

    def detect(self, subject: Subject, *, known: Sequence[Calibration] | None = None) -> Finding:
        """Search a model for a trigger, and say how suspicious it is.

        Args:
            subject: the model, with pictures and classes.
            known: calibrations, by default the committed ones.

        Raises:
            SubjectError: as for `check`.
        """
        import time

        from tutorial_lib.detect.stamping import still

        self.check(subject)
        started = time.perf_counter()
        with still(subject.model):
            found = self.search(subject)
        seconds = time.perf_counter() - started
        return Finding(
            found.score,
            found.target,
            found.mask,
            found.pattern,
            found.about,
            detector=as_dict(self),
            title=self.title,
            threshold=self.threshold(subject, known),
            seconds=seconds,
        )

    def threshold(self, subject: Subject, known: Sequence[Calibration] | None = None) -> Threshold | None:
        """The calibrated threshold for a model of this kind, else the published one.

        Args:
            subject: the model, with its classes.
            known: calibrations, by default the committed ones.
        """
        from tutorial_lib.models import parameter_count

        classes = len(subject.names) if self.fewest_classes else 0
        count = parameter_count(subject.model)
        entry = calibrated(as_dict(self), side=subject.side, parameters=count, classes=classes, known=known)
        return self.published if entry is None else entry.as_threshold()

    def invert(self, model: open_clip.CLIP, tokenizer: Tokenizer, pairs: Pairs) -> tuple[Tensor, Tensor]:
        """The mask and the pattern of the trigger that it finds, for `tutorial_lib.defenses.TriggerUnlearning`.

        Args:
            model: that may be backdoored; it is left as it is.
            tokenizer: of the model.
            pairs: clean ones; some of their pictures are stamped, and groups of captions stand for classes.

        Raises:
            SubjectError: as for `check`.
            ValueError: it finds no trigger, or none that is a mask and a pattern.
        """
        import torch

        some = torch.linspace(0, len(pairs) - 1, min(SHOWN, len(pairs))).long()
        images = pairs.images[some]
        captions = tuple(pairs.captions) if self.fewest_classes else ()
        found = self.detect(Subject(model, tokenizer, images, captions=captions))
        if found.mask is None or found.pattern is None:
            raise ValueError(f"{self.kind} has found no trigger that is a mask and a pattern")
        return found.mask, found.pattern
