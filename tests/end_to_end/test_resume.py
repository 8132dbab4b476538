"""`tutorial train`, killed with -9 and called again, ends with the same model as an uninterrupted run."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from safetensors.torch import load_file

from tutorial_lib.cli import main
from tutorial_lib.data.emojicaps import load
from tutorial_lib.data.shard_writer import write_pairs
from tutorial_lib.data.tasks import class_concepts, training_pairs

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
