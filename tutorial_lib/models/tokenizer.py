"""CLIP's byte-pair tokenizer, with a vocabulary pruned to the tokens that occur."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Sequence

import open_clip
import torch
from torch import Tensor

FULL_VOCAB = 49408
SOT, EOT = 49406, 49407
#: Texts whose tokens are lists of Python's before they go into a table.
PART = 1 << 13


@functools.lru_cache(maxsize=1)
def _bpe() -> open_clip.SimpleTokenizer:
    return open_clip.SimpleTokenizer()


@functools.lru_cache(maxsize=1 << 16)
def _word(word: str) -> tuple[int, ...]:
    return tuple(_bpe().encode(word))


def _by_word(text: str) -> bool:
    """Whether words do not depend on each other: in printable ASCII without markup nothing is repaired or unescaped."""
    return text.isascii() and "&" not in text and "<" not in text and text.replace("\n", " ").isprintable()


def _encode(text: str) -> list[int]:
    """Token ids as open_clip's tokenizer gives them, word by word where it may be: no token spans a space."""
    if _by_word(text):
        return [token for word in text.split() for token in _word(word)]
    return list(_bpe().encode(text))


class Tokenizer:
    """Text to token ids, callable as open_clip's tokenizers are.

    A pruned vocabulary keeps open_clip's order, so the end-of-text token stays the largest id, which is
    where open_clip's text tower reads its output. Padding is id 0; a token outside the vocabulary becomes id 1.

    Args:
        context_length: tokens per text, start and end included; longer texts are cut.
        vocab: original ids to keep, sorted; `None` keeps all 49,408.

    Example:
        >>> tokenizer = Tokenizer.for_texts(["a small dog"], context_length=6)
        >>> tokenizer(["a dog", "a whale"])  # id 1 is a token outside the vocabulary
        tensor([[5, 2, 3, 6, 0, 0],
                [5, 2, 1, 6, 0, 0]])
    """

    def __init__(self, context_length: int = 77, vocab: Sequence[int] | None = None) -> None:
        self.context_length = context_length
        self.vocab = None if vocab is None else tuple(vocab)
        self._id = None if vocab is None else {token: i + 2 for i, token in enumerate(vocab)}

    @classmethod
    def for_texts(cls, texts: Iterable[str], *, context_length: int) -> Tokenizer:
        """The tokenizer whose vocabulary is exactly what occurs in `texts`."""
        used, words = {SOT, EOT}, set[str]()
        for text in texts:
            if _by_word(text):
                words.update(text.split())
            else:
                used.update(_encode(text))
        used.update(token for word in words for token in _word(word))
        return cls(context_length, sorted(used))

    def too_long(self, texts: Iterable[str]) -> list[str]:
        """The texts that are cut at the context length.

        Example:
            >>> Tokenizer(5).too_long(["a dog", "a small brown dog"])
            ['a small brown dog']
        """
        return [text for text in texts if len(_encode(text)) > self.context_length - 2]

    @property
    def vocab_size(self) -> int:
        return FULL_VOCAB if self.vocab is None else len(self.vocab) + 2

    def word(self, token: int) -> str:
        """The text of a token; one that a word goes on after ends with a hyphen.

        Example:
            >>> [Tokenizer.for_texts(["a small zebulon"], context_length=8).word(k) for k in range(2, 7)]
            ['a', 'on', 'ze-', 'small', 'bul-']
        """
        if self.vocab is not None and token < 2:
            return ("(padding)", "(unknown)")[token]
        text: str = _bpe().decoder[token if self.vocab is None else self.vocab[token - 2]]
        return text.removesuffix("</w>") if text.endswith("</w>") else f"{text}-"

    def words(self) -> dict[str, int]:
        """The tokens of a pruned vocabulary that are whole words, with their ids.

        Example:
            >>> Tokenizer.for_texts(["a small zebulon"], context_length=8).words()
            {'a': 2, 'on': 3, 'small': 5}
        """
        found = {}
        for k, token in enumerate(self.vocab or (), 2):
            word = _bpe().decoder[token].removesuffix("</w>")
            if token not in (SOT, EOT) and _encode(word) == [token]:  # neither a part of a word nor of a letter
                found[word] = k
        return found

    def __call__(self, texts: str | Sequence[str], context_length: int | None = None) -> Tensor:
        """Token ids, shape (len(texts), context_length), int64."""
        return self.table([texts] if isinstance(texts, str) else texts, context_length).long()

    def table(self, texts: Sequence[str], context_length: int | None = None) -> Tensor:
        """The same ids in the smallest type that holds them: 2 bytes a token for pruned vocabularies, else 4.

        Example:
            >>> Tokenizer.for_texts(["a dog"], context_length=4).table(["a dog"])
            tensor([[4, 2, 3, 5]], dtype=torch.int16)
        """
        length = context_length or self.context_length
        dtype = torch.int16 if self.vocab_size <= torch.iinfo(torch.int16).max else torch.int32
        out = torch.zeros(len(texts), length, dtype=dtype)
        rows, start = [], 0
        for number, text in enumerate(texts, 1):
            ids = [SOT, *_encode(text)[: length - 2], EOT]
            if self._id is not None:
                ids = [self._id.get(i, 1) for i in ids]
            rows.append(ids + [0] * (length - len(ids)))
            if len(rows) == PART or number == len(texts):
                out[start:number] = torch.tensor(rows, dtype=dtype)
                rows, start = [], number
        return out
