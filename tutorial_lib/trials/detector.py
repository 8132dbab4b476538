"""What detectors are in a trial: settings that have a name, and of those of pairs a score for each."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any, ClassVar

from tutorial_lib.plugins import Kind
from tutorial_lib.trials.schema import Settings

if TYPE_CHECKING:
    import open_clip
    from torch import Tensor

    from tutorial_lib.data.pairs import Pairs
    from tutorial_lib.models import Tokenizer


class AnyDetector(Kind, ABC):
    """What looks at a trained model: at the pairs that it was trained on, or at the model alone.

    Attributes:
        title: what figures and tables call it.

    Example:
        >>> from tutorial_lib.detect.checkpoints import DECREE
        >>> DECREE(steps=10).label
        'decree steps=10'
    """

    title: ClassVar[str]

    @property
    def label(self) -> str:
        """The kind, with the settings that are not at their default: what records call it."""
        known: Any = self  # a dataclass, as all settings are
        changed = [f"{f.name}={getattr(self, f.name)}" for f in fields(known) if getattr(self, f.name) != f.default]
        return " ".join([self.kind, *changed])


@dataclass(frozen=True)
class Detector(Settings, AnyDetector):
    """Scores the pairs of a training set. Subclasses are frozen dataclasses, one a file of `detect/`.

    Example:
        >>> from tutorial_lib.detect import DETECTORS
        >>> DETECTORS["pair-similarity"]().title
        'similarity of picture and caption'
    """

    @abstractmethod
    def scores(self, model: open_clip.CLIP, tokenizer: Tokenizer, pairs: Pairs) -> Tensor:
        """How suspicious each pair is.

        Args:
            model: that was trained on the pairs.
            tokenizer: of the model.
            pairs: the training set; its `origin` is not read.

        Returns:
            Shape (N,), float; higher is more suspicious.
        """

    def suspects(self, model: open_clip.CLIP, tokenizer: Tokenizer, pairs: Pairs, share: float) -> Tensor:
        """Positions of a share of the pairs, the most suspicious first, shape (max(1, round(share N)),), int64.

        Raises:
            ValueError: `share` is not in (0, 1].
        """
        if not 0 < share <= 1:
            raise ValueError(f"share is of the pairs, in (0, 1], not {share}")
        return self.scores(model, tokenizer, pairs).topk(max(1, round(share * len(pairs)))).indices
