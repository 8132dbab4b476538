"""What a reader moves: knobs follow the records, the models and the pictures they are given."""

import numpy as np
import pytest
import torch
from nbclient import NotebookClient
from nbclient.output_widget import OutputWidget
from nbformat.v4 import new_code_cell, new_notebook

from tutorial_lib.course import widgets
from tutorial_lib.course.chapters import PLOTLY
from tutorial_lib.evidence.shown import Shown
from tutorial_lib.experiments import fig6
from tutorial_lib.triggers import NoisePatch


def test_temperature_knob_moves_weights_and_loss():
    box = widgets.temperature_explorer([0.8, 0.7])
    slider, partner, other, text = box.children
    for tau in (0.02, 1.0):
        slider.value = tau
        weight = 1 / (1 + np.exp((0.7 - 0.8) / slider.value))
        assert partner.value == pytest.approx(weight, abs=1e-5)
        assert other.value == pytest.approx(1 - weight, abs=1e-5)
        assert f"{-np.log(weight):.3f}" in text.value


def test_trigger_knobs_show_the_model_the_stamped_picture():
    images = torch.zeros(2, 3, 32, 32, dtype=torch.uint8)
    seen = []

    def scores(image):
        seen.append(image.clone())
        return {"bright": float(image.float().mean()), "dark": 1.0}

    box = widgets.trigger_explorer(images, scores)
    which, size, cell, opacity, column, row = box.children[0].children
    assert seen[-1].sum() == 3 * 16 * 255  # four of nine cells of 2 x 2 pixels
    size.value = 0
    assert seen[-1].sum() == 0
    size.value, cell.value, column.value, row.value, which.value = 4, 1, 31, 31, 1
    assert seen[-1][0, 28:, 28:].sum() == 8 * 255  # moved inside the picture
    opacity.value = 50
    assert seen[-1][0, 28:, 28:].sum() == 8 * 128
    assert images.sum() == 0
    assert "bright" in box.children[2].value


def test_trigger_knobs_ask_the_model_that_is_chosen():
    images = torch.zeros(1, 3, 32, 32, dtype=torch.uint8)
    models = {name: (lambda image, name=name: {name: 1.0}) for name in ("first", "second")}
    box = widgets.trigger_explorer(images, models, trigger=NoisePatch())
    assert "first" in box.children[2].value
    box.children[0].children[1].value = "second"
    assert "second" in box.children[2].value


@pytest.fixture
def displayed(monkeypatch):
    """Figures that knobs show, as there is no notebook here."""
    shown = []
    monkeypatch.setattr(widgets, "_show", lambda where, fig: shown.append(fig))
    return shown


def test_similarity_knobs_follow_the_records(displayed):
    box = widgets.similarity_explorer()
    what, at, _ = box.children
    results = Shown().behind("fig6")
    for size in fig6.PATCHES[results.profile]:
        what.value = "width of the patch"
        at.value = f"{size} × {size} pixels"
        z = list(fig6.z_scores(results, size).values())
        assert f"z-score {sum(z) / len(z):.1f}" in displayed[-1].layout.title.text
        assert np.trapezoid(displayed[-1].data[0].y, displayed[-1].data[0].x) == pytest.approx(1, abs=0.02)


@pytest.mark.parametrize("name", ["placement", "frontier"])
def test_record_knobs_show_means_and_models(displayed, name):
    box = widgets.record_explorer(name)
    _, up, each = box.children[0].children
    means = sum(len(trace.x) for trace in displayed[-1].data)
    each.value = True
    models = sum(len(trace.x) for trace in displayed[-1].data)
    assert models >= 3 * means
    up.value = "accuracy"
    assert displayed[-1].layout.yaxis.title.text == "clean accuracy (%)"


def test_only_explorers_are_explored():
    with pytest.raises(ValueError, match="there are placement and frontier"):
        widgets.record_explorer("backdoor")


def test_explorers_do_not_make_a_headless_run_answer(monkeypatch):
    """An answer of nbclient takes the socket on which it waits for the end of the cell: some runs never end."""
    answers = []
    monkeypatch.setattr(OutputWidget, "send", lambda self, state: answers.append(state))
    head = "import ipywidgets\nfrom tutorial_lib.course.widgets import record_explorer, similarity_explorer"
    cells = [head, "record_explorer('placement')", "box = similarity_explorer()", "box.children[0].index = 1"]
    notebook = new_notebook(cells=[new_code_cell(source) for source in cells])
    NotebookClient(notebook, kernel_name="python3", timeout=120).execute()
    assert answers == []
    states = notebook.metadata.widgets["application/vnd.jupyter.widget-state+json"]["state"].values()
    shown = [state["state"]["outputs"] for state in states if state["model_name"] == "OutputModel"]
    assert [len(outputs) for outputs in shown] == [1, 1]
    first, second = (outputs[0]["data"][PLOTLY] for outputs in shown)
    assert first["data"]
    assert second["layout"]["title"]["text"].split(":")[0].endswith("pixels"), "not drawn anew"

    captured = new_notebook(cells=[new_code_cell("import ipywidgets\nwith ipywidgets.Output():\n    print(1)")])
    NotebookClient(captured, kernel_name="python3", timeout=120).execute()
    assert answers, "the capture that this test is about is no longer answered"
