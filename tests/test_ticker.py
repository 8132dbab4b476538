"""Lines of progress where there is no terminal."""

import time

import pytest

from tutorial_lib.ticker import Ticker


def test_lines_are_said_where_there_is_no_terminal(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [0.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    with Ticker("importing", "pairs", 1000, done=100, every=10) as ticker:
        for _ in range(240):
            now[0] += 0.125
            ticker.tick()
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 3
    assert lines[0] == "importing: 180 of 1,000 pairs, 8.0/s, about 102 s left"


def test_short_work_says_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    with Ticker("looking", "pairs") as ticker:
        for _ in range(100):
            ticker.tick()
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize(
    ("total", "done", "seconds", "said"),
    [
        (0, 500, 10, "looking: 500 pairs, 50/s"),
        (100_000, 1000, 10, "looking: 1,000 of 100,000 pairs, 100/s, about 16 min left"),
        (100, 0, 10, "looking: 0 of 100 pairs, 0/s"),
    ],
)
def test_a_line(total: int, done: int, seconds: float, said: str) -> None:
    ticker = Ticker("looking", "pairs", total)
    ticker.done = done
    assert ticker.line(seconds) == said


def test_items_pass_through_and_are_counted_also_where_one_fails(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [0.0]

    def clock() -> float:
        now[0] += 4.0
        return now[0]

    monkeypatch.setattr(time, "monotonic", clock)
    ticker = Ticker("reading", "pairs", 4)

    def use() -> None:
        for item in ticker.over("abcd"):
            if item == "d":
                raise KeyError(item)

    with pytest.raises(KeyError):
        use()
    assert ticker.done == 3
    assert "reading: 3 of 4 pairs" in capsys.readouterr().err
