"""Pictures with captions or classes as people have them, to WebDataset shards; killed and called again, it goes on."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from itertools import islice
from pathlib import Path
from typing import Any, Literal

from tutorial_lib.data.shards import TOLERANCE, ShardError
from tutorial_lib.data.sources.found import Found, Reasons
from tutorial_lib.data.sources.layouts import TEMPLATE
from tutorial_lib.data.sources.tables import Columns
from tutorial_lib.machine import usable_cores
from tutorial_lib.practice.import_folder import LABELS, ImportFolder, Progress
from tutorial_lib.practice.import_pictures import Stored, digest_of, in_order
from tutorial_lib.practice.import_survey import Sources, Survey, check_share, too_many
from tutorial_lib.practice.shards import counted
from tutorial_lib.ticker import Ticker

#: Raised when the same sources and settings give other shards.
VERSION = 1

Dedup = Literal["pairs", "pictures"]


@dataclass(frozen=True)
class Imported:
    """What was written, and what was left out.

    Attributes:
        out: the folder.
        sources: in words.
        shards: WebDataset archives.
        pairs: in them.
        layouts: how pairs were found, and how many.
        formats: of the sources' pictures.
        stored: how pictures are kept.
        sizes: smallest and largest width and height in the shards.
        classes: how many there are.
        labels: file that names them; empty where they have no names.
        labelled: pairs that have a class.
        left: pairs that could not be used, by reason, with the first of each.
        aside: files that are no pairs, likewise.
        duplicates: pairs left out because they had come before.
        notes: what conventions differ on, and how many pictures have it.
        resumed: at which pair an interrupted import went on; 0 where none did.
        found: it was finished before it was asked for.

    Example:
        See `import_pairs`, which makes one.

        >>> "layouts" in Imported.__dataclass_fields__
        True
    """

    out: str
    sources: tuple[str, ...]
    shards: tuple[str, ...]
    pairs: int
    layouts: Mapping[str, int]
    formats: Mapping[str, int]
    stored: str
    sizes: tuple[int, int, int, int]
    classes: int
    labels: str
    labelled: int
    left: Reasons
    aside: Reasons
    duplicates: int
    notes: Mapping[str, int] = field(default_factory=dict)
    resumed: int = 0
    found: bool = False

    @property
    def next(self) -> str:
        """A command that uses the shards."""
        if self.labels and self.classes > 1 and self.labelled >= self.pairs:
            return f"tutorial evaluate MODEL --data {self.out} --labels {self.labels} --target CLASS"
        return f"tutorial train {self.out} --out MODEL"

    def as_dict(self) -> dict[str, Any]:
        """Plain data."""
        found: dict[str, Any] = json.loads(json.dumps(asdict(self)))
        return found | {"next": self.next}

    @classmethod
    def read(cls, body: Mapping[str, Any]) -> Imported:
        """One from its plain data."""
        known = {name: value for name, value in body.items() if name in cls.__dataclass_fields__}
        for name in ("sources", "shards", "sizes"):
            known[name] = tuple(known[name])
        for name in ("left", "aside"):
            known[name] = Reasons({why: (count, first) for why, (count, first) in known[name].items()})
        return cls(**known)

    def __str__(self) -> str:
        if self.found:
            return (
                f"{self.out} holds these {self.pairs} pairs already; `resume=False` imports them anew\n{self._after()}"
            )
        a, b, c, d = self.sizes
        size = f"{a}x{b}" if (a, b) == (c, d) else f"widths of {a} to {c} and heights of {b} to {d} pixels"
        lines = [f"{self.pairs} pairs in {counted(len(self.shards))}: {self.out}"]
        lines += [f"went on at pair {self.resumed}"] if self.resumed else []
        lines += [f"  {count} {layout}" for layout, count in self.layouts.items()]
        lines += [
            f"pictures: {', '.join(f'{n} {form}' for form, n in self.formats.items())}; stored {self.stored}, {size}"
        ]
        lines += [f"  {count} {note}" for note, count in self.notes.items()]
        lines += [f"left out: {self.left}"] if self.left else []
        lines += [f"left out: {self.duplicates} duplicates"] if self.duplicates else []
        lines += [f"left aside, no pairs: {self.aside}"] if self.aside else []
        if self.classes:
            names = f"their names are in {self.labels}" if self.labels else "numbers without names"
            some = "" if self.labelled >= self.pairs else f"; only {self.labelled} pairs have one"
            lines += [f"{self.classes} classes, {names}{some}"]
        return "\n".join([*lines, self._after()])

    def _after(self) -> str:
        return f"next: {self.next}"


def import_pairs(
    sources: Sequence[str | Path],
    out: Path,
    *,
    columns: Columns | None = None,
    root: Path | None = None,
    template: str = TEMPLATE,
    side: int | None = None,
    keep_codec: bool = False,
    skip_bad: float = TOLERANCE,
    dedup: Dedup | None = None,
    lower: bool = False,
    limit: int = 0,
    shard_size: int = 1000,
    resume: bool = True,
) -> Imported:
    """Make WebDataset shards of pictures with captions or classes, as people have them.

    Sources are read where they lie; nothing of them is unpacked. Two passes are made: one that counts, finds the
    classes and refuses what cannot be imported, and one that reads the pictures.

    Args:
        sources: tables (CSV, TSV, JSON lines, Parquet), folders or archives of captioned pictures or of class folders,
            folders in archives (`pets.zip/train`), or folders of any of these.
        out: folder of `pairs-*.tar`, `labels.txt` where the classes have names, and `import.json`. An interrupted call
            with the same arguments goes on.
        columns: of tables, where they are not the usual ones.
        root: folder or archive in which a table's pictures lie, and that no path may lead out of; by default the folder
            of the table, or wherever an absolute path leads.
        template: makes a caption of a class where there is none.
        side: resize pictures to it, and cut out the centre.
        keep_codec: store the files' own bytes; otherwise pictures are stored as WebP without loss.
        skip_bad: share of pairs that may be unusable.
        dedup: leave out pairs whose picture file and caption have come before, or whose picture file has.
        lower: captions in small letters.
        limit: stop after so many usable pairs, 0 for all.
        shard_size: pairs per shard.
        resume: if not, replace what an earlier import wrote to the folder.

    Raises:
        SourceError: a source cannot be read, or does not say what is meant.
        ShardError: there are no pairs, or too many cannot be used.
        ValueError: arguments contradict each other, or the folder cannot be used.

    Example:
        >>> from PIL import Image
        >>> for name in ("dog", "cat"):
        ...     Path("animals", name).mkdir(parents=True)
        ...     Image.new("RGB", (9, 8)).save(f"animals/{name}/1.png")
        >>> print(import_pairs(["animals"], Path("mine")))
        2 pairs in 1 shard: mine
          2 pictures in class folders, captions by 'a photo of a {}'
        pictures: 2 PNG; stored as WebP without loss, 9x8
        2 classes, their names are in mine/labels.txt
        next: tutorial evaluate MODEL --data mine --labels mine/labels.txt --target CLASS
    """
    found = Sources(sources, columns=columns, root=root, template=template, lower=lower)
    return import_found(
        found,
        out,
        side=side,
        keep_codec=keep_codec,
        skip_bad=skip_bad,
        dedup=dedup,
        limit=limit,
        shard_size=shard_size,
        resume=resume,
    )


def import_found(
    found: Sources,
    out: Path,
    *,
    side: int | None = None,
    keep_codec: bool = False,
    skip_bad: float = TOLERANCE,
    dedup: Dedup | None = None,
    limit: int = 0,
    shard_size: int = 1000,
    resume: bool = True,
) -> Imported:
    """Make WebDataset shards of what sources give.

    Args:
        found: the sources.
        out, side, keep_codec, skip_bad, dedup, limit, shard_size, resume: as for `import_pairs`.

    Raises:
        SourceError: a source cannot be read.
        ShardError: there are no pairs, or too many cannot be used.
        ValueError: arguments contradict each other, or the folder cannot be used.

    Example:
        >>> from PIL import Image
        >>> for name in ("wren", "kite"):
        ...     Path("birds", name).mkdir(parents=True)
        ...     Image.new("RGB", (9, 8)).save(f"birds/{name}/1.png")
        >>> import_found(Sources(["birds"]), Path("shards")).pairs
        2
    """
    check_share(skip_bad)
    if side is not None and keep_codec:
        raise ValueError("`keep_codec` stores the files' own bytes, and `side` makes other pictures: give one of them")
    if shard_size < 1:
        raise ValueError(f"`shard_size` must be at least 1, not {shard_size}")
    found.refuse_within(out)
    with ImportFolder(out, resume=resume) as folder:
        survey = found.survey(skip_bad=skip_bad)
        asked: dict[str, Any] = {
            "version": VERSION,
            "side": side,
            "keep_codec": keep_codec,
            "dedup": dedup,
            "limit": limit,
        }
        asked |= {"shard_size": shard_size, "fingerprint": survey.fingerprint}
        if before := folder.finished(asked):
            return Imported.read(before | {"found": True})
        if survey.problem:
            raise ShardError(survey.problem)
        progress = folder.begin(asked)
        resumed = progress.position
        writer = _Writer(folder, progress, survey, side, keep_codec, dedup, shard_size, limit)
        writer.write(found)
        if not progress.pairs:
            raise ShardError(f"none of {survey.total} pairs can be used: {progress.left}")
        done = _imported(out, survey, progress, writer.stored, resumed)
        folder.finish(done.as_dict(), progress, survey.classes if survey.named else ())
    return done


def _imported(out: Path, survey: Survey, progress: Progress, stored: str, resumed: int) -> Imported:
    return Imported(
        out=str(out),
        sources=survey.sources,
        shards=tuple(str(out / name) for name in progress.shards),
        pairs=progress.pairs,
        layouts=survey.layouts,
        formats=progress.formats,
        stored=stored,
        sizes=progress.sizes,
        classes=len(survey.classes),
        labels=str(out / LABELS) if survey.named else "",
        labelled=progress.labelled,
        left=progress.left,
        aside=survey.aside,
        duplicates=progress.duplicates,
        notes=progress.notes,
        resumed=resumed,
    )


class _Writer:
    """Goes through the pairs from where an import stands, and fills shards."""

    def __init__(
        self,
        folder: ImportFolder,
        progress: Progress,
        survey: Survey,
        side: int | None,
        keep_codec: bool,
        dedup: Dedup | None,
        shard_size: int,
        limit: int,
    ) -> None:
        self.folder, self.progress, self.survey = folder, progress, survey
        self.side, self.keep_codec, self.dedup = side, keep_codec, dedup
        self.shard_size, self.limit = shard_size, limit
        self.number = {name: i if survey.named else int(name) for i, name in enumerate(survey.classes)}
        self.here = 0
        self.digests: list[bytes] = []

    @property
    def stored(self) -> str:
        if self.keep_codec:
            other = f" ({self.progress.converted} as WebP without loss)" if self.progress.converted else ""
            return f"as they are{other}"
        return "as WebP without loss"

    def write(self, found: Sources) -> None:
        threads = min(8, usable_cores())
        rest = islice(found, self.progress.position, None)
        total = min(self.limit or self.survey.total, self.survey.total)
        with Ticker("importing", "pairs", total, self.progress.position) as ticker:
            for (key, pair), (digest, made) in in_order(self._read(rest), self._make, threads):
                if self.limit and self.progress.pairs + self.here == self.limit:
                    break
                ticker.tick()
                self._take(key, pair, digest, made)
        if self.here or self.progress.position:
            self._complete()

    def _read(self, pairs: Iterator[tuple[str, Found]]) -> Iterator[tuple[str, Found]]:
        """Pairs with their pictures in memory: sources are read by one thread, in their order."""
        for key, pair in pairs:
            if pair.problem or pair.read is None:
                yield key, pair
                continue
            yield key, _held(pair)

    def _make(self, item: tuple[str, Found]) -> tuple[bytes, Stored]:
        pair = item[1]
        if pair.problem or pair.read is None:
            return b"", Stored(problem=pair.problem)
        digest = digest_of(pair.read(), pair.caption if self.dedup == "pairs" else "") if self.dedup else b""
        return digest, Stored.of(pair.read, side=self.side, keep_codec=self.keep_codec)

    def _take(self, key: str, pair: Found, digest: bytes, made: Stored) -> None:
        progress = self.progress
        progress.position += 1
        if made.problem:
            progress.left.note(made.problem, pair.where)
            total = max(self.survey.total, progress.position)
            if stop := too_many(progress.left, total, self.survey.tolerance, progress.position):
                kept = "; complete shards are kept, and the same call goes on" if progress.shards else ""
                raise ShardError(stop + kept)
            return
        if digest:
            if digest in self.folder.digests:
                progress.duplicates += 1
                return
            self.folder.digests.add(digest)
            self.digests.append(digest)
        progress.formats[made.format] = progress.formats.get(made.format, 0) + 1
        progress.notes = dict(Counter(progress.notes) + made.notes)
        progress.converted += made.converted
        progress.labelled += bool(pair.label)
        progress.measure(*made.size)
        self.folder.add(key, self._parts(key, pair, made))
        self.here += 1
        if self.here == self.shard_size:
            self._complete()

    def _parts(self, key: str, pair: Found, made: Stored) -> dict[str, bytes]:
        meta = {"key": key, "from": pair.name} | ({"label": pair.label} if pair.label else {})
        parts = {made.suffix: made.body, "txt": pair.caption.encode()}
        parts["json"] = json.dumps(meta, ensure_ascii=False, sort_keys=True).encode()
        return parts | ({"cls": str(self.number[pair.label]).encode()} if pair.label in self.number else {})

    def _complete(self) -> None:
        self.folder.complete(self.progress, self.digests)
        self.here, self.digests = 0, []


def _held(pair: Found) -> Found:
    assert pair.read is not None
    try:
        body = pair.read()
    except ValueError as error:
        return replace(pair, read=None, problem=str(error))
    return replace(pair, read=lambda: body)
