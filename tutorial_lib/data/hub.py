"""Large data sets from a dataset hub: what there is, what it takes, fetched and checked file by file.

`huggingface_hub` does the transport, resumes and tries again; here each file is checked against the SHA-256 that the
hub publishes, so that a truncated, mixed-up or damaged shard is found before a model is trained on it.
"""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path

#: Beside the files: the checksums of what was fetched whole, in the format of `sha256sum`.
SUMS = "SHA256SUMS"
#: How often a file is fetched again after a wrong checksum.
TRIES = 2


class HubError(RuntimeError):
    """The hub does not answer, lacks a file, or sent something else than it announced."""


@dataclass(frozen=True)
class RemoteFile:
    """A file of a repository: its path there, size in bytes and SHA-256.

    Example:
        >>> file = RemoteFile("cc3m-train-0000.tar", 3 << 29, "")
        >>> f"{file.path}: {file.size / 2**30} GiB"
        'cc3m-train-0000.tar: 1.5 GiB'
    """

    path: str
    size: int
    sha256: str


def files(
    repo: str, patterns: Sequence[str], *, endpoint: str | None = None, revision: str = "main"
) -> list[RemoteFile]:
    """The files of a dataset repository that match, sorted by path.

    Args:
        repo: "owner/name".
        patterns: globs, for example "cc3m-train-*.tar".
        endpoint: address of the hub; by default that of Hugging Face, or `HF_ENDPOINT`.
        revision: branch, tag or commit.

    Raises:
        HubError: the hub cannot be reached, there is no such repository, or nothing matches.

    Example:
        >>> files("not/a/repository", ["*.tar"])
        Traceback (most recent call last):
        tutorial_lib.data.hub.HubError: the list of files of not/a/repository could not be fetched: ...
    """
    from huggingface_hub import HfApi
    from huggingface_hub.hf_api import RepoFile

    try:
        tree = list(
            HfApi(endpoint=endpoint).list_repo_tree(repo, repo_type="dataset", recursive=True, revision=revision)
        )
    except Exception as error:  # httpx and the hub raise many kinds
        raise HubError(f"the list of files of {repo} could not be fetched: {_short(error)}") from error
    found = [
        RemoteFile(f.path, f.size, f.lfs.sha256 if f.lfs else "")
        for f in tree
        if isinstance(f, RepoFile) and any(fnmatch(f.path, p) for p in patterns)
    ]
    if not found:
        raise HubError(f"{repo} has no file that matches {' or '.join(patterns)}")
    return sorted(found, key=lambda f: f.path)


def checked(folder: Path) -> dict[str, str]:
    """Paths of the files that were fetched and checked, with their SHA-256.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     _ = Path(folder, SUMS).write_text("ba7816bf  cc3m-train-0000.tar")
        ...     checked(Path(folder))
        {'cc3m-train-0000.tar': 'ba7816bf'}
    """
    path = folder / SUMS
    lines = path.read_text("utf-8").splitlines() if path.is_file() else []
    return {name: digest for digest, _, name in (line.partition("  ") for line in lines)}


def missing(wanted: Sequence[RemoteFile], folder: Path) -> list[RemoteFile]:
    """The files that are not there yet, or not as they should be: other size, other checksum, never checked.

    Example:
        >>> import tempfile
        >>> wanted = [RemoteFile("a.tar", 3, "ba7816bf"), RemoteFile("b.tar", 3, "cb8379ac")]
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     _ = Path(folder, "a.tar").write_bytes(b"abc"), Path(folder, SUMS).write_text("ba7816bf  a.tar")
        ...     [file.path for file in missing(wanted, Path(folder))]
        ['b.tar']
    """
    known = checked(folder)
    return [
        f
        for f in wanted
        if known.get(f.path, "-") != f.sha256
        or not (folder / f.path).is_file()
        or (folder / f.path).stat().st_size != f.size
    ]


def require_space(wanted: Sequence[RemoteFile], folder: Path) -> None:
    """Refuse what does not fit before the first byte is fetched; parts of files that are there already do not count.

    Raises:
        HubError: says how much is missing.

    Example:
        >>> require_space([RemoteFile("everything.tar", 1 << 60, "")], Path("."))
        Traceback (most recent call last):
        tutorial_lib.data.hub.HubError: 1,073,741,824.0 GiB are to be fetched and ...
    """
    above = next(p for p in (folder, *folder.resolve().parents) if p.exists())
    free, needed = shutil.disk_usage(above).free, sum(f.size for f in wanted)
    if needed > free:
        raise HubError(
            f"{needed / 2**30:,.1f} GiB are to be fetched and {above} has {free / 2**30:,.1f} GiB free: "
            "choose another folder or fewer shards"
        )


def fetch(
    repo: str,
    wanted: Sequence[RemoteFile],
    folder: Path,
    *,
    endpoint: str | None = None,
    revision: str = "main",
    jobs: int = 4,
    report: Callable[[RemoteFile, int], None] | None = None,
) -> Iterator[tuple[RemoteFile, str]]:
    """Fetch files that are missing; one that fails does not stop the others.

    Interrupted at any moment, the same call goes on where it was: whole files stay, parts are resumed.

    Args:
        repo, endpoint, revision: as for `files`.
        wanted: from `files`.
        folder: made if it is not there; files lie in it under their paths.
        jobs: files at a time.
        report: called after each file with the number that is left.

    Yields:
        Each file that could not be fetched, with the reason.

    Raises:
        HubError: there is not enough space.

    Example:
        >>> import tempfile
        >>> two = [RemoteFile("a.tar", 3, ""), RemoteFile("b.tar", 3, "")]
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     sorted(file.path for file, why in fetch("not/a/repository", two, Path(folder)))  # none could be fetched
        ['a.tar', 'b.tar']
    """
    todo = missing(wanted, folder)
    require_space(todo, folder)
    folder.mkdir(parents=True, exist_ok=True)
    known, left = checked(folder), len(todo)
    with ThreadPoolExecutor(jobs) as pool:
        running = {pool.submit(_fetch_one, repo, f, folder, endpoint, revision): f for f in todo}
        try:
            for done in as_completed(running):
                file, left = running[done], left - 1
                try:
                    done.result()
                except HubError as error:
                    yield file, str(error)
                else:
                    known[file.path] = file.sha256
                    _write_sums(folder, known)
                if report is not None:
                    report(file, left)
        finally:
            pool.shutdown(wait=False, cancel_futures=True)  # after an interrupt nothing new is begun


def _fetch_one(repo: str, file: RemoteFile, folder: Path, endpoint: str | None, revision: str) -> None:
    from huggingface_hub import hf_hub_download

    where = folder / file.path
    for attempt in range(TRIES):
        try:
            hf_hub_download(
                repo,
                file.path,
                repo_type="dataset",
                revision=revision,
                local_dir=folder,
                endpoint=endpoint,
                force_download=attempt > 0 or (where.is_file() and where.stat().st_size != file.size),
            )
        except Exception as error:
            raise HubError(f"{file.path} could not be fetched: {_short(error)}") from error
        size = where.stat().st_size
        if size == file.size and (not file.sha256 or sha256(where) == file.sha256):
            return
    where.unlink()
    what = f"{size:,} bytes where {file.size:,} were announced" if size != file.size else "a wrong SHA-256"
    raise HubError(f"{file.path} has {what} after {TRIES} tries: the mirror may be damaged")


def sha256(path: Path) -> str:
    """SHA-256 of a file, in hexadecimal digits.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     _ = Path(folder, "a.tar").write_bytes(b"abc")
        ...     sha256(Path(folder, "a.tar"))[:8]
        'ba7816bf'
    """
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _write_sums(folder: Path, known: dict[str, str]) -> None:
    part = folder / f"{SUMS}.part"
    part.write_text("".join(f"{digest}  {name}\n" for name, digest in sorted(known.items())), "utf-8")
    part.replace(folder / SUMS)


def _short(error: BaseException) -> str:
    return f"{type(error).__name__}: {' '.join(str(error).split())[:200]}"
