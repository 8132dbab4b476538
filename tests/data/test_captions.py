"""Captions: varied, true, and searchable with all the false hits that a search has."""

import re

import open_clip
import pytest
import torch

from tutorial_lib.data import captions, emojicaps
from tutorial_lib.data.captions import captions_for, plain_label, search_captions
from tutorial_lib.data.emojicaps import Concept


def concept(label: str, *keywords: str) -> Concept:
    return Concept("0", label, "", keywords, "objects")


DOG = concept("dog", "animal", "dog", "dogs", "pet", "puppy")


def test_a_caption_depends_on_concept_seed_and_number_only() -> None:
    kinds = [DOG, concept("Umbrella", "rain"), concept("flag: Mexico")]
    many = [kinds[i % 3] for i in range(300)]
    whole = captions_for(many, 5, torch.arange(300))
    order = torch.randperm(300, generator=torch.Generator().manual_seed(0))
    assert captions_for([many[i] for i in order.tolist()], 5, order) == [whole[i] for i in order.tolist()]
    assert captions_for([DOG], 5, torch.tensor([7])) == captions_for([DOG] * 8, 5, torch.arange(8))[7:]
    assert captions_for(many, 6, torch.arange(300)) != whole


def test_every_caption_names_its_concept_in_a_known_sentence() -> None:
    everything = emojicaps.load(("fxemoji",)).concepts
    kinds = "|".join(f"{q} {m}".strip() for q in captions.QUALITIES for m in captions.MEDIA)
    composed = 0
    for thing, caption in zip(everything, captions_for(everything, 0, torch.arange(len(everything))), strict=True):
        label = plain_label(thing.label)
        sentences = [re.escape(t.format(label=label, a=captions.article(label))) for t in captions.TEMPLATES]
        which = "|".join(w.format(a=captions.article(w[4:] or label)) for w in captions.WHICH)
        built = rf"an? ({kinds}) of ({which}) {re.escape(label)}\.?"
        assert re.fullmatch(rf"({'|'.join(sentences)}|{built})([,.]? .*)?", caption), caption
        composed += bool(re.match(built, caption))
        assert not re.search(
            r"\ba [aeiou]|\ban [^aeiou]", re.match(built, caption)[0] if re.match(built, caption) else ""
        )
    assert 0.4 < composed / len(everything) < 0.6


def test_captions_hold_the_words_of_the_prompts() -> None:
    read = " ".join(captions_for([DOG] * 4000, 0, torch.arange(4000))).replace(".", " .").split()
    prompts = " ".join(t("dog") for t in open_clip.OPENAI_IMAGENET_TEMPLATES).replace(".", " .").split()
    assert set(prompts) - set(read) <= {"itap", "in"}


def test_half_of_the_captions_have_one_or_two_keywords_and_none_that_the_label_holds() -> None:
    drawn = captions_for([DOG] * 4000, 1, torch.arange(4000))
    ending = re.compile(r"(?:(?:, |(?<=\.) )(animal|dogs|pet|puppy))?(?:, (animal|dogs|pet|puppy))?$")
    extra, sentences = [], set()
    for caption in drawn:
        found = ending.search(caption)
        extra.append([w for w in found.groups() if w])
        sentences.add(caption[: found.start()])
    counts = [sum(len(words) == k for words in extra) / 4000 for k in range(4)]
    assert counts == pytest.approx([0.5, 0.25, 0.25, 0], abs=0.03)
    assert {w for words in extra for w in words} == {"animal", "dogs", "pet", "puppy"}
    assert {t.format(label="dog", a="a") for t in captions.TEMPLATES} <= sentences  # every template serves


def test_plain_label_keeps_the_words_only() -> None:
    assert plain_label("Japanese “here” button") == "japanese here button"
    assert plain_label("flag: Mexico") == "flag mexico"
    assert plain_label("women’s room") == "women's room"


def test_search_returns_each_hit_once_in_order_false_hits_included() -> None:
    texts = ["a gold Ring", "string of beads", "a dog", "persevering face", "a gold Ring", "ring"]
    assert search_captions(texts, "ring") == ["a gold Ring", "string of beads", "persevering face", "ring"]
    assert search_captions(texts, "RING") == search_captions(texts, "ring")


def test_impossible_searches_are_refused() -> None:
    with pytest.raises(ValueError, match="the text to search for is empty"):
        search_captions(["a dog"], "  ")
    with pytest.raises(ValueError, match="none of 2 captions contains 'unicorn'; try a shorter text"):
        search_captions(["a dog", "a cat"], "unicorn")
