"""What sources hold, counted before anything is written; some pairs of them, looked at closely."""

from __future__ import annotations

import hashlib
import json
import math
import re
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Any

from tutorial_lib.data.shards import TOLERANCE
from tutorial_lib.data.sources.beside import split_name
from tutorial_lib.data.sources.found import Found, Reasons
from tutorial_lib.data.sources.layouts import TEMPLATE, Readable, Source
from tutorial_lib.data.sources.tables import Columns
from tutorial_lib.data.sources.trees import SourceError, printable
from tutorial_lib.practice.import_folder import DIGEST
from tutorial_lib.practice.import_pictures import Stored
from tutorial_lib.ticker import Ticker

#: More different classes than so many are no classes.
MOST_CLASSES = 100_000
#: A caption of more characters is no caption.
MOST_CAPTION = 1 << 14
#: Bytes of a key; of a longer one, the end is kept.
LONGEST_KEY = 160


@dataclass(frozen=True)
class Shown:
    """One pair as a dry run shows it.

    Example:
        >>> print(Shown("pets/1", "JPEG", 640, 480, "a dog", "", ""))
        pets/1  640x480 JPEG  'a dog'
    """

    key: str
    format: str
    width: int
    height: int
    caption: str
    label: str
    problem: str

    def __str__(self) -> str:
        what = self.problem or f"{self.width}x{self.height} {self.format}"
        return f"{self.key}  {what}  {self.caption!r}" + (f"  class {self.label}" if self.label else "")


@dataclass(frozen=True)
class Survey:
    """What sources hold, as far as it is known before pictures are read.

    Attributes:
        sources: in words.
        total: pairs, those that cannot be used among them.
        left: pairs that cannot be used.
        aside: files that are no pairs.
        layouts: how pairs were found, and how many.
        classes: names in the order of their numbers, or numbers where names are not known.
        named: whether the classes have names.
        labelled: pairs that can be used and have a class.
        fingerprint: of everything that decides the result.
        shown: some pairs, spread over all.
        tolerance: share of unusable pairs from which on an import stops.

    Example:
        See `look`, which makes one.

        >>> "fingerprint" in Survey.__dataclass_fields__
        True
    """

    sources: tuple[str, ...]
    total: int
    left: Reasons
    aside: Reasons
    layouts: Mapping[str, int]
    classes: tuple[str, ...]
    named: bool
    labelled: int
    fingerprint: str
    shown: tuple[Shown, ...] = ()
    tolerance: float = TOLERANCE

    @property
    def pairs(self) -> int:
        """Those that can be used, as far as it is known."""
        return self.total - self.left.total

    @property
    def problem(self) -> str:
        """Why an import of these would stop; empty where it would not."""
        return too_many(self.left, self.total, self.tolerance) if self.total else self._nothing()

    def _unlabelled(self) -> str:
        return "" if self.labelled == self.pairs else f"; only {self.labelled} pairs have one"

    def _nothing(self) -> str:
        aside = f" (left aside: {self.aside})" if self.aside else ""
        return (
            f"{' '.join(self.sources)} holds no pictures with captions or classes{aside}: give a table with a column "
            "of paths, a folder or an archive of pictures with .txt beside them, or one of class folders"
        )

    def as_dict(self) -> dict[str, Any]:
        """Plain data."""
        found: dict[str, Any] = json.loads(json.dumps(asdict(self)))
        return found | {"pairs": self.pairs, "problem": self.problem}

    def __str__(self) -> str:
        lines = [f"{self.pairs} pairs in {' '.join(self.sources)}; nothing was written"]
        lines += [f"  {count} {layout}" for layout, count in self.layouts.items()]
        lines += [f"cannot be used: {self.left}"] if self.left else []
        lines += [f"left aside, no pairs: {self.aside}"] if self.aside else []
        lines += [f"classes: {_classes(self.classes, self.named)}{self._unlabelled()}"] if self.classes else []
        lines += [str(pair) for pair in self.shown]
        lines += [f"an import would stop: {self.problem}"] if self.problem else []
        return "\n".join(lines)


def _classes(names: Sequence[str], named: bool) -> str:
    some = ", ".join(names[:5]) + (", …" if len(names) > 5 else "")
    return (
        f"{len(names)} ({some})" if named else f"{len(names)} numbers without names ({some}): a labels.txt names them"
    )


def check_share(skip_bad: float) -> None:
    """Refuse what is no share.

    Raises:
        ValueError: it is below 0 or above 1.

    Example:
        >>> check_share(5)
        Traceback (most recent call last):
        ValueError: `skip_bad` must be a share from 0 to 1, as 5% or 0.05; not 5
    """
    if not 0 <= skip_bad <= 1:
        raise ValueError(f"`skip_bad` must be a share from 0 to 1, as 5% or 0.05; not {skip_bad:g}")


def too_many(left: Reasons, total: int, tolerance: float, position: int = 0) -> str:
    """Why so many unusable pairs stop an import; empty where they do not.

    Args:
        left: pairs that cannot be used.
        total: all pairs.
        tolerance: share of them that may be unusable.
        position: pairs that have been looked at, where these are not all.

    Example:
        >>> left = Reasons({"without a caption": (11, "1.png")})
        >>> too_many(left, 796, 0.01)  # doctest: +ELLIPSIS
        '11 of 796 pairs, more than 1%, cannot be used: ... (first: 1.png); raise `skip_bad` to 2% to leave them out'
        >>> too_many(left, 796, 0.02)
        ''
    """
    if left.total <= tolerance * total and left.total < total:
        return ""
    if left.total >= total:
        hint = (
            "; a caption is expected in a file of the same name beside the picture or in a column of a table, or is "
            "made of the name of a class (numbers have their names in a labels.txt)"
        )
        return f"none of {total} pairs can be used: {left}" + hint * any(why == "without a caption" for why in left)
    if position:
        return (
            f"{left.total} of the first {position} pairs, more than {100 * tolerance:.3g}% of all {total}, cannot be "
            f"used: {left}; raise `skip_bad` if that is to be expected"
        )
    enough = math.ceil(100 * left.total / total - 1e-9)
    share = f"{100 * tolerance:.3g}%"
    return (
        f"{left.total} of {total} pairs, more than {share}, cannot be used: {left}; raise `skip_bad` to {enough}% to "
        "leave them out"
    )


class Keys:
    """Unique keys that say where a pair is from, and that WebDataset does not cut.

    Example:
        >>> keys = Keys()
        >>> keys.key("pets", "dogs/1.v2.jpg"), keys.key("pets", "dogs/1_v2.png"), keys.key("pets", "../../a b.jpg")
        ('pets/dogs/1_v2', 'pets/dogs/1_v2-2', 'pets/a_b')
    """

    def __init__(self) -> None:
        self._seen: set[bytes] = set()

    def key(self, prefix: str, name: str) -> str:
        """The key of a picture.

        Args:
            prefix: that of its source.
            name: of the picture in it, with its suffix.
        """
        parts = [part for part in f"{prefix}/{split_name(name)[0]}".split("/") if part.strip(".")]
        stem = "/".join(_plain(part) for part in parts)
        if len(stem.encode()) > LONGEST_KEY:
            stem = stem.encode()[-LONGEST_KEY:].decode(errors="ignore").lstrip("/")
        key, count = stem, 1
        while (digest := hashlib.blake2b(key.encode(), digest_size=8).digest()) in self._seen:
            count += 1
            key = f"{stem}-{count}"
        self._seen.add(digest)
        return key


def _plain(part: str) -> str:
    return re.sub(r"[^\w-]+", "_", unicodedata.normalize("NFC", printable(part))).strip("_") or "_"


class Sources:
    """Several sources, one after the other, each pair with its key.

    Args:
        paths: tables, folders, archives, or folders in archives.
        columns, root, template: as for `import_pairs`.
        lower: captions in small letters.

    Raises:
        SourceError: there is none, or it is nothing that can be read.

    Example:
        >>> Path("pets").mkdir()
        >>> for name, text in {"1.jpg": "no picture yet", "1.txt": "a Dog"}.items():
        ...     _ = Path("pets", name).write_text(text)
        >>> [(key, pair.caption) for key, pair in Sources(["pets"], lower=True)]
        [('pets/1', 'a dog')]
    """

    def __init__(
        self,
        paths: Sequence[str | Path],
        *,
        columns: Columns | None = None,
        root: Path | None = None,
        template: str = TEMPLATE,
        lower: bool = False,
    ) -> None:
        if not paths:
            raise SourceError("there is nothing to import")
        self.sources: list[Readable] = [
            Source(Path(path), columns=columns, root=root, template=template) for path in paths
        ]
        self.lower = lower

    @classmethod
    def of(cls, *sources: Readable) -> Sources:
        """Sources that have been opened already.

        Args:
            sources: in the order in which they are read.
        """
        found = cls.__new__(cls)
        found.sources, found.lower = [*sources], False
        return found

    def __iter__(self) -> Iterator[tuple[str, Found]]:
        keys, prefixes = Keys(), Keys()
        for source in self.sources:
            last = source.inside or source.path.resolve().name
            prefix = prefixes.key("", last.rpartition("/")[2].partition(".")[0] or "root")
            for found in source.pairs():
                caption = unicodedata.normalize("NFC", printable(found.caption)).strip()
                caption = caption.lower() if self.lower else caption
                problem = found.problem
                if not problem and len(caption) > MOST_CAPTION:
                    problem = f"with a caption of more than {MOST_CAPTION:,} characters"
                label = unicodedata.normalize("NFC", printable(found.label)).strip()
                yield keys.key(prefix, found.name), replace(found, caption=caption, label=label, problem=problem)

    def refuse_within(self, out: Path) -> None:
        """Refuse to write into what is read.

        Raises:
            ValueError: a source is the folder, or lies above it.
        """
        for source in self.sources:
            if source.path.is_dir() and out.resolve().is_relative_to(source.path.resolve()):
                raise ValueError(f"{out} lies in {source.title}, which is read: choose an `out` outside of it")

    def survey(self, *, skip_bad: float = TOLERANCE, show: int = 0) -> Survey:
        """Read everything but the pictures.

        Args:
            skip_bad: share of pairs that may be unusable.
            show: how many pairs to look at closely.

        Raises:
            SourceError: a source cannot be read, or there are too many classes for classes.
        """
        digest, left, total, labelled = hashlib.blake2b(digest_size=DIGEST), Reasons(), 0, 0
        seen: dict[str, None] = {}
        with Ticker("looking", "pairs") as ticker:
            for key, found in self:
                total += 1
                ticker.tick()
                said = (key, found.caption, found.label, found.problem, found.stamp)
                digest.update(json.dumps(said).encode())
                if found.problem:
                    left.note(found.problem, found.where)
                elif found.label:
                    labelled += 1
                    seen[found.label] = None
                if len(seen) > MOST_CLASSES:
                    raise SourceError(
                        f"{found.where} is of class {len(seen):,}: `label_column` names no column of classes"
                    )
        numbered = all(name.isascii() and name.isdecimal() and len(name) < 10 for name in seen)
        known = {name: None for source in self.sources for name in source.classes if seen}
        others = sorted(seen.keys() - known.keys(), key=int if numbered else None)
        aside = Reasons()
        layouts: dict[str, int] = {}
        for source in self.sources:
            aside.update(source.aside)
            layouts.update({layout: layouts.get(layout, 0) + count for layout, count in source.layouts.items()})
        survey = Survey(
            sources=tuple(source.title for source in self.sources),
            total=total,
            left=left,
            aside=aside,
            layouts=layouts,
            classes=(*known, *others),
            named=bool(known) or not numbered,
            labelled=labelled,
            fingerprint=digest.hexdigest(),
            tolerance=skip_bad,
        )
        return replace(survey, shown=tuple(self._shown(survey.pairs, show))) if show else survey

    def _shown(self, pairs: int, show: int) -> Iterator[Shown]:
        """Some pairs that are spread over all."""
        wanted = {i * (pairs - 1) // max(1, show - 1) for i in range(show)} if pairs else set()
        usable = ((key, found) for key, found in self if not found.problem)
        for number, (key, found) in enumerate(islice(usable, max(wanted, default=-1) + 1)):
            if number in wanted and found.read is not None:
                made = Stored.of(found.read, side=None, keep_codec=True)
                width, height = made.size
                yield Shown(key, made.format, width, height, found.caption, found.label, made.problem)


def look(
    sources: Sequence[str | Path],
    *,
    columns: Columns | None = None,
    root: Path | None = None,
    template: str = TEMPLATE,
    skip_bad: float = TOLERANCE,
    lower: bool = False,
    show: int = 10,
) -> Survey:
    """A dry run: what `import_pairs` would find. Counts all pairs, reads the pictures of a few, writes nothing.

    Args:
        sources, columns, root, template, skip_bad, lower: as for `import_pairs`.
        show: how many pairs to look at closely; they are spread over all.

    Raises:
        SourceError: a source cannot be read.

    Example:
        >>> from PIL import Image
        >>> for name in ("dog", "cat"):
        ...     Path("animals", name).mkdir(parents=True)
        ...     Image.new("RGB", (9, 8)).save(f"animals/{name}/1.png")
        >>> print(look(["animals"]))
        2 pairs in animals; nothing was written
          2 pictures in class folders, captions by 'a photo of a {}'
        classes: 2 (cat, dog)
        animals/cat/1  9x8 PNG  'a photo of a cat'  class cat
        animals/dog/1  9x8 PNG  'a photo of a dog'  class dog
    """
    check_share(skip_bad)
    found = Sources(sources, columns=columns, root=root, template=template, lower=lower)
    return found.survey(skip_bad=skip_bad, show=show)
