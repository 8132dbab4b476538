"""What a source holds, told by what is in it: tables, pictures with files beside them, class folders,
or archives of these.

Every pair is given in a stable order, with what it can be read by; nothing is decoded here, and a pair that cannot be
used says why.
"""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Generator, Iterator
from dataclasses import replace
from itertools import zip_longest
from pathlib import Path
from typing import IO, Any, Protocol

from tutorial_lib.data.sources.archives import MOST_NESTED, is_archive, open_nested, open_tree
from tutorial_lib.data.sources.beside import Beside, as_text
from tutorial_lib.data.sources.classes import (
    CLASS_FILES,
    PART_TABLES,
    class_folders,
    class_names,
    in_common,
    lines,
    one_part,
)
from tutorial_lib.data.sources.found import ADDRESS, Found, Reasons, in_tree, of_member, on_disk
from tutorial_lib.data.sources.tables import Columns, Table, is_table, open_table
from tutorial_lib.data.sources.trees import Folder, Member, SourceError, Tree, printable

TEMPLATE = "a photo of a {}"
#: Archives in archives in archives, and no more.
DEPTH = 3
#: Reasons that several layouts have.
NO_CAPTION, A_LINK = "without a caption", "that are links or sparse files, which are not read"


class Readable(Protocol):
    """What pairs come from: a `Source`, or anything else that gives them.

    Attributes:
        path: file or folder that is read.
        inside: folder in it, where it is an archive.
        title: how messages call it.
        layouts, aside, classes: as for `Source`; known when all pairs have been given.

    Example:
        >>> Path("birds").mkdir()
        >>> source: Readable = Source(Path("birds"))
        >>> source.title
        'birds'
    """

    path: Path
    inside: str
    layouts: dict[str, int]
    aside: Reasons
    classes: dict[str, None]

    @property
    def title(self) -> str:
        """How messages call it."""

    def pairs(self) -> Iterator[Found]:
        """All pairs, the same at each call."""


class Source:
    """Where pairs come from: a table, a folder, an archive, or a folder within an archive (`pets.zip/train`).

    Args:
        path: of it.
        columns: of tables, where they are not the usual ones.
        root: folder or archive in which a table's pictures lie, and that no path may lead out of; by default the folder
            of the table, or wherever an absolute path leads.
        template: makes a caption of a class where there is none.

    Attributes:
        layouts: what was found in it, in words.
        aside: files that are no pairs, and why.
        classes: names of all, in the order of their numbers, where the source says it; also of those without pictures.
        is_table: it is one, no folder and no archive.

    Raises:
        SourceError: there is no such file, it is nothing that can be read, or the template has no place for a class.

    Example:
        >>> Path("pets").mkdir()
        >>> for name, text in {"1.jpg": "no picture yet", "1.txt": "a dog"}.items():
        ...     _ = Path("pets", name).write_text(text)
        >>> [(pair.name, pair.caption) for pair in Source(Path("pets")).pairs()]
        [('1.jpg', 'a dog')]
    """

    def __init__(
        self, path: Path, *, columns: Columns | None = None, root: Path | None = None, template: str = TEMPLATE
    ) -> None:
        if template.count("{}") != 1:
            raise SourceError(f"`template` must have one {{}} for the class, as in {TEMPLATE!r}; not {template!r}")
        if ADDRESS.match(str(path)) or re.match(r"https?:", str(path)):
            address = re.sub(r":/+", "://", str(path), count=1)
            raise SourceError(f"{address} is an address: fetch it first, and give the file")
        self.path, self.inside = _located(path.expanduser())
        self.columns, self.root, self.template = columns or Columns(), root, template
        self.layouts: dict[str, int] = {}
        self.aside = Reasons()
        self.classes: dict[str, None] = {}
        self.is_table = self.path.is_file() and is_table(self.path.name, given=True)
        if self.path.is_file() and not (self.is_table or is_archive(self.path.name)):
            raise SourceError(
                f"{path} is no table (.csv, .tsv, .jsonl, .parquet), no archive (.zip, .tar, .tar.gz, …) and no folder"
            )

    @property
    def title(self) -> str:
        """How messages call it."""
        return printable(f"{self.path}/{self.inside}" if self.inside else str(self.path))

    def pairs(self) -> Iterator[Found]:
        """All pairs, the same at each call; those that cannot be used among them.

        Raises:
            SourceError: the source cannot be read as a whole, or does not say what is meant.
        """
        self.layouts, self.aside, self.classes = {}, Reasons(), {}
        if self.is_table:
            table = open_table(lambda: self.path.open("rb"), str(self.path))
            pictures, tree = self._pictures_of_table()
            try:
                yield from self._table(
                    table, pictures, names=self._names_beside(), streamed=bool(tree and tree.streamed)
                )
            finally:
                if tree is not None:
                    tree.close()
            return
        tree = open_tree(self.path, self.inside)
        try:
            yield from self._tree(tree, "", DEPTH, ())
        finally:
            tree.close()

    def _tree(self, tree: Tree, prefix: str, depth: int, names: tuple[str, ...]) -> Iterator[Found]:
        names = class_names(tree) or names
        tables = [m for m in tree.members if is_table(m.name)]
        archives = [m for m in tree.members if is_archive(m.name)]
        used = yield from self._tables(tree, tables, prefix, names)
        if not used:
            rest = [m for m in tree.members if not (is_table(m.name) or is_archive(m.name))]
            if rest or tree.links:
                yield from self._files(tree, rest, prefix, names)
        for member in archives:
            if depth == 0:
                raise SourceError(f"{tree.title}/{member.name} lies in too many archives: unpack some")
            inner = open_nested(tree, member)
            try:
                yield from self._tree(inner, f"{prefix}{member.name}/", depth - 1, names)
            finally:
                inner.close()

    # Tables

    def _tables(
        self, tree: Tree, members: list[Member], prefix: str, names: tuple[str, ...]
    ) -> Generator[Found, None, bool]:
        """Pairs of the tables in a folder or an archive; tables without known columns are put aside.

        Returns:
            Whether there are any that can be used.
        """
        tables = []
        for member in members:
            table = _table_in(tree, member)
            try:
                columns = self.columns.chosen(table.columns, table.title)
                first = next((row[0] for _, row in table.rows((columns.picture,))), "")
                if isinstance(first, str) and ADDRESS.match(first):
                    raise SourceError("its pictures are addresses")
            except SourceError as error:
                if len(members) == len(tree.members):
                    raise
                self.aside.note("tables that are not used", f"{printable(member.name)}: {error}")
            else:
                tables.append((member, table))
        one_part([m.name.rpartition("/")[2] for m, _ in tables], tree.title, PART_TABLES)
        used: set[str] = set()
        for member, table in tables:
            yield from self._table(
                table,
                _noting(in_tree(tree, member.folder), used),
                prefix=prefix,
                stem=f"{member.name.partition('.')[0]}/",
                names=names,
                streamed=tree.streamed,
            )
        if tables:
            for picture in Beside(tree, tree.members).pictures:
                if picture.name not in used:
                    self.aside.note("pictures that no table names", printable(prefix + picture.name))
        return bool(tables)

    def _table(
        self,
        table: Table,
        picture: Callable[[str], Found],
        *,
        prefix: str = "",
        stem: str = "",
        names: tuple[str, ...] = (),
        streamed: bool = False,
    ) -> Iterator[Found]:
        columns = self.columns.chosen(table.columns, table.title)
        names = table.names(columns.label) if columns.label and table.names(columns.label) else names
        kinds = [f"pictures in {columns.picture!r}"]
        kinds += [f"captions in {columns.caption!r}"] if columns.caption else []
        kinds += [f"classes in {columns.label!r}"] if columns.label else []
        rows = table.rows((columns.picture, columns.caption, columns.label))
        found: Iterator[Found] = (self._row(table, number, row, picture, names, stem) for number, row in rows)
        layout = f"{_kind_of(table)}: {', '.join(kinds)}"
        if streamed and not table.embeds(columns.picture):
            found = iter(sorted(found, key=lambda pair: pair.stamp))
        for pair in found:
            self._count(layout)
            yield replace(pair, name=prefix + pair.name)

    def _row(
        self,
        table: Table,
        number: int,
        row: tuple[Any, ...],
        picture: Callable[[str], Found],
        names: tuple[str, ...],
        stem: str,
    ) -> Found:
        value, caption, label = row[0], as_text(row[1]), as_text(row[2])
        where = f"{printable(table.title)}, {table.unit} {number}"
        if isinstance(value, dict):  # Hugging Face's
            value = value.get("bytes") or value.get("path")
        if isinstance(value, bytes):
            body = value
            found = Found(f"{stem}{number:08d}", where, read=lambda: body, stamp=len(body))
        elif isinstance(value, str) and value.strip():
            found = picture(value.strip())
            found = replace(found, where=f"{where} ({found.where})")
        else:
            found = Found(f"{stem}{number:08d}", where, problem="without a picture")
        label, beyond = self._class(label, names)
        if not caption and label and not label.isdecimal():
            caption = self.template.replace("{}", label)
        problem = found.problem or beyond or ("" if caption else NO_CAPTION)
        return replace(found, caption=caption, label=label, problem=problem)

    def _class(self, said: str, names: tuple[str, ...]) -> tuple[str, str]:
        """The name of a class, also where its number is said, or why there is none."""
        if not said or not names:
            return said, ""
        self.classes |= dict.fromkeys(names)
        if said.isascii() and said.isdecimal() and said not in names:
            return (
                (names[int(said)], "")
                if int(said) < len(names)
                else ("", f"of a class beyond the {len(names)} that have names")
            )
        return said, ""

    def _count(self, layout: str, pairs: int = 1) -> None:
        self.layouts[layout] = self.layouts.get(layout, 0) + pairs

    def _pictures_of_table(self) -> tuple[Callable[[str], Found], Tree | None]:
        """What finds the pictures of a table that is a file, and the archive that they lie in."""
        if self.root is None:
            return on_disk(self.path.parent, self.path.parent, absolute=True), None
        root, inside = _located(self.root.expanduser())
        if root.is_dir():
            return on_disk(root, self.path.parent), None
        tree = open_tree(root, inside)
        return in_tree(tree, ""), tree

    def _names_beside(self) -> tuple[str, ...]:
        for name in CLASS_FILES:
            if (path := self.path.parent / name).is_file():
                return lines(path.read_bytes(), str(path))
        return ()

    # Pictures with files beside them, or in class folders

    def _files(self, tree: Tree, members: list[Member], prefix: str, names: tuple[str, ...]) -> Iterator[Found]:
        beside = Beside(tree, members)
        for link in tree.links:
            if Beside(tree, [Member(link, 0, 0)]).pictures:
                yield Found(prefix + link, printable(f"{tree.title}/{link}"), problem=A_LINK)
            else:
                self.aside.note(A_LINK, printable(link))
        if not beside.pictures:
            return
        one_part([m.name.partition("/")[0] for m in beside.pictures if "/" in m.name], tree.title)
        if beside.has_words():
            yield from self._captioned(tree, beside, names, prefix)
        elif classes := class_folders(beside.pictures, tree.title):
            yield from self._by_class(tree, beside.pictures, classes, prefix)
        else:
            self._count("pictures without captions", len(beside.pictures))
            yield from (self._picture(tree, m, prefix, problem=NO_CAPTION) for m in beside.pictures)

    def _captioned(self, tree: Tree, beside: Beside, names: tuple[str, ...], prefix: str) -> Iterator[Found]:
        for member in beside.pictures:
            said = beside.said(member)
            label, beyond = self._class(said.label, names)
            caption, origin = said.caption, said.origin
            if not caption and label and not label.isdecimal():
                caption, origin = self.template.replace("{}", label), f"captions from classes by {self.template!r}"
            if caption:
                self._count(f"pictures with {origin}")
            problem = beyond or ("" if caption else said.problem or NO_CAPTION)
            yield self._picture(tree, member, prefix, caption=caption, label=label, problem=problem)
        for name, why in beside.alone():
            if name.rpartition("/")[2] not in CLASS_FILES:
                self.aside.note(why, printable(f"{prefix}{name}"))

    def _by_class(self, tree: Tree, pictures: list[Member], classes: dict[str, str], prefix: str) -> Iterator[Found]:
        """By turns, so that neither shards nor the first pairs are of one class; in its order, where that is slow."""
        depth = in_common(pictures)
        folders: dict[str, list[Member]] = {name: [] for name in classes}
        for member in pictures:
            parts = member.name.split("/")[depth:]
            if len(parts) > 1:
                folders[parts[0]].append(member)
            else:
                yield self._picture(tree, member, prefix, problem="outside of the class folders")
        pairs = [
            (m, folder) for turn in zip_longest(*folders.values()) for m, folder in zip(turn, folders, strict=True) if m
        ]
        if tree.streamed:
            pairs.sort(key=lambda pair: pair[0].at)
        self._count(f"pictures in class folders, captions by {self.template!r}", len(pairs))
        self.classes |= dict.fromkeys(classes.values())
        for member, folder in pairs:
            caption = self.template.replace("{}", classes[folder])
            yield self._picture(tree, member, prefix, caption=caption, label=classes[folder])

    def _picture(self, tree: Tree, member: Member, prefix: str, **known: str) -> Found:
        found = of_member(tree, member)
        problem = known.pop("problem", "") or found.problem
        return replace(found, name=prefix + found.name, problem=problem, **known)  # type: ignore[arg-type]


def _noting(picture: Callable[[str], Found], used: set[str]) -> Callable[[str], Found]:
    """The same, which keeps the names of what was found."""

    def noted(path: str) -> Found:
        found = picture(path)
        if found.read is not None:
            used.add(found.name)
        return found

    return noted


def _located(path: Path) -> tuple[Path, str]:
    """A file or folder, and what of the path leads on in it, if it is an archive.

    Raises:
        SourceError: there is no such file.
    """
    if path.exists():
        return path, ""
    for above in path.parents:
        if above.is_file() and is_archive(above.name):
            return above, path.relative_to(above).as_posix()
    raise SourceError(f"there is no file or folder {printable(str(path))}")


def _kind_of(table: Table) -> str:
    return {"Separated": "table", "JSONLines": "JSON lines", "Parquet": "Parquet"}[type(table).__name__]


def _table_in(tree: Tree, member: Member) -> Table:
    title = f"{tree.title}/{member.name}"
    if isinstance(tree, Folder):
        return open_table(lambda: tree.place(member).open("rb"), title)

    def opened() -> IO[bytes]:
        try:
            return io.BytesIO(tree.read(member, MOST_NESTED))
        except ValueError as error:
            raise SourceError(f"{title} is a table {error}: unpack {tree.title} first") from error

    return open_table(opened, title)
