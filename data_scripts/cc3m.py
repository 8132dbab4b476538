"""Fetch Conceptual Captions 3M as WebDataset shards, for the `paper` profile.

    python data_scripts/cc3m.py --dry-run                      # how much, how long, is there space?
    python data_scripts/cc3m.py                                # into $TUTORIAL_DATA/cc3m and cc3m-validation
    python data_scripts/cc3m.py --shards 8 --out /big/disk     # the first eight training shards only

The web addresses of the original data set have rotted; this takes the 2.9 million pairs that the mirror
`pixparse/cc3m-wds` on Hugging Face holds. Each shard is checked against the SHA-256 that the hub publishes. An
interrupted call goes on where it was; `--verify` reads every shard once more.

Licence: Google lets anyone use the captions and links of Conceptual Captions for any purpose, with acknowledgement
(Sharma et al., 2018); the pictures belong to their owners. Do not publish them again.

YFCC-15M, the paper's second data set, has no mirror in shards: make shards of it with img2dataset, in an
environment of its own, and put them into $TUTORIAL_DATA/yfcc15m.
"""

from __future__ import annotations

import argparse
import sys
import time
import warnings
from pathlib import Path

from tutorial_lib import places
from tutorial_lib.costs.seconds import duration
from tutorial_lib.data import hub
from tutorial_lib.data.hub import HubError, RemoteFile
from tutorial_lib.data.shards import ShardError, samples
from tutorial_lib.notes import Note

REPO = "pixparse/cc3m-wds"
#: Folder of each split, as `tutorial_lib.data.own` looks for it, and the names of its shards.
SPLITS = {"train": ("cc3m", "cc3m-train-*.tar"), "validation": ("cc3m-validation", "cc3m-validation-*.tar")}
#: Megabytes a second that a plan assumes before anything was measured.
ASSUMED_RATE = 50


def parse(argv: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=places.data(), help="folder (default: $TUTORIAL_DATA)")
    parser.add_argument("--split", choices=("both", *SPLITS), default="both", help="(default: %(default)s)")
    parser.add_argument("--shards", type=int, default=0, metavar="N", help="only the first N of each split")
    parser.add_argument("--jobs", type=int, default=4, help="files at a time (default: %(default)s)")
    parser.add_argument("--endpoint", metavar="URL", help="of the hub (default: Hugging Face, or HF_ENDPOINT)")
    parser.add_argument("--revision", default="main", help="branch, tag or commit (default: %(default)s)")
    parser.add_argument("--dry-run", action="store_true", help="print size and time, fetch nothing")
    parser.add_argument("--verify", action="store_true", help="read what is there, every pair, and fetch nothing")
    args = parser.parse_args(argv)
    if args.shards < 0 or args.jobs < 1:
        parser.error("--shards and --jobs are numbers of files, at least 0 and 1")
    return args


def main(argv: list[str] | None = None) -> int:
    args = parse(argv)
    splits = SPLITS if args.split == "both" else {args.split: SPLITS[args.split]}
    failed = 0
    for name, (folder, pattern) in splits.items():
        place = args.out / folder
        try:
            failed += verify(place) if args.verify else get(name, place, pattern, args)
        except HubError as error:
            print(f"cc3m: {error}", file=sys.stderr)
            return 2
    return 1 if failed else 0


def get(name: str, folder: Path, pattern: str, args: argparse.Namespace) -> int:
    """Fetch one split; returns the number of shards that failed."""
    wanted = hub.files(REPO, [pattern], endpoint=args.endpoint, revision=args.revision)
    wanted = wanted[: args.shards or None]
    todo = hub.missing(wanted, folder)
    size = sum(f.size for f in todo)
    print(
        f"{name}: {len(wanted)} shards, {sum(f.size for f in wanted) / 1e9:,.2f} GB; {len(todo)} to fetch into "
        f"{folder}, {size / 1e9:,.2f} GB, about {duration(size / 1e6 / ASSUMED_RATE)} at {ASSUMED_RATE} MB/s"
    )
    if args.dry_run:
        hub.require_space(todo, folder)
        return 0
    started, done, failed = time.monotonic(), 0, 0

    def report(file: RemoteFile, left: int) -> None:
        nonlocal done
        done += file.size
        rate = done / max(time.monotonic() - started, 1e-3)
        print(f"{file.path}: {left} left, about {duration((size - done) / rate)}", flush=True)

    options = {"endpoint": args.endpoint, "revision": args.revision, "jobs": args.jobs, "report": report}
    for _, why in hub.fetch(REPO, wanted, folder, **options):
        failed += 1
        print(f"cc3m: {why}", file=sys.stderr)
    if failed:
        print(f"{failed} shards of {name} failed; the same call fetches them again", file=sys.stderr)
    return failed


def verify(folder: Path) -> int:
    """Read every pair of the shards in a folder; returns the number of damaged and missing shards.

    Raises:
        HubError: there are none.
    """
    shards, damaged, pairs = sorted(folder.glob("*.tar")), 0, 0
    if not shards:
        raise HubError(f"there are no shards in {folder}: nothing was verified")
    for name in hub.checked(folder).keys() - {s.name for s in shards}:
        damaged += 1
        print(f"cc3m: {name} was fetched once and is gone", file=sys.stderr)
    for shard in shards:
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("error", Note)  # an archive without its end mark may have been cut
                pairs += sum(bool(s.picture and s.caption) for s in samples(shard))
        except (ShardError, Note) as error:
            damaged += 1
            print(f"cc3m: {error}", file=sys.stderr)
    print(f"{folder}: {len(shards)} shards, {pairs:,} pairs with picture and caption, {damaged} shards damaged")
    return damaged


if __name__ == "__main__":
    sys.exit(main())
