"""The tokenizer against open_clip's, with the whole vocabulary and with a pruned one."""

import copy
import random
import string

import open_clip
import pytest
import torch

from tutorial_lib import models
from tutorial_lib.models import tokenizer as module
from tutorial_lib.models.tokenizer import EOT, FULL_VOCAB, SOT, Tokenizer, _encode

TEXTS = [
    "a photo of a dog",
    "A PHOTO of a   dog!!",
    "two dogs &amp; a cat",
    "naïve café, 日本語 🐕",
    "",
    "!",
    "a very long caption " * 12,
]
SMALL = {"embed_dim": 16, "vision_cfg": {"image_size": 32, "layers": [1, 1, 1, 1], "width": 8, "head_width": 16}}
SMALL["text_cfg"] = {"context_length": 16, "vocab_size": FULL_VOCAB, "width": 32, "heads": 2, "layers": 2}


@pytest.mark.parametrize("length", [8, 16, 77])
def test_the_whole_vocabulary_gives_open_clips_tokens(length: int) -> None:
    ours, theirs = Tokenizer(length), open_clip.SimpleTokenizer(context_length=length)
    assert torch.equal(ours(TEXTS), theirs(TEXTS))
    assert torch.equal(ours("a dog"), theirs("a dog"))
    assert torch.equal(ours(TEXTS, context_length=5), theirs(TEXTS, context_length=5))


def test_a_pruned_vocabulary_renames_tokens_and_keeps_their_order() -> None:
    full, pruned = Tokenizer(16), Tokenizer.for_texts(TEXTS, context_length=16)
    original, renamed = full(TEXTS), pruned(TEXTS)
    for row, ids in zip(renamed.tolist(), original.tolist(), strict=True):
        length = ids.index(EOT) + 1
        assert [pruned.vocab[i - 2] for i in row[:length]] == ids[:length]
        assert row[length:] == [0] * (16 - length)
    used = {SOT, EOT} | {t for text in TEXTS for t in open_clip.SimpleTokenizer().encode(text)}
    assert pruned.vocab_size == len(used) + 2
    assert list(pruned.vocab) == sorted(used)
    assert torch.equal(renamed.argmax(1), original.argmax(1))  # the text tower reads its output at the largest id
    assert (renamed == pruned.vocab_size - 1).sum(1).tolist() == [1] * len(TEXTS)


def test_a_pruned_model_embeds_texts_as_the_whole_one_does() -> None:
    full, pruned = Tokenizer(16), Tokenizer.for_texts(TEXTS, context_length=16)
    whole, small = models.build(SMALL, full).eval(), models.build(SMALL, pruned).eval()
    state = copy.deepcopy(whole.state_dict())
    rows = state["token_embedding.weight"][list(pruned.vocab)]
    state["token_embedding.weight"] = torch.cat([torch.full((2, 32), 7.0), rows])  # padding and unknown never matter
    small.load_state_dict(state)
    with torch.no_grad():
        torch.testing.assert_close(small.encode_text(pruned(TEXTS)), whole.encode_text(full(TEXTS)))


def test_an_unseen_token_is_unknown_and_not_padding() -> None:
    tokenizer = Tokenizer.for_texts(["a dog"], context_length=8)
    tokens = tokenizer(["a zebra dog"])[0].tolist()
    a, dog = tokenizer(["a dog"])[0].tolist()[1:3]
    assert tokens == [tokenizer.vocab_size - 2, a, 1, dog, tokenizer.vocab_size - 1, 0, 0, 0]


def test_a_long_text_is_cut_and_still_ends() -> None:
    tokenizer = Tokenizer.for_texts(TEXTS, context_length=6)
    tokens = tokenizer([TEXTS[-1]])[0]
    assert tokens.argmax() == 5
    assert tokens[5] == tokenizer.vocab_size - 1


@pytest.mark.parametrize("vocab", ["pruned", "full"])
def test_a_table_holds_the_same_ids_in_fewer_bytes(monkeypatch, vocab: str) -> None:
    monkeypatch.setattr(module, "PART", 3)  # seven texts: two whole parts and one text more
    tokenizer = Tokenizer(16) if vocab == "full" else Tokenizer.for_texts(TEXTS, context_length=16)
    table = tokenizer.table(TEXTS)
    assert table.dtype == (torch.int32 if vocab == "full" else torch.int16)
    assert torch.equal(table.long(), torch.cat([tokenizer(text) for text in TEXTS]))
    assert tokenizer.table([]).shape == (0, 16)


def test_tokens_word_by_word_are_those_of_the_whole_text() -> None:
    """Random texts of everything that is repaired, unescaped or special, and plenty that is not."""
    draw, bpe = random.Random(0), open_clip.SimpleTokenizer()
    signs = string.printable + "''''   é’&<>ﬁ\u200b"
    words = ["dog's", "we'll", "<end_of_text>", "&amp;", "&lt", "3.5", "!!!", "naïve", "ﬁre", "A", "x-ray", "\x1b[31m"]
    texts = ["".join(draw.choice(signs) for _ in range(draw.randrange(30))) for _ in range(3000)]
    texts += [draw.choice((" ", "  ", "\n", "")).join(draw.choices(words, k=4)) for _ in range(3000)]
    for text in texts:
        assert _encode(text) == bpe.encode(text), text
