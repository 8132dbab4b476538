"""Tests lie where what they test lies: `tutorial_lib/data/hub.py` has `tests/data/test_hub.py`, or its line here.

A file that begins with an underscore is tested where it is used, an `__init__` with its package.
"""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from tutorial_lib import places

TESTS = Path(__file__).resolve().parent
#: Families that one file of tests goes through; a member may have a file of its own besides.
FAMILIES = {
    "bench": "bench/test_bench.py",
    "cli": "cli/test_cli.py",
    "course/checks": "course/test_exercises.py",
    "course/drawings": "course/test_drawings.py",
    "course/live": "book/test_live.py",
    "defenses": "defenses/test_defenses.py",
    "detect": "detect/test_detect.py",
    "detect/checkpoints": "detect/test_checkpoints.py",
    "detect/pictures": "detect/test_pictures.py",
    "experiments": "experiments/test_experiments.py",
    "profiles": "profiles/test_profiles.py",
    "runs/engines": "runs/test_engines.py",
    "training/methods": "training/test_methods.py",
    "triggers": "triggers/test_triggers.py",
}
#: Modules whose tests lie in the file of another one.
ELSEWHERE = {
    "attacks/base": "practice/test_attack.py",  # abstract; what attackers see is made there
    "costs/gpus": "costs/test_rented.py",  # a table
    "evidence/export": "cli/test_sweeps.py",  # shares a store that is trained once
    "models/errors": "models/test_clip.py",  # a class without a body
    "notes": "practice/test_clean.py",  # a class without a body
    "training/views": "training/test_loop.py",  # one test of both ways of training
    "practice/audit": "cli/test_audit.py",  # shares a model that is trained once
    "trials/attack": "trials/test_schema.py",  # abstract
    "trials/history": "training/test_loop.py",  # what the loop returns
    "trials/method": "training/test_methods.py",  # abstract
    "trials/metrics": "runs/test_measure.py",  # types of what is measured
}


def names(text: str, word: str) -> bool:
    """Whether a text has the last part of a path as a word."""
    return re.search(rf"\b{re.escape(word.rpartition('/')[2])}\b", text) is not None


def wrong(library: Path, tests: Path, families: Mapping[str, str], elsewhere: Mapping[str, str]) -> Iterator[str]:
    """What does not mirror, a sentence each."""
    modules = {p.relative_to(library).with_suffix("").as_posix() for p in library.rglob("*.py") if p.name[0] != "_"}
    for name, file in (*families.items(), *elsewhere.items()):
        if not (tests / file).is_file():
            yield f"{name} is listed with {file}, which does not exist"
        elif not names((tests / file).read_text("utf-8"), name):
            yield f"{name} is listed with {file}, which does not mention it"
    for name in families:
        if not any(module.startswith(f"{name}/") for module in modules):
            yield f"{name} is listed and no folder of modules"
    for name in sorted(elsewhere.keys() - modules):
        yield f"{name} is listed and no module"
    for name in sorted(modules):
        folder, _, stem = name.rpartition("/")
        own = Path(folder, f"test_{stem}.py").as_posix()
        if (tests / own).is_file():
            if name in elsewhere:
                yield f"{name} is listed with {elsewhere[name]}, and has {own}: take it off the list"
        elif name not in elsewhere and folder not in families:
            yield f"{name} has no test: write {own}, or list the file that tests it"


def test_every_module_has_its_test_or_says_where_it_is() -> None:
    assert not (found := list(wrong(places.PACKAGE, TESTS, FAMILIES, ELSEWHERE))), "\n".join(found)


def test_what_does_not_mirror_is_found(tmp_path: Path) -> None:
    library, tests = tmp_path / "library", tmp_path / "tests"
    for path in ("__init__.py", "a.py", "b.py", "c.py", "_d.py", "kind/__init__.py", "kind/one.py", "other/two.py"):
        (library / path).parent.mkdir(parents=True, exist_ok=True)
        (library / path).touch()
    (tests / "kind").mkdir(parents=True)
    (tests / "test_a.py").write_text("a, b and the kind, but not be")
    good = {"b": "test_a.py", "c": "test_a.py"}
    (tests / "kind" / "test_all.py").write_text("every kind")

    def said(families: dict[str, str], elsewhere: dict[str, str]) -> list[str]:
        return list(wrong(library, tests, families, elsewhere))

    assert said({"kind": "kind/test_all.py"}, good) == [
        "c is listed with test_a.py, which does not mention it",
        "other/two has no test: write other/test_two.py, or list the file that tests it",
    ]
    (tests / "other").mkdir()
    (tests / "other" / "test_two.py").touch()
    (tests / "test_c.py").touch()
    assert said({"kind": "kind/test_all.py"}, {"b": "test_a.py"}) == []
    assert said(
        {"kind": "kind/gone.py", "kid": "test_a.py"}, {"b": "test_a.py", "a": "test_a.py", "x": "test_a.py"}
    ) == [
        "kind is listed with kind/gone.py, which does not exist",
        "kid is listed with test_a.py, which does not mention it",
        "x is listed with test_a.py, which does not mention it",
        "kid is listed and no folder of modules",
        "x is listed and no module",
        "a is listed with test_a.py, and has test_a.py: take it off the list",
    ]
