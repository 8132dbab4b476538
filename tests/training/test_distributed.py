"""Two processes with half of the batch each end with the weights of one that has all of it; killed, they go on."""

import os
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import nn

from tests.training.small import PAIRS, RECIPE, TOKENIZER, fit
from tutorial_lib import models
from tutorial_lib.attacks import Backdoor
from tutorial_lib.losses import clip_loss
from tutorial_lib.models.classifier import Classifier
from tutorial_lib.models.fast import encode_text
from tutorial_lib.runs import engines
from tutorial_lib.training import distributed
from tutorial_lib.training.loop import TrainingDivergedError, encode_image
from tutorial_lib.training.methods import RoCLIP, SafeCLIP
from tutorial_lib.training.supervised import train_classifier
from tutorial_lib.training.views import train_with_views
from tutorial_lib.trials import Method, Recipe, Trial
from tutorial_lib.trials.store import RunStore

ROOT = Path(__file__).resolve().parents[2]
SHORT = replace(RECIPE, epochs=2, lr=1e-3)
TRIALS = [
    Trial(Backdoor(count, target="sunrise"), classes=8, copies=2, recipe=Recipe(epochs=1, batch_size=40))
    for count in (0, 4)
]


def train_clip(out: Path) -> dict:
    model, history = fit(recipe=SHORT)
    return {"weights": model.state_dict(), "loss": history.loss}


def train_cleanclip(out: Path) -> dict:
    model = models.build(models.model_config("tiny-rn"), TOKENIZER, seed=0)
    history = train_with_views(model, TOKENIZER, PAIRS, SHORT, device="cpu", progress=False)
    return {"weights": model.state_dict(), "loss": history.loss}


def train_roclip(out: Path) -> dict:
    return _by(RoCLIP(pool=0.25), SHORT)


def train_safeclip(out: Path) -> dict:
    return _by(SafeCLIP(warmup=1, slow_rate=0.5), replace(SHORT, epochs=3))


def _by(method: Method, recipe: Recipe) -> dict:
    model = models.build(models.model_config("tiny-rn"), TOKENIZER, seed=0)
    history = method.train(model, TOKENIZER, PAIRS, recipe, device="cpu", progress=False)
    return {"weights": model.state_dict(), "loss": history.loss}


def train_supervised(out: Path) -> dict:
    clip = models.build(models.model_config("tiny-rn"), TOKENIZER, seed=0)
    model = Classifier(clip.visual, 128, 4)
    history = train_classifier(model, PAIRS.images, PAIRS.concept, SHORT, device="cpu")
    return {"weights": model.state_dict(), "loss": history.loss}


def gradients(out: Path) -> dict:
    """Of one batch, in double precision, where nothing but a mistake can differ."""
    model = models.build(models.model_config("tiny-rn"), TOKENIZER, seed=distributed.rank()).double().train()
    with distributed.synchronized(model):
        pictures = torch.rand(16, 3, 32, 32, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
        text = distributed.share(TOKENIZER(PAIRS.captions[:16]))
        image = distributed.whole(encode_image(model, distributed.share(pictures), half=False).double())
        loss = clip_loss(image, distributed.whole(encode_text(model, text)), model.logit_scale.exp())
        loss.backward()
        distributed.average_gradients(model)
    statistics = {name: value for name, value in model.named_buffers() if "running" in name}
    return {"loss": loss.detach(), **{n: p.grad for n, p in model.named_parameters()}, **statistics}


def trials(out: Path) -> dict:
    result = engines.sweep(TRIALS, RunStore(out / "store"), engine="group", device="cpu")
    return {"made": result.made, "left": result.left, "failed": result.failed}


def interrupted(out: Path) -> dict:
    """The second process dies after the second epoch, the first time."""

    def on_epoch(epoch: int, _) -> None:
        marker = out / "died"
        if epoch == 2 and distributed.rank() == 1 and not marker.exists():
            marker.touch()
            os.kill(os.getpid(), signal.SIGKILL)

    model, history = fit(checkpoint=out / "state.pt", on_epoch=on_epoch)
    return {"weights": model.state_dict(), "loss": history.loss, "steps": history.steps}


def diverged(out: Path) -> dict:
    try:
        fit(recipe=replace(SHORT, lr=1e30))
    except TrainingDivergedError as error:
        return {"error": str(error)}
    return {}


def odd(out: Path) -> dict:
    try:
        fit(recipe=replace(SHORT, batch_size=15))
    except ValueError as error:
        return {"error": str(error)}
    return {}


CASES = {f.__name__: f for f in (train_clip, train_cleanclip, train_supervised, gradients, trials, interrupted)}
CASES |= {f.__name__: f for f in (train_roclip, train_safeclip, diverged, odd)}


def start(names: str, out: Path, *options: str) -> subprocess.CompletedProcess:
    """Two processes that go through some cases."""
    command = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", "2", "--standalone", *options]
    environment = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT), "CUDA_VISIBLE_DEVICES": ""}
    return subprocess.run(
        [*command, str(ROOT / "tests" / "training" / "group_worker.py"), names, str(out)],
        cwd=out,
        env=environment,
        capture_output=True,
        text=True,
        timeout=300,
    )


def load(name: str, out: Path) -> dict:
    return torch.load(out / f"{name}.pt", weights_only=True)


@pytest.fixture(scope="module")
def together(tmp_path_factory) -> Path:
    """Where two processes have left what they found in every case, and nobody died."""
    out = tmp_path_factory.mktemp("together")
    (out / "died").touch()  # as if it had happened before
    done = start(",".join(CASES), out)
    assert done.returncode == 0, done.stderr[-3000:]
    return out


def test_gradients_and_statistics_are_those_of_one_process(together, tmp_path: Path) -> None:
    alone, two = gradients(tmp_path), load("gradients", together)
    assert alone.keys() == two.keys()
    for name, expected in alone.items():
        torch.testing.assert_close(two[name], expected, rtol=1e-4, atol=1e-6, msg=lambda m, name=name: f"{name}: {m}")


@pytest.mark.usefixtures("one_thread")
@pytest.mark.parametrize("case", [train_clip, train_cleanclip, train_supervised, train_roclip, train_safeclip])
def test_training_ends_alike(case, together, tmp_path: Path) -> None:
    alone, two = case(tmp_path), load(case.__name__, together)
    assert two["loss"] == pytest.approx(alone["loss"], rel=1e-3)
    for name, expected in alone["weights"].items():
        if expected.is_floating_point():
            assert (two["weights"][name] - expected).abs().mean() < 2e-4, name


@pytest.mark.usefixtures("one_thread")
def test_a_group_runs_trials_as_one_process_does(together, tmp_path: Path) -> None:
    assert load("trials", together) == {"made": 2, "left": 0, "failed": {}}
    store, alone = RunStore(together / "store"), RunStore(tmp_path / "alone")
    engines.sweep(TRIALS, alone, device="cpu")
    assert not list((together / "store" / "checkpoints").iterdir())
    for trial in TRIALS:
        ours, theirs = store.read(trial).metrics, alone.read(trial).metrics
        assert ours["loss"] == pytest.approx(theirs["loss"], rel=1e-3)
        assert ours["pairs_fingerprint"] == theirs["pairs_fingerprint"]


def test_bad_input_is_refused_by_every_process(together) -> None:
    assert "a batch of 15 cannot be shared evenly by 2 processes" in load("odd", together)["error"]
    assert "lower `lr`" in load("diverged", together)["error"]


@pytest.mark.usefixtures("one_thread")
def test_a_killed_worker_ends_the_run_and_a_second_call_goes_on(together: Path, tmp_path: Path) -> None:
    killed = start("interrupted", tmp_path)
    assert killed.returncode != 0
    assert "SIGKILL" in killed.stderr
    assert (tmp_path / "state.pt").exists()
    again = start("interrupted", tmp_path)
    assert again.returncode == 0, again.stderr[-3000:]
    _ends_as_if_nobody_had_died(tmp_path, together)


@pytest.mark.slow
@pytest.mark.usefixtures("one_thread")
def test_torchrun_replaces_a_killed_worker(together: Path, tmp_path: Path) -> None:
    done = start("interrupted", tmp_path, "--max-restarts", "1")
    assert done.returncode == 0, done.stderr[-3000:]
    _ends_as_if_nobody_had_died(tmp_path, together)


def _ends_as_if_nobody_had_died(out: Path, together: Path) -> None:
    assert (out / "died").exists()
    found, whole = load("interrupted", out), load("interrupted", together)
    assert found["loss"] == whole["loss"]
    assert found["steps"] == whole["steps"] == 16
    assert all(torch.equal(found["weights"][name], value) for name, value in whole["weights"].items())


def test_alone_nothing_is_shared() -> None:
    batch = torch.arange(6)
    assert torch.equal(distributed.share(batch), batch)
    assert torch.equal(distributed.whole(batch), batch)
    assert (distributed.rank(), distributed.size(), distributed.agreed("x")) == (0, 1, "x")
    layer = nn.BatchNorm2d(2)
    with distributed.synchronized(layer), distributed.group():
        assert type(layer) is nn.BatchNorm2d


@pytest.mark.parametrize("device", ["cuda:1", "mps"])
def test_processes_share_no_single_device(monkeypatch: pytest.MonkeyPatch, device: str) -> None:
    monkeypatch.setenv("WORLD_SIZE", "2")
    with pytest.raises(ValueError, match=f"`device` is cuda or cpu, not {device}"), distributed.group(device):
        pass
    monkeypatch.setenv("WORLD_SIZE", "1")
    with distributed.group(device):
        assert distributed.size() == 1
