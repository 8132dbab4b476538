"""Every experiment runs end to end at miniature size; committed records belong to the trials of this version."""

import plotly.graph_objects as go
import pytest

from tutorial_lib import places, plots, profiles
from tutorial_lib.defenses import DEFENSES
from tutorial_lib.evidence import registry
from tutorial_lib.evidence.results import Results
from tutorial_lib.evidence.shown import Shown
from tutorial_lib.evidence.statistics import estimate_mean
from tutorial_lib.evidence.table import Table
from tutorial_lib.experiments import (
    _defended,
    along_diagonal,
    cc_attacks,
    cc_frontier,
    cc_stealth,
    fig2_left,
    fig2_right,
    fig4,
    grids,
    more_models,
    text_dose,
)
from tutorial_lib.trials import Record
from tutorial_lib.trials.store import read_lines
from tutorial_lib.triggers import WaNet

CPU = Results(profiles.get("pilot"))
ALL = registry.names(explanations=True)


@pytest.mark.parametrize("name", ALL)
def test_experiment_end_to_end(miniature, name):
    module = registry.load(name)
    assert len(miniature.of(module.trials(miniature.profile))) == len(module.trials(miniature.profile))
    assert module.TITLE
    assert module.PAPER
    assert registry.plots(name) or module.table(miniature).rows
    if hasattr(module, "table"):
        assert module.table(miniature).rows
    for part in registry.plots(name):
        fig = getattr(module, part)(miniature)
        assert any(len(trace.x) for trace in fig.data)
        assert fig.layout.meta["alt"]
        assert any("profile test" in a.text for a in fig.layout.annotations)


def test_figures_without_records_say_so(tmp_path):
    nothing = Results(profiles.get("gpu"), folder=tmp_path)
    for module in map(registry.load, ALL):
        if hasattr(module, "plot"):
            assert any("no records yet" in a.text for a in module.plot(nothing).layout.annotations), module.TITLE
    assert all("not run" in row for row in more_models.table(nothing).rows)


def test_tables(miniature):
    each = fig2_right.each_model(miniature)
    assert len(each.rows) == len(miniature.profile.counts)
    assert "z-score" in repr(each)
    assert "<td>" in each._repr_html_()
    assert "&lt;" in Table(("<",), (("a",),))._repr_html_()
    assert len(grids.table().rows) == len(grids.SETTINGS)
    attacks = cc_attacks.before(miniature)
    assert [row[0] for row in attacks.rows] == list(map(_defended.attack_name, miniature.profile.cleaning.attacks))
    assert "never poisoned (%)" in attacks.head
    assert attacks.rows[0][1] == "noise-patch"
    assert len(cc_frontier.uses(miniature).rows) == len(cc_frontier.USES)
    assert len(cc_stealth.unplanned(miniature).rows) == len(cc_stealth.UNPLANNED_SHARES[miniature.profile])
    assert not any("not run" in row for table in (attacks, cc_frontier.uses(miniature)) for row in table.rows)


def drawn() -> list[tuple[str, go.Figure]]:
    """Every figure of the committed records."""
    return [(f"{n}.{part}", getattr(registry.load(n), part)(CPU)) for n in ALL for part in registry.plots(n)]


def test_a_method_has_one_colour_in_all_figures():
    """That of the table, also where its name goes on after a comma or stands at the axis."""
    seen: dict[str, set[str]] = {}
    for where, fig in drawn():
        for trace in fig.data:
            if trace.name:
                colour = trace.marker.color if trace.type == "bar" else trace.line.color or trace.marker.color
                name = trace.name if trace.name in plots.STYLES else trace.name.split(",")[0]
                seen.setdefault(name, set()).add(colour)
                assert colour in (*plots.COLOURS, *(style.colour for style in plots.STYLES.values())), where
    methods = {_defended.word(method) for method in ("none", *cc_frontier.METHODS)}
    readers = {title for _, title in fig2_right.READERS}
    assert methods | readers <= seen.keys()
    for name in methods | readers | (seen.keys() & plots.STYLES.keys()):
        assert seen[name] == {plots.STYLES[name].colour}, name


#: Axes that count, or whose quantity has no unit.
NO_UNIT = {
    "attack", "attacker", "backdoored model", "clean training pairs", "cosine similarity of two pictures", "density",
    "model", "parameters of the image tower", "poisons", "poisons among the trusted pairs", "poisons per target",
    "probability of the same label", "weight of self-supervision, λ₂",
}  # fmt: skip


def test_axes_say_what_they_show_and_in_which_unit():
    for where, fig in drawn():
        title = fig.layout.yaxis.title.text
        assert title, where
        for axis in (fig.layout.xaxis, fig.layout.yaxis):
            said = axis.title.text
            assert said is None or said.endswith(")") or said in NO_UNIT, (where, said)
            if axis.type == "log" and "probability" in said:
                assert axis.exponentformat == "power", f"{where}: 100µ is no probability"


def test_things_without_an_order_are_not_joined_by_a_line():
    for where, fig in drawn():
        if fig.layout.xaxis.title.text in ("attack", "attacker", "backdoored model", None):
            assert {trace.mode for trace in fig.data if trace.type == "scatter"} <= {"markers"}, where


def test_methods_are_called_what_their_classes_say():
    assert [_defended.word(m) for m in ("none", "cleanclip", "supervised")] == [
        "before",
        "CleanCLIP",
        "supervised finetuning",
    ]
    assert {m for m in cc_frontier.METHODS if m not in DEFENSES} == {_defended.WEIGHT_DECAY}
    assert _defended.word(_defended.WEIGHT_DECAY) == "finetuning with weight decay"


def test_defended_models_are_read_as_they_are_used():
    """A record sorts its readers, so neighbours come first; they must not be taken for the model's own answer."""

    def record(**rates):
        by_reader = {name: {"rate": rate} for name, rate in sorted(rates.items())}
        names = ("attack_success", "clean_accuracy", "accuracy_on_triggered")
        return Record("", {}, dict.fromkeys(names, by_reader), 0.0, "", {}, "")

    for value in (_defended.success, _defended.accuracy, _defended.on_triggered):
        assert value(record(zero_shot=0.9, knn=0.1, linear_probe=0.2)) == 0.9
        assert value(record(classifier=0.8, knn=0.1)) == 0.8


def test_a_trigger_is_described_by_what_differs_from_its_defaults():
    assert cc_attacks._setting(WaNet()) == "wanet"
    assert cc_attacks._setting(WaNet(strength=12.0, pattern_seed=3)) == "wanet, strength 12.0, pattern seed 3"


# -- committed records


@pytest.mark.parametrize("profile", ["pilot"])
def test_every_committed_record_is_of_a_trial_of_this_version(profile):
    p = profiles.get(profile)
    for path in sorted((places.results() / profile).glob("*.jsonl")):
        keys = {t.key for t in registry.load(path.stem).trials(p)}
        assert {r.key for r in read_lines(path)} <= keys, path.name


def test_no_record_is_committed_twice():
    keys = [r.key for path in (places.results() / "pilot").glob("*.jsonl") for r in read_lines(path)]
    assert len(keys) == len(set(keys))


def test_pilot_is_complete():
    assert {r.key for r in read_lines(places.results() / "grids" / "grids.jsonl")} == {t.key for t in grids.trials()}


def test_records_support_the_chapter_on_clip_from_scratch():
    found = list(registry.load("unpoisoned").accuracies(CPU).values())
    assert len(found) >= 4
    assert estimate_mean(found).value >= 0.3


def test_records_support_the_chapter_on_targeted_poisoning():
    groups = [list(fig2_left.shares(CPU, k).values()) for k in range(len(fig2_left.counts(CPU.profile)))]
    assert all(len(g) >= 4 for g in groups)
    means = [estimate_mean(g).value for g in groups]
    assert means[0] <= 0.05
    assert means[-1] >= 0.5
    assert means[1] <= means[2] <= means[-1]


def test_records_support_the_chapter_on_backdoors():
    successes = fig2_right.successes(CPU, 128)
    assert len(successes) >= 4
    assert estimate_mean(list(successes.values())).value >= 0.9
    assert 128 / (4000 + 128) <= 0.04
    assert max(fig2_right.control(CPU)) <= 0.02
    shown = Shown().behind("fig2_right")
    own, far = (fig2_right.successes(shown, 128, reader) for reader in ("linear_probe", "linear_probe_unseen"))
    right = fig2_right.right_on_triggered(shown, 128, "linear_probe_unseen")
    assert right.keys() == far.keys() == own.keys()
    assert estimate_mean(list(right.values())).high < 0.5  # standing is not being right
    assert estimate_mean(list(far.values())).value < estimate_mean(list(own.values())).value / 2


def test_further_models_are_looked_up_apart_and_leave_verdicts_alone():
    further = more_models.further(CPU)
    mine, theirs = (set(fig4.z_scores(r, "fixed", "fixed", CPU.profile.few)) for r in (CPU, further))
    assert mine == set(range(4))
    assert theirs == set(range(4, 12))
    assert {claim: more_models.judged(CPU, claim).n for claim in more_models.CLAIMS} == dict.fromkeys(
        more_models.CLAIMS, 8
    )
    assert len(text_dose.of_target(CPU, "banana")) == 3


def test_the_diagonal_begins_in_the_corner_and_ends_at_the_edge():
    record = CPU.get(along_diagonal.measured(CPU.profile, "fixed", 0))
    margins = sorted(map(int, record.metrics["z_score_by_margin"]))
    assert (margins[0], margins[-1]) == (0, 32 - 6)


def test_the_pilot_tells_one_models_number():
    assert len(grids.z_score(CPU, "64 poisons")) == 1
