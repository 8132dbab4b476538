"""The table of rented GPUs: trials that are counted once, its remarks, and bad input."""

import json

import pytest

from tutorial_lib import profiles
from tutorial_lib.cli import main


def test_the_command(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["plan", "fig4", "--gpu", "a100", "--together", "8", "--json"]) == 0
    body = json.loads(capsys.readouterr().out)
    assert body["figures"]["fig4"]["models"] == len({t.key for t in _fig4()})
    assert body["total"]["A100"]["usd"] > 1000
    assert main(["plan", "fig4", "--gpu", "V100"]) == 0
    text = capsys.readouterr().out
    assert "V100 (32 GB) is too small" in text
    assert "Not measured" in text


def _fig4():
    from tutorial_lib.experiments import fig4

    return fig4.trials(profiles.get("paper"))


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--gpu", "toaster"], "no GPU 'toaster'"),
        (["--profile", "demo"], "plan profile cpu"),
        (["--usd-per-hour", "nan"], "price"),
    ],
)
def test_bad_input(arguments, said, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["plan", "fig4", *arguments]) == 2
    assert said in capsys.readouterr().err
