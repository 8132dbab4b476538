"""`tutorial audit`: is this checkpoint backdoored, and which pairs of a training set look poisoned?"""

from __future__ import annotations

import argparse
from collections.abc import Container
from pathlib import Path

from tutorial_lib.cli import _common
from tutorial_lib.cli._common import Result, Subparsers, positive
from tutorial_lib.detect import DETECTORS
from tutorial_lib.detect.checkpoints import CHECKPOINT_DETECTORS

#: The detector of pairs where none is named: it needs no clean set.
DETECTOR = "dao"
#: Options that only one of both audits has, with their defaults.
OF_PAIRS: dict[str, object] = {"top": None, "drop": None, "limit": None, "manifest": []}
OF_CHECKPOINTS: dict[str, object] = {"data": None, "labels": None, "classes": None, "pictures": None, "report": None}
#: Exit code of an audit in which nothing was judged.
NOT_JUDGED = 3


def add(subparsers: Subparsers) -> None:
    parser = _common.command(
        subparsers,
        "audit",
        run,
        help="is a checkpoint backdoored, or, with --pairs, which pairs of its training set look poisoned",
        example="tutorial audit model --report audit.html\n"
        "  tutorial audit model --pairs shards --top 100 --out report --drop 5%",
        more="Of a checkpoint the exit code is 0 where nothing was found, 1 where something was, 2 on an error, and 3 "
        "where\nno detector that ran has a threshold for a model of this kind: then nothing was judged.",
    )
    _common.add_checkpoint(parser)
    parser.add_argument(
        "--detector",
        nargs="+",
        metavar="KIND",
        help=f"of a checkpoint: {_common.listed(CHECKPOINT_DETECTORS)} (default: all but neural-cleanse); of pairs: "
        f"{_common.listed(DETECTORS)} (default: {DETECTOR})",
    )
    parser.add_argument(
        "--set", action="append", default=[], metavar="NAME=VALUE", help="a setting of the detector: k=16"
    )
    parser.add_argument("--out", type=Path, metavar="DIR", help="folder of all results")
    group = parser.add_argument_group("is the checkpoint backdoored?")
    group.add_argument(
        "--data",
        nargs="+",
        metavar="SHARDS",
        help="clean pictures (default: the course's test pictures, for a model of the course)",
    )
    group.add_argument(
        "--labels", type=Path, metavar="FILE", help="the classes a target is looked for among, one a line"
    )
    group.add_argument(
        "--classes", type=positive, metavar="N", help="classes of the course's task (default: the model's own)"
    )
    group.add_argument(
        "--pictures", type=positive, metavar="N", help="that are shown to the model, at most (default: 256)"
    )
    group.add_argument("--report", type=Path, metavar="FILE", help="a page with pictures, one HTML file")
    group = parser.add_argument_group("which pairs look poisoned?")
    group.add_argument("--pairs", nargs="+", metavar="SHARDS", help="shards of the pairs that it was trained on")
    group.add_argument("--top", type=positive, metavar="N", help="length of the list (default: 100)")
    group.add_argument("--drop", type=_common.share, metavar="SHARE", help="also write shards without the worst: 5%%")
    group.add_argument("--limit", type=positive, metavar="N", help="look at the first N pairs only")
    group.add_argument(
        "--manifest", nargs="+", type=Path, default=[], metavar="FILE", help="of poisons, to score the list against"
    )
    _common.add_skip_bad(parser)
    parser.add_argument("--yes", action="store_true", help="go on also where it will take more than an hour")
    _common.add_device(parser)


def run(args: argparse.Namespace) -> Result:
    foreign, belongs = (OF_PAIRS, "with --pairs") if args.pairs is None else (OF_CHECKPOINTS, "without --pairs")
    if given := [name for name, default in foreign.items() if getattr(args, name) != default]:
        raise ValueError(f"--{given[0]} has a meaning {belongs} only: leave one of them out")
    return _checkpoint(args) if args.pairs is None else _pairs(args)


def _detectors(args: argparse.Namespace, mine: Container[str], others: Container[str], how: str) -> list[str]:
    """The detectors that were asked for.

    Raises:
        ValueError: one belongs to the other audit.
    """
    asked = [kind.replace("_", "-") for kind in args.detector or ()]
    if foreign := [kind for kind in asked if kind in others and kind not in mine]:
        raise ValueError(f"the detector {foreign[0]} {how}")
    return asked


def _checkpoint(args: argparse.Namespace) -> Result:
    from tutorial_lib.practice.audit_checkpoint import PICTURES, audit_checkpoint, chosen_detectors
    from tutorial_lib.practice.audit_verdict import BACKDOORED, UNJUDGED

    kinds = _detectors(args, CHECKPOINT_DETECTORS, DETECTORS, "ranks the pairs of a training set: give them as --pairs")
    found = audit_checkpoint(
        args.checkpoint,
        detectors=chosen_detectors(kinds, _common.read_settings(args.set)),
        shards=args.data,
        labels=args.labels,
        classes=args.classes,
        pictures=args.pictures or PICTURES,
        report=args.report,
        out=args.out,
        model=args.model,
        pretrained=args.pretrained,
        skip_bad=args.skip_bad,
        yes=args.yes,
        device=args.device,
    )
    return _common.said(found, {BACKDOORED: 1, UNJUDGED: NOT_JUDGED}.get(found.verdict, 0))


def _pairs(args: argparse.Namespace) -> Result:
    from tutorial_lib.practice.audit import audit_pairs, chosen_detector

    how = "examines a checkpoint alone: leave --pairs out"
    kinds = _detectors(args, DETECTORS, CHECKPOINT_DETECTORS, how) or [DETECTOR]
    if len(kinds) > 1:
        raise ValueError(f"pairs are ranked by one detector, not by {', '.join(kinds)}")
    found = audit_pairs(
        args.checkpoint,
        args.pairs,
        detector=chosen_detector(kinds[0], _common.read_settings(args.set)),
        top=args.top or 100,
        out=args.out,
        drop=args.drop or 0.0,
        manifests=args.manifest,
        model=args.model,
        pretrained=args.pretrained,
        limit=args.limit or 0,
        skip_bad=args.skip_bad,
        yes=args.yes,
        device=args.device,
    )
    return _common.said(found)
