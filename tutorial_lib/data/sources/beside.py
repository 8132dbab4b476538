"""Captions and classes in files beside pictures: `1.jpg` with `1.txt`, as people write and as WebDataset packs them."""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from tutorial_lib.data.sources.tables import CAPTIONS, LABELS
from tutorial_lib.data.sources.trees import MOST_TEXT, Member, Tree
from tutorial_lib.data.text import text_of

#: Suffixes of pictures. What a picture is, its content says; of the second line, none is decoded.
PICTURES: tuple[str, ...] = (
    *(".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".webp", ".gif", ".bmp", ".dib", ".tif", ".tiff"),
    *(".avif", ".heic", ".heif", ".jxl", ".jp2", ".psd", ".tga", ".ppm", ".ico"),
)
#: Of captions, the preferred first, and of classes.
TEXTS = (".txt", ".caption", ".text", ".json")
CLASSES = ".cls"
#: A line of a file of translations, as tuxpaint's stamps have them: `de.utf8=Ein Hund.`
TRANSLATION = re.compile(r"[a-z]{2,3}(_[A-Za-z]{2,4})?(@\w+)?\.utf8=")


def split_name(name: str) -> tuple[str, str]:
    """Name without its last suffix, and that in small letters.

    Example:
        >>> split_name("photos.v2/1.input.PNG"), split_name("LICENSE")
        (('photos.v2/1.input', '.png'), ('LICENSE', ''))
    """
    folder, slash, base = name.rpartition("/")
    stem, dot, suffix = base.rpartition(".")
    return (f"{folder}{slash}{stem}", f".{suffix.lower()}") if dot and stem else (name, "")


def key_of(name: str) -> str:
    """Name up to the first dot of its last part: what WebDataset groups files by.

    Example:
        >>> key_of("photos.v2/1.input.png")
        'photos.v2/1'
    """
    folder, slash, base = name.rpartition("/")
    return f"{folder}{slash}{base.partition('.')[0] or base}"


def caption_lines(text: str) -> tuple[str, bool]:
    """The caption in a text file, and whether translations follow it.

    Where each further line is a translation, as `de.utf8=Ein Hund.`, the caption is the first line.

    Example:
        >>> caption_lines("A dog.\\nde.utf8=Ein Hund.\\n"), caption_lines("A dog\\nand a cat.")
        (('A dog.', True), ('A dog\\nand a cat.', False))
    """
    first, *more = [line.strip() for line in text.strip().splitlines() if line.strip()] or [""]
    if more and all(TRANSLATION.match(line) for line in more):
        return first, True
    return text.strip(), False


def first_of(values: dict[str, Any], names: Iterable[str]) -> str:
    """The first value that is a text or a whole number, by names in any case; of a list, its first.

    Example:
        >>> first_of({"TEXT": "a dog", "title": None}, ("title", "text"))
        'a dog'
    """
    by_case = {str(name).lower(): value for name, value in values.items()}
    return next((said for name in names if (said := as_text(by_case.get(name)))), "")


def as_text(value: Any) -> str:
    """A caption or class as text; empty where it is neither text nor whole number.

    Example:
        >>> as_text(3.0), as_text([" a dog ", "a cat"]), as_text(None)
        ('3', 'a dog', '')
    """
    if isinstance(value, list | tuple):
        value = next((one for one in value if as_text(one)), None)
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    return value.strip() if isinstance(value, str) else ""


@dataclass(frozen=True)
class Said:
    """What files beside a picture say of it.

    Example:
        >>> Said(caption="a dog").label
        ''
    """

    caption: str = ""
    label: str = ""
    origin: str = ""
    problem: str = ""


class Beside:
    """Finds what belongs to a picture.

    A file belongs to it that has its name with another suffix (`1.txt`, or `1.jpg.txt`), or that has its WebDataset key
    if no other picture has it (`1.input.png` and `1.outputs.txt`).

    Args:
        tree: that holds all.
        members: its files, except what tables and archives have claimed.

    Example:
        >>> from pathlib import Path
        >>> from tutorial_lib.data.sources.archives import open_tree
        >>> Path("pairs").mkdir()
        >>> for name in ("1.input.png", "1.txt"):
        ...     _ = Path("pairs", name).write_text("a dog")
        >>> tree = open_tree(Path("pairs"))
        >>> beside = Beside(tree, tree.members)
        >>> [(picture.name, beside.said(picture).caption) for picture in beside.pictures]
        [('1.input.png', 'a dog')]
    """

    def __init__(self, tree: Tree, members: Iterable[Member]) -> None:
        self.tree = tree
        self.pictures: list[Member] = []
        self.used: set[str] = set()
        self.texts: dict[str, Member] = {}
        self._others: dict[str, str] = {}
        self._by_key: dict[str, list[str]] = defaultdict(list)
        self._sharing: dict[str, int] = defaultdict(int)
        for member in members:
            stem, suffix = split_name(member.name)
            if suffix in PICTURES:
                self.pictures.append(member)
                self._sharing[key_of(member.name)] += 1
            elif suffix in (*TEXTS, CLASSES):
                self.texts[stem + suffix] = member
                self._by_key[key_of(member.name)].append(stem + suffix)
            elif suffix:
                self._others[stem] = suffix

    def _belonging(self, picture: Member) -> list[str]:
        stem, suffix = split_name(picture.name)
        suffixes = (*TEXTS, CLASSES)
        own = [s + t for s in (stem, stem + suffix, picture.name) for t in suffixes if s + t in self.texts]
        key = key_of(picture.name)
        if self._sharing[key] == 1:
            own += sorted(self._by_key.get(key, ()), key=lambda name: suffixes.index(split_name(name)[1]))
        return list(dict.fromkeys(own))

    def has_words(self) -> bool:
        """Whether any picture has a file beside it."""
        return any(self._belonging(picture) for picture in self.pictures)

    def said(self, picture: Member) -> Said:
        """Caption and class of a picture, as far as files say them."""
        caption = label = origin = problem = ""
        for name in self._belonging(picture):
            self.used.add(name)
            suffix = split_name(name)[1]
            try:
                text = text_of(self.tree.read(self.texts[name], MOST_TEXT)).strip()
            except UnicodeDecodeError as error:
                problem = problem or f"with a {suffix} that is no {error.encoding.upper()} (byte {error.start})"
                continue
            except ValueError as error:
                problem = problem or f"with a {suffix} {error}"
                continue
            if suffix == CLASSES:
                label = label or text
            elif suffix == ".json":
                found = _object(text)
                caption, origin = (caption, origin) if caption else (first_of(found, CAPTIONS), "captions in .json")
                label = label or first_of(found, LABELS)
            elif text and not caption:
                caption, translated = caption_lines(text)
                origin = f"captions in {suffix}"
                if translated:
                    origin += ", the first line of each (further ones are translations, as in de.utf8=…)"
        return Said(caption, label, origin if caption else "", "" if caption else problem)

    def alone(self) -> Iterator[tuple[str, str]]:
        """Texts that belong to no picture, and why; known when all pictures have been asked for."""
        for name, member in self.texts.items():
            if name not in self.used:
                other = self._others.get(split_name(name)[0])
                yield member.name, f"texts beside a {other}, which is not read" if other else "texts without a picture"


def _object(text: str) -> dict[str, Any]:
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}
