"""The state of an interrupted run: that of another run and a damaged one are refused."""

import dataclasses

import pytest

from tests.training.small import PAIRS, RECIPE, Interrupted, fit


def test_a_checkpoint_of_another_run_is_refused(tmp_path) -> None:
    checkpoint = tmp_path / "state.pt"

    def stop(_epoch: int, _model) -> None:
        if checkpoint.is_file():
            raise Interrupted

    with pytest.raises(Interrupted):
        fit(checkpoint=checkpoint, on_epoch=stop)
    others = [
        {"seed": 1},
        {"recipe": dataclasses.replace(RECIPE, lr=1e-3)},
        {"pairs": PAIRS.take(range(71))},
        {"pairs": PAIRS.take([1, 0, *range(2, 72)])},
    ]
    for other in others:
        with pytest.raises(ValueError, match=r"state.pt belongs to another run: .* remove the file"):
            fit(checkpoint=checkpoint, **other)


def test_a_damaged_state_is_named(tmp_path) -> None:
    (tmp_path / "state.pt").write_bytes(b"half of it")
    with pytest.raises(ValueError, match=r"state\.pt cannot be read as the state of a run: .*; remove it"):
        fit(checkpoint=tmp_path / "state.pt")
