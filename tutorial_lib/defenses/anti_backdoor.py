"""Anti-backdoor learning: find the pairs that were learned too well, and unlearn them. Introduced in chapter 9.

A backdoor is easy to learn, so poisoned pairs have a low loss. The pairs that fit best under the trained model are
taken to be poisons; then the model is trained on trusted pairs and pushed away from those.

Source: Li et al. (2021), for classifiers: isolation of 1 % by the loss, then gradient ascent. For CLIP the loss of
a pair depends on its batch; here a pair's score is the similarity of its picture and caption, and unlearning lowers
that similarity, which is bounded where an ascending loss is not.
"""

from __future__ import annotations

import open_clip
import torch
from torch import Tensor

from tutorial_lib.data.pairs import Pairs
from tutorial_lib.defenses.base import Cleaned, DefenseError, Material, Run
from tutorial_lib.distributed import share, whole
from tutorial_lib.evaluate import embed_images, embed_texts
from tutorial_lib.fast import encode_text
from tutorial_lib.losses import clip_loss
from tutorial_lib.tokenizer import Tokenizer
from tutorial_lib.train import device_for, encode_image, in_half, optimize, random_views, seeded
from tutorial_lib.trials import Defense

#: Prefix of the keys that this library gives to poisons; only used to say how good the isolation was.
POISON_KEYS = ("backdoor-", "targeted-", "text-")


def isolate(model: open_clip.CLIP, tokenizer: Tokenizer, pairs: Pairs, share: float) -> Tensor:
    """Positions of the pairs whose picture and caption are most similar, shape (round(share N),), int64."""
    images, texts = embed_images(model, pairs.images), embed_texts(model, tokenizer, pairs.captions)
    return (images * texts).sum(1).topk(max(1, round(share * len(pairs)))).indices


def anti_backdoor(
    model: open_clip.CLIP, tokenizer: Tokenizer, material: Material, defense: Defense, run: Run
) -> Cleaned:
    """Isolate, then train on the trusted pairs while the similarity of isolated pairs is lowered.

    Raises:
        DefenseError: the training pairs are not at hand.
    """
    if material.training is None:
        raise DefenseError("anti-backdoor learning looks for poisons in the training pairs, and these are not given")
    recipe, pairs, training = defense.recipe, material.pairs, material.training
    suspects = isolate(model, tokenizer, training, defense.isolate)
    found = sum(training.keys[i].startswith(POISON_KEYS) for i in suspects.tolist())
    there = sum(key.startswith(POISON_KEYS) for key in training.keys)
    device = device_for(run.device)
    half = in_half(recipe, device)
    tokens, doubted = tokenizer(pairs.captions), tokenizer([training.captions[i] for i in suspects.tolist()])

    def loss_of(batch: Tensor, step: int) -> Tensor:
        draw = seeded(run.seed, step, 1)
        some = torch.randint(len(suspects), (len(batch),), generator=draw)
        views = random_views(pairs.images, batch, device, draw, recipe.scale)
        bad = random_views(training.images, suspects[some], device, draw, recipe.scale)
        text = torch.cat([share(tokens[batch]), share(doubted[some])]).to(device)
        image, bad_image = map(whole, encode_image(model, torch.cat([views, bad]), half).chunk(2))
        text, bad_text = map(whole, encode_text(model, text).float().chunk(2))
        return clip_loss(image, text, model.logit_scale.exp()) + (bad_image * bad_text).sum(1).mean()

    history = optimize(model, len(pairs), loss_of, recipe, seed=run.seed, device=device, progress=run.progress)
    notes = {"isolated": len(suspects), "isolated_poisons": found, "poisons": there}
    return Cleaned(model, history, notes)
