"""`tutorial import`: shards from pictures with captions or classes, as people have them."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from tutorial_lib.cli import _common
from tutorial_lib.cli._common import Result, Subparsers, positive

TEMPLATE = "a photo of a {}"


def add(subparsers: Subparsers) -> None:
    parser = _common.command(
        subparsers,
        "import",
        run,
        help="make WebDataset shards of your own pictures with captions or classes",
        example="tutorial import photos captions.csv pets.zip/train --out mine --side 224 --dry-run",
    )
    parser.add_argument(
        "sources",
        nargs="+",
        metavar="SOURCE",
        help="a table (.csv, .tsv, .jsonl, .parquet) with a column of paths and one of captions or classes; a folder "
        "or an archive (.zip, .tar, .tgz, …) of pictures with .txt, .caption or .json beside them, or of class "
        "folders; or a folder of these. Where each further line of a .txt is a translation (de.utf8=…), the "
        "caption is the first",
    )
    parser.add_argument("--out", type=Path, metavar="DIR", help="folder of the shards; called again, it goes on")
    parser.add_argument("--dry-run", action="store_true", help="count, show ten pairs, and write nothing")
    table = parser.add_argument_group("tables")
    for what in ("image", "caption", "label"):
        table.add_argument(f"--{what}-column", default="", metavar="NAME", help="(default: the usual names)")
    table.add_argument(
        "--root",
        type=Path,
        metavar="DIR",
        help="folder or archive of the pictures (default: the folder of the table, or absolute paths)",
    )
    pairs = parser.add_argument_group("pairs")
    pairs.add_argument(
        "--template", default=TEMPLATE, help="caption of a class where there is none (default: %(default)r)"
    )
    pairs.add_argument("--lower", action="store_true", help="captions in small letters")
    _common.add_skip_bad(pairs)
    pairs.add_argument("--dedup", action="store_true", help="leave out pairs with the same file and caption")
    pairs.add_argument("--dedup-pictures", action="store_true", help="leave out pairs with the same file")
    pairs.add_argument("--limit", type=positive, default=0, metavar="N", help="stop after N pairs")
    stored = parser.add_argument_group("shards")
    stored.add_argument("--side", type=positive, help="resize pictures to it, and cut out the centre")
    stored.add_argument(
        "--keep-codec", action="store_true", help="store the files' own bytes (default: WebP without loss)"
    )
    stored.add_argument("--shard-size", type=positive, default=1000, help="pairs per shard (default: %(default)s)")
    stored.add_argument("--no-resume", dest="resume", action="store_false", help="replace an earlier import in DIR")


def run(args: argparse.Namespace) -> Result:
    from tutorial_lib.data.sources.tables import Columns
    from tutorial_lib.practice.import_survey import look
    from tutorial_lib.practice.importing import import_pairs

    shared: dict[str, Any] = {
        "columns": Columns(args.image_column, args.caption_column, args.label_column),
        "root": args.root,
        "template": args.template,
        "skip_bad": args.skip_bad,
        "lower": args.lower,
    }
    if args.dry_run:
        survey = look(args.sources, **shared)
        return _common.said(survey, code=1 if survey.problem else 0)
    if args.out is None:
        raise ValueError("give `out`, the folder of the shards, or `dry_run`")
    done = import_pairs(
        args.sources,
        args.out,
        side=args.side,
        keep_codec=args.keep_codec,
        dedup="pictures" if args.dedup_pictures else "pairs" if args.dedup else None,
        limit=args.limit,
        shard_size=args.shard_size,
        resume=args.resume,
        **shared,
    )
    return _common.said(done)
