"""Arrays in pickles against NumPy's own, of every protocol; and nothing that a file names is ever called."""

from __future__ import annotations

import os
import pickle
import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.practice.photo_makers import python2_batch
from tutorial_lib.models.arrays import NUMBERS, inert, unpickle_arrays
from tutorial_lib.models.pickles import Made, UnreadableError


class Bad:
    """Unpickled, it would write a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (str(self.path),)


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_arrays_are_what_pickle_reads(protocol: int) -> None:
    generator, draw = np.random.default_rng(protocol), random.Random(protocol)
    for name in sorted(NUMBERS):
        shape = tuple(draw.randrange(4) for _ in range(draw.randrange(4)))
        array = generator.integers(0, 2, shape).astype(name)
        for wanted in (array, np.asfortranarray(array), array.astype(array.dtype.newbyteorder(">"))):
            found = unpickle_arrays(pickle.dumps({"a": [wanted]}, protocol))["a"][0]
            assert found.dtype == wanted.dtype
            assert np.array_equal(found, wanted)
            assert found.shape == wanted.shape


def test_a_batch_of_python_2_is_what_pickle_reads() -> None:
    images = np.random.default_rng(0).integers(0, 256, (4, 3072), dtype=np.uint8)
    content = python2_batch({"batch_label": "training batch 1 of 5", "labels": [3, 0, 255, 300], "data": images})
    wanted, found = pickle.loads(content, encoding="latin1"), unpickle_arrays(content)
    assert list(found) == list(wanted) == ["batch_label", "labels", "data"]
    assert found["labels"] == wanted["labels"] == [3, 0, 255, 300]
    assert np.array_equal(found["data"], wanted["data"])


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_nothing_is_called(protocol: int, tmp_path: Path) -> None:
    content = pickle.dumps({"data": Bad(tmp_path / "made"), "labels": [1]}, protocol)
    found = unpickle_arrays(content)
    assert isinstance(found["data"], Made)
    assert inert(found) == [f"{os.mkdir.__module__}.mkdir"]
    assert not (tmp_path / "made").exists()
    pickle.loads(content)
    assert (tmp_path / "made").exists(), "the file is as bad as it looks"


def test_what_is_no_array_of_numbers_is_refused() -> None:
    good = pickle.dumps(np.arange(6, dtype=np.uint8), 2)
    with pytest.raises(UnreadableError, match="something else than numbers"):
        unpickle_arrays(pickle.dumps(np.array([{}], dtype=object), 2))
    with pytest.raises(UnreadableError, match="something else than numbers"):
        unpickle_arrays(pickle.dumps(np.array(["a"]), 2))
    with pytest.raises(UnreadableError, match=r"shape \(7,\) is not as long as its 6 bytes"):
        unpickle_arrays(good.replace(b"K\x06\x85", b"K\x07\x85"))
    for content in (b"", b"no pickle", good[:-9], good[5:]):
        with pytest.raises(UnreadableError):
            unpickle_arrays(content)
    deep: Any = []
    for _ in range(40):
        deep = [deep]
    with pytest.raises(UnreadableError, match="nested deeper"):
        unpickle_arrays(pickle.dumps(deep))
