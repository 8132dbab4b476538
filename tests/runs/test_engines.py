"""Engines: limits, processes, a Ray cluster that loses a node."""

import errno
import importlib
import importlib.util
import math
import multiprocessing
import os
import re
import subprocess
import sys
import textwrap
import time
import types
from collections import Counter, deque
from dataclasses import replace
from pathlib import Path

import pytest

from tests.runs.deadly import Deadly
from tests.trials.records import record
from tutorial_lib.attacks import Backdoor
from tutorial_lib.files import NotWrittenError
from tutorial_lib.notes import Note
from tutorial_lib.runs import engines, outcome
from tutorial_lib.runs.engines import Deadline, EngineError, Sweep, missing, sweep
from tutorial_lib.runs.engines.base import LONG, WORTH_BEGINNING, Attempt
from tutorial_lib.runs.engines.crew import _Division
from tutorial_lib.runs.engines.local import attempt
from tutorial_lib.training import loop
from tutorial_lib.trials import Recipe, Seeds, Trial
from tutorial_lib.trials.store import RunStore, StoreError

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


def test_a_long_trial_is_begun_where_the_limit_will_cut_it(store, fake):
    assert not Deadline(time.monotonic() + 600, lambda t: LONG - 1).allows(trial(0))
    assert Deadline(time.monotonic() + 600, lambda t: LONG + 1).allows(trial(0))
    assert not Deadline(time.monotonic() + WORTH_BEGINNING - 1, lambda t: LONG + 1).allows(trial(0))
    assert sweep([trial(0)], store, time_limit=600, estimate=lambda t: 2 * LONG).made == 1


def test_a_trial_that_is_cut_has_no_record_and_goes_on_in_the_next_call(tmp_path, monkeypatch):
    """Its state lies in the store until the record does, and the record says what an uninterrupted one says."""
    monkeypatch.setattr(outcome, "STATE_EVERY", 0.0)
    wanted = Trial(Backdoor(4, target="fog"), classes=40, copies=1, recipe=Recipe(epochs=3, batch_size=64))
    whole, store = (RunStore(tmp_path / name).open_for_writing() for name in ("whole", "cut"))
    sweep([wanted], whole)
    state = store.checkpoint_of(wanted)
    for _ in range(4):  # a step each
        assert attempt(wanted, store, "cpu", until=time.monotonic()) == Attempt()
        assert state.is_file()
    assert not store.keys()
    assert sweep([wanted], store).made == 1
    assert not state.exists()
    ours, theirs = (s.read(wanted).metrics for s in (store, whole))
    assert {k: v for k, v in ours.items() if k != "samples_per_second"} == {
        k: v for k, v in theirs.items() if k != "samples_per_second"
    }


def test_a_process_that_dies_while_it_measures_trains_nothing_twice(tmp_path, monkeypatch):
    monkeypatch.setattr(outcome, "STATE_EVERY", 0.0)
    store = RunStore(tmp_path).open_for_writing()
    wanted = Trial(Backdoor(4, target="fog"), classes=40, copies=1, recipe=Recipe(epochs=1, batch_size=64))

    def dies(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(RUN, "measure", dies)
        with pytest.raises(KeyboardInterrupt):
            attempt(wanted, store, "cpu")
    monkeypatch.setattr(loop, "take_step", lambda *_: pytest.fail("a step was taken again"))
    assert attempt(wanted, store, "cpu").record.metrics["steps"] == 3
    assert not store.checkpoint_of(wanted).exists()


def test_a_failing_trial_does_not_stop_the_others(store, monkeypatch):
    def run(trial, **_):
        if trial.seeds.data == 1:
            raise ValueError("there is no class\n 'x'")
        return record(trial)

    monkeypatch.setattr(RUN, "run", run)
    result = sweep([trial(n) for n in range(3)], store)
    assert (result.made, result.left) == (2, 1)
    assert result.failed == {trial(1).key: "there is no class 'x'"}


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (FileNotFoundError("no shards at x"), r"no shards at x"),
        (MemoryError(), r"MemoryError at test_engines\.py:\d+"),
        (KeyError("x"), r"KeyError: 'x' at test_engines\.py:\d+"),
    ],
)
def test_whatever_a_trial_raises_is_one_line_and_ends_no_other(store, monkeypatch, error, said):
    def run(trial, **_):
        if trial.seeds.data == 1:
            raise error
        return record(trial)

    monkeypatch.setattr(RUN, "run", run)
    result = sweep([trial(n) for n in range(3)], store)
    assert (result.made, result.left) == (2, 1)
    assert re.fullmatch(said, result.failed[trial(1).key])


def test_a_full_disk_stops_the_sweep_and_a_further_call_goes_on(store, monkeypatch):
    full = True

    def run(trial, **_):
        if trial.seeds.data == 1 and full:
            raise NotWrittenError(errno.ENOSPC, "No space left on device", "checkpoints/a.pt")
        return record(trial)

    monkeypatch.setattr(RUN, "run", run)
    with pytest.raises(StoreError, match=r"^checkpoints/a\.pt cannot be written: No space left on device$"):
        sweep([trial(n) for n in range(3)], store)
    assert store.keys() == {trial(0).key}
    full = False
    assert sweep([trial(n) for n in range(3)], store).made == 2


# -- several processes


def deadly(tmp_path, how: str, seed: int = 0) -> Trial:
    attack = Deadly(4, target="fog", how=how, place=str(tmp_path))
    return Trial(attack, classes=40, copies=1, recipe=Recipe(epochs=1, batch_size=64), seeds=Seeds.all(seed))


def test_a_trial_whose_process_dies_is_tried_again_and_others_go_on(store, tmp_path):
    trials = [
        deadly(tmp_path, "once"),
        *(deadly(tmp_path, "never", seed) for seed in range(2)),
        deadly(tmp_path, "bug"),
    ]
    with pytest.warns(Note, match=rf"the process of trial {trials[0].key} was killed by SIGKILL: it is tried again"):
        result = sweep(trials, store, jobs=2)
    assert (result.made, result.left) == (3, 1)
    assert list(result.failed) == [trials[3].key]
    assert re.fullmatch(r"KeyError: 'a bug' at deadly\.py:\d+", result.failed[trials[3].key])
    assert not multiprocessing.active_children()


class FakeCrew:
    """Processes that answer as they are told, at once; `None` is a death."""

    def __init__(self, size: int, answers):
        self.size, self.answers, self.started, self.workers = size, answers, 0, []
        for _ in range(size):
            self.start()

    def start(self):
        self.started += 1
        self.workers.append(FakeWorker(self))


class FakeWorker:
    def __init__(self, crew):
        self.crew, self.trial, self.death = crew, None, "was killed by SIGKILL"
        self.process = types.SimpleNamespace(exitcode=-9)
        self.pipe = types.SimpleNamespace(close=lambda: None)

    def take(self, trial):
        self.trial = trial

    def answer(self):
        done = self.crew.answers(self.trial)
        self.trial = None if done else self.trial
        return done


def divided(trials, store, answers, *, size=2):
    """A sweep over made-up processes."""
    result, crew = Sweep(), FakeCrew(size, answers)
    division = _Division(deque(trials), store, Deadline(math.inf), result, crew, None)
    while division.give_out():
        for worker in [w for w in crew.workers if w.trial is not None]:
            division.listen(worker)
            if division.stopped:
                break
    return result, crew


@pytest.mark.filterwarnings("ignore:the process of trial")
def test_a_trial_that_always_kills_its_process_fails_and_ends_no_other(store):
    trials = [trial(n) for n in range(8)]
    result, crew = divided(trials, store, lambda t: None if t == trials[0] else Attempt(record=record(t)))
    assert (result.made, list(result.failed)) == (7, [trials[0].key])
    assert crew.started == 2 + 2, "each death has a new process"


@pytest.mark.filterwarnings("ignore:the process of trial")
@pytest.mark.parametrize("size", [1, 2, 3])
def test_nothing_more_is_begun_when_as_many_die_in_a_row_as_there_are(store, size):
    with pytest.warns(Note, match="the process died|processes died in a row"):
        result, crew = divided([trial(n) for n in range(9)], store, lambda t: None, size=size)
    assert (result.made, len(result.failed), crew.started) == (0, 1, 2 * size - 1)


def test_a_trial_of_somebody_else_is_looked_at_again(store):
    asked = Counter()

    def answer(t):
        asked[t.key] += 1
        return Attempt(busy=True) if t == trial(0) and asked[t.key] < 3 else Attempt(record=record(t))

    result, _ = divided([trial(0), trial(1)], store, answer)
    assert (result.made, asked[trial(0).key]) == (2, 3)


@pytest.mark.filterwarnings("ignore:the process of trial")
def test_a_record_that_was_written_before_its_process_died_counts(store):
    store.open_for_writing()

    def answer(t):
        if t == trial(0):
            store.write(record(t))
            return None
        return Attempt(record=record(t))

    result, _ = divided([trial(0), trial(1)], store, answer)
    assert (result.made, result.failed) == (2, {})


@pytest.mark.slow
def test_where_all_processes_die_the_sweep_stops(store, tmp_path):
    trials = [deadly(tmp_path, "always", seed) for seed in range(6)]
    with pytest.warns(Note, match="2 processes died in a row: nothing more is begun"):
        result = sweep(trials, store, jobs=2)
    assert (result.made, result.left) == (0, 6)
    assert list(result.failed.values()) == ["the process was killed by SIGKILL; if memory was short, lower `jobs`"]
    assert not multiprocessing.active_children()


@pytest.mark.slow
def test_a_full_disk_in_one_process_ends_them_all(store, tmp_path):
    with pytest.raises(StoreError, match="No space left on device"):
        sweep([deadly(tmp_path, "full", seed) for seed in range(3)], store, jobs=2)
    assert not multiprocessing.active_children()


UNGUARDED = textwrap.dedent("""
    import sys
    from dataclasses import dataclass
    from pathlib import Path
    from typing import ClassVar
    from tutorial_lib.attacks import Backdoor
    from tutorial_lib.runs.engines import EngineError, sweep
    from tutorial_lib.trials import Recipe, Seeds, Trial
    from tutorial_lib.trials.store import RunStore

    @dataclass(frozen=True)
    class Mine(Backdoor):
        kind: ClassVar[str] = "mine"

    kind = {"theirs": Backdoor, "mine": Mine}[sys.argv[2]]
    trials = [Trial(kind(4, target="fog"), classes=40, copies=1, recipe=Recipe(epochs=1, batch_size=64),
              seeds=Seeds.all(s)) for s in range(2)]
    try:
        print("made", sweep(trials, RunStore(Path(sys.argv[1])), jobs=2).made)
    except EngineError as error:
        print(error)
""")


@pytest.mark.parametrize(
    ("whose", "said"),
    [
        pytest.param("theirs", "^made 2\n$", marks=pytest.mark.slow),
        ("mine", r'^a trial has a class of your script.* `if __name__ == "__main__":`.*\n$'),
    ],
)
def test_a_script_needs_no_main_guard_or_is_told_why_in_one_line(tmp_path, whose, said):
    script = tmp_path / "script.py"
    script.write_text(UNGUARDED)
    command = [sys.executable, str(script), str(tmp_path / "runs"), whose]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, cwd=tmp_path, env=environment)
    assert re.search(said, done.stdout), done.stderr
    assert done.stderr == ""


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
        from tutorial_lib.runs import engines, outcome
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
