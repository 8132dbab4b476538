"""Classes of another package: registered by an entry point, used like the library's own, refused with their names."""

import json
import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]

PACKAGE = '''
from dataclasses import dataclass, replace
from typing import ClassVar

from tutorial_lib.attacks import Backdoor
from tutorial_lib.detect import Detector
from tutorial_lib.trials import Cleaned, History, Method, TrainedDefense
from tutorial_lib.triggers import Trigger


@dataclass(frozen=True)
class Sticker(Trigger):
    """One grey corner."""

    kind: ClassVar[str] = "sticker"

    grey: int = 77

    def stamp(self, images, seed=0):
        out = images.clone()
        out[:, :, -3:, -3:] = self.grey
        return out

    def control(self):
        return replace(self, grey=255 - self.grey)


@dataclass(frozen=True)
class Halve(TrainedDefense):
    """Halve the projection of texts."""

    kind: ClassVar[str] = "halve"
    title: ClassVar[str] = "halving"

    factor: float = 0.5

    def clean(self, model, tokenizer, material, *, seed=0, device=None, progress=False):
        model.text_projection.data.mul_(self.factor)
        return Cleaned(model, History(steps=3), {"trusted": len(material.pairs)})


@dataclass(frozen=True)
class Longest(Detector):
    """Long captions are suspicious."""

    kind: ClassVar[str] = "longest-caption"
    title: ClassVar[str] = "length of the caption"

    def scores(self, model, tokenizer, pairs):
        import torch

        return torch.tensor([float(len(caption)) for caption in pairs.captions])


@dataclass(frozen=True)
class Brief(Method):
    """Plain training on some of the pairs."""

    kind: ClassVar[str] = "brief"
    title: ClassVar[str] = "plain training on few"

    many: int = 64

    def train(self, model, tokenizer, pairs, recipe, *, seed=0, device=None, progress=None, **options):
        from tutorial_lib.training.loop import train

        some = pairs.take(range(self.many))
        return train(model, tokenizer, some, recipe, seed=seed, device=device, progress=progress, **options)


@dataclass(frozen=True)
class Twice(Backdoor):
    """A backdoor with another seed, whose captions may shout."""

    kind: ClassVar[str] = "twice"

    loud: bool = False

    def poison(self, seen, *, seed):
        made = super().poison(seen, seed=2 * seed + 1)
        if not self.loud:
            return made
        return replace(made, pairs=replace(made.pairs, captions=tuple(c.upper() for c in made.pairs.captions)))
'''
GOOD = {
    "tutorial_lib.triggers": {"sticker": "my_package:Sticker"},
    "tutorial_lib.defenses": {"halve": "my_package:Halve"},
    "tutorial_lib.detect": {"longest-caption": "my_package:Longest"},
    "tutorial_lib.attacks": {"twice": "my_package:Twice"},
    "tutorial_lib.training.methods": {"brief": "my_package:Brief"},
}


def installed(folder: Path, groups: dict[str, dict[str, str]], source: str = PACKAGE) -> Path:
    """A package that lies where pip would have put it."""
    (folder / "my_package.py").write_text(textwrap.dedent(source))
    info = folder / "my_package-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: my-package\nVersion: 1.0\n")
    lines = [f"[{group}]\n" + "".join(f"{k} = {v}\n" for k, v in points.items()) for group, points in groups.items()]
    (info / "entry_points.txt").write_text("\n".join(lines))
    return folder


def python(folder: Path, code: str) -> dict:
    """What a new process prints, with the package on its path."""
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(folder), str(ROOT)]), "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)],
        cwd=folder, env=environment, capture_output=True, text=True, timeout=300,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(done.stdout.splitlines()[-1])


def test_classes_of_another_package_are_found_by_their_kinds_without_torch(tmp_path):
    found = python(
        installed(tmp_path, GOOD),
        """
        import json, sys
        from tutorial_lib.attacks import ATTACKS, Backdoor
        from tutorial_lib.defenses import DEFENSES
        from tutorial_lib.detect import DETECTORS
        from tutorial_lib.training.methods import METHODS
        from tutorial_lib.trials import Trial
        from tutorial_lib.triggers import TRIGGERS, Checkerboard, make_trigger

        sticker = make_trigger("sticker", grey=9)
        families = {"trigger": TRIGGERS, "defense": DEFENSES, "detector": DETECTORS, "attack": ATTACKS,
                    "method": METHODS}
        listed = {what: list(family) for what, family in families.items()}
        torch = "torch" in sys.modules
        trials = [
            Trial(data="d"),
            Trial(Backdoor(4, trigger=sticker), data="d"),
            Trial(Backdoor(4, trigger=Checkerboard()), data="d"),
            Trial(Backdoor(4), data="d", defense=DEFENSES["halve"]()),
            Trial(ATTACKS["twice"](4), data="d"),
            Trial(data="d", method=METHODS["brief"]()),
        ]
        print(json.dumps({
            "classes": [cls.__module__ + "." + cls.__name__ for cls in (
                TRIGGERS["sticker"], DEFENSES["halve"], DETECTORS["longest-caption"], ATTACKS["twice"],
                METHODS["brief"])],
            "listed": listed,
            "grey": sticker.grey,
            "keys": [t.key for t in trials],
            "kinds": [trials[1].as_dict()["attack"]["trigger"], trials[3].as_dict()["defense"]["kind"],
                      trials[4].as_dict()["attack"]["kind"]],
            "torch": torch,
        }))
        """,
    )
    assert found["classes"] == [f"my_package.{name}" for name in ("Sticker", "Halve", "Longest", "Twice", "Brief")]
    assert {"sticker", "checkerboard"} <= set(found["listed"]["trigger"])
    assert {"halve", "cleanclip"} <= set(found["listed"]["defense"])
    assert set(found["listed"]["detector"]) == {
        "longest-caption", "pair-similarity", "activation-clustering", "caption-disagreement", "dao", "k-distance",
        "near-duplicates", "slof", "spectral-signatures", "cosine-mixture", "early-loss",
    }  # fmt: skip
    assert set(found["listed"]["method"]) == {"brief", "roclip", "safeclip"}
    assert set(found["listed"]["attack"]) == {"backdoor", "targeted", "text-backdoor", "together", "twice"}
    assert found["grey"] == 9
    assert len(set(found["keys"])) == 6
    assert found["kinds"] == [{"kind": "sticker", "grey": 9}, "halve", "twice"]
    assert found["torch"] is False


def test_a_trial_with_all_of_them_is_stamped_cleaned_and_searched(tmp_path):
    found = python(
        installed(tmp_path, GOOD),
        """
        import json
        import torch
        from dataclasses import replace
        from tutorial_lib.attacks import ATTACKS
        from tutorial_lib.defenses import DEFENSES
        from tutorial_lib.detect import DETECTORS
        from tutorial_lib.runs import fit, run, train_trial
        from tutorial_lib.training.methods import METHODS
        from tutorial_lib.trials import Recipe, Trial
        from tutorial_lib.triggers import make_trigger

        attack = ATTACKS["twice"](4, target="fog", trigger=make_trigger("sticker"))
        method = METHODS["brief"]()
        trial = Trial(attack, classes=40, copies=1, recipe=Recipe(epochs=1, batch_size=32), method=method)
        before = train_trial(trial, progress=False)
        defended = replace(trial, defense=DEFENSES["halve"](share=0.5))
        after = fit(defended, progress=False)
        record = run(defended, progress=False)
        pairs = before.clean + before.poisons
        suspects = DETECTORS["longest-caption"]().suspects(before.model, before.tokenizer, pairs, 0.1).tolist()
        lengths = [len(pairs.captions[i]) for i in suspects]
        print(json.dumps({
            "corners": before.poisons.images[:, :, -3:, -3:].unique().tolist(),
            "elsewhere": len(before.poisons.images[:, :, :-3, :-3].unique()),
            "halved": torch.equal(after.model.text_projection, before.model.text_projection / 2),
            "cleaning": record.metrics["cleaning"]["trusted"] == round(0.5 * len(before.clean)),
            "steps": record.metrics["cleaning"]["steps"],
            "trained": record.metrics["steps"],
            "kind": record.trial["defense"]["kind"],
            "success": record.metrics["attack_success"]["zero_shot"]["n"] > 0,
            "sorted": lengths == sorted(lengths, reverse=True) and lengths[0] == max(map(len, pairs.captions)),
        }))
        """,
    )
    assert found["corners"] == [77]
    assert found["elsewhere"] > 10
    assert found["kind"] == "halve"
    assert found["steps"] == 3
    assert found["trained"] == 64 // 32
    assert all(found[name] for name in ("halved", "cleaning", "success", "sorted"))


BAD = {
    "another base": (
        {"tutorial_lib.triggers": {"halve": "my_package:Halve"}},
        "the entry point my_package:Halve is no trigger: it must extend Trigger",
    ),
    "no class": (
        {"tutorial_lib.defenses": {"nothing": "my_package:PLAIN"}},
        "the entry point my_package:PLAIN is no defense: it must extend Defense",
    ),
    "abstract": (
        {"tutorial_lib.triggers": {"base": "my_package:Trigger"}},
        "the entry point my_package:Trigger is no trigger: it must extend Trigger",
    ),
    "another kind than its name": (
        {"tutorial_lib.detect": {"longest": "my_package:Longest"}},
        "the detector my_package:Longest is registered as 'longest': its kind must be that",
    ),
    "a kind that is taken": (
        {"tutorial_lib.triggers": {"checkerboard": "my_package:Impostor"}},
        "the trigger 'checkerboard' of my_package:Impostor exists already: choose another kind",
    ),
    "a module that is not there": (
        {"tutorial_lib.attacks": {"gone": "no_such_module:Gone"}},
        "the attack no_such_module:Gone cannot be loaded: No module named 'no_such_module'",
    ),
    "a class that is not there": (
        {"tutorial_lib.attacks": {"gone": "my_package:Gone"}},
        "the attack my_package:Gone cannot be loaded: module 'my_package' has no attribute 'Gone'",
    ),
}
MORE = """
PLAIN = 5


@dataclass(frozen=True)
class Impostor(Sticker):
    kind: ClassVar[str] = "checkerboard"
"""


def test_commands_know_an_attack_of_another_package(tmp_path):
    """`tutorial poison` makes it on shards; its settings are reached by --set, its trigger by name."""
    found = python(
        installed(tmp_path, GOOD),
        """
        import contextlib, io, json
        from tutorial_lib.cli import main
        from tutorial_lib.data.loading import read_pairs

        def tutorial(*arguments):
            said, wrong = io.StringIO(), io.StringIO()
            with contextlib.redirect_stdout(said), contextlib.redirect_stderr(wrong):
                code = main(list(arguments))
            return code, said.getvalue(), wrong.getvalue()

        clean = tutorial("data", "emojicaps", "--out", "clean", "--copies", "2", "--classes", "16")
        assert clean[0] == 0, clean
        command = ("poison", "clean", "--attack", "twice", "--target", "rainbow", "--count", "4")
        command += ("--trigger", "sticker")
        done = tutorial(*command, "--out", "p", "--set", "loud=true", "--set", "grey=9", "--json")
        refused = tutorial(*command, "--out", "q", "--set", "loud=7")
        pairs = read_pairs("p")
        print(json.dumps({
            "done": json.loads(done[1]), "captions": pairs.captions, "refused": refused[2],
            "corners": pairs.pixels[:, :, -3:, -3:].unique().tolist(),
        }))
        """,
    )
    assert (found["done"]["attack"], found["done"]["count"]) == ("twice", 4)
    assert all(caption.isupper() and "RAINBOW" in caption for caption in found["captions"])
    assert found["corners"] == [9]
    assert "loud of twice is true or false, not 7" in found["refused"]


@pytest.mark.parametrize("case", BAD)
def test_a_bad_entry_point_is_named(tmp_path, case):
    groups, message = BAD[case]
    found = python(
        installed(tmp_path, groups, PACKAGE + MORE),
        """
        import json
        from tutorial_lib.attacks import ATTACKS
        from tutorial_lib.defenses import DEFENSES
        from tutorial_lib.detect import DETECTORS
        from tutorial_lib.plugins import PluginError
        from tutorial_lib.triggers import TRIGGERS

        said = []
        for family in (ATTACKS, DEFENSES, DETECTORS, TRIGGERS):
            try:
                list(family)
            except PluginError as error:
                said.append(str(error))
        print(json.dumps(said))
        """,
    )
    assert found == [message]


def test_a_module_that_is_not_imported_by_hand_is_found_too(tmp_path):
    """The library's own classes are found in their folder: a new file there is all that a new kind needs."""
    found = python(
        installed(tmp_path, {}),
        """
        import json, pkgutil
        import tutorial_lib.triggers as package
        from pathlib import Path

        folder = Path("extra")
        folder.mkdir()
        (folder / "corner.py").write_text(Path("my_package.py").read_text())
        package.__path__.append(str(folder.resolve()))
        print(json.dumps(package.TRIGGERS["sticker"].__module__))
        """,
    )
    assert found == "tutorial_lib.triggers.corner"
