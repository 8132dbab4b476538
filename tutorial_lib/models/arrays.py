"""NumPy arrays in pickles, without unpickling: CIFAR's batches are published so.

`tutorial_lib.models.pickles` reads what a pickle describes and calls nothing. An array is described by its shape, the
name of its type and its bytes; whatever else a file would have made stays inert.
"""

from __future__ import annotations

import io
import math
from typing import Any

import numpy as np

from tutorial_lib.models.pickles import Machine, Made, Named, Storage, UnreadableError

#: Modules in which NumPy's own functions have lain, before version 2 and since.
_MULTIARRAY = ("numpy.core.multiarray", "numpy._core.multiarray")
_NUMERIC = ("numpy.core.numeric", "numpy._core.numeric")
_RECONSTRUCT = frozenset(f"{module}._reconstruct" for module in _MULTIARRAY)
_FROM_BUFFER = frozenset(f"{module}._frombuffer" for module in _NUMERIC)
#: Types of numbers that are read, as NumPy calls them without their order of bytes.
NUMBERS = frozenset({"b1", "u1", "u2", "u4", "u8", "i1", "i2", "i4", "i8", "f2", "f4", "f8"})
#: Levels of lists and dictionaries in a file.
DEEPEST = 32


def unpickle_arrays(content: bytes) -> Any:
    """What a pickle holds: dictionaries, lists, numbers, texts and NumPy arrays of numbers.

    Texts of Python 2 are read as latin-1, as `pickle.load(file, encoding="latin1")` does. What a class or a function
    would have made stays a `Made`, and nothing is called.

    Args:
        content: of the file.

    Raises:
        UnreadableError: it is no pickle, a damaged one, or an array in it is none of numbers.

    Example:
        >>> import pickle
        >>> found = unpickle_arrays(pickle.dumps({"labels": [3], "data": np.arange(6, dtype=np.uint8).reshape(2, 3)}))
        >>> found["labels"], found["data"].tolist()
        ([3], [[0, 1, 2], [3, 4, 5]])
    """
    try:
        described = Machine(lambda kind, key: Storage(key, None)).run(io.BytesIO(content))
    except (UnreadableError, MemoryError):
        raise
    except Exception as error:  # pickletools fails in many ways
        raise UnreadableError(f"is no pickle, or damaged: {error or type(error).__name__}") from error
    return _plain(described, 0)


def _plain(value: Any, depth: int) -> Any:
    """Arrays in place of their descriptions."""
    if depth > DEEPEST:
        raise UnreadableError("is nested deeper than any data set")
    if isinstance(value, dict):
        return {key: _plain(one, depth + 1) for key, one in value.items()}
    if isinstance(value, list | tuple) and any(isinstance(one, dict | list | tuple | Made) for one in value):
        return type(value)(_plain(one, depth + 1) for one in value)
    return _array(value) if isinstance(value, Made) else value


def _array(made: Made) -> Any:
    """The array that an object describes; the object itself where it describes none."""
    match made:
        case Made(name=name, state=(_, shape, Made(name="numpy.dtype") as kind, fortran, body)) if name in _RECONSTRUCT:
            return _numbers(body, kind, shape, "F" if fortran else "C")
        case Made(name=name, args=(body, Made(name="numpy.dtype") as kind, shape, order)) if name in _FROM_BUFFER:
            return _numbers(body, kind, shape, order)
        case _:
            return made


def _bytes(body: Any) -> bytes:
    """Bytes as pickles of any age keep them."""
    match body:
        case bytes() | bytearray():
            return bytes(body)
        case str():  # Python 2's
            return body.encode("latin-1")
        case Made(name="_codecs.encode", args=(str() as text, "latin1" | "latin-1")):
            return text.encode("latin-1")
        case Made(name="builtins.bytearray" | "__builtin__.bytearray", args=(inner, *_)):
            return _bytes(inner)
        case Made(name="builtins.bytes" | "__builtin__.bytes", args=()):  # of an empty array
            return b""
    raise UnreadableError("is damaged: an array in it has no bytes")


def _numbers(body: Any, kind: Made, shape: Any, order: Any) -> np.ndarray:
    match kind.args, kind.state:
        case (str() as name, *_), (_, str() as endian, *_) if name in NUMBERS and endian in ("<", ">", "|", "="):
            dtype = np.dtype(name).newbyteorder("=" if endian == "|" else endian)  # type: ignore[arg-type]
        case _:
            raise UnreadableError("holds an array of something else than numbers, which is not read")
    sizes = tuple(shape) if isinstance(shape, tuple | list) else ()
    if not all(type(size) is int and size >= 0 for size in sizes) or order not in ("C", "F"):
        raise UnreadableError("is damaged: an array in it has no shape")
    content = _bytes(body)
    if math.prod(sizes) * dtype.itemsize != len(content):
        raise UnreadableError(f"is damaged: an array of shape {sizes} is not as long as its {len(content):,} bytes")
    return np.frombuffer(content, dtype).reshape(sizes, order=order)


def inert(value: Any) -> list[str]:
    """Names of the classes and functions that a file would have called, had it been unpickled; each once.

    Args:
        value: from `unpickle_arrays`.

    Example:
        >>> inert(unpickle_arrays(b"cos\\nsystem\\n(S'reboot'\\ntR."))
        ['os.system']
    """
    found: dict[str, None] = {}

    def look(one: Any) -> None:
        if isinstance(one, Made | Named):
            found[one.name] = None
        for part in one.values() if isinstance(one, dict) else one if isinstance(one, list | tuple) else ():
            look(part)

    look(value)
    return list(found)
