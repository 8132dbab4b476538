"""Every `tutorial` command that the README, the pages and the examples show is one that the parser takes."""

import re
import shlex
from pathlib import Path

import pytest

from tutorial_lib.cli import parser
from tutorial_lib.evidence import registry

ROOT = Path(__file__).resolve().parents[1]
TEXTS = [ROOT / "README.md", *sorted(ROOT.glob("book/*.md")), *sorted(ROOT.glob("examples/*.sh"))]


def commands(path: Path) -> list[str]:
    """The arguments of each command, without comments."""
    text = path.read_text().replace("\\\n", " ")
    lines = [re.sub(r"\s+#.*", "", line) for line in text.splitlines()]
    found = []
    for line in lines:
        match = re.search(
            r"(?:\$ (?:tutorial|[^#]*-m tutorial_lib\.cli)|\.venv/bin/tutorial|-m tutorial_lib\.cli) (.+)$", line
        )
        if match and not line.lstrip().startswith("#"):
            found.append(match[1])
    return found


@pytest.mark.parametrize("path", [p for p in TEXTS if commands(p)], ids=lambda p: p.name)
def test_commands_parse(path: Path) -> None:
    for line in commands(path):
        args = parser().parse_args(shlex.split(line.replace("…", "")))
        if args.command == "run":
            assert registry.expand(args.figures)


def test_there_are_some() -> None:
    assert sum(len(commands(p)) for p in TEXTS) > 15
    assert {p.name for p in TEXTS if commands(p)} >= {"README.md", "at_scale.md", "slurm.sh", "ray.sh"}
