"""Pairs that are learned first: a backdoor is easier than what pictures show, so the loss of poisons falls early."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Literal

from tutorial_lib.trials.detector import Detector

if TYPE_CHECKING:
    import open_clip
    from torch import Tensor

    from tutorial_lib.data.pairs import Pairs
    from tutorial_lib.models import Tokenizer

#: Pairs whose losses are computed at a time.
BLOCK = 8192


@dataclass(frozen=True)
class EarlyLoss(Detector):
    """The loss of each pair after a short training that holds losses back from falling, negated.

    Anti-backdoor learning isolates the share with the lowest loss, 1 %: `suspects(…, share=0.01)`. The loss of a pair
    depends on the others of its batch; here every pair is compared with the same random ones, as many as a batch has.
    Poisons among these share their captions, so that their loss has a floor where there are many.

    Attributes:
        start: "random" trains a new model of `config` from random weights; "given" goes on from a copy of the given
            model; "as-is" takes the given model for the early checkpoint and trains nothing.
        config: of the new model; it is built for pictures of the pairs' side.
        epochs, batch_size, lr: of the short training.
        ascent: "local" turns the sign of each loss below gamma, "flooding" that of a batch's mean, "none" of nothing.
        gamma: in nats.
        seed: of initial weights, order, views, and the pairs compared with.

    Raises:
        ValueError: a number is out of range.

    Source: Li et al. (2021), "Anti-backdoor learning": gamma 0.5 for ten classes, isolation after 20 of 100 epochs
    with a constant learning rate; here it is a fifth of the course's recipe, with that one's schedule. The authors'
    code turns the sign of a batch's mean and not, as the paper, of each loss.

    Example:
        >>> import torch
        >>> from tutorial_lib import models
        >>> from tutorial_lib.data.pairs import Pairs
        >>> images = torch.zeros(3, 3, 32, 32, dtype=torch.uint8)
        >>> pairs = Pairs(images, ("a", "b", "c"), tuple("123"), torch.full((3,), -1))
        >>> EarlyLoss(start="as-is").scores(*models.load(models.CHECKPOINTS / "unknown-1"), pairs).shape
        torch.Size([3])
    """

    kind: ClassVar[str] = "early-loss"
    title: ClassVar[str] = "early loss (anti-backdoor learning)"

    start: Literal["random", "given", "as-is"] = "random"
    config: str = "tiny-rn"
    epochs: int = 3
    batch_size: int = 256
    lr: float = 2e-3
    ascent: Literal["local", "flooding", "none"] = "local"
    gamma: float = 0.5
    seed: int = 0

    def __post_init__(self) -> None:
        super().__post_init__()
        self.require(epochs=1, batch_size=1, lr=0, gamma=0)

    def scores(self, model: open_clip.CLIP, tokenizer: Tokenizer, pairs: Pairs) -> Tensor:
        """How suspicious each pair is.

        Raises:
            ValueError: there are fewer pairs than one batch of the short training, or there is no such config.
            TrainingDivergedError: the loss is NaN or infinite.
        """
        import torch

        from tutorial_lib.evaluate import embed_images, embed_texts

        if self.start != "as-is":
            model, tokenizer = self._early(model, tokenizer, pairs)
        images, texts = embed_images(model, pairs.images), embed_texts(model, tokenizer, pairs.captions)
        drawn = torch.randperm(len(pairs), generator=torch.Generator().manual_seed(self.seed))
        with torch.no_grad():
            scale = model.logit_scale.exp().item()
        return -losses_among(images, texts, drawn[: self.batch_size], scale)

    def _early(self, model: open_clip.CLIP, tokenizer: Tokenizer, pairs: Pairs) -> tuple[open_clip.CLIP, Tokenizer]:
        """A model that has been trained for a short time; the given one is left as it is."""
        import copy

        from tutorial_lib import models
        from tutorial_lib.losses import flooding, local_gradient_ascent, pair_losses
        from tutorial_lib.training.loop import train
        from tutorial_lib.trials.recipe import Recipe

        device = next(model.parameters()).device
        recipe = Recipe(epochs=self.epochs, batch_size=self.batch_size, lr=self.lr)
        if self.start == "given":
            model = copy.deepcopy(model)
        else:
            config = models.model_config(self.config)
            config = config | {"vision_cfg": config["vision_cfg"] | {"image_size": pairs.images.shape[2]}}
            tokenizer = models.tokenizer_for(config, list(pairs.captions))
            model = models.build(config, tokenizer, seed=self.seed)

        def objective(image: Tensor, text: Tensor, scale: Tensor) -> Tensor:
            losses = pair_losses(image, text, scale)
            if self.ascent == "none":
                return losses.mean()
            return (local_gradient_ascent if self.ascent == "local" else flooding)(losses, self.gamma)

        train(model, tokenizer, pairs, recipe, objective=objective, seed=self.seed, device=device, progress=False)
        return model, tokenizer


def losses_among(images: Tensor, texts: Tensor, reference: Tensor, logit_scale: float) -> Tensor:
    """The CLIP loss that each pair has in a batch with the pairs of a reference, itself counted once.

    Args:
        images, texts: normalised embeddings of all pairs, shape (N, d).
        reference: positions of the pairs of the reference, shape (R,), int64.
        logit_scale: 1 / temperature.

    Returns:
        Losses in nats, shape (N,).

    Example:
        >>> import torch
        >>> images, texts = torch.eye(3), torch.eye(3)[[0, 2, 1]]
        >>> losses_among(images, texts, torch.arange(3), 9.0).argmin().item()
        0
    """
    import torch

    place = torch.full((len(images),), -1)
    place[reference] = torch.arange(len(reference))
    found = []
    for start in range(0, len(images), BLOCK):
        part = slice(start, start + BLOCK)
        own = logit_scale * (images[part] * texts[part]).sum(1)  # (B,)
        mine = place[part]
        total = torch.zeros_like(own)
        for queries, keys in ((images[part], texts[reference]), (texts[part], images[reference])):
            others = logit_scale * queries @ keys.T  # (B, R)
            others[mine >= 0, mine[mine >= 0]] = float("-inf")
            total += torch.cat([others, own[:, None]], 1).logsumexp(1) - own
        found.append(total / 2)
    return torch.cat(found)
