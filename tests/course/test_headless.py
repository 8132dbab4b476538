"""Chapters without a reader."""

import json

import yaml

from tutorial_lib.cli import main
from tutorial_lib.course import chapters as figures


def test_a_failing_chapter_does_not_stop_the_others(tmp_path, monkeypatch, capsys):
    head = "---" + figures.chapters()[0].read_text().split("---")[1] + "---\n\n"  # that of a real chapter
    cells = {
        "bad": '```{code-cell} ipython3\n:tags: [parameters]\nprofile = "demo"\n```\n\n'
        '```{code-cell} ipython3\nraise ValueError("this chapter is broken")\n```\n',
        "good": '```{code-cell} ipython3\n:tags: [parameters]\nprofile = "demo"\n```\n\n'
        "```{code-cell} ipython3\nimport plotly.graph_objects as go\n"
        'go.Figure(layout={"meta": {"alt": "An empty figure"}})\n```\n',
    }
    for name, text in cells.items():
        (tmp_path / f"{name}.md").write_text(head + text)
    listed = {"parts": [{"numbered": 1, "chapters": [{"file": name} for name in cells]}]}
    (tmp_path / "_toc.yml").write_text(yaml.safe_dump(listed))
    monkeypatch.setattr(figures.places, "book", lambda: tmp_path)
    monkeypatch.setattr(figures.places, "table_of_contents", lambda: tmp_path / "_toc.yml")
    out = tmp_path / "out"
    code = main(["figures", "--profile", "test", "--out", str(out), "--json"])
    body = json.loads(capsys.readouterr().out)
    assert code == 1
    bad, good = body["chapters"]
    assert "this chapter is broken" in bad["error"]
    assert (good["error"], (out / "good" / "01-an-empty-figure.html").is_file()) == ("", True)
