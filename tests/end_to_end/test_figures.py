"""papermill runs every chapter at the `test` profile, in a process of its own, and saves its figures."""

import json

import pytest

from tutorial_lib import figures
from tutorial_lib.cli import main


@pytest.mark.parametrize("chapter", [p.stem for p in figures.chapters()])
def test_chapter_runs_headlessly_at_the_test_profile(chapter, tmp_path, capsys):
    code = main(["figures", chapter, "--profile", "test", "--out", str(tmp_path), "--json"])
    body = json.loads(capsys.readouterr().out)
    assert code == 0, body["chapters"]
    (done,) = body["chapters"]
    notebook = json.loads((tmp_path / f"{chapter}.ipynb").read_text())
    injected = [c for c in notebook["cells"] if "injected-parameters" in c["metadata"].get("tags", ())]
    assert 'profile = "test"' in "".join(injected[0]["source"])
    assert len(list((tmp_path / chapter).glob("*.html"))) >= 1
    assert done["figures"] >= 1


def test_a_failing_chapter_does_not_stop_the_others(tmp_path, monkeypatch, capsys):
    head = "---" + figures.chapters()[0].read_text().split("---")[1] + "---\n\n"  # that of a real chapter
    cells = {
        "8_bad": '```{code-cell} ipython3\n:tags: [parameters]\nprofile = "demo"\n```\n\n'
        '```{code-cell} ipython3\nraise ValueError("this chapter is broken")\n```\n',
        "9_good": '```{code-cell} ipython3\n:tags: [parameters]\nprofile = "demo"\n```\n\n'
        "```{code-cell} ipython3\nimport plotly.graph_objects as go\n"
        'go.Figure(layout={"meta": {"alt": "An empty figure"}})\n```\n',
    }
    for name, text in cells.items():
        (tmp_path / f"{name}.md").write_text(head + text)
    monkeypatch.setattr(figures, "BOOK", tmp_path)
    out = tmp_path / "out"
    code = main(["figures", "--profile", "test", "--out", str(out), "--json"])
    body = json.loads(capsys.readouterr().out)
    assert code == 1
    bad, good = body["chapters"]
    assert "this chapter is broken" in bad["error"]
    assert (good["error"], (out / "9_good" / "01-an-empty-figure.html").is_file()) == ("", True)


def test_chapters_are_found_by_number_and_name():
    names = [p.stem for p in figures.chosen(["5", "6_what_makes_it_work"])]
    assert names == ["5_zscore", "6_what_makes_it_work"]
    assert len(figures.chosen([])) == len(figures.chapters())
