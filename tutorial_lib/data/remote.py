"""Shards that lie elsewhere, by address: fetched once by webdataset's own readers, then read from the disk.

Training reads pictures in any order, which a stream cannot give.
"""

from __future__ import annotations

import hashlib
import re
import shutil
from pathlib import Path

from tutorial_lib import places
from tutorial_lib.files import whole

#: What can be fetched; `pipe:` runs a command of yours, so it is never read out of a file.
SCHEMES = ("http", "https", "s3", "gs", "ais", "hf", "ftps", "scp", "sftp", "pipe")
ADDRESS = re.compile(rf"({'|'.join(SCHEMES)}):")


class FetchError(RuntimeError):
    """An address cannot be fetched."""


def is_address(name: str) -> bool:
    """Whether a name is an address rather than a path.

    Example:
        >>> [is_address(name) for name in ("https://example.org/0.tar", "pipe:cat 0.tar", "clean/0.tar", "c:0.tar")]
        [True, True, False, False]
    """
    return ADDRESS.match(name) is not None


def fetched(address: str) -> Path:
    """The shard at an address, in the folder of data; fetched if it is not there yet.

    Args:
        address: as webdataset's `gopen` takes it, `s3://BUCKET/…`, or `hf://datasets/OWNER/NAME/FILE`; the tool that
            fetches it (curl, aws, gsutil …) must be installed.

    Raises:
        FetchError: there is no such reader, its tool is missing or fails, or nothing came.

    Example:
        >>> import os
        >>> _ = Path("one.tar").write_bytes(b"an archive")
        >>> os.environ["TUTORIAL_DATA"] = "data"
        >>> fetched("pipe:cat one.tar").read_bytes()
        b'an archive'
    """
    digest = hashlib.sha256(address.encode()).hexdigest()[:12]
    base = re.sub(r"[^A-Za-z0-9._-]+", "_", address.rstrip("/").rpartition("/")[2].partition("?")[0])[-60:]
    suffix = "" if base.lower().endswith((".tar", ".tgz", ".gz", ".bz2", ".xz")) else ".tar"
    path = places.data() / "fetched" / f"{digest}-{base}{suffix}"
    if path.is_file():
        return path
    if not address.startswith("pipe:") and (bad := re.search(r"[\s'\"`$\\;&|<>]", address)):
        raise FetchError(f"{address} cannot be fetched: {bad[0]!r} is no part of an address")
    try:
        from webdataset.gopen import gopen
    except ImportError as error:
        raise FetchError(f"{address} is read by webdataset: pip install 'backdooring-clip[remote]'") from error

    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        with whole(path) as part:
            with gopen(_for_webdataset(address), "rb") as stream, part.open("wb") as file:
                shutil.copyfileobj(stream, file, 1 << 20)
                size = file.tell()
            if not size:
                raise FetchError(f"nothing came from {address}")
    except FetchError:
        raise
    except Exception as error:  # each reader raises its own
        raise FetchError(f"{address} cannot be fetched: {error or type(error).__name__}") from error
    return path


def _for_webdataset(address: str) -> str:
    """What webdataset's readers know, for those that they do not."""
    if address.startswith("s3:"):
        return f"pipe:aws s3 cp '{address}' -"
    if address.startswith("hf:"):
        kind, owner, name, *file = address.removeprefix("hf:").strip("/").split("/")
        return f"https://huggingface.co/{kind}/{owner}/{name}/resolve/main/{'/'.join(file)}"
    return address
