"""Parts are measured in the order in which they are asked for, and a part that does not exist before any of them."""

import pytest

from tutorial_lib.bench import store, zscore
from tutorial_lib.practice.benchmark import PARTS, benchmark


def test_parts_are_measured_in_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []
    monkeypatch.setattr(zscore, "compare", lambda **options: asked.append(options) or {"n": options["n"]})
    monkeypatch.setattr(zscore, "describe", lambda found: [f"{found['n']} embeddings"])
    monkeypatch.setattr(store, "compare", lambda **options: asked.append(options) or {"records": 20})
    monkeypatch.setattr(store, "describe", lambda found: ["20 records"])
    made = benchmark(["store", "zscore"], repeats=2, embeddings=7, dimensions=3, seed=5)
    assert asked == [{"repeats": 2}, {"repeats": 2, "seed": 5, "n": 7, "d": 3}]
    assert made.as_dict() == {"machine": made.machine, "repeats": 2, "store": {"records": 20}, "zscore": {"n": 7}}
    first, *rest = str(made).splitlines()
    assert first.startswith(made.machine["cpu"])
    assert first.endswith("median of 2")
    assert rest == ["20 records", "7 embeddings"]


def test_a_part_that_does_not_exist_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store, "compare", lambda **_: pytest.fail("measured before the parts were read"))
    with pytest.raises(ValueError, match=f"no part 'speed': there are {', '.join(PARTS)}"):
        benchmark(["store", "speed"])
