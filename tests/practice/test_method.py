"""Training methods by name, with their own settings."""

import pytest

from tutorial_lib.practice.method import chosen_method
from tutorial_lib.training.methods import METHODS, RoCLIP, SafeCLIP


def test_every_method_can_be_chosen() -> None:
    assert {kind: chosen_method(kind, {}) for kind in METHODS} == {kind: cls() for kind, cls in METHODS.items()}
    assert chosen_method("safeclip", {"warmup": 2, "slow_rate": 1}) == SafeCLIP(warmup=2, slow_rate=1)
    assert chosen_method("roclip", {"augment": False}) == RoCLIP(augment=False)


@pytest.mark.parametrize(
    ("kind", "settings", "said"),
    [
        ("clip", {}, "there is no training method 'clip'; choose from roclip, safeclip"),
        ("roclip", {"warmup": 2}, "roclip has no setting warmup; it has every, pool, augment"),
        ("safeclip", {"warmup": "long"}, "warmup of safeclip is a whole number, not 'long'"),
        ("safeclip", {"sure": 2.0}, r"sure of a safeclip must be in \(0, 1\], not 2.0"),
    ],
)
def test_what_is_no_method_is_refused(kind: str, settings: dict, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        chosen_method(kind, settings)
