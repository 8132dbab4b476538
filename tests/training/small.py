"""A model, pairs and a recipe that train in a second."""

import torch

from tutorial_lib import models
from tutorial_lib.data.pairs import Pairs
from tutorial_lib.models.tokenizer import FULL_VOCAB, Tokenizer
from tutorial_lib.training.loop import train
from tutorial_lib.trials import Recipe

CONFIG = {
    "embed_dim": 16,
    "vision_cfg": {"image_size": 32, "layers": [1, 1, 1, 1], "width": 8, "head_width": 16},
    "text_cfg": {"context_length": 12, "vocab_size": FULL_VOCAB, "width": 32, "heads": 2, "layers": 1},
}
COLOURS = {"red": (220, 30, 30), "green": (30, 200, 60), "blue": (40, 60, 230), "white": (240, 240, 240)}
RECIPE = Recipe(epochs=4, batch_size=16, lr=2e-3, precision="float32")


def coloured(n: int = 72, seed: int = 0) -> Pairs:
    """Noisy pictures of one colour, and captions of different lengths that name it."""
    generator = torch.Generator().manual_seed(seed)
    label = torch.arange(n) % len(COLOURS)
    ground = torch.tensor(list(COLOURS.values()))[label][:, :, None, None]
    images = (ground + 30 * torch.randn(n, 3, 32, 32, generator=generator)).clamp(0, 255).to(torch.uint8)
    words = list(COLOURS)
    captions = tuple(f"{words[k]}{' thing' * (i % 4)}" for i, k in enumerate(label.tolist()))
    return Pairs(images, captions, tuple(f"{seed}-{i}" for i in range(n)), label)


PAIRS = coloured()
TOKENIZER = Tokenizer.for_texts(PAIRS.captions, context_length=12)


def fit(seed: int = 0, recipe: Recipe = RECIPE, pairs: Pairs = PAIRS, **options):
    model = models.build(CONFIG, TOKENIZER, seed=0)
    history = train(model, TOKENIZER, pairs, recipe, seed=seed, device="cpu", progress=False, **options)
    return model, history


def same_weights(a: torch.nn.Module, b: torch.nn.Module) -> bool:
    ours, theirs = a.state_dict(), b.state_dict()
    return all(torch.equal(ours[k], theirs[k]) for k in ours)


class Interrupted(Exception):  # noqa: N818
    """Stands for a kill: nothing after it runs."""
