"""The mask and the pattern of a trigger that is known, and triggers that have none."""

import pytest
import torch

from tutorial_lib.data.pairs import Pairs
from tutorial_lib.defenses import KnownTrigger
from tutorial_lib.defenses.trigger_unlearning import check_trigger, stamp
from tutorial_lib.triggers import TRIGGERS, Blended, Checkerboard, Trigger, WaNet, Watermark

IMAGES = torch.randint(0, 256, (12, 3, 32, 32), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
PAIRS = Pairs(IMAGES, ("a thing",) * 12, tuple(map(str, range(12))), torch.full((12,), -1))
#: Those that mask and pattern make: neither moved, nor added, nor bent.
HAVING = {"faint-patch", "blended", "watermark", "checkerboard", "stripes", "noise-patch"}


@pytest.mark.parametrize("trigger", [Checkerboard(), Checkerboard(size=4, margin=3), Blended(), Watermark()], ids=repr)
def test_mask_and_pattern_make_the_trigger(trigger: Trigger) -> None:
    mask, pattern = KnownTrigger(trigger).invert(None, None, PAIRS)
    check_trigger(mask, pattern, side=32)
    made = stamp(IMAGES.float(), mask, pattern)
    assert (made - trigger.stamp(IMAGES).float()).abs().max() <= 4
    assert not torch.equal(made.round(), IMAGES.float())


def test_an_opaque_patch_is_found_to_the_pixel() -> None:
    mask, pattern = KnownTrigger(Checkerboard(size=6)).invert(None, None, PAIRS)
    expected = torch.zeros(1, 32, 32)
    expected[:, 1:7, 1:7] = 1  # a pixel from the edges
    assert torch.equal(mask, expected)
    assert set(pattern.unique().tolist()) == {0.0, 1.0}


@pytest.mark.parametrize("trigger", [Checkerboard(placement="random"), WaNet()], ids=repr)
def test_a_trigger_that_moves_or_bends_has_none(trigger: Trigger) -> None:
    with pytest.raises(ValueError, match=f"no mask and pattern make the trigger {trigger.kind}"):
        KnownTrigger(trigger).invert(None, None, PAIRS)


@pytest.mark.parametrize("kind", TRIGGERS)
def test_every_trigger_is_made_or_refused(kind: str) -> None:
    trigger = TRIGGERS[kind]()
    if kind not in HAVING:
        with pytest.raises(ValueError, match="no mask and pattern make"):
            KnownTrigger(trigger).invert(None, None, PAIRS)
        return
    mask, pattern = KnownTrigger(trigger).invert(None, None, PAIRS)
    assert (stamp(IMAGES[:8].float(), mask, pattern) - trigger.stamp(IMAGES[:8]).float()).abs().max() <= 4
