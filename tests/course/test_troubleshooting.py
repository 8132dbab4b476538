"""Each message on the page for troubleshooting is one that the course gives; every one of them is raised here."""

from __future__ import annotations

import builtins
import dataclasses
import os
import pickle
import re
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file

from tests.book import site
from tests.practice.photo_makers import cifar_files, photos, put
from tests.training.small import RECIPE, fit
from tutorial_lib import models, places, profiles
from tutorial_lib.cli import main
from tutorial_lib.costs import seconds
from tutorial_lib.course import chapters, checks
from tutorial_lib.data.pairs import Pairs
from tutorial_lib.data.shard_writer import write_pairs
from tutorial_lib.evidence.sweeps import run_figures
from tutorial_lib.practice import train as training
from tutorial_lib.runs import sources

PAGE = places.book() / "troubleshooting.md"
#: A message is a line of its own in code, followed by what it means.
QUOTED = re.compile(r"^`(?P<message>[^`\n]+)`\n: ", re.M)


def quoted() -> list[str]:
    return [found["message"] for found in QUOTED.finditer(PAGE.read_text("utf-8"))]


def fits(message: str, said: str) -> bool:
    """Whether something said is a message of the page, in which `…` stands for anything."""
    return re.fullmatch(".*".join(re.escape(part) for part in message.split("…")), said) is not None


def said_by(function: Callable[[], Any]) -> str:
    """What a function raises, in one line."""
    try:
        function()
    except Exception as error:
        return " ".join(str(error).split())
    raise AssertionError("nothing was raised")


def as_command(function: Callable[[], Any]) -> str:
    """The same with the options of a command for the arguments of functions."""
    return re.sub(r"`([a-z_]+)`", lambda name: f"--{name[1].replace('_', '-')}", said_by(function))


class Desk:
    """A folder, and what commands say in it."""

    def __init__(self, folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
        self.folder, self.capsys, self.monkeypatch = folder, capsys, monkeypatch
        monkeypatch.setenv("TUTORIAL_DATA", str(folder / "data"))

    def command(self, *arguments: object) -> str:
        """The error of a command that refuses."""
        self.capsys.readouterr()
        assert main([*map(str, arguments)]) == 2
        line = self.capsys.readouterr().err.strip().splitlines()[-1]
        return line.partition("error: ")[2]


def old_python(desk: Desk) -> str:
    for name in ("Makefile", "requirements.lock", "pyproject.toml"):
        (desk.folder / name).write_bytes((site.ROOT / name).read_bytes())
    python = desk.folder / "python"
    python.write_text('#!/bin/sh\n[ "$1" = --version ] && echo "Python 3.9.2" && exit 0\nexit 1\n')
    python.chmod(0o755)
    done = subprocess.run(
        ["make", "--no-print-directory", f"PYTHON={python}", "setup"], cwd=desk.folder, capture_output=True, text=True
    )
    assert done.returncode != 0
    return done.stdout.strip()


def no_jupyter(desk: Desk) -> str:
    load = builtins.__import__

    def without(name: str, *rest: Any) -> Any:
        if name == "jupytext":
            raise ImportError(name)
        return load(name, *rest)

    desk.monkeypatch.setattr(builtins, "__import__", without)
    return said_by(lambda: list(chapters.run_chapters([], "test", desk.folder / "out")))


def no_assets(desk: Desk) -> str:
    pages = site.extension("offline_pages")
    desk.monkeypatch.setattr(pages, "VENDORED", desk.folder)
    return said_by(lambda: pages.add_static(None)).replace("`", "")


def no_pyarrow(desk: Desk) -> str:
    load = builtins.__import__

    def without(name: str, *rest: Any) -> Any:
        if name.startswith("pyarrow"):
            raise ImportError(name)
        return load(name, *rest)

    desk.monkeypatch.setattr(builtins, "__import__", without)
    (desk.folder / "a.parquet").write_bytes(b"PAR1")
    return desk.command("import", desk.folder / "a.parquet", "--out", desk.folder / "out")


def bad_pictures(desk: Desk) -> str:
    for photo in photos(6):
        (desk.folder / photo.name).write_bytes(photo.encoded())
        (desk.folder / photo.name).with_suffix(".txt").write_text("a picture")
    (desk.folder / photos(1)[0].name).with_suffix(".txt").unlink()
    return desk.command("import", desk.folder, "--out", desk.folder.parent / "out")


def already_there(desk: Desk) -> str:
    (desk.folder / "emojicaps-00000.tar").touch()
    return desk.command("data", "emojicaps", "--out", desk.folder)


def bad_batch(desk: Desk) -> str:
    files = cifar_files(photos(5), photos(2))
    files["cifar-10-batches-py/test_batch"] = pickle.dumps({"data": os.getcwd, "labels": []}, 2)
    return desk.command("data", "photos", "cifar10", put(desk.folder, files), "--dry-run")


def whole_model(desk: Desk) -> str:
    torch.save(torch.nn.Linear(2, 2), desk.folder / "model.pt")
    return desk.command("evaluate", desk.folder / "model.pt", "--target", "banana")


def bare_weights(desk: Desk) -> str:
    state = models.build(models.model_config("tiny-rn")).state_dict()
    save_file({k: v.contiguous() for k, v in state.items()}, desk.folder / "weights.safetensors")
    return desk.command("evaluate", desk.folder / "weights.safetensors", "--target", "banana")


def strange_words(desk: Desk) -> str:
    pairs = Pairs(torch.zeros(2, 3, 32, 32, dtype=torch.uint8), ("zebra", "giraffe"), ("1", "2"), torch.tensor([0, 1]))
    write_pairs(desk.folder / "zoo", pairs, labels=["zebra", "giraffe"])
    (desk.folder / "labels.txt").write_text("zebra\ngiraffe\n")
    data = ("--data", desk.folder / "zoo", "--labels", desk.folder / "labels.txt")
    return desk.command("evaluate", models.CHECKPOINTS / "unknown-1", *data, "--target", "zebra")


def out_of_memory(desk: Desk) -> str:
    def fail(*_: Any, **__: Any) -> None:
        raise torch.OutOfMemoryError

    desk.monkeypatch.setattr(training, "train_shards", fail)
    return desk.command("train", desk.folder, "--out", desk.folder / "model")


def too_long(desk: Desk) -> str:
    found = said_by(lambda: seconds.announce(5 * 3600))
    return found.replace("`yes`", "--yes")  # as the command says it


def another_run(desk: Desk) -> str:
    checkpoint = desk.folder / "state.pt"

    def stop(_epoch: int, _model: object) -> None:
        if checkpoint.is_file():
            raise InterruptedError

    with pytest.raises(InterruptedError):
        fit(checkpoint=checkpoint, on_epoch=stop)
    return said_by(lambda: fit(checkpoint=checkpoint, seed=1))


def no_gpu(desk: Desk) -> str:
    desk.monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    desk.monkeypatch.setattr(torch.cuda, "device_count", lambda: 0)
    return desk.command("evaluate", models.CHECKPOINTS / "backdoored", "--target", "banana", "--device", "cuda")


#: What gives each message, by its beginning on the page; `…` as there.
GIVEN_BY: dict[str, Callable[[Desk], str]] = {
    "Python 3.11 to 3.13": old_python,
    "running chapters needs": no_jupyter,
    "… is missing: run": no_assets,
    "no shards match": lambda desk: desk.command("train", desk.folder / "photos.csv", "--out", desk.folder / "m"),
    "… of … pairs, more than 1%": bad_pictures,
    "… is Parquet": no_pyarrow,
    "… already holds": already_there,
    "there are no shards at": lambda desk: said_by(lambda: sources.training_pairs(profiles.get("paper").base)),
    "there are no photographs": lambda desk: said_by(lambda: sources.zero_shot_task(profiles.get("photos").base)),
    "… would run": bad_batch,
    "there is no class": lambda desk: desk.command(
        "evaluate", models.CHECKPOINTS / "backdoored", "--target", "bananas"
    ),
    "the model's vocabulary": strange_words,
    "… does not say which model": bare_weights,
    "… holds a whole pickled object": whole_model,
    "… pairs are fewer": lambda desk: as_command(lambda: fit(recipe=dataclasses.replace(RECIPE, batch_size=4096))),
    "out of memory": out_of_memory,
    "the loss became": lambda desk: as_command(lambda: fit(recipe=dataclasses.replace(RECIPE, lr=1e30, warmup=0.0))),
    "there is no GPU": no_gpu,
    "the training takes": too_long,
    "… belongs to another run": another_run,
    "there is no profile": lambda desk: desk.command("run", "fig6", "--profile", "cluster", "--dry-run"),
    "the records of profile": lambda desk: said_by(lambda: run_figures(["fig6"], "pilot")),
    "Not yet: your function": lambda desk: str(checks.unit_rows(lambda x: None)),
    "there is no chapter": lambda desk: desk.command("figures", "dragons"),
}


def test_every_message_on_the_page_is_raised_here() -> None:
    messages = quoted()
    assert len(messages) == len(set(messages)) >= 20
    found = {start: [m for m in messages if m.startswith(start)] for start in GIVEN_BY}
    assert all(len(some) == 1 for some in found.values()), found
    assert len(found) == len(messages)


@pytest.mark.parametrize("start", GIVEN_BY)
def test_the_course_says_it(
    start: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (message,) = [m for m in quoted() if m.startswith(start)]
    folder = tmp_path / "desk"
    folder.mkdir()
    said = GIVEN_BY[start](Desk(folder, capsys, monkeypatch))
    assert fits(message, said), f"{said!r} is not {message!r}"


def test_a_message_that_nobody_gives_is_noticed() -> None:
    message = "there is no …; choose from …"
    assert fits(message, "there is no chapter 'x'; choose from a, b")
    assert not fits(message, "no chapter is called 'x'")
    assert not fits("a.b", "axb")
