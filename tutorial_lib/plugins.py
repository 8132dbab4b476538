"""Families of classes that have a name: the library's own, found in a package, and those of other packages.

Another package registers a class under the entry-point group of its family, for example in its `pyproject.toml`:

    [project.entry-points."tutorial_lib.triggers"]
    sticker = "my_package.sticker:Sticker"
"""

from __future__ import annotations

import functools
import pkgutil
from collections.abc import Collection, Iterator, Mapping
from importlib import import_module
from importlib.metadata import entry_points
from inspect import isabstract
from typing import ClassVar, TypeVar


class Kind:
    """One of a family: an attack, a trigger, a defense, a detector, a training method.

    Attributes:
        kind: the name by which records and commands know the class; it is no setting, so nobody can change it.

    Example:
        >>> from tutorial_lib.triggers import Blended
        >>> Blended.kind
        'blended'
    """

    kind: ClassVar[str]


T = TypeVar("T", bound=Kind)


class PluginError(ValueError):
    """An entry point names something that cannot be used."""


class Kinds(Mapping[str, type[T]]):
    """The classes of a family by their `kind`, looked for when they are first asked for.

    Args:
        base: of the family.
        package: whose modules define the library's own.
        what: singular of the family, for messages.
        helpers: modules of the package that define no class of the family and take time to import.

    Example:
        >>> from tutorial_lib.triggers import TRIGGERS
        >>> TRIGGERS["checkerboard"](size=4).size
        4
    """

    def __init__(self, base: type[T], package: str, what: str, *, helpers: Collection[str] = ()) -> None:
        self.base, self.package, self.what, self.helpers = base, package, what, helpers

    @functools.cached_property
    def _classes(self) -> dict[str, type[T]]:
        for module in pkgutil.iter_modules(import_module(self.package).__path__, f"{self.package}."):
            if module.name.rpartition(".")[2] not in self.helpers:
                import_module(module.name)
        own = [cls for cls in _below(self.base) if cls.__module__.startswith(f"{self.package}.")]
        found = {cls.kind: cls for cls in own if "kind" in vars(cls) and not isabstract(cls)}
        for point in entry_points(group=self.package):
            try:
                cls = point.load()
            except (ImportError, AttributeError) as error:
                raise PluginError(f"the {self.what} {point.value} cannot be loaded: {error}") from error
            if not (isinstance(cls, type) and issubclass(cls, self.base) and not isabstract(cls)):
                raise PluginError(
                    f"the entry point {point.value} is no {self.what}: it must extend {self.base.__name__}"
                )
            if getattr(cls, "kind", None) != point.name:
                raise PluginError(
                    f"the {self.what} {point.value} is registered as {point.name!r}: its kind must be that"
                )
            if found.setdefault(cls.kind, cls) is not cls:
                raise PluginError(
                    f"the {self.what} {point.name!r} of {point.value} exists already: choose another kind"
                )
        return found

    def __getitem__(self, kind: str) -> type[T]:
        return self._classes[kind]

    def __iter__(self) -> Iterator[str]:
        return iter(self._classes)

    def __len__(self) -> int:
        return len(self._classes)

    def find(self, kind: str) -> type[T]:
        """The class of that kind.

        Raises:
            ValueError: there is none; lists those that exist.
        """
        if kind not in self:
            raise ValueError(f"there is no {self.what} {kind!r}; choose from {', '.join(self)}")
        return self[kind]


def _below(base: type[T]) -> Iterator[type[T]]:
    """All subclasses, in the order of their definition."""
    for cls in base.__subclasses__():
        yield cls
        yield from _below(cls)
