"""Engines: limits, processes, a Ray cluster that loses a node."""

import importlib
import importlib.util
import math
import os
import subprocess
import sys
import textwrap
import time
from dataclasses import replace
from pathlib import Path

import pytest

from tests.trials.records import record
from tutorial_lib.attacks import Backdoor
from tutorial_lib.runs import engines
from tutorial_lib.runs.engines import Deadline, EngineError, missing, sweep
from tutorial_lib.trials import Recipe, Seeds, Trial
from tutorial_lib.trials.store import RunStore

ROOT = Path(__file__).resolve().parents[2]
#: The module, whose name in its package is that of its function.
RUN = importlib.import_module("tutorial_lib.runs.run")
HAS_RAY = importlib.util.find_spec("ray") is not None


def trial(n: int) -> Trial:
    return Trial(data="d", seeds=Seeds.all(n))


@pytest.fixture
def store(tmp_path):
    return RunStore(tmp_path / "runs")


@pytest.fixture
def fake(monkeypatch):
    """`run` replaced by something fast; the list of keys it was called with."""
    called = []

    def run(trial, **_):
        called.append(trial.key)
        return record(trial)

    monkeypatch.setattr(RUN, "run", run)
    return called


def test_found_trials_are_not_run_again(store, fake):
    assert sweep([trial(0), trial(1)], store).made == 2
    again = sweep([trial(0), trial(1), trial(2)], store)
    assert (again.found, again.made, again.left) == (2, 1, 0)
    assert fake == [trial(n).key for n in (0, 1, 2)]


def test_same_trial_twice_runs_once(store, fake):
    assert sweep([trial(0), trial(0)], store).made == 1
    assert missing([trial(0), trial(1), trial(1)], store) == [trial(1)]


def test_interrupted_sweep_goes_on(store, monkeypatch):
    made = []

    def run(trial, **_):
        made.append(trial.key)
        if len(made) == 2:
            raise KeyboardInterrupt
        return record(trial)

    monkeypatch.setattr(RUN, "run", run)
    trials = [trial(n) for n in range(3)]
    with pytest.raises(KeyboardInterrupt):
        sweep(trials, store)
    assert sweep(trials, store).made == 2
    assert made == [trials[0].key, trials[1].key, trials[1].key, trials[2].key]


def test_time_limit_begins_no_trial_that_would_pass_it(store, fake):
    result = sweep([trial(n) for n in range(3)], store, time_limit=10, estimate=lambda t: 20.0)
    assert (result.made, result.left) == (0, 3)
    assert not Deadline(time.monotonic() - 1).allows(trial(0))
    assert Deadline(math.inf).allows(trial(0))


def test_a_failing_trial_does_not_stop_the_others(store, monkeypatch):
    def run(trial, **_):
        if trial.seeds.data == 1:
            raise ValueError("there is no class\n 'x'")
        return record(trial)

    monkeypatch.setattr(RUN, "run", run)
    result = sweep([trial(n) for n in range(3)], store)
    assert (result.made, result.left) == (2, 1)
    assert result.failed == {trial(1).key: "ValueError: there is no class 'x'"}


def test_unknown_engine_is_refused(store):
    with pytest.raises(EngineError, match="there is no engine 'slurm'; choose from local, ray"):
        sweep([trial(0)], store, engine="slurm")


def test_ray_missing_names_the_extra(store, monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)  # what a failed import leaves
    with pytest.raises(EngineError, match=r"\[ray\]"):
        sweep([trial(0)], store, engine="ray")


def test_several_processes_train_real_models(store):
    trials = [
        Trial(
            Backdoor(4, target="fog"), classes=40, copies=1, recipe=Recipe(epochs=1, batch_size=64), seeds=Seeds.all(s)
        )
        for s in range(2)
    ]
    reported = []
    result = sweep(trials, store, jobs=2, report=lambda r, left: reported.append((r.key, left)))
    assert (result.made, result.left, result.failed) == (2, 0, {})
    assert {key for key, _ in reported} == {t.key for t in trials}
    assert all(store.read(t).metrics["poisons"] == 4 for t in trials)
    assert sweep([replace(trials[0])], store).found == 1


RAY_SCRIPT = textwrap.dedent("""
    import os, sys, threading, time
    import ray
    from ray.cluster_utils import Cluster
    from tests.runs.test_engines import trial
    from tutorial_lib.runs.engines import Deadline, Sweep
    from tutorial_lib.runs.engines import ray as ray_engine
    from tutorial_lib.trials.store import RunStore

    def slow(trial, device):
        import time
        from tests.trials.records import record
        with open(os.environ["LOG"], "a") as log:
            log.write(f"{trial.key} {ray.get_runtime_context().get_node_id()}\\n")
        time.sleep(1.0)
        return record(trial).to_json()

    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1})
    victim = cluster.add_node(num_cpus=2)
    ray.init(address=cluster.address, log_to_driver=False)
    cluster.wait_for_nodes()

    def kill():  # as soon as a trial has begun on the node
        while victim.node_id not in open(os.environ["LOG"]).read():
            time.sleep(0.05)
        cluster.remove_node(victim, allow_graceful=False)

    threading.Thread(target=kill, daemon=True).start()
    store = RunStore(sys.argv[1]).open_for_writing()
    trials = [trial(n) for n in range(8)]
    result = Sweep()
    ray_engine.run_with_ray(trials, store, Deadline(float("inf")), result, runner=slow)
    print("made", result.made, "failed", len(result.failed), "records", len(store.keys()))
    ray.shutdown()
    cluster.shutdown()
""")


@pytest.mark.skipif(not HAS_RAY, reason="needs the extra [ray]")
def test_ray_loses_a_node_and_every_trial_still_has_one_record(tmp_path):
    (tmp_path / "log").touch()
    env = os.environ | {"LOG": str(tmp_path / "log"), "PYTHONPATH": str(ROOT), "RAY_ENABLE_UV_RUN_RUNTIME_ENV": "0"}
    done = subprocess.run(
        [sys.executable, "-c", RAY_SCRIPT, str(tmp_path / "runs")],
        capture_output=True, text=True, env=env, timeout=180, cwd=ROOT,
    )  # fmt: skip
    assert "made 8 failed 0 records 8" in done.stdout.splitlines(), done.stdout[-2000:] + done.stderr[-2000:]
    begun = (tmp_path / "log").read_text().splitlines()
    assert len(begun) > 8, "nothing ran on the node that died: the test showed nothing"


@pytest.mark.slow
@pytest.mark.skipif(not HAS_RAY, reason="needs the extra [ray]")
def test_ray_trains_real_models(tmp_path):
    code = textwrap.dedent("""
        import sys
        from tutorial_lib.runs import engines
        from tutorial_lib.trials.store import RunStore
        from tutorial_lib.attacks import Backdoor
        from tutorial_lib.trials import Recipe, Seeds, Trial
        trials = [Trial(Backdoor(4, target="fog"), classes=40, copies=1, recipe=Recipe(epochs=1, batch_size=64),
                  seeds=Seeds.all(s)) for s in range(2)]
        print(engines.sweep(trials, RunStore(sys.argv[1]), engine="ray").made)
    """)
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True, timeout=300, cwd=ROOT
    )
    assert done.stdout.strip() == "2", done.stderr[-2000:]


def test_engines_are_named():
    assert engines.ENGINES == ("local", "ray", "group")
