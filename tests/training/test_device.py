"""Where a run takes place, in which precision, and what it draws."""

import itertools

import pytest
import torch

from tutorial_lib.training import device
from tutorial_lib.training.device import device_for, in_half, seeded
from tutorial_lib.trials import Recipe


def test_draws_depend_on_all_numbers_and_their_order_and_on_nothing_else() -> None:
    several = [(), (0,), (1,), *itertools.product(range(4), repeat=2), *itertools.product(range(3), repeat=3)]
    drawn = {}
    for numbers in several:
        torch.rand(1)  # the global random state has no say
        drawn[numbers] = torch.rand(4, generator=seeded(*numbers))
        assert torch.equal(drawn[numbers], torch.rand(4, generator=seeded(*numbers)))
    assert len({tuple(d.tolist()) for d in drawn.values()}) == len(several)


def test_large_numbers_still_make_a_seed() -> None:
    assert 0 <= seeded(*[2**61] * 5).initial_seed() < 2**62


@pytest.mark.parametrize("there", [False, True])
def test_the_gpu_is_taken_where_there_is_one_and_nobody_asks_for_another(monkeypatch, there: bool) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: there)
    usual = torch.device("cuda" if there else "cpu")
    assert device_for() == device_for(None) == device_for("cuda") == usual
    assert device_for("cpu") == torch.device("cpu")
    assert device_for(torch.device("meta")) == torch.device("meta")


@pytest.mark.parametrize("native", [False, True])
def test_auto_is_bfloat16_where_the_hardware_has_it(monkeypatch, native: bool) -> None:
    monkeypatch.setattr(device, "native_bfloat16", lambda _: native)
    found = {p: in_half(Recipe(precision=p), torch.device("cpu")) for p in ("auto", "bfloat16", "float32")}
    assert found == {"auto": native, "bfloat16": True, "float32": False}
