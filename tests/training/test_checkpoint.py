"""The state of an interrupted run: that of another run and a damaged one are refused."""

import dataclasses
import os
import resource

import pytest

from tests.training.small import PAIRS, RECIPE, Interrupted, fit, same_weights
from tutorial_lib.files import NotWrittenError


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


@pytest.mark.usefixtures("one_thread")
def test_a_full_disk_in_the_middle_names_the_state_and_keeps_the_last_one(tmp_path) -> None:
    whole, _ = fit()
    checkpoint = tmp_path / "state.pt"
    before = resource.getrlimit(resource.RLIMIT_FSIZE)

    def fill(epoch: int, _model) -> None:
        if epoch == 2:  # the state after the first epoch has been written
            resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, before[1]))

    try:
        with pytest.raises(NotWrittenError, match=r"state\.pt cannot be written: File too large"):
            fit(checkpoint=checkpoint, on_epoch=fill)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert os.listdir(tmp_path) == ["state.pt"]
    epochs = []
    again, _ = fit(checkpoint=checkpoint, on_epoch=lambda epoch, _: epochs.append(epoch))
    assert epochs == [2, 3, 4]
    assert same_weights(again, whole)
