"""The script that the page loads."""

from __future__ import annotations

import base64
import json
from typing import Any

import numpy as np
import pytest

from tutorial_lib.course.live.playground import engine, script
from tutorial_lib.course.live.playground.world import cut, world


@pytest.fixture(scope="module")
def written() -> str:
    """With a model that was hardly trained."""
    return script.script({**script.SETTINGS, "classes": 4, "epochs": 2})


def body(text: str) -> dict[str, Any]:
    begin, end = "(globalThis.course ??= {}).playground = ", ";\n"
    assert text.startswith(begin)
    assert text.endswith(end)
    found: dict[str, Any] = json.loads(text.removeprefix(begin).removesuffix(end))
    return found


def test_pictures_code_and_check(written: str) -> None:
    found = body(written)
    assert base64.b64decode(found["code"]) == engine.assembled()
    count = len(world().pairs) + len(world().task)
    assert found["count"] == count
    seen = cut(base64.b64decode(found["atlas"]), count).permute(0, 2, 3, 1).numpy()
    assert found["check"] == pytest.approx(seen.ravel()[::100].mean(), abs=0.01)


def test_the_model_trained_beforehand_is_the_one_that_the_settings_give(written: str) -> None:
    start = body(written)["start"]
    settings = start["settings"]
    assert (settings["classes"], settings["epochs"]) == (4, 2)
    assert start["steps"] == len(start["losses"]) == 2 * ((160 + 64) // 64)
    assert [sorted(m) for m in start["history"][:-1]] == [["accuracy", "control", "pictures", "success", "z"]] * 2
    assert start["measured"] == start["history"][-1]
    assert len(start["measured"]["map"]["names"]) == 4
    weights = np.frombuffer(base64.b64decode(start["state"]), "<f2")
    assert np.isfinite(weights).all()
    assert len(weights) > 90_000
    assert script.script({**script.SETTINGS, "classes": 4, "epochs": 2}) == written


def test_it_depends_on_files_that_exist() -> None:
    files = script.made_of()
    assert all(path.is_file() for path in files)
    assert {"product.wat", "net.js", "beforehand.js", "world.py", "captions.py", "patch.py"} <= {p.name for p in files}


def test_the_pages_first_attack_is_within_its_controls() -> None:
    assert script.SETTINGS["poisons"] == 64
    assert script.SETTINGS["classes"] == len(world().task.labels)
