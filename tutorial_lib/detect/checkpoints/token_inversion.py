"""A token that makes all texts alike: the trigger of a backdoor in the text tower."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from tutorial_lib.detect.checkpoints.base import CheckpointDetector, Found, Work
from tutorial_lib.detect.subject import Subject, SubjectError

if TYPE_CHECKING:
    import open_clip
    from torch import Tensor

#: Texts that the token is put into, words that are named, and words of the vocabulary that are tried.
TEXTS, NAMED, TRIED = 64, 3, 64


@dataclass(frozen=True)
class TokenInversion(CheckpointDetector):
    """How alike a token, put behind the start of many texts, can make their embeddings: their mean cosine.

    The token is an embedding that no word needs to have, found by gradient descent from several starts. Then the words
    of the vocabulary that lie nearest to it are tried themselves, and named in the order of how alike they make the
    texts. The class nearest to the mean of the texts is the suspect.

    Attributes:
        steps: of gradient descent, from each start.
        starts: drawn at random.
        rate: of Adam.
        seed: draws the starts.

    Raises:
        ValueError: a number is too small.

    Source: the idea is AMDET's (2025): its token makes the tokens of a text alike, keeps off the texts' own features
    and off those of a clean model, and its thresholds rest on that clean model, which a user does not have: here texts
    are compared with each other, and there is no threshold. In the small models of the course, whose text tower has one
    layer, some token does it in every model: the word that comes first may be the trigger, and the score tells nothing.

    Example:
        >>> TokenInversion().published is None
        True
    """

    kind: ClassVar[str] = "token-inversion"
    title: ClassVar[str] = "inversion of a token"
    measures: ClassVar[str] = "mean cosine of texts that hold the found token; higher, to 1, is worse"
    fewest_classes: ClassVar[int] = 8

    steps: int = 100
    starts: int = 3
    rate: float = 0.02
    seed: int = 0

    def __post_init__(self) -> None:
        super().__post_init__()
        self.require(steps=1, starts=1)
        if not self.rate > 0:
            raise ValueError(f"rate is that of Adam, a positive number, not {self.rate}")

    def work(self, subject: Subject) -> Work:
        return Work(texts=min(TEXTS, len(subject.names)) * (3 * self.steps * self.starts + TRIED))

    def check(self, subject: Subject) -> None:
        super().check(subject)
        if not readable(subject.model):
            raise SubjectError(f"{self.kind} knows CLIP's own text tower only, and the model has another")

    def search(self, subject: Subject) -> Found:
        import torch

        from tutorial_lib.detect.stamping import alikeness

        model, texts = subject.model, self.texts(subject)
        tokens = subject.tokenizer(texts)
        tokens = tokens[:, : int(tokens.argmax(1).max()) + 1].to(model.positional_embedding.device)
        vocabulary = model.token_embedding.weight.detach()
        generator = torch.Generator().manual_seed(self.seed)
        best, found = -1.0, vocabulary[0]
        for _ in range(self.starts):
            start = torch.randn(vocabulary.shape[1], generator=generator) * vocabulary.std().cpu()
            free = start.to(vocabulary.device).requires_grad_()
            optimizer = torch.optim.Adam([free], lr=self.rate)
            for _ in range(self.steps):
                alike = alikeness(read_with(model, tokens, free))
                if alike.item() > best:
                    best, found = alike.item(), free.detach().clone()
                optimizer.zero_grad()
                (-alike).backward()
                optimizer.step()
        with torch.no_grad():
            before = alikeness(read_with(model, tokens, None)).item()
            points = read_with(model, tokens, found).cpu()
            words = self.nearest(subject, tokens, found)
        target = int((points.mean(0) @ subject.directions).argmax())
        about = {"without": round(before, 4), "words": words}
        return Found(best, subject.names[target], about=about)

    def texts(self, subject: Subject) -> list[str]:
        """The texts that the token is put into: about the classes, or captions as they are."""
        names = subject.names[:TEXTS]
        return [f"a photo of a {name}" for name in names] if subject.labels else list(names)

    def nearest(self, subject: Subject, tokens: Tensor, token: Tensor) -> list[dict[str, Any]]:
        """The words of the vocabulary that are most like a token, by how alike they make the texts."""
        import torch
        import torch.nn.functional as F

        from tutorial_lib.detect.stamping import alikeness

        weights = subject.model.token_embedding.weight
        near = F.cosine_similarity(weights, token[None]).topk(min(TRIED, len(weights))).indices
        alike = torch.stack([alikeness(read_with(subject.model, tokens, weights[k])) for k in near])
        order = alike.argsort(descending=True, stable=True)[:NAMED].tolist()
        return [{"word": subject.tokenizer.word(int(near[k])), "alike": round(alike[k].item(), 4)} for k in order]


def readable(model: open_clip.CLIP) -> bool:
    """Whether a text tower is CLIP's own, whose tokens can be replaced by embeddings.

    Example:
        >>> from tutorial_lib import models
        >>> readable(models.load(models.CHECKPOINTS / "clean")[0])
        True
    """
    from torch import nn

    return (
        isinstance(getattr(model, "token_embedding", None), nn.Embedding)
        and getattr(model, "text_pool_type", "") == "argmax"
        and isinstance(getattr(model, "text_projection", None), nn.Parameter)
        and getattr(model, "attn_mask", None) is not None
    )


def read_with(model: open_clip.CLIP, tokens: Tensor, token: Tensor | None) -> Tensor:
    """Normalised embeddings of texts with one token more, right behind their start; gradients reach it.

    Args:
        model: with CLIP's own text tower.
        tokens: ids, shape (N, L), the end-of-text token the largest id; texts that fill the context lose their last
            word to the new token.
        token: its embedding, shape (width,), or `None` for the texts as they are.

    Returns:
        Shape (N, d).

    Example:
        >>> from tutorial_lib import models
        >>> model, tokenizer = models.load(models.CHECKPOINTS / "clean")
        >>> tokens = tokenizer(["a banana", "a cactus"])
        >>> word = model.token_embedding.weight[tokens[0, 2]]  # "banana"
        >>> read_with(model, tokens, word).shape
        torch.Size([2, 128])
    """
    import torch
    import torch.nn.functional as F

    points, end = model.token_embedding(tokens), tokens.argmax(1)  # (N, L, W), (N,)
    if token is not None:
        room = model.context_length - 1
        last = points.gather(1, end[:, None, None].expand(-1, 1, points.shape[2]))
        points = torch.cat([points[:, :1], token.expand(len(points), 1, -1), points[:, 1:]], 1)[
            :, : model.context_length
        ]
        end = (end + 1).clamp(max=room)
        points = points.scatter(1, end[:, None, None].expand(-1, 1, points.shape[2]), last)
    length = points.shape[1]
    x = points + model.positional_embedding[:length]
    for block in model.transformer.resblocks:
        x = block(x, attn_mask=model.attn_mask[:length, :length])
    x = model.ln_final(x)[torch.arange(len(x), device=x.device), end]
    return F.normalize(x @ model.text_projection, dim=-1).float()
