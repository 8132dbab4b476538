"""Easy data augmentation of captions: synonyms, insertions, swaps, deletions. Introduced in the chapter on CleanCLIP.

Source: Wei & Zou (2019), EDA: each operation changes a share alpha of the words, at least one; Bansal et al. (2023)
use it for CleanCLIP. Synonyms are those of WordNet 3.0 for the words of the course's captions
(`data_scripts/synonyms.py`), as they are spelt there: "boxes" is not looked up as "box", as NLTK's morphology would do.
"""

from __future__ import annotations

import functools
import json
import random
import re
from collections.abc import Collection, Iterable, Mapping, Sequence

from tutorial_lib import places

SYNONYMS = places.PACKAGE / "data" / "wordnet" / "synonyms.json"
WORD = re.compile(r"[a-z]+")


@functools.cache
def synonyms() -> dict[str, list[str]]:
    """The shipped table, from a word to the words that can stand for it.

    Example:
        >>> "little" in synonyms()["small"]
        True
    """
    table: dict[str, list[str]] = json.loads(SYNONYMS.read_text(encoding="utf-8"))
    return table


def bare(word: str) -> str:
    """A word in lower case and without the punctuation around it.

    Example:
        >>> bare("Dog.")
        'dog'
    """
    return word.lower().strip(".,")


def bare_words(captions: Iterable[str]) -> frozenset[str]:
    """The words of captions, as `bare` has them.

    Example:
        >>> sorted(bare_words(["A photo.", "a dog"]))
        ['a', 'dog', 'photo']
    """
    return frozenset(bare(word) for caption in captions for word in caption.split())


def synonyms_of(captions: Iterable[str]) -> list[str]:
    """Every word that augmentation may put into the captions, sorted: a vocabulary has to know them too.

    Example:
        >>> "little" in synonyms_of(["a small dog"])
        True
    """
    table = synonyms()
    return sorted({synonym for word in bare_words(captions) if word in table for synonym in table[word]})


def synonyms_among(words: Collection[str], *, known: bool = True) -> dict[str, list[str]]:
    """The part of the table whose synonyms are made of these words; if not `known`, the other part.

    Example:
        >>> "little" in synonyms_among({"little", "dog"})["small"]
        True
        >>> "little" in synonyms_among({"little", "dog"}, known=False)["small"]
        False
    """
    kept = {
        word: [s for s in others if all(part in words for part in s.split()) == known]
        for word, others in synonyms().items()
    }
    return {word: others for word, others in kept.items() if others}


def _known(words: Sequence[str], table: Mapping[str, list[str]], keep: Collection[str] = ()) -> list[int]:
    """Positions of the words that have synonyms, but for those to keep; punctuation around them does not matter."""
    return [i for i, w in enumerate(map(bare, words)) if w in table and w not in keep]


def _synonym(word: str, table: Mapping[str, list[str]], draw: random.Random) -> str:
    inner = bare(word)
    return word.lower().replace(inner, draw.choice(table[inner]))


def replace_synonyms(
    words: list[str],
    count: int,
    draw: random.Random,
    *,
    keep: Collection[str] = (),
    table: Mapping[str, list[str]] | None = None,
) -> list[str]:
    """Replace up to `count` words, each by a synonym.

    Args:
        words: of a caption.
        count: fewer are replaced where fewer have a synonym.
        draw: source of randomness.
        keep: words that stay, in lower case.
        table: from a word to its synonyms; by default the shipped one.

    Example:
        >>> len(replace_synonyms("a small dog".split(), 1, random.Random(0)))
        3
    """
    table = synonyms() if table is None else table
    out, known = list(words), _known(words, table, keep)
    for i in draw.sample(known, min(count, len(known))):
        out[i] = _synonym(out[i], table, draw)
    return out


def insert_synonyms(words: list[str], count: int, draw: random.Random) -> list[str]:
    """Insert `count` synonyms of words of the caption at random places.

    Example:
        >>> len(insert_synonyms("a small dog".split(), 1, random.Random(0)))
        4
    """
    out, table = list(words), synonyms()
    for _ in range(count):
        known = _known(out, table)
        if not known:
            break
        out.insert(draw.randint(0, len(out)), _synonym(out[draw.choice(known)], table, draw).strip(".,"))
    return out


def swap_words(words: list[str], count: int, draw: random.Random) -> list[str]:
    """Swap two random words, `count` times.

    Example:
        >>> sorted(swap_words("a red car".split(), 1, random.Random(0)))
        ['a', 'car', 'red']
    """
    out = list(words)
    for _ in range(count if len(out) > 1 else 0):
        i, j = draw.sample(range(len(out)), 2)
        out[i], out[j] = out[j], out[i]
    return out


def delete_words(words: list[str], share: float, draw: random.Random) -> list[str]:
    """Delete each word with probability `share`; one word always stays.

    Example:
        >>> delete_words(["dog"], 1.0, random.Random(0))  # one word always stays
        ['dog']
    """
    out = [w for w in words if draw.random() > share]
    return out or [draw.choice(words)]


def augment(caption: str, draw: random.Random, *, alpha: float = 0.1) -> str:
    """The caption changed by one of the four operations, drawn at random.

    A caption of one word cannot be swapped, and one without a word that has synonyms gets none: where the drawn
    operation can do nothing, the caption stays as it is.

    Args:
        caption: any text; an empty one stays empty.
        draw: source of randomness.
        alpha: share of the words that an operation changes.

    Raises:
        ValueError: `alpha` is not a share.

    Example:
        >>> augment("dog", random.Random(1)).split() != []
        True
    """
    if not 0 <= alpha <= 1:
        raise ValueError(f"alpha is a share of the words, in [0, 1], not {alpha}")
    words = caption.split()
    if not words:
        return caption
    count = max(1, int(alpha * len(words)))
    operation = draw.randrange(4)
    if operation == 3:
        return " ".join(delete_words(words, alpha, draw))
    return " ".join((replace_synonyms, insert_synonyms, swap_words)[operation](words, count, draw))


def augment_all(captions: Sequence[str], seed: int, *, alpha: float = 0.1) -> list[str]:
    """One augmented caption for each, a pure function of the captions and the seed.

    Example:
        >>> captions = ["a small picture of a dog", "a nice drawing of the red car"]
        >>> augment_all(captions, seed=0) == augment_all(captions, seed=0) != captions
        True
    """
    draw = random.Random(seed)
    return [augment(c, draw, alpha=alpha) for c in captions]
