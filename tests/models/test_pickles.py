"""The machine for pickles against Python's own, on data; and what no checkpoint does."""

from __future__ import annotations

import io
import pickle
import random
import time
from collections import Counter, OrderedDict, defaultdict
from datetime import timedelta
from typing import Any

import pytest
import torch

from tutorial_lib.models import pickles
from tutorial_lib.models.pickles import Machine, Made, Named, Storage, UnreadableError


def run(content: bytes) -> Any:
    return Machine(lambda kind, key: Storage(key, torch.float32)).run(io.BytesIO(content))


def plain(draw: random.Random, depth: int = 4) -> Any:
    """Plain data as checkpoints hold it, nested."""
    kind = draw.randrange(9 if depth else 6)
    numbers = (0, 1, -1, 255, 65536, -(2**31), 2**40, 2**80)
    simple = (None, True, False, draw.choice(numbers), draw.random(), draw.choice(["", "é", "x" * 300, "a"]))
    if kind < 6:
        return simple[kind]
    inner = [plain(draw, depth - 1) for _ in range(draw.randrange(5))]
    return (inner, tuple(inner), {draw.choice(["a", "b", 3, f"k{i}"]): value for i, value in enumerate(inner)})[
        kind - 6
    ]


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_plain_data_is_what_pickle_reads(protocol: int) -> None:
    draw = random.Random(protocol)
    for _ in range(200):
        value = plain(draw)
        assert run(pickle.dumps(value, protocol)) == value
    shared = ["x"]
    assert run(pickle.dumps([shared, shared, b"bytes"] if protocol > 2 else [shared, shared], protocol))[1] == ["x"]


def test_dictionaries_of_other_kinds_become_plain_ones() -> None:
    content = {"o": OrderedDict(a=1), "d": defaultdict(list, a=[2]), "c": Counter("aab"), "s": {1}, "n": OrderedDict()}
    found = run(pickle.dumps(content, 2))
    assert found["o"] == {"a": 1}
    assert found["n"] == {}
    assert found["d"] == {"a": [2]}
    assert type(found["o"]) is dict


@pytest.mark.parametrize("protocol", [0, 2, 4])
def test_objects_are_inert(protocol: int) -> None:
    made = run(pickle.dumps(timedelta(1, 2), protocol))
    assert (type(made), made.name, made.args) == (Made, "datetime.timedelta", (1, 2, 0))
    assert isinstance(run(pickle.dumps(print, protocol)), Named)
    error = run(pickle.dumps(Exception("x"), protocol))
    assert error.args == ("x",)
    assert error.name.endswith(".Exception")


def test_keys_that_are_no_texts_or_numbers_are_left_out() -> None:
    """The hash of nested tuples is computed without a bound, in Python's own core."""
    nested = b"(" * 1 + b")" + b"\x85" * 200_000
    assert run(b"\x80\x02}" + nested[1:] + b"K\x01s.") == {}
    assert run(pickle.dumps({(1, 2): 3, "a": 4})) == {"a": 4}


def test_references_are_not_expanded() -> None:
    """Lists of lists of lists, each twice: 2^200 in all, and as fast as any pickle."""
    body = b"]q\x00" + b"".join(b"](h" + bytes([k]) + b"h" + bytes([k]) + b"eq" + bytes([k + 1]) for k in range(200))
    started = time.perf_counter()
    assert len(run(b"\x80\x02" + body + b".")) == 2
    assert time.perf_counter() - started < 5


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"\x80\x02\x82\x01.", r"does what no checkpoint does \(EXT1\)"),
        (b"(S'x'\nios\nsystem\n.", r"does what no checkpoint does \(INST\)"),
        (b"\x80\x04X\x01\x00\x00\x00aK\x01\x93.", "names a class that has no name"),
        (b"\x80\x02K\x01t.", "makes no sense"),
        (b"\x80\x02K\x01R.", "makes no sense"),
        (b"\x80\x02K\x01Q.", "outside of itself"),
        (b"\x80\x02X\x06\x00\x00\x00moduleK\x01\x86Q.", "outside of itself"),
    ],
)
def test_what_no_checkpoint_does_is_refused(content: bytes, said: str) -> None:
    with pytest.raises(UnreadableError, match=said):
        run(content)


def test_operations_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pickles, "MOST_OPERATIONS", 100)
    with pytest.raises(UnreadableError, match="more operations than any checkpoint needs"):
        run(b"\x80\x02" + b"}" * 101 + b".")


@pytest.mark.parametrize(
    ("shape", "stride"),
    [
        ((-1,), (1,)),
        ((2**50,), (1,)),
        (("a",), (1,)),
        ((1.5,), (1,)),
        (((1,),), (1,)),
        ((True,), (1,)),
        ((1, 2), (1,)),
        ((2**30, 2**30), (1, 1)),
        ("a", (1,)),
        (3, (1,)),
    ],
)
def test_impossible_shapes_are_inert(shape: Any, stride: Any) -> None:
    args = (Storage("0", torch.float32), 0, shape, stride, False, None)
    assert isinstance(pickles._call(Named("torch._utils._rebuild_tensor_v2"), args), Made)
