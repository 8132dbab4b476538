"""`tutorial audit`: which pairs of a training set look poisoned?"""

from __future__ import annotations

import argparse
from pathlib import Path

from tutorial_lib.cli import _common
from tutorial_lib.cli._common import Result, Subparsers, positive
from tutorial_lib.detect import DETECTORS

#: The detector where none is named: it needs no clean set.
DETECTOR = "dao"


def add(subparsers: Subparsers) -> None:
    parser = _common.command(
        subparsers,
        "audit",
        run,
        help="rank the pairs that a model was trained on by how poisoned they look",
        example="tutorial audit model --pairs shards --top 100 --out report --drop 5%",
    )
    _common.add_checkpoint(parser)
    parser.add_argument(
        "--pairs", nargs="+", required=True, metavar="SHARDS", help="shards of the pairs that it was trained on"
    )
    parser.add_argument(
        "--detector", default=DETECTOR, metavar="KIND", help=f"{_common.listed(DETECTORS)} (default: %(default)s)"
    )
    parser.add_argument(
        "--set", action="append", default=[], metavar="NAME=VALUE", help="a setting of the detector: k=16"
    )
    parser.add_argument("--top", type=positive, default=100, metavar="N", help="length of the list (default: 100)")
    parser.add_argument("--out", type=Path, metavar="DIR", help="where the list goes, as JSON lines and CSV")
    parser.add_argument(
        "--drop", type=_common.share, default=0.0, metavar="SHARE", help="also write shards without the worst: 5%%"
    )
    parser.add_argument("--limit", type=positive, metavar="N", help="look at the first N pairs only")
    parser.add_argument(
        "--manifest", nargs="+", type=Path, default=[], metavar="FILE", help="of poisons, to score the list against"
    )
    _common.add_skip_bad(parser)
    parser.add_argument("--yes", action="store_true", help="go on also where it will take more than an hour")
    _common.add_device(parser)


def run(args: argparse.Namespace) -> Result:
    from tutorial_lib.practice.audit import audit_pairs, chosen_detector

    found = audit_pairs(
        args.checkpoint,
        args.pairs,
        detector=chosen_detector(args.detector, _common.read_settings(args.set)),
        top=args.top,
        out=args.out,
        drop=args.drop,
        manifests=args.manifest,
        model=args.model,
        pretrained=args.pretrained,
        limit=args.limit or 0,
        skip_bad=args.skip_bad,
        yes=args.yes,
        device=args.device,
    )
    return _common.said(found)
