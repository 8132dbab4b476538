"""The profile `overnight` on a few hundred scenes: its own code path, from a memory map to records, in two sittings."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path

import pytest

from tutorial_lib import places, profiles
from tutorial_lib.attacks import Group, Targeted
from tutorial_lib.data import picture_map
from tutorial_lib.evidence import registry
from tutorial_lib.evidence.export import export
from tutorial_lib.evidence.results import Results
from tutorial_lib.experiments import cc_attacks, fig2_left, fig2_right, fig3, fig4, fig5_left, sharing
from tutorial_lib.profiles import ByProfile, Profile
from tutorial_lib.runs import engines, outcome, sources
from tutorial_lib.runs.engines.base import Attempt
from tutorial_lib.runs.engines.local import attempt
from tutorial_lib.trials import Recipe
from tutorial_lib.trials.store import RunStore

TARGETED = Targeted((Group(0), Group(3)), targets=3)
SIZES = tuple({"scenes": n} for n in (200, 300, 400))
#: What experiments have for the small profile.
NUMBERS = (
    (fig4.DOSES, fig4.Doses((4,), (), few=4, past=4, size=6)),
    (fig5_left.DATA_SIZES, SIZES),
    (sharing.PLANS, sharing.Plan((4, 8), TARGETED, SIZES[0])),
)


@pytest.fixture(scope="module")
def patch():
    with pytest.MonkeyPatch.context() as found:
        yield found


@pytest.fixture(scope="module")
def small(patch, tmp_path_factory) -> Profile:
    """The profile with smaller numbers, and nothing else changed."""
    patch.setenv("TUTORIAL_SCENES", str(tmp_path_factory.mktemp("scenes")))
    patch.setattr(sources, "MAPPED", 0)
    patch.setattr(picture_map, "BLOCK", 128)
    night = profiles.get("overnight")
    base = replace(night.base, classes=16, scenes=400, recipe=Recipe(epochs=1, batch_size=64))
    targets = ("rainbow", "volcano")
    cleaning = replace(
        night.cleaning,
        base=replace(base, scenes=300),
        models=replace(night.cleaning.models, number=1, targets=targets),
        count=8,
        recipe=Recipe(epochs=1, batch_size=32),
        share=0.3,
        rates=(1e-3,),
    )
    models = replace(
        night.models,
        number=1,
        targets=targets,
        more={},
        fewer={300: {8: (200,), 4: (201,)}, 400: {8: (200,), 4: (201,), 0: (202,)}},
    )
    tables = [v for n in registry.names() for v in vars(registry.load(n)).values() if isinstance(v, ByProfile)]
    for table in tables:
        if "overnight" in table.values:
            patch.setitem(table.values, "tiny-overnight", table.values["overnight"])
    for table, value in NUMBERS:
        patch.setitem(table.values, "tiny-overnight", value)
    found = replace(
        night, name="tiny-overnight", base=base, models=models, counts=(0, 4, 8), few=4, many=8, cleaning=cleaning,
        beside=TARGETED, ladder={"scenes": 200},
    )  # fmt: skip
    patch.setitem(profiles.PROFILES, "tiny-overnight", found)
    return found


@pytest.fixture(scope="module")
def made(small, tmp_path_factory) -> Results:
    """All of its records; the first model is made in two sittings."""
    store = RunStore(tmp_path_factory.mktemp("night")).open_for_writing()
    trials = registry.trials(small.experiments, small)
    with pytest.MonkeyPatch.context() as often:
        often.setattr(outcome, "STATE_EVERY", 0.0)
        assert attempt(trials[0], store, "cpu", until=time.monotonic()) == Attempt()
        assert store.checkpoint_of(trials[0]).is_file()
        assert not store.keys()
    result = engines.sweep(trials, store, device="cpu")
    assert (result.made, result.failed) == (len(trials), {})
    assert not list((store.folder / "checkpoints").glob("*.pt"))
    return Results(small, store)


def test_every_experiment_of_the_night_has_its_records_and_is_drawn(small, made) -> None:
    for name in small.experiments:
        trials = registry.planned(name, small)
        assert len(made.of(trials)) == len(trials) > 0
        for part in registry.plots(name):
            assert any(len(trace.x) for trace in getattr(registry.load(name), part)(made).data), (name, part)
    assert sharing.table(made).rows
    assert cc_attacks.table(made).rows


def test_quantities_at_the_papers_counts_are_of_all_the_data(small, made) -> None:
    assert len(fig2_right.half_at_many(made)) == len(fig3.z_at_many(made)) == 1
    assert len(fig4.few_consistent(made)) == 1
    (record,) = made.of([small.backdoor(8, 200)])
    assert record.metrics["pairs"] == 400
    assert fig2_right.half_at_many(made) == [record.metrics["attack_success"]["zero_shot"]["rate"]]
    ladder = fig2_right.successes(made, 8)
    assert made.get(small.dosed(8, 200)).metrics["pairs"] == 200
    assert list(ladder) == [200]


def test_targets_are_seen_in_every_model_of_all_the_data(small, made) -> None:
    assert sorted(fig2_left.shares(made, 1)) == [200, 201, 202]
    assert len(fig2_left.three_succeed(made)) == 3
    carried = made.of(fig2_left.trials(small))
    assert [record.metrics["poisons_by_part"] for record in carried] == [[0, 9], [4, 9], [8, 9]]
    assert {len({t["true"] for t in record.metrics["targets"]}) for record in carried} == {6}


def test_the_ladder_of_data_pairs_models_by_seed(small, made) -> None:
    assert len(fig5_left.many_constant(made)) == 1
    assert list(fig5_left.z_scores(made, 1, 4)) == [201]
    assert fig5_left.largest_step(made)


def test_models_share_one_map_and_the_records_are_exported(small, made, tmp_path: Path) -> None:
    assert len(list(places.scenes().glob("*.map"))) == 1
    found = export("tiny-overnight", store=made.store.folder, out=tmp_path)
    assert sum(found.files.values()) == len(registry.trials(small.experiments, small))
