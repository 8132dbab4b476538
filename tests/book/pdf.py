"""Print the single-page build of the course as one PDF.

python -m tests.book.pdf _build/course.pdf
"""

from __future__ import annotations

import sys
from pathlib import Path

from tests.book import site

SINGLE = site.ROOT / "_build" / "singlehtml"
FOOTER = (
    '<div style="width: 100%; font-size: 8px; text-align: center; color: #555">'
    '<span class="pageNumber"></span> / <span class="totalPages"></span></div>'
)


def main(out: Path) -> None:
    """Draw every figure and formula, then print.

    Raises:
        RuntimeError: something of the page could not be loaded.
    """
    with site.served(SINGLE) as address, site.browser() as chromium:
        page = chromium.new_page(viewport={"width": 900, "height": 1200}, color_scheme="light")
        failed: list[str] = []
        page.on("requestfailed", lambda sent: failed.append(sent.url))
        page.on("response", lambda got: failed.append(got.url) if got.status >= 400 else None)
        page.goto(f"{address}/index.html?print")
        site.settle(page)
        failed = [url for url in failed if "searchindex" not in url]  # a single page has none
        if failed:
            raise RuntimeError(f"could not be loaded: {', '.join(failed)}")
        out.parent.mkdir(parents=True, exist_ok=True)
        page.pdf(
            path=out,
            format="A4",
            scale=0.75,
            print_background=True,
            display_header_footer=True,
            header_template="<span></span>",
            footer_template=FOOTER,
            margin={"top": "15mm", "bottom": "15mm", "left": "14mm", "right": "14mm"},
            outline=True,
            tagged=True,
        )
    print(f"{out}: {out.stat().st_size / 1e6:.1f} MB")


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: python -m tests.book.pdf FILE.pdf")
    main(Path(sys.argv[1]))
