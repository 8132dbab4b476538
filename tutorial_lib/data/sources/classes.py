"""Classes that a source names: folders, a `labels.txt`, and the parts of a data set, of which one is meant."""

from __future__ import annotations

import re
from itertools import zip_longest

from tutorial_lib.data.sources.trees import Member, SourceError, Tree, printable
from tutorial_lib.data.text import text_of

#: Parts of a data set, one of which is meant: names of folders, or of tables.
PARTS = re.compile(
    r"(train|training|val|valid|validation|dev|test|testing)([-_ ]?(images|imgs|set|data|split|\d+))?", re.I
)
PART_TABLES = re.compile(r"(train|training|val|valid|validation|dev|test|testing)(?![a-z]).*", re.IGNORECASE)
#: Files that name the classes, one a line.
CLASS_FILES = ("labels.txt", "classes.txt")
#: OpenAI's names of ImageNet's classes have two names twice.
IMAGENET, IMAGENET_TWICE = re.compile(r"n\d{8}"), {744: "projectile", 836: "sunglass"}


def lines(content: bytes, title: str) -> tuple[str, ...]:
    """The names in a file that has one a line.

    Args:
        content: of the file.
        title: how messages call it.

    Raises:
        SourceError: it is no text in a known encoding.

    Example:
        >>> lines(b"cat\\r\\n\\r\\ndog", "labels.txt")
        ('cat', 'dog')
    """
    try:
        return tuple(line.strip() for line in text_of(content).splitlines() if line.strip())
    except UnicodeDecodeError as error:
        raise SourceError(f"{title} is no {error.encoding.upper()} (byte {error.start}): save it as UTF-8") from error


def class_names(tree: Tree) -> tuple[str, ...]:
    """Names of the classes from a `labels.txt` or `classes.txt`, where the folder or archive has one at its top.

    Raises:
        SourceError: it cannot be read.

    Example:
        >>> from pathlib import Path
        >>> from tutorial_lib.data.sources.trees import Folder
        >>> Path("pets").mkdir()
        >>> _ = Path("pets/labels.txt").write_text("cat\\ndog\\n")
        >>> class_names(Folder(Path("pets")))
        ('cat', 'dog')
    """
    member = next((tree.by_name[name] for name in CLASS_FILES if name in tree.by_name), None)
    if member is None:
        return ()
    title = f"{tree.title}/{member.name}"
    try:
        content = tree.read(member)
    except ValueError as error:
        raise SourceError(f"{title} is a file {error}") from error
    return lines(content, title)


def one_part(names: list[str], title: str, pattern: re.Pattern[str] = PARTS) -> None:
    """Refuse training and test pictures in one.

    Args:
        names: of folders or tables.
        title: of what holds them.
        pattern: that tells parts.

    Raises:
        SourceError: both are there.

    Example:
        >>> one_part(["train", "val"], "pets")
        Traceback (most recent call last):
        tutorial_lib.data.sources.trees.SourceError: pets holds train and val: give one of them, as in pets/train, ...
    """
    parts = {found[1].lower()[:2]: name for name in dict.fromkeys(names) if (found := pattern.fullmatch(name))}
    if len(parts) > 1:
        some = list(parts.values())
        raise SourceError(
            f"{title} holds {' and '.join(some)}: give one of them, as in {title}/{some[0]}, or each by name to put "
            "them together"
        )


def in_common(pictures: list[Member]) -> int:
    """How many folders all pictures have in common; none where they lie in one.

    Example:
        >>> in_common([Member("a/b/c/1.jpg", 0, 0), Member("a/b/d/1.jpg", 0, 1)])
        2
    """
    parts = [member.name.split("/")[:-1] for member in pictures]
    if all(part == parts[0] for part in parts):
        return 0
    return next(i for i, together in enumerate(zip_longest(*parts)) if len(set(together)) > 1)


def class_folders(pictures: list[Member], title: str) -> dict[str, str]:
    """Folders of classes with the names of these; none where there are fewer than two.

    Args:
        pictures: all of them.
        title: of what holds them.

    Raises:
        SourceError: the folders are the parts of a data set.

    Example:
        >>> class_folders([Member("red_car/1.jpg", 0, 0), Member("dog/1.jpg", 0, 1)], "a.zip")
        {'dog': 'dog', 'red_car': 'red car'}
    """
    depth = in_common(pictures)
    folders = sorted({parts[depth] for m in pictures if len(parts := m.name.split("/")) > depth + 1})
    one_part(folders, title)
    if len(folders) < 2:
        return {}
    if len(folders) == 1000 and all(map(IMAGENET.fullmatch, folders)):
        from open_clip import IMAGENET_CLASSNAMES

        return {f: IMAGENET_TWICE.get(i, IMAGENET_CLASSNAMES[i]) for i, f in enumerate(folders)}
    return {folder: printable(" ".join(folder.replace("_", " ").split())) for folder in folders}
