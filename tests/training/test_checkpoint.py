"""The state of an interrupted run: that of another run and a damaged one are refused."""

import dataclasses
import os
import resource

import pytest
import torch

from tests.training.small import PAIRS, RECIPE, Interrupted, fit, same_weights
from tutorial_lib.files import NotWrittenError
from tutorial_lib.training.checkpoint import Keeper, PausedError, Point, restore


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


def keeper(path, **options) -> Keeper:
    model = torch.nn.Linear(2, 1)
    return Keeper(path, "me", model, torch.optim.SGD(model.parameters(), lr=0.1), **options)


def test_a_state_is_due_after_so_many_seconds_and_when_the_time_is_over(tmp_path, monkeypatch) -> None:
    now = [100.0]
    monkeypatch.setattr("tutorial_lib.training.checkpoint.time.monotonic", lambda: now[0])
    path = tmp_path / "state.pt"
    found = keeper(path, every=180.0, until=1000.0)
    assert not found.due()
    now[0] = 279.0
    assert not found.due()
    now[0] = 280.0
    assert found.due()
    assert not keeper(None, every=0.0).due()
    found.keep(Point(0, [], 7, torch.tensor(3.5), {}))
    assert not found.due()
    now[0] = 1000.0
    assert found.due()
    with pytest.raises(PausedError, match=r"stopped after 1 epochs and 3 steps; .*state\.pt holds the state"):
        found.keep(Point(1, [0.5], 3, torch.tensor(1.25), {}))
    there = restore(path, "me", found.model, found.optimizer, torch.device("cpu"))
    assert (there.epoch, there.loss, there.step, there.running.item()) == (1, [0.5], 3, 1.25)


@pytest.mark.parametrize(("stays", "took", "left"), [(False, 9.0, []), (True, 9.0, [2]), (True, 1.0, [])])
def test_what_is_left_at_the_end(tmp_path, monkeypatch, stays, took, left) -> None:
    now = [0.0]
    monkeypatch.setattr("tutorial_lib.training.checkpoint.time.monotonic", lambda: now[0])
    found = keeper(tmp_path / "state.pt", every=5.0)
    now[0] = took
    found.end(Point(2), stays=stays)
    assert [torch.load(path, weights_only=True)["epoch"] for path in tmp_path.iterdir()] == left


def test_who_does_not_write_keeps_nothing(tmp_path) -> None:
    found = keeper(tmp_path / "state.pt", every=0.0, writes=False)
    found.keep(Point(1))
    found.end(Point(2), stays=True)
    assert not list(tmp_path.iterdir())


def test_a_state_that_tells_no_step_is_of_the_end_of_an_epoch(tmp_path) -> None:
    found = keeper(tmp_path / "state.pt")
    found.keep(Point(3, [0.1, 0.2, 0.3]))
    body = torch.load(tmp_path / "state.pt", weights_only=True)
    torch.save({k: v for k, v in body.items() if k not in ("step", "running", "good")}, tmp_path / "state.pt")
    there = restore(tmp_path / "state.pt", "me", found.model, found.optimizer, torch.device("cpu"))
    assert there == Point(3, [0.1, 0.2, 0.3])
