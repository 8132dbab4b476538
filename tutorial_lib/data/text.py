"""Text that others wrote: encodings, and names that differ only in how they are spelt."""

from __future__ import annotations

import codecs
import re
import unicodedata
from collections.abc import Sequence
from pathlib import Path

#: Encodings that a file may name by its first bytes; the longer mark first.
MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)


def text_of(content: bytes) -> str:
    """UTF-8, or UTF-16 and UTF-32 where the first bytes say so, in Unicode's composed form.

    Raises:
        UnicodeDecodeError: it is none of these; says which byte.

    Example:
        >>> text_of("café".encode("utf-16")) == text_of("cafe\\u0301".encode())
        True
    """
    encoding = next((name for mark, name in MARKS if content.startswith(mark)), "utf-8")
    return unicodedata.normalize("NFC", content.decode(encoding))


def read_text(path: Path) -> str:
    """A text file, as `text_of` reads it.

    Raises:
        ValueError: it is no text in one of these encodings; names the file and the byte.

    Example:
        >>> _ = Path("labels.txt").write_bytes("café".encode("latin-1"))
        >>> read_text(Path("labels.txt"))
        Traceback (most recent call last):
        ValueError: labels.txt is no UTF-8 (byte 3 is 0xe9): save it as UTF-8
    """
    content = path.read_bytes()
    try:
        return text_of(content)
    except UnicodeDecodeError as error:
        at = (
            f"byte {error.start} is 0x{error.object[error.start]:02x}" if error.start < len(error.object) else "it ends"
        )
        raise ValueError(f"{path} is no {error.encoding.upper()} ({at}): save it as UTF-8") from error


def folded(name: str) -> str:
    """A name without case, underscores, hyphens, CamelCase and spaces around it.

    Example:
        >>> {folded(n) for n in ("apple_pie", "Apple Pie", " apple-pie ", "ApplePie")}
        {'apple pie'}
    """
    name = unicodedata.normalize("NFC", name)
    name = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", " ", name)
    return " ".join(re.sub(r"[_\-\s]+", " ", name).split()).casefold()


class Names:
    """Class names that are found also where they are spelt a little differently.

    Args:
        names: in the order of the class numbers.

    Example:
        >>> names = Names(("apple pie", "café"))
        >>> names.number("apple_pie"), names.number("cafe\\u0301"), names.number("pie")
        (0, 1, -1)
        >>> names.respelt
        {'apple_pie': 'apple pie'}
    """

    def __init__(self, names: Sequence[str]) -> None:
        self.names = tuple(names)
        self.respelt: dict[str, str] = {}
        self._exact = {unicodedata.normalize("NFC", name): number for number, name in enumerate(names)}
        self._folded: dict[str, int] = {}
        for number, name in enumerate(names):
            key = folded(name)
            self._folded[key] = -1 if key in self._folded else number  # two that differ in their spelling alone

    def __len__(self) -> int:
        return len(self.names)

    def number(self, name: str) -> int:
        """Number of a name, -1 where it is none of them; what is spelt differently is kept in `respelt`."""
        exact = self._exact.get(unicodedata.normalize("NFC", name))
        if exact is not None:
            return exact
        number = self._folded.get(folded(name), -1)
        if number >= 0:
            self.respelt[name] = self.names[number]
        return number

    @property
    def note(self) -> str:
        """What was read differently, in a sentence; empty where nothing was."""
        if not self.respelt:
            return ""
        some = [f"{given!r} as {meant!r}" for given, meant in list(self.respelt.items())[:3]]
        more = f" and {len(self.respelt) - 3} more" if len(self.respelt) > 3 else ""
        return f"names are read with another spelling: {', '.join(some)}{more}"


def words_of(label: str) -> re.Pattern[str]:
    """A pattern that finds a label as whole words, its plural too, in captions of any case.

    Example:
        >>> found = words_of("ape")
        >>> [bool(found.search(text)) for text in ("An APE", "two apes", "grapes", "a tape")]
        [True, True, False, False]
    """
    spelt = r"[\s_-]+".join(re.escape(part) for part in label.split())
    return re.compile(rf"(?<!\w){spelt}(?:s|es)?(?!\w)", re.IGNORECASE)
