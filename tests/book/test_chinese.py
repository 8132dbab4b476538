"""Chinese words beside the English ones: one a term, marked as Chinese, found by the search, in the way of no link."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from bs4 import BeautifulSoup

from tests.book import site

TEXT = (site.BOOK / "glossary.md").read_text()
ROLE = re.compile(r"\{zh\}`([^`]+)`")
#: Letters of the traditional script that a careless table would hold.
TRADITIONAL = set("對習學數據後門觸發標籤訓練損樣圖檢測優調類難隨編碼層預")
PAGES = {
    "conf.py": "extensions = ['myst_parser', 'chinese', 'glossary_links']\nexclude_patterns = ['out*']\n",
    "index.md": "# Start\n\n```{toctree}\nglossary\n```\n\nContrastive learning is what embeddings come from.\n",
    "glossary.md": TEXT,
}


def terms() -> Iterator[tuple[str, str]]:
    """Each entry of the glossary with what follows it."""
    body = TEXT.partition("```{glossary}\n")[2].partition("\n```")[0]
    for block in re.split(r"\n\n(?=\S)", body):
        head, _, rest = block.partition("\n")
        yield head, rest


def test_every_term_has_its_chinese_word_first() -> None:
    found = dict(terms())
    assert len(found) >= 35
    assert list(found) == sorted(found, key=str.lower)
    words = []
    for head, rest in found.items():
        match = re.match(r"  \{zh\}`([^`]+)`\n\n  \S", rest)
        assert match, head
        words.append(match[1])
    assert len(set(words)) == len(words)


@pytest.mark.parametrize("word", ROLE.findall(TEXT))
def test_a_word_is_in_simplified_chinese(word: str) -> None:
    assert re.search(r"[\u4e00-\u9fff]", word)
    assert not TRADITIONAL & set(word)


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A book of two pages with the course's glossary, built as HTML and as one page."""
    folder = tmp_path_factory.mktemp("small")
    for name, text in PAGES.items():
        (folder / name).write_text(text)
    extensions = os.environ | {"PYTHONPATH": str(site.BOOK / "_ext")}
    for builder in ("html", "singlehtml"):
        command = [
            sys.executable,
            "-m",
            "sphinx",
            "-q",
            "-W",
            "-b",
            builder,
            str(folder),
            str(folder / f"out-{builder}"),
        ]
        subprocess.run(command, env=extensions, check=True)
    return folder


@pytest.mark.parametrize("page", ["out-html/glossary.html", "out-singlehtml/index.html"])
def test_browsers_are_told_the_language(small: Path, page: str) -> None:
    found = BeautifulSoup((small / page).read_text(), "html.parser").select('span.zh[lang="zh"]')
    assert [span.get_text() for span in found] == ROLE.findall(TEXT)


def test_the_search_knows_the_words(small: Path) -> None:
    index = (small / "out-html/searchindex.js").read_text()
    assert "对比学习" in index or "\\u5bf9\\u6bd4\\u5b66\\u4e60" in index


def test_terms_still_lead_to_the_glossary(small: Path) -> None:
    page = BeautifulSoup((small / "out-html/index.html").read_text(), "html.parser")
    links = {link.get_text(): link["href"] for link in page.select("a.reference") if "#term-" in link["href"]}
    assert links == {
        "Contrastive learning": "glossary.html#term-Contrastive-learning",
        "embeddings": "glossary.html#term-Embedding",
    }
