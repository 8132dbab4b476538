"""Flickr8k, Flickr30k and COCO: photographs with several captions each, as torchvision and hubs deliver them.

What is read, by what there is: COCO's annotations (`captions_train2017.json`), token files of Flickr (`1.jpg#0`, a tab
and a caption), the web page of Flickr8k, a table with a row a caption, or a hub's Parquet files with pictures in them.
"""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from html.parser import HTMLParser
from io import BytesIO
from pathlib import Path
from typing import Any

from tutorial_lib.data.sources.beside import PICTURES, split_name
from tutorial_lib.data.sources.found import Found, of_member
from tutorial_lib.data.sources.tables import Columns, Separated
from tutorial_lib.data.sources.trees import Member, SourceError, printable
from tutorial_lib.data.text import text_of
from tutorial_lib.practice.photo_parts import (
    Collection,
    PartName,
    Photograph,
    drawn_part,
    embedded,
    named_part,
    parquet_tables,
)

#: Where a publisher names no parts, so many of the pictures are kept for each.
KEPT: dict[PartName, float] = {"validation": 0.05, "test": 0.05}
#: Bytes of a file of captions; those of COCO have 92 million.
MOST_BYTES = 1 << 29
#: Captions of COCO, and the part that their pictures are for.
COCO: dict[str, PartName] = {"train": "train", "val": "test"}
_COCO = re.compile(r"captions_(train|val)\d{4}\.json")
_TOKENS = re.compile(r".*\.token(\.txt)?")
_LISTS = re.compile(r"Flickr_?8k[._](train|dev|test)Images\.txt", re.IGNORECASE)
_NUMBERED = re.compile(r"captions?_?\d+")

#: Captions of each picture, by its name without folders.
Said = dict[str, list[str]]


class Captions(Collection):
    """Photographs with captions.

    Args:
        path: folder or archive of the pictures and the file of captions, or of a hub's Parquet files.

    Raises:
        SourceError: there are no captions in a form that is known.

    Example:
        >>> Captions(Path("downloads/flickr8k")).layout  # doctest: +SKIP
        'captions in Flickr8k.token.txt'
    """

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.by_base: dict[str, Member] = {}
        for member in self.tree.members:
            if split_name(member.name)[1] in PICTURES:
                self.by_base.setdefault(member.name.rpartition("/")[2], member)
        named = {member.name.rpartition("/")[2]: member for member in self.tree.members}
        self.coco = {match[1]: m for name, m in sorted(named.items()) if (match := _COCO.fullmatch(name))}
        tokens = sorted(name for name in named if _TOKENS.fullmatch(name))
        table = next((name for name in ("captions.txt", "captions.csv", "results.csv") if name in named), "")
        pages = sorted(name for name in named if name.lower().endswith((".html", ".htm")))
        self.tables = parquet_tables(self.tree)
        self.file: Member | None = None
        if self.coco:
            self.layout = f"captions in {', '.join(m.name.rpartition('/')[2] for m in self.coco.values())}"
        elif chosen := next(filter(None, (*tokens, table, *pages)), ""):
            self.file, self.layout = named[chosen], f"captions in {chosen}"
        elif self.tables:
            self.layout = "a hub's Parquet"
        else:
            raise SourceError(
                f"{path} holds no captions in a form that is known: captions_train2017.json of COCO, a .token file or "
                "captions.txt of Flickr, the web page of Flickr8k, or a hub's Parquet files"
            )
        self.lists: Mapping[str, PartName] = self._lists(named)

    def photographs(self) -> Iterator[Photograph]:
        if self.coco:
            for part, member in self.coco.items():
                yield from self._pictures(self._of_coco(member), part=COCO[part])
        elif self.file is not None:
            yield from self._pictures(self._of_file(self.file))
        else:
            yield from self._of_tables()

    def _pictures(self, said: Said, part: PartName | None = None) -> Iterator[Photograph]:
        for name, captions in said.items():
            member = self.by_base.get(name)
            if member is None:
                where = printable(name)
                found = Found(where, where, problem=f"whose picture is not in {printable(self.tree.title)}")
            else:
                found = of_member(self.tree, member)
            yield Photograph(found, tuple(captions), self._part(name, part))

    def _part(self, name: str, part: PartName | None) -> PartName:
        """Whose part a picture is: as lists say, or as its file does, of whose training pictures some are kept."""
        if self.lists:
            return self.lists.get(name, "train")
        if part is not None:
            return part if part != "train" else drawn_part(name, {"validation": KEPT["validation"]})
        return drawn_part(name, KEPT)

    def _lists(self, named: Mapping[str, Member]) -> dict[str, PartName]:
        """The part of each picture, where Flickr8k's lists of names lie beside."""
        found: dict[str, PartName] = {}
        for name, member in named.items():
            if match := _LISTS.fullmatch(name):
                part = named_part(match[1])
                assert part is not None
                found |= dict.fromkeys((line.strip() for line in self._text(member).splitlines()), part)
        return found

    def _text(self, member: Member) -> str:
        title = f"{self.tree.title}/{member.name}"
        try:
            return text_of(self.tree.read(member, MOST_BYTES))
        except UnicodeDecodeError as error:
            raise SourceError(
                f"{title} is no {error.encoding.upper()} (byte {error.start}): save it as UTF-8"
            ) from error
        except ValueError as error:
            raise SourceError(f"{title} is a file {error}") from error

    # Files of captions

    def _of_coco(self, member: Member) -> Said:
        """Captions by name of the picture, in the order of the pictures."""
        title = f"{self.tree.title}/{member.name}"
        try:
            body = json.loads(self._text(member))
            pictures = {image["id"]: str(image["file_name"]) for image in body["images"]}
            found: dict[Any, list[str]] = {identity: [] for identity in pictures}
            for line in body["annotations"]:
                found[line["image_id"]].append(str(line["caption"]).strip())
        except (ValueError, KeyError, TypeError, RecursionError) as error:
            raise SourceError(f"{title} is no file of COCO's captions, or damaged ({error!r})") from error
        return {pictures[identity].rpartition("/")[2]: captions for identity, captions in found.items()}

    def _of_file(self, member: Member) -> Said:
        name = member.name.lower()
        if name.endswith((".html", ".htm")):
            return self._of_page(member)
        return self._of_tokens(member) if _TOKENS.fullmatch(name.rpartition("/")[2]) else self._of_rows(member)

    def _of_tokens(self, member: Member) -> Said:
        """`1000268201_693b08cb0e.jpg#0`, a tab, and a caption."""
        found: Said = {}
        for number, line in enumerate(self._text(member).splitlines(), 1):
            if not line.strip():
                continue
            name, tab, caption = line.partition("\t")
            picture, sign, _ = name.strip().partition("#")
            if not (tab and sign):
                raise SourceError(
                    f"{self.tree.title}/{member.name}, line {number} is no `name#number`, tab and caption"
                )
            found.setdefault(picture, []).append(caption.strip())
        return found

    def _of_rows(self, member: Member) -> Said:
        """A table with a row a caption."""
        title, content = f"{self.tree.title}/{member.name}", self._text(member).encode()
        table = Separated(lambda: BytesIO(content), title)
        columns = Columns().chosen(table.columns, title)
        found: Said = {}
        for _, (picture, caption) in table.rows((columns.picture, columns.caption)):
            if picture:
                found.setdefault(str(picture).strip(), []).append(str(caption or "").strip())
        return found

    def _of_page(self, member: Member) -> Said:
        """Flickr8k's page, which names pictures by their number; those that are gone are passed over."""
        page = _Page()
        page.feed(self._text(member))
        numbers: dict[str, str] = {}
        for base in self.by_base:
            numbers.setdefault(base.partition("_")[0], base)
        return {numbers.get(number, f"{number}.jpg"): captions for number, captions in page.captions.items()}

    # Parquet

    def _of_tables(self) -> Iterator[Photograph]:
        for part, member, table in self.tables:
            picture, captions, split = columns_of(table.columns, table.title)
            stem = member.name.rpartition("/")[2].partition(".")[0]
            for number, (value, said, *texts) in table.rows((picture, split, *captions)):
                name, where = f"{stem}/{number:05d}.jpg", f"{table.title}, row {number}"
                found = embedded(value, name, where)
                own = named_part(said) or self._of_row(part, found)
                yield Photograph(found, tuple(_texts(texts)), own)

    def _of_row(self, part: PartName, found: Found) -> PartName:
        """The part of a row that does not say it; several rows of one picture have the same."""
        return drawn_part(f"{found.stamp}", KEPT if self._alone else {}) if part == "train" else part

    @functools.cached_property
    def _alone(self) -> bool:
        """Whether the files of the training pictures are all there is."""
        return {part for part, _, _ in self.tables} == {"train"}


def columns_of(present: Sequence[str], title: str) -> tuple[str, tuple[str, ...], str]:
    """The columns of a table of captioned pictures: picture, captions, and the part of each row, where there is one.

    Args:
        present: names of all columns.
        title: of the table, for messages.

    Raises:
        SourceError: there are none of pictures, or none of captions.

    Example:
        >>> columns_of(("image", "caption_0", "caption_1", "split"), "a.parquet")
        ('image', ('caption_0', 'caption_1'), 'split')
    """
    numbered = tuple(name for name in present if _NUMBERED.fullmatch(name))
    chosen = Columns(caption=numbered[0] if numbered else "").chosen(present, title)
    if not chosen.caption:
        raise SourceError(f"{title} has no column of captions that is known: it has {', '.join(present)}")
    return chosen.picture, numbered or (chosen.caption,), "split" if "split" in present else ""


def _texts(values: Sequence[Any]) -> Iterator[str]:
    for value in values:
        for one in value if isinstance(value, list | tuple) else [value]:
            if isinstance(one, str) and one.strip():
                yield one.strip()


class _Page(HTMLParser):
    """The table of Flickr8k's web page: an address of a picture, and a list of its captions."""

    def __init__(self) -> None:
        super().__init__()
        self.captions: Said = {}
        self._tag, self._number, self._tables = "", "", 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._tag = tag
        self._tables += tag == "table"
        if tag == "tr":
            self._number = ""

    def handle_endtag(self, tag: str) -> None:
        self._tag = ""
        self._tables -= tag == "table"

    def handle_data(self, data: str) -> None:
        if not self._tables or not data.strip():
            return
        if self._tag == "a" and len(parts := data.strip().strip("/").split("/")) > 1:
            self._number = parts[-1]
            self.captions[self._number] = []
        elif self._tag == "li" and self._number:
            self.captions[self._number].append(data.strip())
