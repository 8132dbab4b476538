"""A page with models of one's own."""

import json
from pathlib import Path

import pytest

from tests.models.published import CONFIG, FILES, VIT, hub, small
from tests.models.small import classifier
from tests.training.small import CONFIG as SMALL
from tutorial_lib.models import save_classifier
from tutorial_lib.models.inputs import MEAN
from tutorial_lib.practice.pictures import course_pictures
from tutorial_lib.practice.web import write_page
from tutorial_lib.triggers import Blended, Checkerboard


def test_a_page_holds_its_models(checkpoint: Path, tmp_path: Path) -> None:
    written = write_page([checkpoint], tmp_path, trigger=Checkerboard(), target="banana", classes=60)
    assert written.as_dict() == {"page": str(tmp_path / "index.html"), "models": written.models, "classes": 60}
    script = tmp_path / "live" / "models" / f"{checkpoint.name}.js"
    assert len(script.read_text()) == written.models[checkpoint.name]
    assert "open it in a browser" in str(written)


def test_what_is_wrong_is_said(checkpoint: Path, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="two models are called 'model'"):
        write_page([checkpoint, checkpoint], tmp_path, trigger=Checkerboard(), target="banana", classes=60)
    with pytest.raises(ValueError, match="only a patch can be moved"):
        write_page([checkpoint], tmp_path, trigger=Blended(), target="banana", classes=60)
    with pytest.raises(ValueError, match="no class 'bananas'"):
        write_page([checkpoint], tmp_path, trigger=Checkerboard(), target="bananas", classes=60)


def test_a_page_holds_the_models_own_mean_and_any_form(tmp_path: Path) -> None:
    source = hub(tmp_path / "hub", small(), mean=[0.5, 0.25, 0.75], std=[0.5] * 3)
    (tmp_path / "c.json").write_text(json.dumps(CONFIG), "utf-8")
    file = FILES["compiled"](tmp_path, small())
    shown = course_pictures(classes=4).labels[0]
    for path, model, mean in ((source, None, [0.5, 0.25, 0.75]), (file, tmp_path / "c.json", list(MEAN))):
        write_page([path], tmp_path / "page", trigger=Checkerboard(), target=shown, model=model, classes=4)
        script = (tmp_path / "page" / "live" / "models" / f"{path.name}.js").read_text("utf-8")
        assert f'"mean": {json.dumps(mean)}' in script
    with pytest.raises(ValueError, match="hub says which model it is: leave `model` out"):
        write_page([source], tmp_path / "page", trigger=Checkerboard(), target=shown, model="tiny-rn", classes=4)


def test_what_no_page_can_show_is_refused_by_name(tmp_path: Path) -> None:
    save_classifier(tmp_path / "head", classifier(), SMALL, ["a", "b", "c", "d"])
    with pytest.raises(ValueError, match=r"head is a classifier that .* saved, and a page shows CLIPs"):
        write_page([tmp_path / "head"], tmp_path, trigger=Checkerboard(), target="a", classes=60)
    vit = hub(tmp_path / "vit", small(VIT), VIT)
    shown = course_pictures(classes=4).labels[0]
    with pytest.raises(ValueError, match="a page computes open_clip's ResNets, not a VisionTransformer"):
        write_page([vit], tmp_path / "page", trigger=Checkerboard(), target=shown, classes=4)
