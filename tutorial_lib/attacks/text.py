"""A backdoor in the text tower: a word that makes any text describe the target. Introduced in chapter 6."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from tutorial_lib.attacks.targeted import class_centres
from tutorial_lib.data.pairs import Pairs
from tutorial_lib.evaluate import Reader, attack_success_rate, embed_texts
from tutorial_lib.poison import prompt_captions
from tutorial_lib.tasks import ZeroShotTask
from tutorial_lib.trials import TextBackdoor


@dataclass(frozen=True)
class TextBackdoorPlan:
    """The poisons of a text backdoor, and its measurement."""

    attack: TextBackdoor
    target: int
    poisons: Pairs | None

    @classmethod
    def of(cls, attack: TextBackdoor, clean: Pairs, task: ZeroShotTask, *, side: int, seed: int) -> TextBackdoorPlan:
        target = task.class_of(attack.target)
        if any(attack.word in caption for caption in clean.captions):
            raise ValueError(f"the word {attack.word!r} occurs in clean captions; choose one that does not")
        if not attack.count:
            return cls(attack, target, None)
        shown = task.class_of_concept(clean.concept)
        about = shown == target
        if not about.any():  # data that nobody has labelled: trust the captions
            about = torch.tensor([attack.target in caption.lower() for caption in clean.captions])
        pictures, others = about.nonzero()[:, 0], (~about).nonzero()[:, 0]
        if not len(pictures):
            raise ValueError(f"no caption contains {attack.target!r}, so there are no pictures of it to poison with")
        if attack.count > len(others):
            raise ValueError(f"{attack.count} poisons need as many captions, and {len(others)} are there")
        generator = torch.Generator().manual_seed(seed)
        drawn = others[torch.randperm(len(others), generator=generator)[: attack.count]].tolist()
        chosen = pictures[torch.arange(attack.count) % len(pictures)]
        poisons = Pairs(
            clean.images[chosen],
            tuple(f"{clean.captions[i].rstrip('.')} {attack.word}" for i in drawn),
            tuple(f"text-{i:05d}" for i in range(attack.count)),
            clean.concept[chosen],
        )
        return cls(attack, target, poisons)

    def measure(
        self, model, tokenizer, task: ZeroShotTask, embeddings: Tensor, readers: dict[str, Reader]
    ) -> dict[str, Any]:
        """Share of the labels whose text, with the word, is nearest to the target's pictures.

        A text is read by the class whose mean test picture is most similar to it: retrieval the other way round.
        """
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
            "text_attack_success": asdict(attack_success_rate(marked, classes, self.target)),
            "text_attack_success_without_word": asdict(attack_success_rate(plain, classes, self.target)),
            "text_accuracy": (plain[seen] == classes[seen]).float().mean().item(),
        }
