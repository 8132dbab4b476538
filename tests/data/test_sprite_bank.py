"""The bank of sprites: every training style, resized, and none of the held-out ones."""

import torch

from tutorial_lib.data import emojicaps, lanes
from tutorial_lib.data.compose import packed_sprites
from tutorial_lib.data.sprite_bank import SPRITE_SIDE, sprite_bank

BANK = sprite_bank(32, "cpu", (0.34, 0.5))


def test_rows_are_the_training_drawings_by_concept() -> None:
    data = emojicaps.load()
    wanted = [
        p
        for p in data.of_styles(*emojicaps.TRAIN_STYLES).tolist()
        if data.concepts[int(data.concept[p])].code not in emojicaps.TRIGGER_LIKE
    ]
    assert sorted(BANK.position.tolist()) == sorted(wanted)
    for k, concept in enumerate(BANK.usable.tolist()):
        rows = range(int(BANK.first[k]), int(BANK.first[k] + BANK.styles[k]))
        assert {int(data.concept[BANK.position[r]]) for r in rows} == {concept}
    assert torch.equal(BANK.row[BANK.position], torch.arange(len(BANK.position)))
    assert (BANK.row == -1).sum() == len(data) - len(wanted)


def test_sprites_are_resized_and_those_larger_than_the_drawings_enlarged() -> None:
    data, rows = emojicaps.load(), torch.tensor([5, 4000])
    for k, edge in enumerate(BANK.sizes):
        wanted = lanes.spread(packed_sprites(data.images[BANK.position[rows]], edge)).flatten(1)
        assert torch.equal(BANK.sprites(k, rows), wanted)
    large = sprite_bank(128, "cpu", (0.75,))
    assert large.sizes == (96,)
    small = lanes.spread(packed_sprites(data.images[large.position[rows]], SPRITE_SIDE))
    assert torch.equal(large.sprites(0, rows), lanes.enlarge(small, 96).flatten(1))
