"""Sphinx extension: figures that a reader plays with, from the shipped models and the committed records.

    ```{live-figure} backdoor
    :name: live-backdoor
    :alt: what a reader who cannot see it should know

    The caption.
    ```

    {shipped}`backdoored attack_success`                 a rate of a shipped model's record, in per cent
    {shipped}`backdoored attack_success linear_probe`    of another reader than zero-shot

Scripts and data come from `tutorial_lib.course.live`. In print and without JavaScript, `live/NAME.png` stands in its
place; `python -m tests.book.live_pictures` takes these pictures from the built pages.
"""

from __future__ import annotations

import functools
import hashlib
import itertools
import json
import shutil
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, ClassVar

import execution_cache
import records
from docutils import nodes
from docutils.parsers.rst import directives
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment
from sphinx.util.docutils import SphinxDirective, SphinxRole

from tutorial_lib import models
from tutorial_lib.course import live
from tutorial_lib.course.live import data, detection, words
from tutorial_lib.course.live.playground import script as playground


class LiveFigure(SphinxDirective):
    """A numbered figure: a picture, and beside it the place where a script draws."""

    required_arguments = 1
    has_content = True
    option_spec: ClassVar[dict[str, Any]] = {"name": directives.unchanged, "alt": directives.unchanged_required}

    def run(self) -> list[nodes.Node]:
        name = self.arguments[0]
        if name not in data.FIGURES:
            raise self.error(f"there is no live figure {name!r}; there are {', '.join(data.FIGURES)}")
        if not self.options.get("alt") or not self.content:
            raise self.error(f"the live figure {name!r} needs an :alt: text and a caption")
        kind, given = data.FIGURES[name]
        figure = nodes.figure(classes=["live-figure"])
        figure += nodes.image(uri=f"live/{name}.png", alt=self.options["alt"], classes=["live-static"])
        figure += nodes.raw("", live.mount(kind, given(records.source())), format="html")
        caption = nodes.caption()
        parsed = self.parse_content_to_nodes()
        if len(parsed) != 1 or not isinstance(parsed[0], nodes.paragraph):
            raise self.error(f"the caption of the live figure {name!r} must be one paragraph")
        caption += parsed[0].children
        self.set_source_info(caption)
        figure += caption
        self.set_source_info(figure)
        self.add_name(figure)
        return [figure]


def shipped_rate(text: str) -> str:
    """A rate of a shipped model in per cent, from the record beside its weights.

    Args:
        text: model, metric and reader, by default "zero_shot".

    Raises:
        ValueError: there is no such model, metric or reader.
    """
    name, metric, *readers = text.split()
    (reader,) = readers or ("zero_shot",)
    try:
        rate = json.loads((models.CHECKPOINTS / name / "record.json").read_text())["metrics"][metric][reader]["rate"]
    except (OSError, KeyError) as error:
        raise ValueError(f"no {metric!r} of a shipped model {name!r} under {reader!r}: {error}") from error
    return f"{100 * rate:.1f}"


class ShippedRole(SphinxRole):
    """A rate of a shipped model, from the record beside its weights."""

    def run(self) -> tuple[list[nodes.Node], list[nodes.system_message]]:
        try:
            rate = shipped_rate(self.text)
        except ValueError as error:
            return [], [self.inliner.reporter.error(str(error), line=self.lineno)]
        self.env.note_dependency(str(models.CHECKPOINTS / self.text.split()[0] / "record.json"))
        return [nodes.inline("", rate, classes=["measured"])], []


def write_static(app: Sphinx) -> None:
    """The figures' scripts, and models as scripts, which are made again when what they are made of changes."""
    if app.builder.format != "html":
        return
    folder = Path(app.doctreedir).parent / ".live"
    scripts = folder / "live"
    for name in ("live.js", "live.css", *itertools.chain(*live.SCRIPTS.values())):
        (scripts / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(live.HERE / name, scripts / name)
    for name in data.MODELS:
        made_of = [*sorted((models.CHECKPOINTS / name).iterdir()), live.HERE / "__init__.py"]
        write_model(scripts / "models" / f"{name}.js", made_of, functools.partial(shipped_model, name))
    made_of = [*sorted((models.CHECKPOINTS / data.READER).iterdir()), Path(words.__file__), live.HERE / "__init__.py"]
    write_model(scripts / "models" / f"{data.WORDS}.js", made_of, reading_model)
    for name in detection.RECORDED:
        write_model(scripts / "models" / f"{name}.js", detection.made_of(), functools.partial(detection.script, name))
    write_model(scripts / "models" / "playground.js", playground.made_of(), playground.script)
    app.config.html_static_path.append(str(folder))


def shipped_model(name: str) -> str:
    return live.model_script(name, *models.load(models.CHECKPOINTS / name), data.task().labels)


def reading_model() -> str:
    return words.words_script(data.WORDS, *models.load(models.CHECKPOINTS / data.READER), data.task().labels)


def write_model(script: Path, made_of: Iterable[Path], make: Callable[[], str]) -> None:
    """Write a script unless it was made of the same files."""
    state = hashlib.sha256(b"".join(path.read_bytes() for path in made_of)).hexdigest()
    stamp = script.parents[2] / f".live-{script.stem}.sha256"
    if not script.is_file() or not stamp.is_file() or stamp.read_text("utf-8") != state:
        script.parent.mkdir(parents=True, exist_ok=True)
        script.write_text(make(), "utf-8")
        stamp.write_text(state, "utf-8")


def outdated(app: Sphinx, env: BuildEnvironment, added: set[str], changed: set[str], removed: set[str]) -> list[str]:
    """Pages with a live figure are read again when the records, the library or a shipped model has changed."""
    now = records.state() + execution_cache.fingerprint()
    before, env.live_state = getattr(env, "live_state", None), now  # type: ignore[attr-defined]
    if before == now:
        return []
    return [name for name in env.found_docs if "{live-figure}" in Path(env.doc2path(name)).read_text()]


def setup(app: Sphinx) -> dict[str, Any]:
    app.add_directive("live-figure", LiveFigure)
    app.add_role("shipped", ShippedRole())
    app.add_css_file("live/live.css")
    app.add_js_file("live/live.js", defer="defer")
    app.connect("builder-inited", write_static)
    app.connect("env-get-outdated", outdated)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
