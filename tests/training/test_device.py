"""Where a run takes place, in which precision, and what it draws."""

import itertools

import pytest
import torch

from tutorial_lib.notes import Note
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
    assert device_for() == device_for(None) == usual
    if there:
        assert device_for("cuda") == usual
    else:
        with pytest.raises(ValueError, match="there is no GPU"):
            device_for("cuda")
    assert device_for("cpu") == torch.device("cpu")
    assert device_for(torch.device("meta")) == torch.device("meta")


@pytest.mark.parametrize("native", [False, True])
def test_auto_is_bfloat16_where_the_hardware_has_it(monkeypatch, native: bool) -> None:
    monkeypatch.setattr(device, "native_bfloat16", lambda _: native)
    found = {p: in_half(Recipe(precision=p), torch.device("cpu")) for p in ("auto", "bfloat16", "float32")}
    assert found == {"auto": native, "bfloat16": True, "float32": False}


def test_one_of_several_gpus_may_be_named(monkeypatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    assert device_for("cuda:1") == torch.device("cuda:1")
    monkeypatch.setenv("LOCAL_RANK", "1")  # torchrun started several
    assert device_for() == device_for("cuda") == torch.device("cuda:1")
    assert device_for("cuda:0") == torch.device("cuda:0")
    assert device_for("cpu") == torch.device("cpu")


def test_a_macs_gpu_computes_in_float32(monkeypatch) -> None:
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: True)
    assert device_for("mps") == torch.device("mps")
    assert not device.native_bfloat16(torch.device("mps"))
    assert not in_half(Recipe(), torch.device("mps"))
    with pytest.warns(Note, match="mps computes in float32"):
        assert not in_half(Recipe(precision="bfloat16"), torch.device("mps"))


@pytest.mark.filterwarnings("error")
def test_a_block_without_half_precision_may_be_on_any_device() -> None:
    for kind in ("cpu", "cuda", "mps"):
        with torch.autocast(kind, torch.bfloat16, enabled=False):
            assert not torch.is_autocast_enabled(kind)
