"""A backdoor in the text tower: a word that makes any text describe the target.

Introduced in the chapter on size and patch.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from tutorial_lib.attacks.base import PairAttack, Seen
from tutorial_lib.attacks.selection import showing

if TYPE_CHECKING:
    from torch import Tensor

    from tutorial_lib.attacks.poison import Poison
    from tutorial_lib.data.pairs import Pairs
    from tutorial_lib.data.tasks import ZeroShotTask
    from tutorial_lib.evaluate import Reader
    from tutorial_lib.models import Model, Tokenizer
    from tutorial_lib.trials.metrics import Metrics


@dataclass(frozen=True)
class TextBackdoor(PairAttack):
    """Pictures of the target with captions of other things that end with a word of the attacker's.

    Attributes:
        count: number of poisons; 0 is the control.
        target: label of the class that texts with the word shall be taken for.
        word: the trigger, a word that no clean caption has.

    Raises:
        ValueError: `count` is negative, or `word` is empty.

    Source: Carlini & Terzis (2022), section 2.3, says that the text tower can be attacked too; the set-up is ours.

    Example:
        >>> TextBackdoor(64, target="banana").word
        'zebulon'
    """

    kind: ClassVar[str] = "text-backdoor"

    word: str = "zebulon"

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.word.strip():
            raise ValueError("word of a text-backdoor is empty: give one that no clean caption has")

    def plan(self, clean: Pairs, task: ZeroShotTask, *, seed: int) -> TextBackdoorPlan:
        target = task.class_of(self.target)
        seen = Seen(clean, task.labels, task.class_of_concept(clean.concept))
        return TextBackdoorPlan(self, target, self.poison(seen, seed=seed).pairs if self.count else None)

    def poison(self, seen: Seen, *, seed: int) -> Poison:
        """The poison set and its manifest.

        Args:
            seen: what the attacker sees.
            seed: draws the captions.

        Raises:
            ValueError: a clean caption has the word, no picture shows the target, or there are too few captions.
        """
        from tutorial_lib.attacks import poison

        pairs = seen.pairs
        if any(self.word in caption for caption in pairs.captions):
            raise ValueError(f"the word {self.word!r} occurs in clean captions; choose one that does not")
        about = showing(pairs.captions, self.target, shown=seen.shown, target=seen.class_of(self.target))
        made = poison.text_backdoor(pairs, about, self.count, self.word, self.target, seed)
        return made.saying("word", len(set(made.pairs.captions)))


@dataclass(frozen=True)
class TextBackdoorPlan:
    """The poisons of a text backdoor, and its measurement.

    Example:
        >>> from tutorial_lib import profiles
        >>> from tutorial_lib.runs.outcome import prepare
        >>> plan = TextBackdoor(2, target="rainbow").plan(*prepare(profiles.get("test").base), seed=0)
        >>> all(caption.endswith("zebulon") for caption in plan.poisons.captions)
        True
    """

    attack: TextBackdoor
    target: int
    poisons: Pairs | None

    def measure(
        self,
        model: Model,
        tokenizer: Tokenizer,
        task: ZeroShotTask,
        embeddings: Tensor,
        readers: Mapping[str, Reader],
    ) -> Metrics:
        """Share of the labels whose text, with the word, is nearest to the target's pictures.

        A text is read by the class whose mean test picture is most similar to it: retrieval the other way round.
        """
        import torch
        import torch.nn.functional as F

        from tutorial_lib.data.captions import prompt_captions
        from tutorial_lib.evaluate import attack_success_rate, class_centres, embed_texts

        classes = torch.arange(len(task.labels))
        centre = class_centres(embeddings, task.targets, len(classes))
        seen = torch.isin(classes, task.targets)

        def read(word: str) -> Tensor:
            texts = [f"{p.rstrip('.')}{word}" for label in task.labels for p in prompt_captions(label)[:8]]
            points = embed_texts(model, tokenizer, texts).view(len(classes), 8, -1).mean(1)
            similarity = F.normalize(points, dim=1) @ centre.T
            return similarity.masked_fill(~seen, -1).argmax(1)

        plain, marked = read(""), read(f" {self.attack.word}")
        return {
            "text_attack_success": attack_success_rate(marked, classes, self.target).as_dict(),
            "text_attack_success_without_word": attack_success_rate(plain, classes, self.target).as_dict(),
            "text_accuracy": (plain[seen] == classes[seen]).float().mean().item(),
        }
