"""What is there, what is missing, and its price."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.commands import record, tutorial
from tutorial_lib import profiles
from tutorial_lib.costs.gpus import GPUS
from tutorial_lib.evidence.results import Results
from tutorial_lib.evidence.status import cost_model
from tutorial_lib.trials import Seeds, Trial
from tutorial_lib.trials.store import RunStore

ROOT = Path(__file__).parents[2]


def test_status_of_all_profiles(capsys, tmp_path):
    body = tutorial(capsys, "status", "--store", tmp_path)
    assert set(body["profiles"]) == {"test", "pilot", "laptop", "cpu", "overnight", "photos", "gpu", "paper"}
    assert body["profiles"]["paper"]["figures"]["fig2_right"]["estimated_usd"] > 0


def test_what_is_missing_of_a_gpu_profile_has_the_price_of_the_table(capsys, tmp_path):
    body = tutorial(capsys, "status", "--profile", "paper", "--store", tmp_path)
    figure = body["profiles"]["paper"]["figures"]["fig4"]
    assert figure["estimated_usd"] == pytest.approx(
        figure["estimated_seconds"] / 3600 * GPUS["H100"].usd_per_hour, rel=0.01
    )
    body = tutorial(capsys, "status", "--profile", "test", "--store", tmp_path)
    assert body["profiles"]["test"]["figures"]["fig4"]["estimated_usd"] == 0


def test_status_counts_ten_thousand_records(tmp_path):
    """How long that takes is a matter of `make bench`."""
    folder = RunStore(tmp_path).open_for_writing().folder
    for n in range(10_000):
        trial = Trial(data="d", seeds=Seeds.all(n))
        (folder / f"{trial.key}.json").write_text(record(trial).to_json())
    command = [
        sys.executable,
        "-m",
        "tutorial_lib.cli",
        "status",
        "--profile",
        "cpu",
        "--store",
        str(tmp_path),
        "--json",
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT)
    assert json.loads(done.stdout)["stored_records"] == 10_000


def test_times_on_a_gpu_are_not_those_of_a_cpus_records():
    night, cpu = profiles.get("overnight"), Results(profiles.get("pilot"))
    assert cost_model(cpu).calibrated_on > 200
    assert cost_model(cpu, on_gpu=True).calibrated_on == 0
    trial, nothing = night.backdoor(300, 200), Results(night, folder=Path("nowhere"))
    on_cpu, on_gpu = (cost_model(nothing, on_gpu=on).seconds(trial) for on in (False, True))
    assert on_cpu == pytest.approx(24_000_000 / night.speed, rel=0.1)  # epochs and pairs, and some preparation
    assert on_gpu < on_cpu / 8
