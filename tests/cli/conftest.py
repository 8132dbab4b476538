import json
from pathlib import Path

import pytest

from tests.cli.commands import CLASSES, CONFIG, train_command
from tutorial_lib.cli import main


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Clean shards, a model config and a trained model."""
    here = tmp_path_factory.mktemp("cli")
    (here / "small.json").write_text(json.dumps(CONFIG))
    assert main(["data", "emojicaps", "--out", str(here / "clean"), "--classes", str(CLASSES), "--copies", "2"]) == 0
    assert main(train_command(here, "model")) == 0
    return here
