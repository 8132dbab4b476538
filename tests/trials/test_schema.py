"""A setting that is none of its choices makes no trial: it is refused when it is written down."""

import inspect
import sys
from collections.abc import Iterator
from dataclasses import MISSING, fields, replace
from typing import Any, Literal, get_args, get_origin, get_type_hints

import pytest

from tutorial_lib.attacks import ATTACKS, Backdoor, Group, Targeted, TextBackdoor
from tutorial_lib.defenses import DEFENSES, Finetuning, KnownTrigger
from tutorial_lib.detect import DETECTORS, KDistance
from tutorial_lib.detect.checkpoints import CHECKPOINT_DETECTORS
from tutorial_lib.detect.pictures import STRIP, BDetCLIP
from tutorial_lib.plugins import Kind
from tutorial_lib.training.methods import METHODS, RoCLIP
from tutorial_lib.trials import Recipe, Trial
from tutorial_lib.trials.schema import Settings, as_dict, digest
from tutorial_lib.triggers import TRIGGERS, Blended, Checkerboard, Patch, Stripes, make_trigger

FAMILIES = (ATTACKS, DEFENSES, DETECTORS, CHECKPOINT_DETECTORS, METHODS, TRIGGERS)
KINDS = (*(cls for family in FAMILIES for cls in family.values()), KnownTrigger, STRIP, BDetCLIP)
ALL: tuple[type[Settings], ...] = (Trial, Recipe, Group, *KINDS)


def below(cls: type) -> Iterator[type]:
    for found in cls.__subclasses__():
        yield found
        yield from below(found)


def needed(cls: type, field: str = "") -> dict[str, Any]:
    """The arguments that a class has no default for, and those with which a field has an effect."""
    missing = (f for f in fields(cls) if f.default is MISSING and f.default_factory is MISSING)
    needs = {f.name: f.metadata.get("needs", {}) for f in fields(cls)}.get(field, {})
    some = {f.name: 4 if isinstance(f.default, int) else "some" for f in fields(cls)}  # any but the default
    return {f.name: 4 for f in missing} | {k: some[k] if value is ... else value for k, value in needs.items()}


def name(cls: type) -> str:
    return cls.kind if issubclass(cls, Kind) else cls.__name__.lower()


LITERALS = [
    pytest.param(cls, field, get_args(hint), id=f"{name(cls)}-{field}")
    for cls in ALL
    for field, hint in get_type_hints(cls).items()
    if get_origin(hint) is Literal
]


def test_no_settings_of_the_library_are_left_out():
    def of_library(cls: type) -> bool:
        """Not a class of an example, which names a module of the library as its own."""
        return cls.__module__.startswith("tutorial_lib.") and vars(sys.modules[cls.__module__]).get(cls.__name__) is cls

    concrete = {cls for cls in below(Settings) if of_library(cls) and not inspect.isabstract(cls)}
    assert concrete == set(ALL)
    assert {(p.values[0], p.values[1]) for p in LITERALS} >= {
        (Trial, "split"),
        (Trial, "task"),
        (Trial, "objective"),
        (Recipe, "precision"),
        (Recipe, "optimizer"),
        (Group, "captions"),
        (Group, "words"),
        (Backdoor, "captions"),
        (Backdoor, "select"),
        (Blended, "pattern_kind"),
        *((cls, "placement") for cls in TRIGGERS.values() if issubclass(cls, Patch)),
    }


@pytest.mark.parametrize(("cls", "field", "choices"), LITERALS)
def test_every_choice_is_checked_when_it_is_made(cls, field, choices):
    for choice in choices:
        assert getattr(cls(**needed(cls, field) | {field: choice}), field) == choice
    typos = {choices[0] + "x", choices[-1][:-1], choices[0].upper(), "", None}
    for typo in typos - set(choices):
        with pytest.raises(ValueError, match=rf"^{field} of a {name(cls)} must be ") as refused:
            cls(**needed(cls, field) | {field: typo})
        said = str(refused.value)
        assert all(choice in said for choice in choices)
        assert said.endswith(f"not {typo!r}")


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (
            lambda: Backdoor(8, select="lable-consistent"),
            "select of a backdoor must be others, label-consistent or named, not 'lable-consistent'",
        ),
        (lambda: Trial(task="imagent"), "task of a trial must be emoji, imagenet, cifar10 or cifar100, not 'imagent'"),
        (lambda: replace(Trial(), split="tset"), "split of a trial must be test or validation, not 'tset'"),
        (lambda: make_trigger("stripes", placement="radnom"), "placement of a stripes must be fixed or random"),
    ],
)
def test_the_typos_that_once_made_a_wrong_trial(make, message):
    with pytest.raises(ValueError, match=message):
        make()


@pytest.mark.parametrize(
    ("without", "where"),
    [
        (lambda: Trial(scenes=4000, copies=2), "copies of a trial has no effect where scenes is 4000: leave it at 8"),
        (lambda: Trial(shards="cc3m", copies=2), "copies of a trial has no effect where shards is 'cc3m'"),
        (lambda: Trial(shards="cc3m", scenes=4000), "scenes of a trial has no effect where shards is 'cc3m'"),
        (lambda: Trial(limit=100), "limit of a trial has no effect where shards is ''"),
        (lambda: Trial(task="imagenet", classes=100), "classes of a trial has no effect where task is 'imagenet'"),
        (lambda: Trial(task="imagenet", split="validation"), "split of a trial has no effect where task"),
        (
            lambda: Trial(objective="supervised", self_supervision=1.0),
            "self_supervision of a trial has no effect where objective is 'supervised': leave it at 0.0",
        ),
        (lambda: Group(4, noise=1.0), "noise of a group has no effect where disguise is False: leave it at 3.0"),
        (lambda: Group(4, words="none"), "words of a group has no effect where disguise is False"),
        (
            lambda: Backdoor(4, select="named", captions="prompts"),
            "captions of a backdoor has no effect where select is 'named': leave it at 'search'",
        ),
        (lambda: Recipe(optimizer="sgd", eps=1e-8), "eps of a recipe has no effect where optimizer is 'sgd'"),
    ],
)
def test_a_setting_without_effect_is_refused_so_that_no_two_keys_mean_the_same(without, where):
    with pytest.raises(ValueError, match=where):
        without()


def test_what_a_setting_needs_exists_and_lets_it_be_set():
    found = [(cls, f) for cls in ALL for f in fields(cls) if f.metadata.get("needs")]
    assert len(found) >= 9
    for cls, f in found:
        some = {bool: not f.default, int: 3, float: 0.5, str: "validation", type(None): RoCLIP(), tuple: (KDistance(),)}
        other = some[type(f.default)]
        if get_origin(hint := get_type_hints(cls)[f.name]) is Literal:
            other = next(c for c in get_args(hint) if c != f.default)
        assert getattr(cls(**needed(cls, f.name) | {f.name: other}), f.name) == other


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Backdoor(-1), "count of a backdoor must be at least 0, not -1"),
        (lambda: Backdoor(True), "count of a backdoor must be at least 0, not True"),
        (lambda: Backdoor(8, cover=-1), "cover of a backdoor must be at least 0, not -1"),
        (lambda: Backdoor(8, trigger="checkerboard"), "trigger of a backdoor must be a trigger, not 'checkerboard'"),
        (lambda: Backdoor(8, trigger=Blended(), diagonal=True), "only a patch can be moved along the diagonal"),
        (lambda: TextBackdoor(-1), "count of a text-backdoor must be at least 0, not -1"),
        (lambda: TextBackdoor(4, word=" "), "word of a text-backdoor is empty"),
        (lambda: Group(-1), "count of a group must be at least 0, not -1"),
        (lambda: Group(1, disguise=True, noise=-0.5), "noise of a group must be at least 0, not -0.5"),
        (lambda: Group(1, disguise=True, noise=float("nan")), "noise of a group must be at least 0, not nan"),
        (lambda: Targeted(targets=0), "targets of a targeted must be at least 1, not 0"),
        (lambda: Targeted(()), "at least one group of targets"),
        (lambda: Trial(classes=1), "classes of a trial must be at least 2, not 1"),
        (lambda: Trial(copies=0), "copies of a trial must be at least 1, not 0"),
        (lambda: Trial(side=0), "side of a trial must be at least 1, not 0"),
        (lambda: Trial(scenes=-1), "scenes of a trial must be at least 0, not -1"),
        (lambda: Trial(shards="cc3m", limit=-1), "limit of a trial must be at least 0, not -1"),
        (lambda: Trial(shards="cc3m", limit="all"), "limit of a trial must be at least 0, not 'all'"),
        (lambda: Trial(self_supervision=-1), "self_supervision of a trial must be at least 0, not -1"),
        (lambda: Trial(self_supervision=float("nan")), "self_supervision of a trial must be at least 0, not nan"),
        (lambda: Trial(attack=Finetuning()), "attack of a trial must be attack settings or None"),
        (lambda: Trial(defense="cleanclip"), "defense of a trial must be defense settings or None, not 'cleanclip'"),
        (lambda: Checkerboard(margin=-1), "margin must be at least 0"),
        (lambda: Recipe(batch_size=0), "batch_size must be positive"),
    ],
)
def test_numbers_and_things_of_another_kind_are_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()


# -- kinds and keys


@pytest.mark.parametrize("cls", KINDS, ids=name)
def test_nobody_can_rename_a_kind(cls):
    for other in ("kind", "name", "method"):
        with pytest.raises(TypeError, match=f"unexpected keyword argument '{other}'"):
            cls(**needed(cls) | {other: "banana"})
    assert as_dict(cls(**needed(cls)))["kind"] == cls.kind


def test_classes_of_one_family_differ_in_their_kinds_alone_and_so_do_the_keys():
    same = Checkerboard(size=6, cell=2), Stripes(size=6, cell=2)
    assert [t.kind for t in same] == ["checkerboard", "stripes"]
    made = [Trial(Backdoor(8, trigger=trigger), data="d") for trigger in same]
    assert made[0].key != made[1].key
    assert [t.as_dict()["attack"]["trigger"]["kind"] for t in made] == ["checkerboard", "stripes"]
    every = [Trial(Backdoor(8, trigger=cls()), data="d").key for cls in TRIGGERS.values()]
    assert len(set(every)) == len(TRIGGERS)


def test_the_canonical_form_does_not_depend_on_the_order_of_its_parts():
    body = Trial(Backdoor(8), data="d").as_dict()
    assert digest(dict(reversed(body.items()))) == digest(body) == Trial(Backdoor(8), data="d").key
