"""A pickle's operations on data, and on nothing else: what a file names is never looked up, and nothing is called.

A pickle is a program for a small machine. `torch.load` lets it call what is on a list; here it calls nothing at all. A
class or function that a file names becomes an inert `Named`, what it would have made an inert `Made`, and tensors are
recognised by the name of what rebuilds them.
"""

from __future__ import annotations

import math
import pickletools
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import IO, Any

import torch
from torch import Tensor

#: Operations of one pickle; checkpoints with an optimizer need a hundredth of them.
MOST_OPERATIONS = 5_000_000

_TYPES = {
    **{"Float": torch.float32, "Double": torch.float64, "Half": torch.float16, "BFloat16": torch.bfloat16},
    **{"Long": torch.int64, "Int": torch.int32, "Short": torch.int16, "Char": torch.int8, "Byte": torch.uint8},
    "Bool": torch.bool,
}
STORAGES = {f"torch.{name}Storage": dtype for name, dtype in _TYPES.items()}
DTYPES = {str(dtype): dtype for dtype in _TYPES.values()}


class UnreadableError(ValueError):
    """A file is not what `torch.save` or `torch.jit.save` writes, or is damaged; the text goes on after its name."""


@dataclass(frozen=True, eq=False)
class Named:
    """A class or function that a file names; nothing of that name is looked up.

    Example:
        >>> import io
        >>> Machine(lambda kind, key: Storage(key, None)).run(io.BytesIO(b"cos\\nsystem\\n."))
        Named(name='os.system')
    """

    name: str


@dataclass(eq=False)
class Made:
    """What a class or function would have made of its arguments, and the state that it would have been given.

    Example:
        >>> import io
        >>> bad = b"cos\\nsystem\\n(S'reboot'\\ntR."  # unpickled, it would run a program
        >>> Machine(lambda kind, key: Storage(key, None)).run(io.BytesIO(bad))
        Made(name='os.system', args=('reboot',), state=None)
    """

    name: str
    args: Any = ()
    state: Any = None


@dataclass(frozen=True, eq=False)
class Storage:
    """Numbers in a file.

    Attributes:
        key: of the storage in the file.
        dtype: of its numbers; `None` for bytes whose meaning each tensor says, and for unknown kinds.

    Example:
        >>> Storage("0", torch.float32).key
        '0'
    """

    key: str
    dtype: torch.dtype | None


@dataclass(frozen=True, eq=False)
class Stored:
    """A tensor in a file that was not read yet.

    Example:
        >>> stored = Stored(Storage("0", torch.int8), torch.int8, offset=1, shape=(2,), stride=(1,))
        >>> stored.of(bytearray([7, 8, 9]))
        tensor([8, 9], dtype=torch.int8)
    """

    storage: Storage
    dtype: torch.dtype
    offset: int
    shape: tuple[int, ...]
    stride: tuple[int, ...]

    def of(self, content: bytearray) -> Tensor:
        """The tensor, when its storage has been read.

        Raises:
            UnreadableError: the tensor does not lie within its storage.
        """
        last = self.offset + sum((n - 1) * s for n, s in zip(self.shape, self.stride, strict=True))
        empty = 0 in self.shape
        if not empty and (last + 1) * self.dtype.itemsize > len(content):
            raise UnreadableError(f"is damaged: a tensor of shape {self.shape} is longer than what is stored of it")
        if empty:
            return torch.zeros(self.shape, dtype=self.dtype)
        usable = len(content) // self.dtype.itemsize * self.dtype.itemsize
        flat = torch.frombuffer(content, dtype=self.dtype, count=usable // self.dtype.itemsize)
        return flat.as_strided(self.shape, self.stride, self.offset)


_MARK = object()
_EMPTY: dict[str, Callable[[], Any]] = {
    "EMPTY_DICT": dict,
    "EMPTY_LIST": list,
    "EMPTY_TUPLE": tuple,
    "EMPTY_SET": list,
    "NONE": lambda: None,
    "NEWTRUE": lambda: True,
    "NEWFALSE": lambda: False,
    "MARK": lambda: _MARK,
}
_VALUES = frozenset(
    {"BININT", "BININT1", "BININT2", "INT", "LONG", "LONG1", "LONG4", "BINFLOAT", "FLOAT"}
    | {"BINUNICODE", "SHORT_BINUNICODE", "BINUNICODE8", "UNICODE", "BINSTRING", "SHORT_BINSTRING", "STRING"}
    | {"BINBYTES", "SHORT_BINBYTES", "BINBYTES8", "BYTEARRAY8"}
)
_TUPLES = {"TUPLE1": 1, "TUPLE2": 2, "TUPLE3": 3}


class Machine:
    """Runs a pickle's operations on data; what would call something makes a `Made`.

    Args:
        storage: from the kind and key of a storage to its description.

    Example:
        >>> import io, pickle
        >>> Machine(lambda kind, key: Storage(key, None)).run(io.BytesIO(pickle.dumps({"epoch": 3})))
        {'epoch': 3}
    """

    def __init__(self, storage: Callable[[str, str], Storage]) -> None:
        self.storage = storage
        self.known: dict[str, Storage] = {}
        self.stack: list[Any] = []
        self.memo: dict[int, Any] = {}

    def run(self, file: IO[bytes]) -> Any:
        """The object that the pickle describes.

        Raises:
            UnreadableError: it is longer than any checkpoint's, or does what none does.
        """
        for count, (operation, value, _) in enumerate(pickletools.genops(file)):
            if count > MOST_OPERATIONS:
                raise UnreadableError("describes its tensors in more operations than any checkpoint needs")
            self._step(operation.name, value)
        return self.stack.pop()

    def _step(self, name: str, value: Any) -> None:
        stack = self.stack
        if name in _VALUES:
            stack.append(value)
        elif name in _EMPTY:
            stack.append(_EMPTY[name]())
        elif name in _TUPLES:
            stack.append(tuple([stack.pop() for _ in range(_TUPLES[name])][::-1]))
        elif name in ("TUPLE", "LIST", "DICT", "FROZENSET"):
            items = self._marked()
            stack.append(_dict(items) if name == "DICT" else tuple(items) if name == "TUPLE" else items)
        elif name in ("MEMOIZE", "BINPUT", "LONG_BINPUT", "PUT"):
            self.memo[len(self.memo) if name == "MEMOIZE" else value] = stack[-1]
        elif name in ("BINGET", "LONG_BINGET", "GET"):
            stack.append(self.memo[value])
        elif name in ("SETITEM", "SETITEMS", "APPEND", "APPENDS", "ADDITEMS"):
            self._fill(name)
        elif name in ("GLOBAL", "STACK_GLOBAL"):
            stack.append(self._named(value))
        elif name in ("REDUCE", "NEWOBJ", "NEWOBJ_EX"):
            *called, args = self._last(3 if name == "NEWOBJ_EX" else 2)
            stack.append(_call(called[0], called[1] if name == "NEWOBJ_EX" else args))
        elif name == "BUILD":
            (state,) = self._last(1)
            if isinstance(stack[-1], Made):
                stack[-1].state = state
        elif name == "BINPERSID":
            stack.append(self._stored(stack.pop()))
        elif name == "POP":
            stack.pop()
        elif name == "DUP":
            stack.append(stack[-1])
        elif name not in ("PROTO", "FRAME", "STOP"):
            raise UnreadableError(f"is a pickle that does what no checkpoint does ({name})")

    def _named(self, value: str | None) -> Named:
        module, _, name = value.partition(" ") if value is not None else (self.stack.pop(-2), "", self.stack.pop())
        if not (isinstance(module, str) and isinstance(name, str)):
            raise UnreadableError("is damaged: it names a class that has no name")
        return Named(f"{module}.{name}")

    def _last(self, count: int) -> list[Any]:
        if len(self.stack) < count:
            raise UnreadableError("is damaged: its description of the tensors makes no sense")
        taken = self.stack[-count:]
        del self.stack[-count:]
        return taken

    def _marked(self) -> list[Any]:
        """What lies above the last mark."""
        at = next((i for i in range(len(self.stack) - 1, -1, -1) if self.stack[i] is _MARK), None)
        if at is None:
            raise UnreadableError("is damaged: its description of the tensors makes no sense")
        items = self.stack[at + 1 :]
        del self.stack[at:]
        return items

    def _fill(self, name: str) -> None:
        items = self._last(2 if name == "SETITEM" else 1) if name in ("SETITEM", "APPEND") else self._marked()
        target = self.stack[-1]
        if isinstance(target, dict) and name.startswith("SETITEM"):
            target |= _dict(items)
        elif isinstance(target, list):
            target += items

    def _stored(self, identity: Any) -> Storage:
        match identity:
            case ("storage" | b"storage", Named(name=kind), str(key), *_):
                if key not in self.known:
                    self.known[key] = self.storage(kind, key)
                return self.known[key]
        raise UnreadableError("refers to something outside of itself that is no tensor's storage")


def _dict(items: list[Any]) -> dict[Any, Any]:
    """Keys and values in turn; keys of other kinds than a checkpoint's are left out, as their hashes may be costly."""
    return {k: v for k, v in zip(items[::2], items[1::2], strict=False) if isinstance(k, str | int | float | bytes)}


def _call(called: Any, args: Any) -> Any:
    name = called.name if isinstance(called, Named) else "something"
    match name, args:
        case "collections.OrderedDict" | "collections.defaultdict" | "collections.Counter", _:
            pairs = args[0] if isinstance(args, tuple) and args and isinstance(args[0], list) else []
            return _dict([x for pair in pairs if isinstance(pair, list | tuple) and len(pair) == 2 for x in pair])
        case "torch._utils._rebuild_tensor" | "torch._utils._rebuild_tensor_v2", (
            Storage() as storage,
            at,
            shape,
            stride,
            *_,
        ):
            return _tensor(storage, storage.dtype, at, shape, stride)
        case "torch._utils._rebuild_tensor_v3", (Storage() as storage, at, shape, stride, _, _, Named(name=dtype), *_):
            return _tensor(storage, DTYPES.get(dtype), at, shape, stride)
        case "torch._utils._rebuild_parameter" | "torch._utils._rebuild_parameter_with_state", (Stored() as data, *_):
            return data
        case "torch.nn.parameter.Parameter" | "torch.Tensor", (Stored() as data, *_):
            return data
        case "torch._tensor._rebuild_from_type_v2", (Named() as rebuild, _, tuple(inner), *_):
            return _call(rebuild, inner)
        case "torch.Size" | "builtins.tuple", (list() | tuple() as values,):
            return tuple(values)
    return Made(name, args)


def _tensor(storage: Storage, dtype: torch.dtype | None, offset: Any, shape: Any, stride: Any) -> Stored | Made:
    """A tensor, or an inert object where the file describes none that can be read."""
    numbers = _whole((offset,)), _whole(shape), _whole(stride)
    if dtype is None or None in numbers or len(numbers[1] or ()) != len(numbers[2] or ()):
        return Made("a tensor of an unknown kind")
    (at,), sizes, steps = (n or () for n in numbers) if numbers[0] else ((0,), (), ())
    if math.prod(sizes) > 1 << 40:
        return Made("a tensor of an impossible size")
    return Stored(storage, dtype, at, sizes, steps)


def _whole(values: Any) -> tuple[int, ...] | None:
    """Whole numbers that are not negative, `None` for anything else."""
    if not isinstance(values, Iterable) or isinstance(values, str | bytes):
        return None
    found = tuple(values)
    return found if all(type(v) is int and 0 <= v < 1 << 48 for v in found) else None
