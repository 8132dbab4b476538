"""What all commands have in common, and the short ones."""

import json
import resource
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from tests.cli.commands import tutorial
from tutorial_lib import cli, places, profiles
from tutorial_lib.cli import main
from tutorial_lib.costs.gpus import GPUS
from tutorial_lib.data import integrity
from tutorial_lib.practice.defense import methods
from tutorial_lib.triggers import TRIGGERS, Checkerboard

ROOT = Path(__file__).parents[2]


def test_help_of_every_command_has_an_example(capsys: pytest.CaptureFixture[str]) -> None:
    for name in cli.COMMANDS:
        command = [name, "emojicaps"] if name == "data" else [name]
        with pytest.raises(SystemExit) as end:
            main([*command, "--help"])
        assert end.value.code == 0
        printed = capsys.readouterr().out
        assert f"example:\n  tutorial {' '.join(command)}" in printed
        assert "--json" in printed


def test_as_a_program() -> None:
    """In a process of its own: output in a pipe, no bar, exit codes."""
    command = [sys.executable, "-m", "tutorial_lib.cli"]
    done = subprocess.run([*command, "doctor", "--json"], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0
    assert json.loads(done.stdout)["ok"]
    assert done.stderr == ""
    done = subprocess.run([*command, "poison", "no-such-folder"], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 2
    assert done.stdout == ""


def test_doctor(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    body = tutorial(capsys, "doctor")
    assert body["data"] == {"name": "EmojiCaps", "ok": True, "fingerprint": integrity.fingerprint(), "problem": None}
    assert body["profiles"]["test"]["ok"]
    assert body["profiles"]["gpu"]["ok"] == torch.cuda.is_available()
    assert body["versions"]["torch"] == torch.__version__.partition("+")[0] or body["versions"]["torch"]

    def damaged() -> None:
        raise integrity.CorruptDataError("noto.tar.gz is damaged")

    monkeypatch.setattr(integrity, "verify", damaged)
    capsys.readouterr()
    assert main(["doctor"]) == 1
    assert "noto.tar.gz is damaged" in capsys.readouterr().out


def test_interrupt_and_bugs(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    from tutorial_lib.cli import doctor

    def stop(args) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(doctor, "run", stop)
    assert main(["doctor"]) == 130
    assert capsys.readouterr().err == "tutorial doctor: interrupted\n"

    def bug(args) -> None:
        raise KeyError("a bug")

    monkeypatch.setattr(doctor, "run", bug)
    with pytest.raises(KeyError):
        main(["doctor"])


def test_the_parser_is_light_and_knows_the_registries() -> None:
    """`--help` of anything answers at once, and nobody has typed the names of the registries again."""
    code = """
import sys
from tutorial_lib.cli import parser
texts = parser()._subparsers._group_actions[0].choices
print([m for m in ("torch", "numpy", "open_clip", "PIL", "yaml", "scipy") if m in sys.modules])
for name in ("clean", "poison", "plan", "run", "status"):
    print(" ".join(texts[name].format_help().split()).replace("- ", "-"))  # lines break at hyphens
"""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    heavy, clean, poison, plan, run, status = done.stdout.splitlines()
    assert heavy == "[]"
    assert after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime < 0.5
    assert all(kind in clean for kind in (*methods(), *TRIGGERS))
    assert all(kind in poison for kind in TRIGGERS)
    assert all(name in plan for name in GPUS)
    assert all(name in text for name in profiles.NAMES for text in (run, status, plan))


def test_a_trigger_of_another_package_is_offered_in_the_help(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(TRIGGERS._classes, "sticker", Checkerboard)
    monkeypatch.setitem(GPUS, "B9000", GPUS["H100"])
    commands = cli.parser()._subparsers._group_actions[0].choices
    assert "sticker" in commands["evaluate"].format_help()
    assert "B9000" in commands["plan"].format_help()


def test_the_store_is_where_the_environment_says(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("TUTORIAL_STORE", str(tmp_path / "mine"))
    assert cli.parser().parse_args(["status"]).store == tmp_path / "mine"
    monkeypatch.delenv("TUTORIAL_STORE")
    assert cli.parser().parse_args(["status"]).store == places.store()
    assert "$TUTORIAL_STORE, or build/runs" in " ".join(
        cli.parser()._subparsers._group_actions[0].choices["run"].format_help().split()
    )
