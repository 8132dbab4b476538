"""What is killed with -9 and called again ends as an uninterrupted run: `tutorial train`, and a trial of a sweep."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from tutorial_lib.attacks import Backdoor
from tutorial_lib.cli import main
from tutorial_lib.data.emojicaps import load
from tutorial_lib.data.shard_writer import write_pairs
from tutorial_lib.data.tasks import class_concepts, training_pairs
from tutorial_lib.runs import engines
from tutorial_lib.trials import Recipe, Trial
from tutorial_lib.trials.store import RunStore

CONFIG = {
    "embed_dim": 32,
    "vision_cfg": {"image_size": 32, "layers": [1, 1, 1, 1], "width": 8, "head_width": 16},
    "text_cfg": {"context_length": 12, "vocab_size": 49408, "width": 32, "heads": 2, "layers": 1},
}


@pytest.mark.usefixtures("one_thread")
def test_resume_after_kill_is_bit_exact(tmp_path: Path) -> None:
    data = load()
    write_pairs(tmp_path / "clean", training_pairs(data, class_concepts(data, 20), copies=2))
    (tmp_path / "small.json").write_text(json.dumps(CONFIG))

    def command(out: str) -> list[str]:
        arguments = ["train", str(tmp_path / "clean"), "--out", str(tmp_path / out), "--seed", "3"]
        arguments += ["--model", str(tmp_path / "small.json"), "--epochs", "6", "--batch-size", "50"]
        return [*arguments, "--device", "cpu"]

    here = [sys.executable, "-m", "tutorial_lib.cli"]
    root = Path(__file__).parents[2]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    killed = subprocess.Popen([*here, *command("killed")], cwd=root, env=environment, stdout=subprocess.DEVNULL)
    checkpoint = tmp_path / "killed" / "checkpoint.pt"
    deadline = time.monotonic() + 120
    while not checkpoint.exists():
        assert killed.poll() is None, "the run ended before it wrote a checkpoint"
        assert time.monotonic() < deadline, "no checkpoint in time"
        time.sleep(0.002)
    killed.kill()  # SIGKILL
    killed.wait()
    assert not (tmp_path / "killed" / "model.safetensors").exists()
    assert not json.loads((tmp_path / "killed" / "train.json").read_text())["finished"]

    assert main(command("killed")) == 0
    assert main(command("whole")) == 0
    resumed, whole = (json.loads((tmp_path / out / "train.json").read_text()) for out in ("killed", "whole"))
    assert resumed["resumed"]
    assert not whole["resumed"]
    assert resumed["loss"] == whole["loss"]
    a, b = (load_file(tmp_path / out / "model.safetensors") for out in ("killed", "whole"))
    assert a.keys() == b.keys()
    assert all(a[name].equal(b[name]) for name in a)
    assert not checkpoint.exists()


SWEEP = """
import sys
from pathlib import Path
from tests.end_to_end.test_resume import TRIAL
from tutorial_lib.runs import engines, outcome
from tutorial_lib.trials.store import RunStore
outcome.STATE_EVERY = 0.0
engines.sweep([TRIAL], RunStore(Path(sys.argv[1])), device="cpu")
"""
TRIAL = Trial(
    Backdoor(8, target="fog", captions="prompts"),
    classes=40,
    scenes=600,
    scenery="diverse",
    recipe=Recipe(epochs=6, batch_size=50),
)


@pytest.mark.usefixtures("one_thread")
def test_a_trial_that_is_killed_within_an_epoch_has_the_record_of_an_uninterrupted_one(tmp_path: Path) -> None:
    whole, cut = (RunStore(tmp_path / name) for name in ("whole", "cut"))
    root = Path(__file__).parents[2]
    environment = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(root)}
    killed = subprocess.Popen([sys.executable, "-c", SWEEP, str(cut.folder)], cwd=root, env=environment)
    state, deadline = cut.checkpoint_of(TRIAL), time.monotonic() + 120
    while not state.exists() or torch.load(state, weights_only=True)["step"] == 0:
        assert killed.poll() is None, "the run ended before it was in the middle of an epoch"
        assert time.monotonic() < deadline, "no state in time"
        time.sleep(0.002)
    killed.kill()
    killed.wait()
    assert not cut.keys()
    for store in (cut, whole):
        assert engines.sweep([TRIAL], store, device="cpu").made == 1
    ours, theirs = (store.read(TRIAL).metrics for store in (cut, whole))
    ours.pop("samples_per_second")
    theirs.pop("samples_per_second")
    assert ours == theirs
    assert not state.exists()
