"""What several commands share: their standard options, checks and sentences."""

from __future__ import annotations

import argparse
import os
import platform
from collections.abc import Callable
from pathlib import Path
from typing import Any

Result = tuple[dict[str, Any], str, int]  # for --json, for people, exit code


def command(
    subparsers, name: str, run: Callable[[argparse.Namespace], Result], *, help: str, example: str
) -> argparse.ArgumentParser:
    """A subcommand with `--json`."""
    parser = subparsers.add_parser(
        name,
        help=help,
        description=f"{help[0].upper()}{help[1:]}.",
        epilog=f"example:\n  {example}",
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


def add_trigger(parser: argparse.ArgumentParser) -> None:
    """The options that define a trigger."""
    group = parser.add_argument_group("trigger")
    group.add_argument(
        "--trigger",
        default="checkerboard",
        help="checkerboard, noise-patch, stripes, blended, sig, watermark or wanet (default: %(default)s)",
    )
    group.add_argument("--size", type=positive, help="of a patch: width and height in pixels (default: 6)")
    group.add_argument("--cell", type=positive, help="width of one cell in pixels (default: 2)")
    group.add_argument("--placement", choices=("fixed", "random"), help="of a patch (default: fixed)")
    group.add_argument(
        "--set", action="append", default=[], metavar="NAME=VALUE", help="another setting of the trigger: alpha=0.1"
    )


def trigger(args: argparse.Namespace):
    """The trigger that the options define."""
    import json

    from tutorial_lib.triggers import make_trigger

    settings = {k: v for k in ("size", "cell", "placement") if (v := getattr(args, k)) is not None}
    for text in args.set:
        name, equals, value = text.partition("=")
        if not (name and equals and value):
            raise ValueError(f"--set needs NAME=VALUE, as in alpha=0.1; not {text!r}")
        try:
            settings[name] = json.loads(value)
        except ValueError:
            settings[name] = value
    try:
        return make_trigger(args.trigger, **settings)
    except TypeError as error:
        raise ValueError(f"a setting of the trigger has the wrong type: {error}") from error


def add_device(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--device", choices=("cpu", "cuda"), help="by default the GPU if there is one")


def default_store() -> Path:
    from tutorial_lib.trials.store import DEFAULT

    return DEFAULT


def add_store(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--store", type=Path, default=default_store(), help="folder of records (default: build/runs)")


def add_profile(parser: argparse.ArgumentParser, *, several: bool = False) -> None:
    text = "test, demo, cpu, gpu or paper" + (" (default: all)" if several else " (default: cpu)")
    parser.add_argument("--profile", default=None if several else "cpu", help=text)


def require_hardware(profile, args: argparse.Namespace) -> None:
    """Check before long work that the profile can run here.

    Raises:
        ValueError: it needs a GPU and there is none.
    """
    import torch

    chosen = device(args)
    if profile.gpu and chosen != "cuda" and not args.device:
        raise ValueError(
            f"profile {profile.name} needs a GPU that PyTorch can use, and there is none "
            f"(torch {torch.__version__}); profile cpu runs here, --device cpu insists"
        )


def default_jobs(args: argparse.Namespace) -> int:
    """One trial a GPU, or one a core."""
    import torch

    if device(args) == "cuda":
        return torch.cuda.device_count()
    return os.cpu_count() or 1


def cost_model(known, profile):
    """A cost model from the records that the profile has."""
    from tutorial_lib.costs import CostModel

    return CostModel(known.all(), device="gpu" if profile.gpu else "cpu")


#: Dollars an hour: a rented GPU, and nothing for one's own CPU.
GPU_USD_PER_HOUR = 2.5


def money(profile, seconds: float) -> float:
    return seconds / 3600 * GPU_USD_PER_HOUR if profile.gpu else 0.0


def device(args: argparse.Namespace) -> str:
    """The chosen device.

    Raises:
        ValueError: a GPU was asked for and there is none.
    """
    import torch

    if args.device == "cuda" and not torch.cuda.is_available():
        raise ValueError("there is no GPU that PyTorch can use: leave --device out, or see tutorial doctor")
    return args.device or ("cuda" if torch.cuda.is_available() else "cpu")


def read_labels(path: Path) -> list[str]:
    """Class labels from a text file, one a line.

    Raises:
        ValueError: no such file, fewer than two labels, or one that occurs twice.
    """
    if not path.is_file():
        raise ValueError(f"there is no labels file {path}")
    labels = [line.strip() for line in path.read_text().splitlines() if line.strip()]
    if len(labels) < 2:
        raise ValueError(f"{path} must name at least two classes, one a line; it names {len(labels)}")
    if double := next((label for i, label in enumerate(labels) if label in labels[:i]), None):
        raise ValueError(f"{path} names the class {double!r} twice")
    return labels


def percent(rate: float) -> str:
    return f"{rate:.1%}"


def machine() -> dict[str, Any]:
    """CPU, cores, memory, GPU and versions: what a timing was taken on."""
    from importlib.metadata import version

    import torch

    from tutorial_lib.machine import memory_bytes
    from tutorial_lib.runs.hardware import hardware

    return {
        "cpu": hardware("cpu"),
        "cores": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "memory_gib": round(memory_bytes() / 2**30, 1),
        "gpu": torch.cuda.get_device_name() if torch.cuda.is_available() else None,
        "system": platform.platform(),
        "python": platform.python_version(),
        "versions": {name: version(name) for name in ("torch", "open_clip_torch", "numpy", "pillow", "webdataset")},
    }


class Note(UserWarning):
    """Something that the user should know and that does not stop the command."""
