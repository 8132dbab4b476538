"""What lies in files of `torch.save` and `torch.jit.save`, without unpickling: nothing that a file names is run.

Their pickles describe tensors, and `tutorial_lib.models.pickles` reads the description. The tensors' bytes are read
only when they are asked for, so an optimizer's state beside the weights costs nothing.
"""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

from torch import Tensor

from tutorial_lib.models.pickles import STORAGES, Machine, Made, Storage, Stored, UnreadableError

#: The first object of files that torch.save wrote before it wrote zip archives.
LEGACY = 0x1950A86A20F9469CFC6C
#: Bytes of what describes the tensors; checkpoints with an optimizer need a hundredth of them.
LONGEST_PICKLE = 1 << 26
#: Bounds of a TorchScript module's tree.
DEEPEST, MOST_TENSORS = 64, 100_000


@dataclass
class Unpickled:
    """What a file holds.

    Attributes:
        path: the file.
        content: dictionaries, lists, numbers, texts, `Stored` tensors and inert objects.
        places: where the bytes of each storage are: a record of the archive, or position and size in an older file.
        torchscript: it is a TorchScript archive, and `content` its module.
        code: the text of its code, which is not run.

    Example:
        See `unpickle`, which makes one.

        >>> "content" in Unpickled.__dataclass_fields__
        True
    """

    path: Path
    content: Any
    places: Mapping[str, str | tuple[int, int]]
    torchscript: bool = False
    code: str = field(default="", repr=False)

    def tensors(self, stored: Mapping[str, Stored]) -> dict[str, Tensor]:
        """The tensors themselves; each storage is read once.

        Raises:
            UnreadableError: a storage is missing or damaged.
        """
        by_storage: dict[str, list[str]] = {}
        for name, tensor in stored.items():
            by_storage.setdefault(tensor.storage.key, []).append(name)
        found: dict[str, Tensor] = {}
        with _said(), self.path.open("rb") as file:
            archive = zipfile.ZipFile(file) if zipfile.is_zipfile(file) else None
            for key, names in by_storage.items():
                content = bytearray(_bytes(file, archive, self.places.get(key)))
                found |= {name: stored[name].of(content) for name in names}
        return found


def _bytes(file: IO[bytes], archive: zipfile.ZipFile | None, place: str | tuple[int, int] | None) -> bytes:
    if isinstance(place, str) and archive is not None:
        if archive.getinfo(place).compress_type != zipfile.ZIP_STORED:  # a small file might unpack to a huge one
            raise UnreadableError("was compressed after torch.save wrote it: unpack and save it anew")
        return archive.read(place)
    if isinstance(place, tuple):
        file.seek(place[0])
        return file.read(place[1])
    raise UnreadableError("is damaged: the numbers of a tensor are missing")


@contextmanager
def _said() -> Iterator[None]:
    """Turn what Python's readers make of a foreign file into one kind of error."""
    try:
        yield
    except (UnreadableError, MemoryError):
        raise
    except Exception as error:  # zipfile and pickletools fail in many ways
        raise UnreadableError(f"is damaged: {error or type(error).__name__}") from error


def unpickle(path: Path) -> Unpickled:
    """Open a file of `torch.save`, of any age, or of `torch.jit.save`.

    Raises:
        UnreadableError: it is another file, or a damaged one.

    Example:
        >>> import torch
        >>> torch.save({"epoch": 3, "weight": torch.eye(2)}, "saved.pt")
        >>> found = unpickle(Path("saved.pt"))
        >>> found.content["epoch"], found.tensors({"w": found.content["weight"]})["w"].tolist()
        (3, [[1.0, 0.0], [0.0, 1.0]])
    """
    with _said(), path.open("rb") as file:
        if zipfile.is_zipfile(file):
            return _of_archive(path, zipfile.ZipFile(file))
        file.seek(0)
        begin = file.read(4)
        if begin == b"PK\x03\x04":
            raise UnreadableError("ends early: fetch it again")
        if begin[:1] != b"\x80":
            raise UnreadableError("is no file of weights: neither safetensors nor what torch.save writes")
        file.seek(0)
        return _of_legacy(path, file)


def _of_archive(path: Path, archive: zipfile.ZipFile) -> Unpickled:
    records = {info.filename: info for info in archive.infolist()}
    pickles = sorted((name for name in records if name.rpartition("/")[2] == "data.pkl"), key=len)
    if not pickles:
        what = "NumPy arrays" if any(n.endswith(".npy") for n in records) else ", ".join(list(records)[:3])
        raise UnreadableError(f"is a zip archive, but not one of torch.save: it holds {what or 'nothing'}")
    root = pickles[0].removesuffix("data.pkl")
    if (order := records.get(f"{root}byteorder")) is not None and _record(archive, order).strip() != b"little":
        raise UnreadableError("was written by a machine with another order of bytes: save it anew on a usual one")
    described = _record(archive, records[pickles[0]])
    content = Machine(lambda kind, key: Storage(key, STORAGES.get(kind))).run(io.BytesIO(described))
    places = {name.removeprefix(f"{root}data/"): name for name in records if name.startswith(f"{root}data/")}
    sources = [name for name in records if name.startswith(f"{root}code/") and name.endswith(".py")]
    code = b"".join(_record(archive, records[name]) for name in sources[:100])
    script = bool(sources) or f"{root}constants.pkl" in records
    return Unpickled(path, content, places, script, code.decode("utf-8", errors="replace"))


def _record(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> bytes:
    if info.file_size > LONGEST_PICKLE:
        raise UnreadableError(f"holds {info.filename} of {info.file_size / 2**20:,.0f} MiB, too much to be read")
    return archive.read(info)


def _of_legacy(path: Path, file: IO[bytes]) -> Unpickled:
    """A file of torch.save before version 1.6: five pickles, then the numbers of every storage."""
    known: dict[str, Storage] = {}
    pickles = io.BytesIO(file.read(LONGEST_PICKLE))  # what asks for more bytes than there are gets none of them

    def storage(kind: str, key: str) -> Storage:
        return known.setdefault(key, Storage(key, STORAGES.get(kind)))

    if Machine(storage).run(pickles) != LEGACY:
        raise UnreadableError("is a pickle, but not one of torch.save: only weights that torch.save wrote are read")
    for _ in ("protocol", "machine"):
        Machine(storage).run(pickles)
    content = Machine(storage).run(pickles)
    keys = Machine(storage).run(pickles)
    places: dict[str, str | tuple[int, int]] = {}
    at, end = pickles.tell(), path.stat().st_size
    for key in keys if isinstance(keys, list) else []:
        dtype = known[key].dtype if key in known else None
        if dtype is None:
            raise UnreadableError("is damaged: it lists numbers that no tensor uses, or of an unknown kind")
        file.seek(at)
        size = int.from_bytes(file.read(8), "little") * dtype.itemsize
        if at + 8 + size > end:
            raise UnreadableError("ends early: fetch it again")
        places[key] = (at + 8, size)
        at += 8 + size
    return Unpickled(path, content, places)


def tensors_of_module(content: Any) -> dict[str, Stored]:
    """The tensors in a TorchScript module and its parts, by their names in a state dict.

    Raises:
        UnreadableError: the module is too large, or none.

    Example:
        >>> weight = Stored(Storage("0", None), STORAGES["torch.FloatStorage"], 0, (2,), (1,))
        >>> list(tensors_of_module(Made("__torch__.Net", state={"part": Made("__torch__.Part", state={"w": weight})})))
        ['part.w']
    """
    found: dict[str, Stored] = {}
    parts = 0

    def walk(module: Made, prefix: str, depth: int) -> None:
        nonlocal parts
        parts += 1
        if depth > DEEPEST or max(parts, len(found)) > MOST_TENSORS:
            raise UnreadableError("is a TorchScript archive with more parts than a model has")
        for name, value in module.state.items() if isinstance(module.state, dict) else ():
            if isinstance(value, Stored):
                found[f"{prefix}{name}"] = value
            elif isinstance(value, Made) and value.name.startswith("__torch__."):
                walk(value, f"{prefix}{name}.", depth + 1)

    if not isinstance(content, Made):
        raise UnreadableError("is a TorchScript archive without a module")
    walk(content, "", 0)
    return found
