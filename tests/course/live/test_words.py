"""A page's text tower knows the words that its model has read, and no others."""

import json
import re

import pytest

from tutorial_lib import models
from tutorial_lib.course.live import data, words
from tutorial_lib.models.tokenizer import Tokenizer


def test_known_words_have_the_librarys_tokens():
    _, tokenizer = models.load(models.CHECKPOINTS / data.READER)
    found = words.known_words(tokenizer, data.task().labels)
    assert {"banana", "photo", "-", ".", "'s"} <= found.keys()
    for word, ids in found.items():
        assert [k for k in tokenizer([word])[0].tolist() if k][1:-1] == ids, word


def test_a_whole_vocabulary_is_refused():
    with pytest.raises(ValueError, match="49,408 tokens is no list of words"):
        words.known_words(Tokenizer())


def test_the_script_has_the_text_tower_and_nothing_else():
    model, tokenizer = models.load(models.CHECKPOINTS / data.READER)
    body = json.loads(re.search(r"\] = (\{.*\});", words.words_script("w", model, tokenizer, ["banana"]))[1])
    names = [name for name, _ in body["tensors"]]
    assert {"token_embedding.weight", "text_projection", "ln_final.bias"} <= set(names)
    assert not any(name.startswith("visual.") for name in names)
    assert (body["start"], body["end"]) == (tokenizer.vocab_size - 2, tokenizer.vocab_size - 1)
    assert body["context"] == tokenizer.context_length
