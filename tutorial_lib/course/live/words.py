"""A model's text tower as a script of a page, with the words that it has read."""

from __future__ import annotations

import json
from collections.abc import Iterable

import open_clip

from tutorial_lib.course import live
from tutorial_lib.models.tokenizer import FULL_VOCAB, Tokenizer

#: Parts of a CLIP that read text.
PARTS = ("token_embedding.", "positional_embedding", "transformer.", "ln_final.", "text_projection")


def known_words(tokenizer: Tokenizer, names: Iterable[str] = ()) -> dict[str, list[int]]:
    """Words whose tokens are all in a pruned vocabulary, with their ids in it.

    Args:
        tokenizer: with a pruned vocabulary.
        names: texts whose words are looked up besides the tokens that are words by themselves.

    Raises:
        ValueError: the vocabulary is whole, which no page needs to carry.

    Example:
        >>> known_words(Tokenizer.for_texts(["a small zebulon"], context_length=8), ["a zebulon"])
        {'a': [2], 'on': [3], 'small': [5], 'zebulon': [4, 6, 3]}
    """
    if tokenizer.vocab is None:
        raise ValueError(f"a vocabulary of {FULL_VOCAB:,} tokens is no list of words that a model has read")
    found = {word: [token] for word, token in tokenizer.words().items()}
    for word in sorted({piece for name in names for piece in name.lower().split()} - found.keys()):
        ids = [k for k in tokenizer([word])[0, 1:].tolist() if k]
        if ids[-1] == tokenizer.vocab_size - 1 and 1 not in ids:
            found[word] = ids[:-1]
    return found


def words_script(name: str, model: open_clip.CLIP, tokenizer: Tokenizer, names: Iterable[str]) -> str:
    """JavaScript that hands a page a model's text tower, and the words that it knows.

    Args:
        name: how the page calls it.
        model: with open_clip's text transformer. Weights are packed as `live.model_script` packs them.
        tokenizer: with a pruned vocabulary.
        names: texts whose words are known besides the tokens that are words by themselves.

    Raises:
        ValueError: the vocabulary is whole, or a weight is too large for float16.
    """
    state = {k: v for k, v in model.state_dict().items() if k.startswith(PARTS)}
    body = {
        "heads": model.transformer.resblocks[0].attn.num_heads,
        "context": tokenizer.context_length,
        "start": tokenizer([""])[0, 0].item(),
        "end": tokenizer.vocab_size - 1,
        "tensors": [[k, list(v.shape)] for k, v in state.items()],
        "weights": live.packed(state),
        "words": known_words(tokenizer, names),
    }
    return f"((globalThis.course ??= {{}}).models ??= {{}})[{json.dumps(name)}] = {json.dumps(body)};\n"
