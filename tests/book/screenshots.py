"""Save a picture of every built page, as on a desk and as on a phone, to look at.

python -m tests.book.screenshots build/screenshots
"""

from __future__ import annotations

import sys
from pathlib import Path

from tests.book import site

SIZES = {"wide": (1280, 900), "phone": (390, 844)}


def main(out: Path) -> None:
    out.mkdir(parents=True, exist_ok=True)
    with site.served() as address, site.browser() as chromium:
        for size, (width, height) in SIZES.items():
            page = chromium.new_page(viewport={"width": width, "height": height})
            for name in site.page_names():
                page.goto(f"{address}/{name}.html")
                site.settle(page)
                target = out / f"{name}-{size}.png"
                page.screenshot(path=target, full_page=True)
                print(target)
            page.close()


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: python -m tests.book.screenshots FOLDER")
    main(Path(sys.argv[1]))
