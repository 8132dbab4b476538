"""What several commands share: their standard options, and how these are read."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias, get_args

from tutorial_lib import places, profiles
from tutorial_lib.machine import DEVICE
from tutorial_lib.practice import settings as setting
from tutorial_lib.triggers import TRIGGERS, Checkerboard, Patch, Placement, make_trigger

if TYPE_CHECKING:
    from tutorial_lib.triggers import Trigger

Result = tuple[dict[str, Any], str, int]  # for --json, for people, exit code
Subparsers: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"


class Printable(Protocol):
    """What the functions behind commands return: JSON and text of it."""

    def as_dict(self) -> dict[str, Any]: ...


def said(found: Printable, code: int = 0) -> Result:
    """A result as a command prints it."""
    return found.as_dict(), str(found), code


def command(
    subparsers: Subparsers,
    name: str,
    run: Callable[[argparse.Namespace], Result],
    *,
    help: str,
    example: str,
    more: str = "",
) -> argparse.ArgumentParser:
    """A subcommand with `--json`; its help ends with the example and with what more there is to say."""
    parser: argparse.ArgumentParser = subparsers.add_parser(
        name,
        help=help,
        description=f"{help[0].upper()}{help[1:]}.",
        epilog="\n\n".join([f"example:\n  {example}", *([more] if more else [])]),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of text")
    parser.set_defaults(run=run)
    return parser


def positive(text: str) -> int:
    """A whole number of at least 1, for argparse."""
    try:
        number = int(text)
    except ValueError:
        number = 0
    if number < 1:
        raise argparse.ArgumentTypeError(f"a whole number of at least 1 is needed, not {text!r}")
    return number


def seed(text: str) -> int:
    """A seed of generators, for argparse."""
    try:
        number = int(text)
    except ValueError:
        number = -1
    if not 0 <= number <= setting.MOST:
        raise argparse.ArgumentTypeError(f"a whole number from 0 to {setting.MOST} is needed, not {text!r}")
    return number


def device(text: str) -> str:
    """A name that a device may have, for argparse; whether there is such a one is looked at later."""
    if not DEVICE.fullmatch(text):
        raise argparse.ArgumentTypeError(f"it must be cpu, cuda, cuda:N or mps, not {text!r}")
    return text


def share(text: str) -> float:
    """A share, as 5% or 0.05, for argparse."""
    try:
        found = float(text.removesuffix("%")) / (100 if text.endswith("%") else 1)
    except ValueError:
        found = -1
    if not 0 <= found <= 1:
        raise argparse.ArgumentTypeError(f"a share is needed, as 5% or 0.05, not {text!r}")
    return found


def add_skip_bad(parser: argparse._ActionsContainer) -> None:
    """How many pairs may be unusable."""
    parser.add_argument(
        "--skip-bad", type=share, default=0.01, metavar="SHARE", help="how many may be unusable: 5%% (default: 1%%)"
    )


def listed(names: Iterable[str]) -> str:
    """Names in a help text: a, b or c."""
    *some, last = names
    return f"{', '.join(some)} or {last}" if some else last


#: The trigger where none is named.
TRIGGER = Checkerboard.kind


def add_trigger(parser: argparse.ArgumentParser, *, also: str = "") -> None:
    """The options that define a trigger; `also` says what else `--set` sets."""
    group = parser.add_argument_group("trigger")
    group.add_argument("--trigger", metavar="KIND", help=f"{listed(TRIGGERS)} (default: {TRIGGER})")
    group.add_argument("--size", type=positive, help=f"of a patch: width and height in pixels (default: {Patch.size})")
    group.add_argument("--cell", type=positive, help=f"width of one cell in pixels (default: {Checkerboard.cell})")
    group.add_argument("--placement", choices=get_args(Placement), help=f"of a patch (default: {Patch.placement})")
    group.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help=f"another setting of the trigger{also}: alpha=0.1",
    )


def read_settings(given: list[str]) -> dict[str, Any]:
    """The values of `--set`, numbers and truth values as JSON has them."""
    settings: dict[str, Any] = {}
    for text in given:
        name, equals, value = text.partition("=")
        if not (name and equals and value):
            raise ValueError(f"--set needs NAME=VALUE, as in alpha=0.1; not {text!r}")
        try:
            settings[name] = json.loads(value)
        except ValueError:
            settings[name] = value
    return settings


def trigger_options(args: argparse.Namespace) -> dict[str, Any]:
    """The trigger's own options, those that were given; `--set` apart."""
    return {name: value for name in ("size", "cell", "placement") if (value := getattr(args, name)) is not None}


def merged(options: dict[str, Any], settings: dict[str, Any]) -> dict[str, Any]:
    """What options of their own and `--set` set.

    Raises:
        ValueError: both set the same.
    """
    if both := options.keys() & settings.keys():
        name = min(both)
        raise ValueError(f"--{name.replace('_', '-')} and --set {name}=… set the same: leave one of them out")
    return options | settings


def trigger(args: argparse.Namespace, settings: dict[str, Any] | None = None) -> Trigger:
    """The trigger that the options define; `settings` stand for those of `--set`."""
    kind, options = args.trigger or TRIGGER, trigger_options(args)
    settings = merged(options, read_settings(args.set) if settings is None else settings)
    cls = TRIGGERS.find(kind)
    known = setting.names(cls)
    setting.check(cls, {name: value for name, value in settings.items() if name in known}, known)
    try:
        return make_trigger(kind, **settings)
    except TypeError as error:
        raise ValueError(f"a setting of the trigger has the wrong type: {error}") from error


def add_checkpoint(parser: argparse.ArgumentParser, *, also: str = "") -> None:
    """The model that is examined, and what says which one it is; `also` names another form of it."""
    parser.add_argument(
        "checkpoint",
        type=Path,
        metavar="CHECKPOINT",
        help="a model directory, a hub folder of open_clip, a .safetensors, a .pt, a TorchScript archive, with "
        f"--pretrained the name of an architecture{', ' * bool(also)}{also}; nothing in it is run",
    )
    parser.add_argument(
        "--model", metavar="CONFIG", help="config of a file that does not say it: the course's, open_clip's or a .json"
    )
    parser.add_argument("--pretrained", metavar="TAG", help="open_clip's weights of that name, fetched: openai, …")


def add_pictures(parser: argparse.ArgumentParser, option: str = "--data") -> None:
    """The options that say what is classified; the one for shards may have another name."""
    data = parser.add_argument_group("pictures to classify")
    data.add_argument(
        option,
        dest="classified",
        nargs="+",
        metavar="SHARDS",
        help="labelled shards instead of the course's test pictures",
    )
    data.add_argument("--labels", type=Path, metavar="FILE", help=f"with {option}: the classes, one a line")
    data.add_argument(
        "--classes", type=positive, help="classes of the course's task (default: the model's own, or 320)"
    )
    add_skip_bad(data)
    data.add_argument("--split", choices=("test", "validation"), help="of the course's pictures (default: test)")


def pictures(args: argparse.Namespace, option: str = "--data") -> dict[str, Any]:
    """What is classified, as `tutorial_lib.practice.pictures.pictures_for` takes it.

    Raises:
        ValueError: one of two options that belong together is missing.
    """
    if (args.classified is None) != (args.labels is None):
        raise ValueError(
            f"{option} and --labels FILE belong together: the shards say which class, the file names them all"
        )
    names = ("labels", "split", "classes", "skip_bad")
    return {"shards": args.classified} | {name: getattr(args, name) for name in names}


def add_place_seed(parser: argparse.ArgumentParser) -> None:
    """The seed of a measurement."""
    parser.add_argument(
        "--seed", type=seed, default=0, help="draws the trigger's places where they are random (default: 0)"
    )


def add_device(parser: argparse.ArgumentParser) -> None:
    """The device."""
    text = "cpu, cuda, cuda:N or mps; by default cuda if there is a GPU for it, else cpu"
    parser.add_argument("--device", type=device, metavar="NAME", help=text)


def add_store(parser: argparse.ArgumentParser) -> None:
    """The run store."""
    parser.add_argument(
        "--store",
        type=Path,
        default=places.store(),
        help="folder of records (default: $TUTORIAL_STORE, or build/runs)",
    )


def store(args: argparse.Namespace, *, there: bool = False) -> Path:
    """The run store that the options name.

    Args:
        args: of a command with `add_store`.
        there: nothing is written to it, so that one that was asked for must exist.

    Raises:
        ValueError: it is a file, or it is not there.
    """
    folder: Path = args.store
    if folder.is_file():
        raise ValueError(f"the store {folder} is a file: --store is a folder of records")
    if there and folder != places.store() and not folder.is_dir():
        raise ValueError(f"there is no store {folder}: --store is a folder of records that `tutorial run` made")
    return folder


def add_profile(
    parser: argparse.ArgumentParser, *, several: bool = False, making: bool = False, default: str = "cpu"
) -> None:
    """The profile; without one, all where `several` can be shown; with `making`, one that records can be made of."""
    names = [p.name for p in profiles.PROFILES.values() if not (making and (p.references or p.past))]
    text = f"{listed(names)} (default: {'all' if several else default})"
    parser.add_argument("--profile", metavar="NAME", default=None if several else default, help=text)
