"""papermill runs chapters at the `test` profile, in a process of its own, and saves their figures.

The build of the book executes every chapter; here it is two of them, in the slow tests all. What each chapter shows of
the experiments is drawn for all at the same profile.
"""

import json
import re

import pytest

from tutorial_lib import experiments, places
from tutorial_lib.cli import main
from tutorial_lib.course import chapters as figures

NAMES = [p.stem for p in figures.chapters()]
#: That are run always; of the first one the figures are drawn as pictures too.
DRAWN, OFTEN = "zscore", ("zscore", "what_makes_it_work")
SHOWN = re.compile(r'experiments\.show\("(\w+)", profile(?:, "(\w+)")?\)')


@pytest.mark.parametrize("chapter", NAMES)
def test_what_a_chapter_shows_exists_at_a_profile_of_its_own(chapter, monkeypatch, miniature):
    monkeypatch.setenv("TUTORIAL_STORE", str(miniature.store.folder))
    text = (places.book() / f"{chapter}.md").read_text("utf-8")
    shown = SHOWN.findall(text)
    assert len(shown) == text.count("experiments.show(")
    for name, part in shown:
        assert experiments.show(name, "test", *([part] if part else [])) is not None


@pytest.mark.parametrize(
    "chapter", [pytest.param(name, marks=() if name in OFTEN else pytest.mark.slow) for name in NAMES]
)
def test_chapter_runs_headlessly_at_the_test_profile(chapter, tmp_path, capsys, monkeypatch, miniature):
    monkeypatch.setenv("TUTORIAL_STORE", str(miniature.store.folder))  # what figures need is trained once
    if chapter != DRAWN:
        monkeypatch.setattr(figures, "draw_apart", lambda *_: "")
    code = main(["figures", chapter, "--profile", "test", "--out", str(tmp_path), "--json"])
    body = json.loads(capsys.readouterr().out)
    assert code == 0, body["chapters"]
    (done,) = body["chapters"]
    notebook = json.loads((tmp_path / f"{chapter}.ipynb").read_text())
    injected = [c for c in notebook["cells"] if "injected-parameters" in c["metadata"].get("tags", ())]
    assert 'profile = "test"' in "".join(injected[0]["source"])
    assert len(list((tmp_path / chapter).glob("*.html"))) >= 1
    assert done["figures"] >= 1
    assert bool(list((tmp_path / chapter).glob("*.png"))) is (chapter == DRAWN)


@pytest.mark.slow
def test_every_figure_of_every_chapter_is_drawn(tmp_path, monkeypatch, miniature):
    monkeypatch.setenv("TUTORIAL_STORE", str(miniature.store.folder))
    assert main(["figures", "--profile", "test", "--out", str(tmp_path)]) == 0
    for chapter in NAMES:
        kinds = {kind: len(list((tmp_path / chapter).glob(f"*.{kind}"))) for kind in ("html", "png", "svg")}
        assert len(set(kinds.values())) == 1, kinds
        assert kinds["png"] >= 1
