"""Experiments are found, named in their order, run where something is missing, and never where records are shown."""

import pkgutil

import pytest

from tutorial_lib import experiments, places, profiles
from tutorial_lib.evidence import registry
from tutorial_lib.evidence.results import Results
from tutorial_lib.evidence.shown import show
from tutorial_lib.runs import engines
from tutorial_lib.trials.store import RunStore


def test_every_module_is_in_one_group_at_a_place_of_its_own():
    found = [name for group in registry.groups().values() for name in group]
    modules = [m.name for m in pkgutil.iter_modules(experiments.__path__) if not m.name.startswith("_")]
    assert sorted(found) == sorted(modules)
    for group in registry.groups().values():
        orders = [registry.load(name).ORDER for name in group]
        assert orders == sorted(set(orders))


def test_missing_experiments_are_run_and_then_found(tmp_path):
    results = Results(profiles.get("test"), RunStore(tmp_path))
    after = registry.ensure("text_tower", results)
    assert len(after.of(registry.load("text_tower").trials(after.profile))) == 4
    assert registry.ensure("text_tower", after)._local == after._local


def test_demo_shows_committed_records_and_runs_nothing(monkeypatch):
    monkeypatch.setattr(engines, "sweep", lambda *_, **__: pytest.fail("demo must not train"))
    assert registry.results("demo").profile.name == "pilot"
    assert registry.ensure("fig4", registry.results("demo")).store is None


def test_an_experiment_without_records_says_so_and_with_one_it_is_drawn(monkeypatch, tmp_path):
    assert show("fig6", "demo").data
    monkeypatch.setattr(places, "results", lambda: tmp_path)
    assert show("detect_pairs", "demo").rows == (
        ("Which pairs are poisoned?", "none yet", "tutorial run detect_pairs --profile cpu"),
    )


@pytest.mark.parametrize(
    ("typed", "found"),
    [
        (["fig2"], ["fig2_left", "fig2_right"]),
        (["fig4", "fig4"], ["fig4"]),
        (["all"], list(registry.names())),
        (["explanations"], list(registry.groups()["explanations"])),
    ],
)
def test_names_are_expanded(typed, found):
    assert registry.expand(typed) == found


def test_unknown_figure_lists_what_exists():
    with pytest.raises(ValueError, match=r"there is no figure 'fig9'; choose from fig2_left, .* or all"):
        registry.expand(["fig9"])


def test_first_models_of_all_points_come_before_second_ones():
    seeds = [t.seeds.data for t in registry.trials(registry.names(), profiles.get("cpu"))]
    assert seeds == sorted(seeds)
