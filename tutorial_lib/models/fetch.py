"""open_clip's published weights, from the cache or the network."""

from __future__ import annotations

import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from huggingface_hub import constants, try_to_load_from_cache
from open_clip.pretrained import download_pretrained

from tutorial_lib.models.errors import CheckpointError
from tutorial_lib.models.published import HUB_WEIGHTS

#: Seconds to wait for an answer, before libraries try again for a minute.
PATIENCE = 10


def fetch(about: Mapping[str, Any], what: str) -> Path:
    """The file of some weights of open_clip.

    Args:
        about: what open_clip knows of them, from its `get_pretrained_cfg`.
        what: how errors call them.

    Raises:
        CheckpointError: they are not in the cache, and cannot be fetched.

    Example:
        >>> fetch({"url": "http://localhost:9/weights.pt"}, "weights")  # doctest: +ELLIPSIS
        Traceback (most recent call last):
        tutorial_lib.models.errors.CheckpointError: weights could not be fetched: no connection to localhost:9 (...
    """
    repository, _, name = about.get("hf_hub", "").rpartition("/")
    if repository:
        for file in [name] if name else HUB_WEIGHTS:
            if isinstance(cached := try_to_load_from_cache(repository, file), str):
                return Path(cached)
    if why := unreachable(constants.ENDPOINT if repository else about.get("url", "")):
        raise CheckpointError(f"{what} could not be fetched: {why}; fetch them elsewhere, and give the file or folder")
    try:
        return Path(download_pretrained(dict(about)))
    except Exception as error:  # every kind of network failure
        raise CheckpointError(f"{what} could not be fetched: {' '.join(str(error).split())[:300]}") from error


def unreachable(url: str) -> str:
    """Why a server cannot be asked, in words; empty where it answers, be it with an error.

    Example:
        >>> unreachable("http://localhost:9")  # doctest: +ELLIPSIS
        'no connection to localhost:9 (...
    """
    host = urllib.parse.urlsplit(url).netloc
    try:
        urllib.request.urlopen(urllib.request.Request(url, method="HEAD"), timeout=PATIENCE).close()
    except urllib.error.HTTPError:
        return ""  # it answers
    except (OSError, ValueError) as error:
        reason = getattr(error, "reason", error)
        return f"no connection to {host or url or 'a server'} ({getattr(reason, 'strerror', None) or reason})"
    return ""
