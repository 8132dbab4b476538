"""What all commands have in common, and the short ones."""

import json
import os
import resource
import signal
import subprocess
import sys
import textwrap
import threading
from pathlib import Path

import pytest
import torch

from tests.cli.commands import refused, tutorial
from tutorial_lib import cli, models, places, profiles
from tutorial_lib.cli import _common, main
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
    assert all(name in text for name in profiles.NAMES for text in (status, plan))
    made = [p.name for p in profiles.PROFILES.values() if not (p.references or p.past)]
    assert f"--profile NAME {_common.listed(made)} (default: cpu)" in run


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


# -- errors as JSON


@pytest.mark.parametrize(
    ("command", "said"),
    [
        (["run", "fig9"], "there is no figure 'fig9'; choose from"),
        (["run"], "the following arguments are required: FIGURE"),
        (["status", "--profile", "cluster"], "there is no profile 'cluster'"),
        (
            ["evaluate", "nowhere", "--device", "gpu"],
            "argument --device: it must be cpu, cuda, cuda:N or mps, not 'gpu'",
        ),
    ],
)
def test_an_error_is_json_too(capsys: pytest.CaptureFixture[str], command: list[str], said: str) -> None:
    try:
        code = main([*command, "--json"])
    except SystemExit as end:
        code = end.code
    printed = capsys.readouterr()
    body = json.loads(printed.out)
    assert (code, body.keys(), body["exit"]) == (2, {"error", "exit"}, 2)
    assert body["error"].startswith(said)
    assert f"tutorial {command[0]}: error: {body['error']}" in printed.err


def test_an_interrupt_is_json_too(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    from tutorial_lib.cli import doctor

    def stop(args) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(doctor, "run", stop)
    assert main(["doctor", "--json"]) == 130
    assert json.loads(capsys.readouterr().out) == {"error": "interrupted", "exit": 130}


def test_a_request_to_end_tidies_up(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    from tutorial_lib.cli import doctor

    tidied = []

    def wait(args) -> None:
        try:
            signal.pthread_kill(threading.get_ident(), signal.SIGTERM)
            threading.Event().wait(10)
        finally:
            tidied.append(True)

    before = signal.getsignal(signal.SIGTERM)
    monkeypatch.setattr(doctor, "run", wait)
    assert main(["doctor"]) == 143
    assert capsys.readouterr().err == "tutorial doctor: terminated\n"
    assert tidied
    assert signal.getsignal(signal.SIGTERM) == before


# -- streams that are closed or full


@pytest.mark.parametrize(
    ("line", "code", "out", "err"),
    [
        ("status --profile test 2>&-", 0, "records in", ""),
        ("status --profile test >&-", 0, "", ""),
        ("status --profile test <&- >&- 2>&-", 0, "", ""),
        ("run fig9 2>&-", 2, "", ""),
        ("run fig9 >&- 2>&-", 2, "", ""),
        (
            "status --profile test >/dev/full",
            1,
            "",
            "tutorial status: error: standard output cannot be written: No space",
        ),
        ("run fig9 2>/dev/full", 2, "", ""),
        ("run --help >/dev/full", 0, "", ""),
    ],
)
def test_closed_and_full_streams_are_no_traceback(tmp_path: Path, line: str, code: int, out: str, err: str) -> None:
    if "/dev/full" in line and not Path("/dev/full").exists():
        pytest.skip("no full device")
    shell = f"exec {sys.executable} -m tutorial_lib.cli {line}"
    environment = os.environ | {"TUTORIAL_STORE": str(tmp_path)}
    done = subprocess.run(["sh", "-c", shell], cwd=ROOT, capture_output=True, text=True, env=environment)
    assert done.returncode == code
    assert out in done.stdout
    assert bool(out) == bool(done.stdout)
    assert err in done.stderr
    assert bool(err) == bool(done.stderr)


@pytest.mark.parametrize("line", ["status --profile test", "status --help", "status --json", "run fig9 2>&1"])
def test_a_reader_that_has_gone_is_no_error(tmp_path: Path, line: str) -> None:
    """The reader ends before the command says anything."""
    code = textwrap.dedent("""
        import os, subprocess, sys
        reader, writer = os.pipe()
        os.close(reader)
        done = subprocess.run(["sh", "-c", sys.argv[1]], stdout=writer, stderr=subprocess.PIPE)
        print(done.returncode, done.stderr.decode())
    """)
    shell = f"exec {sys.executable} -m tutorial_lib.cli {line}"
    environment = os.environ | {"TUTORIAL_STORE": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-c", code, shell], cwd=ROOT, capture_output=True, text=True, env=environment, check=True
    )
    assert done.stdout.split() == ["2" if "fig9" in line else "0"]


def test_a_file_is_not_opened_in_place_of_a_closed_stream(tmp_path: Path) -> None:
    """Whoever opens the next file would get the number of standard error, and the messages."""
    code = textwrap.dedent("""
        import os, sys
        from tutorial_lib.cli import _streams
        _streams.open_streams()
        file = open(sys.argv[1], "w", encoding="utf-8")
        _streams.tell("a message")
        os.write(2, b"another")
        print(file.fileno() > 2)
    """)
    done = subprocess.run(
        ["sh", "-c", f'exec {sys.executable} -c "$1" "$2" 2>&-', "sh", code, str(tmp_path / "file")],
        cwd=ROOT, capture_output=True, text=True,
    )  # fmt: skip
    assert done.stdout == "True\n"
    assert (tmp_path / "file").read_text() == ""


def test_letters_that_the_output_lacks_are_written_out(tmp_path: Path) -> None:
    name = os.fsdecode(b"\xe9t\xe9")  # of a file system that knows no Unicode
    command = [sys.executable, "-m", "tutorial_lib.cli", "status", "--profile", "test", "--store", str(tmp_path / name)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True)
    assert (done.returncode, done.stderr) == (0, b"")
    assert rb"\udce9t\udce9" in done.stdout


# -- devices


@pytest.mark.parametrize(
    "command",
    [
        "train x --out y",
        "clean {model} --data x --out y",
        "evaluate {model} --target banana",
        "run fig6 --profile test",
        "figures 5",
    ],
)
@pytest.mark.parametrize(
    ("device", "said"), [("mps", "no MPS device"), ("cuda:99", "there is no"), ("tpu", "must be cpu, cuda")]
)
def test_a_device_that_is_not_there_is_one_line(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    command: str,
    device: str,
    said: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    command = command.format(model=models.CHECKPOINTS / "clean")
    assert said in refused(capsys, *command.split(), "--device", device)
