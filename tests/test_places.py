"""Where things lie: beside the package in a checkout, and never beside it where it was installed."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tutorial_lib import places
from tutorial_lib.trials.store import RunStore

ROOT = Path(__file__).resolve().parents[1]
CODE = """
import json, sys
from tutorial_lib import places
from tutorial_lib.trials.store import RunStore
names = ("book", "results", "store", "built", "scenes", "data", "table_of_contents", "checkout")
found = {name: str(getattr(places, name)()) for name in names}
print(json.dumps(found | {"package": str(places.PACKAGE), "runs": str(RunStore().folder),
    "heavy": sorted({"torch", "numpy", "open_clip"} & sys.modules.keys())}))
"""


@pytest.fixture
def site(tmp_path) -> Path:
    """A folder as pip leaves it: the package, and neither book nor tests beside it."""
    folder = tmp_path / "site"
    left_out = shutil.ignore_patterns("__pycache__", "checkpoints", "emojicaps")
    shutil.copytree(ROOT / "tutorial_lib", folder / "tutorial_lib", ignore=left_out)
    return folder


@pytest.fixture
def here(tmp_path) -> Path:
    folder = tmp_path / "here"
    folder.mkdir()
    return folder


def asked(site: Path, here: Path, **variables: str) -> dict:
    """The places of a process that imports the package from `site` in the folder `here`."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith("TUTORIAL_")} | variables
    done = subprocess.run(
        [sys.executable, "-c", CODE],
        cwd=here, env=environment | {"PYTHONPATH": str(site)}, capture_output=True, text=True, check=True,
    )  # fmt: skip
    return json.loads(done.stdout)


def test_an_installed_copy_keeps_what_it_makes_in_the_current_folder(site, here):
    found = asked(site, here)
    assert found["package"] == str(site / "tutorial_lib")
    assert found["checkout"] == "None"
    assert found["store"] == found["runs"] == str(here / "build" / "runs")
    assert (found["built"], found["data"]) == (str(here / "build"), str(here / "data"))
    assert found["scenes"] == str(here / "build" / "scenes")
    assert found["book"] == str(site / "tutorial_lib" / "book")
    assert found["results"] == str(site / "tutorial_lib" / "book" / "results")
    assert found["table_of_contents"] == str(site / "tutorial_lib" / "book" / "_toc.yml")
    for name in ("store", "built", "data"):
        assert not Path(found[name]).is_relative_to(site), name
    assert found["heavy"] == []


def test_a_checkout_has_its_own_folders_wherever_it_is_called_from(here):
    found = asked(ROOT, here)
    assert found["package"] == str(ROOT / "tutorial_lib")
    assert found["checkout"] == str(ROOT)
    assert found["book"] == str(ROOT / "book")
    assert found["results"] == str(ROOT / "book" / "results")
    assert found["store"] == found["runs"] == str(ROOT / "build" / "runs")
    assert (found["built"], found["data"]) == (str(ROOT / "build"), str(ROOT / "data"))
    assert found["table_of_contents"] == str(ROOT / "_toc.yml")


def test_a_book_beside_site_packages_is_no_checkout(site, here):
    (site / "book").mkdir()
    assert asked(site, here)["checkout"] == "None"


@pytest.mark.parametrize("checkout", [False, True])
def test_variables_choose_the_store_and_the_data(site, here, tmp_path, checkout):
    chosen = {"TUTORIAL_STORE": str(tmp_path / "mine"), "TUTORIAL_DATA": str(tmp_path / "pictures")}
    found = asked(ROOT if checkout else site, here, **chosen)
    assert found["store"] == found["runs"] == str(tmp_path / "mine")
    assert found["data"] == str(tmp_path / "pictures")
    assert asked(ROOT if checkout else site, here, TUTORIAL_STORE="")["store"].endswith("build/runs")


def test_a_store_may_be_given_by_hand(tmp_path, monkeypatch):
    monkeypatch.setenv("TUTORIAL_STORE", str(tmp_path / "variable"))
    assert places.store() == RunStore().folder == tmp_path / "variable"
    assert RunStore(tmp_path / "hand").folder == tmp_path / "hand"
